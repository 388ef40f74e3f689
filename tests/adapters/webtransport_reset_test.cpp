// Streams that are reset before their first packet has arrived. With RESET_STREAM_AT
// (draft-ietf-quic-reliable-stream-reset) they keep their prefix.
#include "../../adapters/ngtcp2/detail/compat.hpp"
#include "forgery.hpp"
#include "webtransport_pair.hpp"

#include <algorithm>
#include <catch2/generators/catch_generators.hpp>
#include <deque>
#include <optional>
#include <string>
#include <tuple>
#include <utility>

namespace moqlite::test::webtransport_reset_test {

namespace {

using ngtcp2::detail::has_reset_stream_at;

/// A session whose packets can be lost, one end of which writes on streams by hand.
struct scene {
    scene() {
        pair_options o;
        o.drop = [this](std::string&) { return to_drop > 0 && to_drop-- > 0; };
        pair.emplace(o);
        std::tie(from, to) = pair->session();
        if (GENERATE(false, true)) std::swap(from, to);
        pair->run_for(1s); // Until neither end has packets of its own to send.
    }

    /// Writes `pieces` on a new stream, one a pump, in packets that are lost.
    void write(direction kind, const std::deque<std::string>& pieces) {
        for (const auto& piece : pieces) {
            to_drop = 1;
            lent.push_back(piece);
            from->in_pump([&, kind](link::connection& c) {
                if (!id) id = c.open(kind);
                const byte_view bytes = as_bytes(lent.back());
                CHECK(c.write({*id, {&bytes, 1}, bytes.size(), false}) == bytes.size());
            });
            pair->run_for(1ms);
            REQUIRE(to_drop == 0);
        }
    }
    /// Resets it, whereupon the memory of what was written is reused.
    void reset() {
        from->in_pump([this](link::connection& c) { c.reset(*id, app_error{7}); });
        from->at_end_of_pump([this](link::connection&) {
            for (auto& bytes : lent) bytes.assign(bytes.size(), 'S');
        });
    }
    [[nodiscard]] bool has_arrived() const { return to->received.contains(*id) && to->received.at(*id).reset; }

    int to_drop = 0;
    std::optional<webtransport_pair> pair;
    recorder *from = nullptr, *to = nullptr;
    std::deque<std::string> lent;
    std::optional<stream_id> id;
};

} // namespace

TEST_CASE("a stream that is reset right after its first byte keeps its prefix", "[webtransport]") {
    scene s;
    const auto kind = GENERATE(direction::uni, direction::bidi);
    s.write(kind, {"x"});
    s.reset();
    s.pair->run_for(3s);
    REQUIRE(s.has_arrived() == has_reset_stream_at);
    if (has_reset_stream_at) {
        CHECK(s.to->received[*s.id].reset == app_error{7});
        CHECK(s.to->received[*s.id].bytes == "x");
    }
    if (kind == direction::uni) CHECK(s.from->closed_streams.contains(*s.id));
    CHECK_FALSE(s.from->ended->has_value());
    CHECK_FALSE(s.to->ended->has_value());
}

TEST_CASE("a stream that is reset after a few short writes keeps its prefix", "[webtransport]") {
    scene s;
    s.write(direction::uni, {"header", std::string(40, 'f'), "more"});
    s.reset();
    s.pair->run_for(3s);
    REQUIRE(s.has_arrived() == has_reset_stream_at);
    if (has_reset_stream_at) CHECK(s.to->received[*s.id].bytes == "header" + std::string(40, 'f') + "more");
}

TEST_CASE("lent bytes of a stream are not sent after its reset, whatever becomes of its prefix", "[webtransport]") {
    scene s;
    SECTION("all at once") { s.write(direction::uni, {std::string(900, 'f')}); }
    SECTION("after a short write") { s.write(direction::uni, {"header", std::string(900, 'f')}); }
    SECTION("after short writes that fill the room for copies") {
        s.write(direction::uni, {std::string(60, 'h'), "f"});
    }
    s.reset();
    s.pair->run_for(3s);
    CHECK_FALSE(s.has_arrived());
    CHECK_FALSE(s.to->received.contains(*s.id));
    CHECK(s.from->closed_streams.contains(*s.id));
    s.from->send(direction::uni, "another");
    REQUIRE(s.pair->run([&] { return s.to->received.size() == 1; }));
    CHECK(s.to->received.begin()->second.bytes == "another");
}

TEST_CASE("a RESET_STREAM_AT is taken where it was announced, and waits for its bytes", "[webtransport]") {
    memory_pair pair;
    const auto [client, server] = pair.connected();
    pair.run_for(1s);
    const auto end = server->ended;
    // The frame first, for 4 of 9 bytes, and then the first 6.
    std::deque<std::string> frames{
        '\x24' + varint4(2) + varint4(7) + varint4(9) + varint4(4), stream_frame(2, 0, "prefix")};
    const forgery forged{[&](std::size_t size) -> std::optional<std::string> {
        if (size < 500 || frames.empty()) return std::nullopt;
        return std::exchange(frames.front(), {});
    }};
    const std::string bytes(600, 'x');
    const auto send_one = [&, from = client](std::uint64_t id) {
        from->in_pump([&, id](link::connection& c) {
            REQUIRE(c.open(direction::uni) == stream_id{id});
            const byte_view view = as_bytes(bytes);
            CHECK(c.write({stream_id{id}, {&view, 1}, bytes.size(), false}) == bytes.size());
        });
        pair.run_for(20ms);
        frames.pop_front();
    };
    send_one(2);
    CHECK(end->has_value() != has_reset_stream_at);
    if (!has_reset_stream_at) {
        CHECK((*end)->code == NGTCP2_FRAME_ENCODING_ERROR);
        CHECK_FALSE((*end)->by_peer);
        return;
    }
    CHECK(server->received.empty());
    send_one(6);
    REQUIRE(server->received.contains(stream_id{2}));
    CHECK(server->received[stream_id{2}].bytes == "prefix");
    CHECK(server->received[stream_id{2}].reset == app_error{7});
    CHECK_FALSE(end->has_value());
}

TEST_CASE("short writes arrive unchanged through a window of a few bytes", "[webtransport]") {
    pair_options options;
    options.client.stream_window = options.server.stream_window = 400; // Later streams get credit byte by byte.
    webtransport_pair pair{options};
    const auto [from, to] = pair.session();
    const auto bytes = noise(61);
    std::optional<stream_id> id;
    for (std::size_t at = 0; at < bytes.size(); at += 7) {
        from->in_pump([&, at](link::connection& c) {
            if (!id) id = c.open(direction::uni);
            const auto piece = as_bytes(bytes).subspan(at, std::min<std::size_t>(7, bytes.size() - at));
            CHECK(c.write({*id, {&piece, 1}, piece.size(), at + 7 > bytes.size()}) == piece.size());
        });
        pair.run_for(1ms);
    }
    REQUIRE(pair.run([&, there = to] { return there->received[*id].fin; }));
    CHECK(to->received[*id].bytes == bytes);
}

} // namespace moqlite::test::webtransport_reset_test

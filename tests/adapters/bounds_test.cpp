// Bounds on the memory that one peer can occupy at an endpoint. Uses private members, as nothing public counts it.
#include "../../adapters/ngtcp2/detail/endpoint_state.hpp"
#include "forgery.hpp"
#include "memory_pair.hpp"

#include <algorithm>
#include <random>

namespace moqlite::test::bounds_test {

namespace {

std::size_t kept_for(const recorder* r) { return ngtcp2::detail::state_of(r->connection).memory.used(); }
std::size_t bound_of(const recorder* r) { return ngtcp2::detail::state_of(r->connection).endpoint.memory_bound; }

/// A variable-length integer of two bytes.
std::string varint2(std::uint32_t n) { return {static_cast<char>(0x40 | n >> 8), static_cast<char>(n)}; }

/// One-byte STREAM frames with a gap before each, as many as fit; packets below 1000 bytes stay as they are. ngtcp2
/// itself ends a connection at 4000 gaps of one stream.
forgery::function gaps(std::uint32_t stream) {
    return [stream, sent = 0u](std::size_t size) mutable -> std::optional<std::string> {
        constexpr std::uint32_t a_stream = 3900;
        if (size < 1000) return std::nullopt;
        std::string frames;
        for (; frames.size() + 7 <= size; ++sent)
            frames += '\x0e' + varint2(stream + 4 * (sent / a_stream)) + varint2(1 + 2 * (sent % a_stream)) + "\1x";
        return frames;
    };
}

} // namespace

TEST_CASE("a peer that sends every other byte is closed before its gaps take more than the bound", "[regression]") {
    memory_pair pair;
    const auto [client, server] = pair.connected();
    const auto end = server->ended, told = client->ended;
    const auto bound = bound_of(server);
    CHECK(bound < 64 * 1024 * 1024);
    const forgery forged{gaps(4 * 100 + 2)};
    for (int i = 0; i < 8; ++i) client->send(direction::uni, noise(1'000'000));
    std::size_t most = 0;
    pair.run([&, s = server] {
        if (!end->has_value()) most = std::max(most, kept_for(s));
        return end->has_value();
    });
    REQUIRE(end->has_value());
    INFO((*end)->reason);
    CHECK((*end)->application);
    CHECK((*end)->code == static_cast<std::uint64_t>(app_error::bounds_exceeded));
    CHECK_FALSE((*end)->by_peer);
    CHECK(most < bound + 1024 * 1024);
    REQUIRE(pair.run([&] { return told->has_value(); }));
    CHECK((*told)->code == static_cast<std::uint64_t>(app_error::bounds_exceeded));
}

TEST_CASE("a stream whose first byte never arrives is stopped like a silent one", "[regression][ngtcp2-1.24]") {
    memory_pair pair;
    const auto [client, server] = pair.connected();
    pair.run_for(1s);
    const forgery forged{[](std::size_t size) -> std::optional<std::string> {
        if (size < 500) return std::nullopt;
        return stream_frame(2, 1, std::string(100, 'x'));
    }};
    const std::string bytes(600, 'x');
    client->in_pump([&](link::connection& to) {
        REQUIRE(to.open(direction::uni) == stream_id{2});
        const byte_view view = as_bytes(bytes);
        CHECK(to.write({stream_id{2}, {&view, 1}, bytes.size(), false}) == bytes.size());
    });
    pair.run_for(9s);
    CHECK(server->received.empty());
    CHECK_FALSE(client->sent[stream_id{2}].stopped);
    pair.run_for(2s);
    REQUIRE(client->sent[stream_id{2}].stopped);
    CHECK(*client->sent[stream_id{2}].stopped == app_error::timeout);
    // Its place is free again, and nothing is left.
    pair.run_for(1s);
    CHECK_FALSE(client->ended->has_value());
    CHECK(kept_for(server) < 256 * 1024);
}

TEST_CASE("full windows of many streams on a path that loses and reorders stay far below the bound") {
    pair_options options;
    std::mt19937 random{5};
    options.delay = [&]() -> duration { return std::chrono::microseconds{50'000 + random() % 20'000}; };
    options.drop = [&](std::string& bytes) { return bytes.size() > 1000 && random() % 50 == 0; };
    memory_pair pair{std::move(options)};
    const auto [client, server] = pair.connected();
    const auto end = server->ended;
    for (int i = 0; i < 1000; ++i) client->send(direction::uni, noise(16'000));
    std::size_t most = 0;
    REQUIRE(pair.run(
        [&, c = client, s = server] {
            most = std::max({most, kept_for(s), kept_for(c)});
            return c->closed_streams.size() == 1000;
        },
        600s));
    CHECK_FALSE(end->has_value());
    INFO(most);
    CHECK(most < bound_of(server) / 2);
}

} // namespace moqlite::test::bounds_test

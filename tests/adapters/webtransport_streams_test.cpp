// Streams and datagrams of a session, from end to end.
#include "raw_http3.hpp"

#include <algorithm>
#include <catch2/generators/catch_generators.hpp>
#include <tuple>
#include <utility>

namespace moqlite::test::webtransport_streams_test {

namespace {

/// Both ends of a session, either of them first.
struct ends {
    explicit ends(webtransport_pair& pair) {
        std::tie(from, to) = pair.session();
        if (GENERATE(false, true)) std::swap(from, to);
    }
    recorder *from = nullptr, *to = nullptr;
};

} // namespace

TEST_CASE("a reset arrives with the application's code", "[webtransport]") {
    webtransport_pair pair;
    ends e{pair};
    const auto kind = GENERATE(direction::uni, direction::bidi);
    const std::uint64_t code = GENERATE(0u, 29u, 30u, 31u, 0xffffffffu);
    e.to->give_credit = false;
    e.from->send(kind, noise(2'000'000));
    REQUIRE(pair.run([&] { return !e.to->received.empty(); }));
    const auto id = e.from->opened.at(0);
    e.from->sent[id].done = true;
    e.from->in_pump([=](link::connection& c) { c.reset(id, app_error{code}); });
    REQUIRE(pair.run([&] { return e.to->received[id].reset.has_value(); }));
    CHECK(e.to->received[id].reset == app_error{code});
    if (kind == direction::uni) {
        REQUIRE(pair.run([&] { return e.from->closed_streams.contains(id) && e.to->closed_streams.contains(id); }));
        CHECK(e.from->closed_streams[id] == app_error{code});
        CHECK(e.to->closed_streams[id] == app_error{code});
    }
}

TEST_CASE("a stop arrives with the application's code", "[webtransport][ngtcp2-1.24]") {
    webtransport_pair pair;
    ends e{pair};
    const auto kind = GENERATE(direction::uni, direction::bidi);
    const std::uint64_t code = GENERATE(0u, 30u, 0xffffffffu);
    e.to->give_credit = false;
    e.from->send(kind, noise(2'000'000));
    REQUIRE(pair.run([&] { return !e.to->received.empty(); }));
    const auto id = e.from->opened.at(0);
    e.to->in_pump([=](link::connection& c) { c.stop(id, app_error{code}); });
    REQUIRE(pair.run([&] { return e.from->sent[id].stopped.has_value(); }));
    CHECK(e.from->sent[id].stopped == app_error{code});
}

TEST_CASE("a bidirectional stream is answered without a prefix", "[webtransport]") {
    webtransport_pair pair;
    ends e{pair};
    e.from->send(direction::bidi, "question");
    REQUIRE(pair.run([&] { return e.to->received.size() == 1 && e.to->received.begin()->second.fin; }));
    const auto id = e.from->opened.at(0);
    CHECK(e.to->received[id].bytes == "question");
    e.to->in_pump([id, to = e.to](link::connection&) { to->sent[id].bytes = "answer"; });
    REQUIRE(pair.run([&] { return e.from->closed_streams.contains(id) && e.to->closed_streams.contains(id); }));
    CHECK(e.from->received[id].bytes == "answer");
    CHECK_FALSE(e.from->closed_streams[id]);
    CHECK(e.from->sent[id].acked == 8);
    CHECK(e.to->sent[id].acked == 6);
}

TEST_CASE("a stream with only a FIN arrives", "[webtransport]") {
    webtransport_pair pair;
    ends e{pair};
    e.from->send(direction::uni, "");
    REQUIRE(pair.run([&] { return !e.to->received.empty(); }));
    CHECK(e.to->received.begin()->second.fin);
    CHECK(e.to->received.begin()->second.bytes.empty());
    REQUIRE(pair.run([&] { return e.from->closed_streams.size() == 1; }));
    CHECK(e.from->sent[e.from->opened.at(0)].acked == 0);
}

TEST_CASE("a stream arrives through a window of one byte, its prefix and its end with it", "[webtransport]") {
    pair_options options;
    // Enough for a request; later streams get credit byte by byte.
    options.client.stream_window = options.server.stream_window = 400;
    webtransport_pair pair{options};
    ends e{pair};
    const auto bytes = noise(5'000);
    e.from->send(direction::uni, bytes);
    e.from->send(direction::uni, "");
    REQUIRE(pair.run([&] {
        return e.to->received.size() == 2 && std::ranges::all_of(e.to->received, [](auto& r) { return r.second.fin; });
    }));
    CHECK(e.to->received[e.from->opened.at(0)].bytes == bytes);
}

TEST_CASE("datagrams arrive, up to the reported size", "[webtransport]") {
    webtransport_pair pair;
    ends e{pair};
    const auto size = e.from->connection.datagram_size();
    e.from->in_pump([&](link::connection& c) {
        CHECK(c.send(as_bytes("hello")));
        CHECK(c.send({}));
        c.flush();
        const auto longest = noise(size);
        CHECK(c.send(as_bytes(longest)));
    });
    REQUIRE(pair.run([&] { return e.to->datagrams.size() == 3; }));
    CHECK(e.to->datagrams[0] == "hello");
    CHECK(e.to->datagrams[1].empty());
    CHECK(e.to->datagrams[2] == noise(size));
}

TEST_CASE("streams open up to the peer's limit, and more when it grants more", "[webtransport]") {
    pair_options options;
    options.client.uni_streams = options.server.uni_streams = 3 + 4; // Three are HTTP/3's.
    webtransport_pair pair{options};
    ends e{pair};
    for (int i = 0; i < 100; ++i) e.from->send(direction::uni, "group " + std::to_string(i));
    REQUIRE(pair.run([&] { return e.to->received.size() == 100; }));
    CHECK(e.from->available[direction::uni] > 0);
}

TEST_CASE("a connection without streams for HTTP/3 is closed with a reason", "[webtransport]") {
    pair_options options;
    options.server.uni_streams = 2;
    webtransport_pair pair{options};
    pair.ask();
    REQUIRE(pair.run([&] { return !pair.client.failures.empty(); }));
    CHECK(pair.client.failures[0] == "the peer does not allow the three streams of HTTP/3");
}

TEST_CASE("a session survives a lossy path", "[webtransport]") {
    pair_options options;
    options.drop = [n = 0](std::string&) mutable { return ++n % 7 == 0; };
    webtransport_pair pair{options};
    ends e{pair};
    const auto bytes = noise(300'000);
    for (int i = 0; i < 10; ++i) e.from->send(i % 2 == 0 ? direction::uni : direction::bidi, bytes);
    REQUIRE(pair.run(
        [&] {
            return e.from->opened.size() == 10 &&
                   std::ranges::all_of(e.from->opened, [&](stream_id id) { return e.to->received[id].fin; });
        },
        600s));
    for (const auto id : e.from->opened) CHECK(e.to->received[id].bytes == bytes);
}

} // namespace moqlite::test::webtransport_streams_test

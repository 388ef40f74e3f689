// How sessions end.
#include "raw_http3.hpp"

#include <catch2/generators/catch_generators.hpp>
#include <moqlite/webtransport/error_code.hpp>

namespace moqlite::test::webtransport_close_test {

namespace {

constexpr std::uint64_t no_error = 0x100, message_error = 0x10e, session_gone = 0x170d7b68;

/// CLOSE with a code and a reason.
std::string close_capsule(std::uint32_t code, const std::string& reason) {
    std::string value;
    for (int shift = 24; shift >= 0; shift -= 8) value += static_cast<char>(code >> shift & 0xff);
    return varint(0x2843) + varint(4 + reason.size()) + value + reason;
}

} // namespace

TEST_CASE("one end's close is what the other reports, and QUIC ends soon", "[webtransport]") {
    webtransport_pair pair;
    const auto both = pair.session();
    const bool from_server = GENERATE(false, true);
    auto* from = from_server ? both.second : both.first;
    const auto ours = from_server ? pair.server.ends[0] : pair.client.ends[0];
    const auto theirs = from_server ? pair.client.ends[0] : pair.server.ends[0];
    const std::uint64_t code = GENERATE(0u, 7u, 4242u, 0xffffffffu);
    from->connection.close(app_error{code}, "see \xc3\xbc later");
    const auto begun = pair.now;
    REQUIRE(pair.run([&] { return ours->has_value() && theirs->has_value(); }));
    CHECK((*ours)->code == code);
    CHECK((*ours)->application);
    CHECK_FALSE((*ours)->by_peer);
    CHECK((*theirs)->code == code);
    CHECK((*theirs)->application);
    CHECK((*theirs)->by_peer);
    CHECK((*theirs)->reason == "see \xc3\xbc later");
    REQUIRE(pair.run([&] { return pair.is_over(); }));
    CHECK(pair.now - begun < 100ms); // Without waiting for a timer.
}

TEST_CASE("a session that ends resets its streams", "[webtransport]") {
    webtransport_pair pair;
    raw_http3 client{pair};
    client.session();
    auto* server = pair.server.handlers.at(0);
    client.upper->give_credit = false;
    const auto mine = client.open(direction::bidi, varint(0x41) + varint(0) + "hello");
    REQUIRE(pair.run([&] { return server->received[mine].bytes == "hello"; }));
    server->send(direction::uni, noise(2'000'000)); // Far more than its window.
    REQUIRE(pair.run([&] { return !server->opened.empty(); }));
    const auto theirs = server->opened[0];
    pair.run_for(100ms);
    server->connection.close(app_error{5}, "enough");
    CHECK(client.reset_code(theirs) == session_gone);
    CHECK(client.reset_code(mine) == session_gone);
}

TEST_CASE("a handler that will get the end of the session does not get the end of each stream", "[webtransport]") {
    webtransport_pair pair;
    raw_http3 client{pair};
    const auto id = client.session();
    auto* server = pair.server.handlers.at(0);
    const auto mine = client.open(direction::uni, varint(0x54) + varint(0) + "hello");
    const auto other = client.open(direction::uni, varint(0x54) + varint(0) + "hello");
    REQUIRE(pair.run([&] { return server->received.contains(other); }));
    client.reset(mine, session_gone);
    client.reset(other, 0x10c);
    CHECK_FALSE(server->received[mine].reset);
    CHECK_FALSE(server->closed_streams.contains(mine));
    CHECK(server->received[other].reset == app_error::cancel);
    client.more(id, data_frame(close_capsule(1, "now")), true);
    CHECK(pair.server.ends.at(0)->has_value());
}

TEST_CASE("the closing end waits for the other's FIN, half a second at most", "[webtransport]") {
    webtransport_pair pair;
    raw_http3 client{pair};
    const auto id = client.session();
    const bool polite = GENERATE(false, true);
    pair.server.handlers.at(0)->connection.close(app_error{7}, "bye");
    const auto begun = pair.now;
    REQUIRE(pair.run([&] { return client.received(id).fin; }));
    CHECK(client.received(id).bytes.ends_with(data_frame(close_capsule(7, "bye"))));
    if (polite) client.more(id, "", true);
    const auto mapped = static_cast<std::uint64_t>(webtransport::to_http3_code(app_error{7}));
    CHECK(client.code() == (polite ? no_error : mapped)); // Once more, as the CLOSE may be lost.
    CHECK((*client.ended)->application);
    CHECK(pair.server_counts->failed_connections == 0);
    if (polite)
        CHECK(pair.now - begun < 200ms);
    else
        CHECK(pair.now - begun >= 500ms);
    CHECK(pair.now - begun < 600ms);
}

TEST_CASE("the server ends QUIC after the client's close", "[webtransport]") {
    webtransport_pair pair;
    raw_http3 client{pair};
    const auto id = client.session();
    const auto how = pair.server.ends.at(0);
    SECTION("with a capsule") {
        client.more(id, data_frame(close_capsule(99, "done")), true);
        REQUIRE(how->has_value());
        CHECK((*how)->code == 99);
        CHECK((*how)->reason == "done");
    }
    SECTION("with a FIN alone") {
        client.more(id, "", true);
        REQUIRE(how->has_value());
        CHECK((*how)->code == 0);
        CHECK((*how)->application);
    }
    CHECK((*how)->by_peer);
    CHECK(client.code() == no_error);
}

// As webtransport-go closes: its STOP_SENDING is written before the capsule, mostly in one packet.
TEST_CASE("the code of a CLOSE survives a STOP_SENDING before it in the same packet", "[webtransport][ngtcp2-1.24]") {
    webtransport_pair pair;
    raw_http3 client{pair};
    const auto id = client.session();
    const auto other = client.open(direction::uni, varint(0x54) + varint(0) + "hello");
    REQUIRE(pair.run([&] { return pair.server.handlers.at(0)->received.contains(other); }));
    const auto how = pair.server.ends.at(0);
    const std::uint64_t code = GENERATE(session_gone, no_error, std::uint64_t{0x10c});
    const bool with_connection = GENERATE(false, true);
    client.upper->in_pump([&](link::connection& c) {
        c.stop(id, app_error{code});
        c.reset(other, app_error{session_gone});
        client.append(id, data_frame(close_capsule(42, "done")), true);
    });
    if (with_connection) client.upper->at_end_of_pump([](link::connection& c) { c.close(app_error{no_error}, ""); });
    REQUIRE(pair.run([&] { return how->has_value(); }, 1s));
    CHECK((*how)->code == 42);
    CHECK((*how)->reason == "done");
    CHECK((*how)->application);
    CHECK((*how)->by_peer);
    CHECK(pair.server_counts->failed_connections == 0);
    if (!with_connection) CHECK(client.code() == no_error);
}

TEST_CASE("the stream of the CONNECT ends cleanly with H3_NO_ERROR", "[webtransport][ngtcp2-1.24]") {
    webtransport_pair pair;
    raw_http3 client{pair};
    const auto id = client.session();
    const auto how = pair.server.ends.at(0);
    SECTION("when it is reset") { client.reset(id, no_error); }
    SECTION("when it is stopped, and nothing follows") {
        client.upper->in_pump([&](link::connection& c) { c.stop(id, app_error{no_error}); });
        CHECK_FALSE(pair.run([&] { return how->has_value(); }, 2s)); // The rest may be in flight.
    }
    REQUIRE(pair.run([&] { return how->has_value(); }, 5s));
    CHECK((*how)->app_code() == app_error{0});
    CHECK((*how)->application);
    CHECK((*how)->by_peer);
}

TEST_CASE("a CLOSE that arrives with the end of QUIC itself counts", "[webtransport]") {
    webtransport_pair pair;
    raw_http3 client{pair};
    const auto id = client.session();
    const auto how = pair.server.ends.at(0);
    client.append(id, data_frame(close_capsule(8, "both")), false);
    // Two packets that arrive together.
    client.upper->at_end_of_pump([](link::connection& c) { c.close(app_error{0x101}, "and QUIC"); });
    REQUIRE(pair.run([&] { return how->has_value(); }, 1s));
    CHECK((*how)->code == 8);
    CHECK((*how)->reason == "both");
}

TEST_CASE("a stream of the session that is cut off is a lost session", "[webtransport]") {
    webtransport_pair pair;
    raw_http3 client{pair};
    const auto id = client.session();
    const auto how = pair.server.ends.at(0);
    client.reset(id, 0x10c);
    REQUIRE(how->has_value());
    CHECK((*how)->app_code() == app_error::transport);
    CHECK((*how)->by_peer);
    CHECK(client.code() == no_error);
}

TEST_CASE("invalid capsules end the session, with a reason", "[webtransport]") {
    webtransport_pair pair;
    raw_http3 client{pair};
    const auto id = client.session();
    const auto how = pair.server.ends.at(0);
    const std::string bytes =
        GENERATE(data_frame(varint(0x2843) + varint(3) + "abc"), data_frame(varint(0x2843) + varint(2000) + "abcd"),
            data_frame(varint(0x78ae) + varint(1) + "a"), data_frame(close_capsule(1, "\xff\xfe")));
    client.more(id, bytes);
    REQUIRE(how->has_value());
    CHECK((*how)->app_code() == app_error::transport);
    CHECK(client.reset_code(id) == message_error);
    CHECK(client.code() == no_error);
}

TEST_CASE("DATA after CLOSE resets the stream of the session", "[webtransport]") {
    webtransport_pair pair;
    raw_http3 client{pair};
    const auto id = client.session();
    client.more(id, data_frame(close_capsule(3, "x") + "more"));
    REQUIRE(pair.server.ends.at(0)->has_value());
    CHECK((**pair.server.ends.at(0)).code == 3); // The earlier CLOSE counts.
    CHECK(client.reset_code(id) == message_error);
}

TEST_CASE("unknown capsules are skipped, however long", "[webtransport]") {
    webtransport_pair pair;
    raw_http3 client{pair};
    const auto id = client.session();
    client.more(id, data_frame(varint(0x17) + varint(3'000'000)));
    for (int i = 0; i < 30; ++i) client.more(id, data_frame(noise(100'000)));
    CHECK_FALSE(pair.server.ends.at(0)->has_value());
    client.more(id, data_frame(close_capsule(1, "now")), true);
    REQUIRE(pair.server.ends.at(0)->has_value());
}

TEST_CASE("a CONNECTION_CLOSE carries the session's code, too", "[webtransport]") {
    webtransport_pair pair;
    raw_http3 client{pair};
    client.session();
    const auto how = pair.server.ends.at(0);
    SECTION("of the application") {
        client.upper->connection.close(
            app_error{static_cast<std::uint64_t>(webtransport::to_http3_code(app_error{77}))}, "gone");
        REQUIRE(pair.run([&] { return how->has_value(); }));
        CHECK((*how)->app_code() == app_error{77});
        CHECK((*how)->reason == "gone");
    }
    SECTION("in peace") {
        client.upper->connection.close(app_error{no_error}, "gone");
        REQUIRE(pair.run([&] { return how->has_value(); }));
        CHECK((*how)->app_code() == app_error{0});
    }
    SECTION("of HTTP/3") {
        client.upper->connection.close(app_error{0x101}, "gone");
        REQUIRE(pair.run([&] { return how->has_value(); }));
        CHECK((*how)->app_code() == app_error::transport);
    }
    CHECK((*how)->by_peer);
}

TEST_CASE("close_all() ends sessions through their handlers", "[webtransport]") {
    webtransport_pair pair;
    pair.session();
    pair.server.endpoint.close_all(app_error{9}, "shutting down");
    const auto how = pair.client.ends[0];
    REQUIRE(pair.run([&] { return how->has_value(); }));
    CHECK((*how)->code == 9);
    CHECK((*how)->reason == "shutting down");
    REQUIRE(pair.run([&] { return pair.is_over(); }));
}

TEST_CASE("a connection without a session is closed in ten seconds", "[webtransport]") {
    webtransport_pair pair;
    raw_http3 client{pair};
    CHECK(client.ask(get()) == 404);
    const auto begun = pair.now;
    CHECK(client.code() == no_error);
    CHECK(pair.now - begun > 9s);
    CHECK(pair.now - begun < 11s);
}

} // namespace moqlite::test::webtransport_close_test

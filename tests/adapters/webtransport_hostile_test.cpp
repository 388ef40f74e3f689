// Hostile clients: each gets its answer, has bounded cost, and disturbs no other.
#include "raw_http3.hpp"

#include <catch2/generators/catch_generators.hpp>

namespace moqlite::test::webtransport_hostile_test {

namespace {

constexpr std::uint64_t datagram_error = 0x33, stream_creation_error = 0x103, frame_error = 0x106,
                        excessive_load = 0x107, id_error = 0x108, settings_error = 0x109, missing_settings = 0x10a,
                        request_rejected = 0x10b, request_incomplete = 0x10d, session_gone = 0x170d7b68,
                        stream_rejected = 0x3994bd84;

std::string uni(std::uint64_t session, const std::string& payload = {}) {
    return varint(0x54) + varint(session) + payload;
}
std::string bidi(std::uint64_t session, const std::string& payload = {}) {
    return varint(0x41) + varint(session) + payload;
}

/// The code with which the server stopped a stream of the client's.
std::optional<std::uint64_t> stop_code(webtransport_pair& pair, raw_http3& client, stream_id id) {
    pair.run([&] { return client.is_over() || client.upper->sent[id].stopped.has_value(); }, 10s);
    if (client.is_over() || !client.upper->sent[id].stopped) return std::nullopt;
    return number(*client.upper->sent[id].stopped);
}

} // namespace

TEST_CASE("SETTINGS with forbidden values close the connection", "[webtransport]") {
    webtransport_pair pair;
    const auto [bytes, code] = GENERATE(table<std::string, std::uint64_t>({
        {control({{0x33, 2}}), settings_error}, {control({{0x2b603742, 2}}), settings_error},
        {control({{0x2c7cf000, 7}}), settings_error}, {control({{0x33, 1}, {0x33, 1}}), settings_error},
        {control({{0x2b603742, 1}, {0x2b603742, 1}}), settings_error},
        {control({{0x02, 1}}), settings_error}, // Of HTTP/2.
        {control({{0x05, 1}}), settings_error}, {varint(0x00) + frame(0x07, varint(0)), missing_settings},
        {varint(0x00) + frame(0x04, varint(0x33)), frame_error}, // Ends within an entry.
    }));
    raw_http3 client{pair, bytes};
    CHECK(client.code() == code);
    CHECK((*client.ended)->by_peer);
    CHECK(pair.server_counts->failed_connections == 1);
    CHECK(pair.server_counts->sessions == 0);
}

TEST_CASE("a second control stream, and SETTINGS twice, close the connection", "[webtransport]") {
    webtransport_pair pair;
    raw_http3 client{pair};
    const auto twice = GENERATE(false, true);
    if (twice)
        client.open(direction::uni, usual_settings());
    else
        client.more(stream_id{2}, frame(0x04, ""));
    CHECK(client.code() == (twice ? stream_creation_error : 0x105));
}

TEST_CASE("streams of sessions that can never exist are refused", "[webtransport][ngtcp2-1.24]") {
    webtransport_pair pair;
    raw_http3 client{pair};
    const auto before = client.open(direction::uni, uni(400, "hello")); // A session that may still be established.
    const auto begun = pair.now;
    CHECK(stop_code(pair, client, before) == stream_rejected); // For a limited time.
    CHECK(pair.now - begun > 4s);
    client.session();
    CHECK(stop_code(pair, client, client.open(direction::uni, uni(8, "hello"))) == session_gone);
    const auto both = client.open(direction::bidi, bidi(8, "hello"));
    CHECK(stop_code(pair, client, both) == session_gone);
    CHECK(client.reset_code(both) == session_gone);
    CHECK(pair.server_counts->rejected_streams == 3);
    CHECK(pair.server.handlers.at(0)->received.empty());
}

TEST_CASE("an invalid session id closes the connection", "[webtransport]") {
    webtransport_pair pair;
    raw_http3 client{pair};
    const std::uint64_t id = GENERATE(1u, 2u, 3u, 7u);
    if (GENERATE(false, true)) client.session();
    client.open(direction::uni, uni(id));
    CHECK(client.code() == id_error);
}

TEST_CASE("early streams and datagrams wait for their session, and for no other", "[webtransport][ngtcp2-1.24]") {
    webtransport_pair pair;
    raw_http3 client{pair};
    const auto open = client.open(direction::bidi, bidi(4, "long")); // Stream 0: the session will be 4.
    const auto ended = client.open(direction::uni, uni(4, "short"), true);
    const auto other = client.open(direction::uni, uni(8, "another's"));
    client.datagram(varint(1) + "datagram");
    pair.run_for(1s);
    CHECK(client.session() == stream_id{4});
    auto* server = pair.server.handlers.at(0);
    CHECK(server->received[ended].bytes == "short");
    CHECK(server->received[ended].fin);
    CHECK(server->closed_streams.contains(ended));
    CHECK(server->received[open].bytes == "long");
    CHECK(server->datagrams == std::vector<std::string>{"datagram"});
    client.more(open, "er", true);
    CHECK(server->received[open].bytes == "longer");
    CHECK(server->received[open].fin);
    CHECK(stop_code(pair, client, other) == session_gone);
    CHECK_FALSE(server->received.contains(other));
}

TEST_CASE("of ten thousand early streams sixteen wait, and no other connection is affected", "[webtransport]") {
    webtransport_pair pair;
    const auto [friendly, server] = pair.session();
    raw_http3 client{pair};
    int opened = 0;
    while (opened < 10'000) {
        client.upper->in_pump([&](link::connection& c) {
            while (opened < 10'000) {
                const auto id = c.open(direction::uni);
                if (!id) break;
                client.upper->sent[*id].bytes = uni(4'000, "x");
                client.upper->sent[*id].fin = opened % 2 == 0;
                ++opened;
            }
        });
        pair.run_for(100ms);
        REQUIRE_FALSE(client.is_over());
    }
    CHECK(pair.server_counts->rejected_streams >= 9'900);
    friendly->send(direction::uni, "still here");
    REQUIRE(pair.run([&] { return !server->received.empty(); }));
    CHECK(server->received.begin()->second.bytes == "still here");
}

TEST_CASE("an early stream that is too long is refused", "[webtransport][ngtcp2-1.24]") {
    webtransport_pair pair;
    raw_http3 client{pair};
    const auto id = client.open(direction::uni, uni(4, noise(70'000)));
    CHECK(stop_code(pair, client, id) == stream_rejected);
    CHECK(pair.server_counts->rejected_streams == 1);
}

TEST_CASE("a stream that is reset before its prefix is complete leaves nothing behind", "[webtransport][ngtcp2-1.24]") {
    webtransport_pair pair;
    raw_http3 client{pair};
    client.session();
    auto* server = pair.server.handlers.at(0);
    const auto kind = GENERATE(direction::uni, direction::bidi);
    const auto size = GENERATE(0u, 1u, 2u);
    const auto begun = (kind == direction::uni ? uni(0) : bidi(0)).substr(0, size);
    for (int i = 0; i < 2'000; ++i) { // Far more than the limit.
        std::optional<stream_id> id;
        client.upper->in_pump([&](link::connection& c) {
            id = c.open(kind);
            if (!id) return;
            const byte_view bytes = as_bytes(begun);
            if (!begun.empty()) static_cast<void>(c.write({*id, {&bytes, 1}, bytes.size(), false}));
            c.flush();
            c.reset(*id, app_error{0x10c});
        });
        pair.run_for(15ms);
        REQUIRE_FALSE(client.is_over());
        REQUIRE(id);
    }
    CHECK(server->received.empty());
    CHECK_FALSE(client.is_over());
    const auto good = client.open(direction::uni, uni(0, "good"));
    REQUIRE(pair.run([&] { return server->received.contains(good); }));
}

TEST_CASE(
    "a stream that ends before its prefix is complete is refused, where it had to say something", "[webtransport]") {
    webtransport_pair pair;
    raw_http3 client{pair};
    client.session();
    client.open(direction::uni, "\x40", true); // Which is allowed (RFC 9114 §6.2).
    client.open(direction::uni, "", true);
    const auto cut = client.open(direction::bidi, "\x40\x41", true);
    CHECK(client.reset_code(cut) == 0x101);
    const auto empty = client.open(direction::bidi, "", true);
    CHECK(client.reset_code(empty) == request_incomplete);
    CHECK_FALSE(client.is_over());
    CHECK_FALSE(pair.server.ends.at(0)->has_value());
}

TEST_CASE("a session's bytes may arrive one by one", "[webtransport]") {
    webtransport_pair pair;
    raw_http3 client{pair, ""};
    const auto settings = usual_settings();
    const auto control = client.open(direction::uni, settings.substr(0, 1));
    for (const char c : settings.substr(1)) client.more(control, {c});
    const auto header = headers(connect());
    const auto id = client.open(direction::bidi, header.substr(0, 1));
    for (const char c : header.substr(1)) client.more(id, {c});
    CHECK(client.answer(id) == 200);
    const auto bytes = bidi(0, "bytes");
    const auto stream = client.open(direction::bidi, bytes.substr(0, 1));
    for (const char c : bytes.substr(1)) client.more(stream, {c});
    CHECK(pair.server.handlers.at(0)->received[stream].bytes == "bytes");
}

TEST_CASE("requests that never end their headers are cut off, also beside a session", "[webtransport]") {
    webtransport_pair pair;
    raw_http3 client{pair};
    client.session();
    const auto endless = varint(0x01) + varint(10'000) + section(get());
    const auto first = client.open(direction::bidi, endless);
    for (int i = 0; i < 31; ++i) client.open(direction::bidi, endless);
    const auto beyond = client.open(direction::bidi, endless);
    CHECK(client.reset_code(beyond) == request_rejected);
    CHECK_FALSE(client.upper->received[first].reset);
    pair.run_for(11s);
    CHECK(client.reset_code(first) == request_rejected);
    CHECK(pair.server_counts->refused_requests == 33);
    CHECK_FALSE(client.is_over());
    CHECK_FALSE(pair.server.ends.at(0)->has_value());
}

TEST_CASE("a header that is too large is answered 431", "[webtransport]") {
    webtransport_pair pair;
    raw_http3 client{pair};
    auto large = connect();
    for (int i = 0; i < 10; ++i) large.emplace_back("x-" + std::to_string(i), std::string(2'000, 'a'));
    CHECK(client.ask(large, false) == 431);
    CHECK_FALSE(client.is_over());
}

TEST_CASE("a flood of requests ends the connection, not the server", "[webtransport]") {
    webtransport_pair pair;
    const auto [friendly, server] = pair.session();
    raw_http3 client{pair};
    for (int i = 0; i < 200 && !client.is_over(); ++i) {
        client.upper->in_pump([&](link::connection& c) {
            for (int k = 0; k < 10; ++k)
                if (const auto id = c.open(direction::bidi)) client.upper->sent[*id].bytes = headers(get());
        });
        pair.run_for(20ms);
    }
    CHECK(client.code() == excessive_load);
    CHECK(pair.server_counts->refused_requests <= 150);
    CHECK(pair.server_log.size() <= 150);
    friendly->send(direction::uni, "still here");
    REQUIRE(pair.run([&] { return !server->received.empty(); }));
}

TEST_CASE("headers that exhaust the memory of HTTP/3 end the connection", "[webtransport]") {
    webtransport_pair pair;
    raw_http3 client{pair};
    client.session();
    // An endless field value, on as many streams as allowed.
    const auto begun = varint(0x01) + varint(70'000) + std::string(2, '\0') + prefixed(0x20, 3, 1) + "x" +
                       prefixed(0, 7, 65'000) + std::string(60'000, 'a');
    for (int i = 0; i < 60 && !client.is_over(); ++i) {
        client.upper->in_pump([&](link::connection& c) {
            if (const auto id = c.open(direction::bidi)) {
                client.upper->sent[*id].bytes = begun;
                client.upper->sent[*id].fin = false;
            }
        });
        pair.run_for(50ms);
    }
    CHECK(client.code() == 0x102); // H3_INTERNAL_ERROR: no memory.
    CHECK(pair.server_counts->failed_connections == 1);
}

TEST_CASE("a malformed request costs at most its own connection", "[webtransport]") {
    webtransport_pair pair;
    const auto [friendly, server] = pair.session();
    raw_http3 client{pair};
    const auto bad = GENERATE(headers({{":method", "CONNECT"}, {":protocol", "webtransport"}}), // No scheme, no path.
        headers({{":method", "GET"}, {":method", "GET"}}), headers({{"Upper", "case"}}), frame(0x01, "\xff\xff\xff"),
        frame(0x02, "?"), data_frame("a body without a header"));
    const auto id = client.open(direction::bidi, bad, true);
    pair.run_for(1s);
    CHECK((client.is_over() || client.status(id) >= 400 || client.received(id).reset));
    CHECK(pair.server.handlers.size() == 1);
    friendly->send(direction::uni, "still here");
    REQUIRE(pair.run([&] { return !server->received.empty(); }));
}

TEST_CASE("datagrams without a session, or for none, are an error, or dropped and counted", "[webtransport]") {
    webtransport_pair pair;
    raw_http3 client{pair};
    client.session();
    auto* server = pair.server.handlers.at(0);
    client.datagram(varint(0) + "for us");
    for (int i = 0; i < 100; ++i) client.datagram(varint(7) + "for nobody");
    CHECK(server->datagrams == std::vector<std::string>{"for us"});
    CHECK(pair.server_counts->dropped_datagrams == 100);
    client.datagram("\xff"); // Half a number.
    CHECK(client.code() == datagram_error);
}

TEST_CASE("any bytes on any stream leave the server as it was", "[webtransport]") {
    webtransport_pair pair;
    const auto [friendly, server] = pair.session();
    for (std::uint64_t seed = 0; seed < 60; ++seed) {
        raw_http3 client{pair, seed % 3 == 0 ? std::string{} : usual_settings()};
        if (seed % 3 == 1) client.session();
        for (std::uint64_t i = 0; i < 20 && !client.is_over(); ++i) {
            auto bytes = noise(1 + seed * 7 % 90, seed * 100 + i);
            if (i % 2 == 0) bytes = (i % 4 == 0 ? uni(0) : varint(0x01) + varint(bytes.size())) + bytes;
            client.upper->in_pump([&](link::connection& c) {
                if (const auto id = c.open(i % 3 == 0 ? direction::bidi : direction::uni)) {
                    client.upper->sent[*id].bytes = bytes;
                    client.upper->sent[*id].fin = i % 5 == 0;
                }
            });
            pair.run_for(20ms);
        }
        if (!client.is_over()) client.upper->connection.close(app_error{0x100}, "enough");
        pair.run_for(700ms);
    }
    friendly->send(direction::uni, "still here");
    REQUIRE(pair.run([&] { return !server->received.empty(); }));
    CHECK(pair.server.endpoint.connections() == 1);
}

} // namespace moqlite::test::webtransport_hostile_test

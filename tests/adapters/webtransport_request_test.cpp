// A server's answers to requests.
#include "raw_http3.hpp"

#include <catch2/generators/catch_generators.hpp>

namespace moqlite::test::webtransport_request_test {

TEST_CASE("GET and HEAD are answered 404, other methods 405, one line of log each", "[webtransport]") {
    webtransport_pair pair;
    raw_http3 client{pair};
    CHECK(client.ask(get("GET", "/a")) == 404);
    CHECK(client.ask(get("HEAD", "/b")) == 404);
    CHECK(client.ask(get("POST", "/c"), false) == 405);
    CHECK(client.ask(get("DELETE", "/d")) == 405);
    CHECK(pair.server_counts->refused_requests == 4);
    REQUIRE(pair.server_log.size() == 4);
    CHECK(pair.server_log[0] == "refused GET /a of 127.0.0.1:1000: 404");
    CHECK(pair.server_log[2].starts_with("refused POST /c of 127.0.0.1:1000: 405"));
    CHECK(client.session() == stream_id{16}); // The connection still works.
    CHECK(pair.server_counts->sessions == 1);
}

TEST_CASE("a CONNECT that is not for WebTransport is refused", "[webtransport]") {
    webtransport_pair pair;
    raw_http3 client{pair};
    CHECK(client.ask({{":method", "CONNECT"}, {":authority", "localhost"}}) == 405);
    CHECK(client.ask(connect("/", "websocket"), false) == 501);
    CHECK(client.ask(connect(), true) == 400); // It ends with its header.
    CHECK(client.ask(connect("/", "webtransport-h3"), false) == 200);
    CHECK(pair.server_counts->refused_requests == 3);
    CHECK(pair.server_counts->sessions == 1);
}

TEST_CASE("a second CONNECT is answered 429, and the session goes on", "[webtransport]") {
    webtransport_pair pair;
    raw_http3 client{pair};
    client.session();
    CHECK(client.ask(connect(), false) == 429);
    CHECK(client.ask(get()) == 404);
    CHECK(pair.server_log.size() == 2);
    CHECK(pair.server.handlers.size() == 1);
    CHECK_FALSE(pair.server.ends[0]->has_value());
    CHECK_FALSE(client.is_over());
}

TEST_CASE("a client without HTTP datagrams is answered 400", "[webtransport]") {
    webtransport_pair pair;
    raw_http3 client{pair, control({{0x2b603742, 1}})};
    CHECK(client.ask(connect(), false) == 400);
    raw_http3 old{pair, control({{0xffd277, 1}})};
    CHECK(old.ask(connect(), false) == 200);
}

TEST_CASE("a request waits for the client's SETTINGS, and its body with it", "[webtransport]") {
    webtransport_pair pair;
    raw_http3 client{pair, ""};
    const std::string grease = varint(0x17) + varint(3) + "abc";
    const auto id = client.open(direction::bidi, headers(connect()) + data_frame(grease));
    pair.run_for(1s);
    CHECK(client.status(id) == 0);
    client.open(direction::uni, usual_settings());
    CHECK(client.answer(id) == 200);
    pair.run_for(1s);
    CHECK_FALSE(client.is_over());
    CHECK_FALSE(pair.server.ends.at(0)->has_value());
}

TEST_CASE("the client learns which status it got instead of a session", "[webtransport]") {
    webtransport_pair pair;
    const int status = GENERATE(400, 403, 404, 429, 503);
    pair.serve([&](const nghttp3::request&) { return nghttp3::answer{.status = status, .reason = "not you"}; });
    pair.ask();
    REQUIRE(pair.run([&] { return !pair.client.failures.empty(); }));
    CHECK(pair.client.failures ==
          std::vector<std::string>{"the server answered " + std::to_string(status) + " to /room?token=1"});
    CHECK(pair.client.handlers.empty());
    REQUIRE(pair.server_log.size() == 1);
    CHECK(pair.server_log[0] ==
          "refused CONNECT /room?token=1 of 127.0.0.1:1000: " + std::to_string(status) + " not you");
    CHECK(pair.run([&] { return pair.is_over(); }));
}

TEST_CASE("a server whose handler is not made answers 503", "[webtransport]") {
    webtransport_pair pair;
    pair.serve([](const nghttp3::request& r) {
        return accept_with(r, [](link::connection&, time_point) { return nullptr; });
    });
    pair.ask();
    REQUIRE(pair.run([&] { return !pair.client.failures.empty(); }));
    CHECK(pair.client.failures[0].find("503") != std::string::npos);
    CHECK(pair.server_counts->sessions == 0);
}

TEST_CASE("a server that selects no protocol accepts the only one offered", "[webtransport]") {
    webtransport_pair pair;
    pair.serve([&](const nghttp3::request&) { return nghttp3::answer{.status = 200, .accept = pair.server.accept()}; });
    pair.ask({"moq-lite-04"});
    REQUIRE(pair.run([&] { return !pair.client.handlers.empty(); }));
    CHECK(pair.client.handlers[0]->connection.alpn() == "moq-lite-04");
    CHECK(pair.server.handlers[0]->connection.alpn().empty());
    REQUIRE(pair.client_log.size() == 1);
    CHECK(pair.client_log[0].find("moq-lite-04") != std::string::npos);

    pair.ask({"moq-lite-05", "moq-lite-04"});
    REQUIRE(pair.run([&] { return !pair.client.failures.empty(); }));
    CHECK(pair.client.failures[0] == "the server selected none of the offered protocols");
    CHECK(pair.client.handlers.size() == 1);
}

TEST_CASE("a client that offers nothing has a session without a protocol", "[webtransport]") {
    webtransport_pair pair;
    pair.ask({});
    REQUIRE(pair.run([&] { return !pair.client.handlers.empty(); }));
    CHECK(pair.client.handlers[0]->connection.alpn().empty());
    CHECK(pair.client_log.empty());
}

// nghttp3 drops a field with such a value, and the page would pass for a client that is no browser.
TEST_CASE("a malformed Origin is refused, not treated as missing", "[webtransport][origin]") {
    webtransport_pair pair;
    raw_http3 client{pair};
    const std::string bad = GENERATE(as<std::string>{}, "", "\x01", "http://evil.example\x01",
        "http://evil.example\x7f", " http://evil.example", "http://evil.example ", "\xff", "http://a b", "evil.example",
        "http://evil.example/", std::string("http://evil.example\0", 20));
    const bool twice = GENERATE(false, true);
    auto header = connect();
    if (twice) header.emplace_back("origin", "https://relay.example");
    header.emplace_back("origin", bad);
    const bool in_pieces = GENERATE(false, true);
    if (in_pieces) {
        const auto all = frame(0x21, "grease") + frame(0x40, "") + headers(header);
        const auto id = client.open(direction::bidi, all.substr(0, 1));
        for (std::size_t i = 1; i < all.size(); ++i) client.more(id, all.substr(i, 1));
        CHECK(client.answer(id) == 403);
    } else {
        CHECK(client.ask(header, false) == 403);
    }
    CHECK(pair.requests.empty());
    CHECK_FALSE(client.is_over());
    REQUIRE(pair.server_log.size() == 1);
    CHECK(pair.server_log[0] == "refused CONNECT /room of 127.0.0.1:1000: 403 malformed Origin");
    CHECK(client.ask(connect(), false) == 200); // The connection still works.
}

TEST_CASE("a well-formed Origin is for the application to judge", "[webtransport][origin]") {
    webtransport_pair pair;
    raw_http3 client{pair};
    const std::string good = GENERATE(as<std::string>{}, "null", "https://relay.example", "http://[::1]:8080");
    auto header = connect();
    header.emplace_back("x-other", "\x01"); // Another field may be dropped.
    header.emplace_back("origin", good);
    CHECK(client.ask(header, false) == 200);
    CHECK(pair.requests.at(0).origin == good);
}

TEST_CASE(
    "a path that is not UTF-8 is refused with 400, in a log without control or bidi characters", "[webtransport]") {
    webtransport_pair pair;
    raw_http3 client{pair};
    const std::string bad = GENERATE(as<std::string>{}, "/room\xff", "/\xc3", "/\xc0\xaf", "/\xed\xa0\x80",
        "/\xf4\x90\x80\x80", "/\xe2\x80\xae\xff", "/?token=\xfe");
    CHECK(client.ask(connect(bad), false) == 400);
    CHECK(pair.requests.empty());
    REQUIRE(pair.server_log.size() == 1);
    for (const char c : pair.server_log[0]) CHECK((c >= 0x20 && c < 0x7f));
    CHECK(client.ask(connect("/r\xc3\xa4um/\xf0\x9f\x8e\xa5"), false) == 200);
    CHECK(pair.requests.at(0).path == "/r\xc3\xa4um/\xf0\x9f\x8e\xa5");
}

} // namespace moqlite::test::webtransport_request_test

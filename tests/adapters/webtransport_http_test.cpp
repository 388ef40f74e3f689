// Requests on a WebTransport server's connections that are not for a session.
#include "raw_http3.hpp"

#include <catch2/generators/catch_generators.hpp>

namespace moqlite::test::webtransport_http_test {

using nghttp3::http_request;
using nghttp3::http_response;

namespace {

/// What follows the HEADERS of an answer.
std::string body_of(std::string_view stream) {
    REQUIRE(stream.size() > 2);
    REQUIRE(stream[0] == 0x01);
    byte_view rest = as_bytes(stream.substr(1));
    const auto size = wire::read_varint(rest);
    rest = rest.subspan(static_cast<std::size_t>(size.value()));
    std::string out;
    while (!rest.empty()) {
        CHECK(wire::read_varint(rest) == 0); // DATA
        const auto length = static_cast<std::size_t>(wire::read_varint(rest).value());
        out += as_text(rest.first(length));
        rest = rest.subspan(length);
    }
    return out;
}

/// A server that answers with a request's body, or with its path if it has none.
struct echo_server : webtransport_pair {
    explicit echo_server(nghttp3::http_limits bounds = {}) {
        serve_http(
            [this](const http_request& r) {
                seen.push_back(r);
                return http_response{.status = 200, .body = r.body.empty() ? r.path : r.body};
            },
            bounds);
    }
    std::vector<http_request> seen;
};

} // namespace

TEST_CASE("other requests are answered by the application, beside a session", "[webtransport][http]") {
    echo_server pair;
    raw_http3 client{pair};
    const bool in_session = GENERATE(false, true);
    if (in_session) client.session();
    auto header = get("GET", "/hash?x=1");
    header.emplace_back("accept", "text/plain");
    const auto id = client.open(direction::bidi, headers(header), true);
    CHECK(client.answer(id) == 200);
    pair.run_for(50ms);
    CHECK(client.received(id).fin);
    CHECK(body_of(client.received(id).bytes) == "/hash?x=1");
    const auto& r = pair.seen.at(0);
    CHECK(r.method == "GET");
    CHECK(r.authority == "localhost");
    CHECK(r.path == "/hash?x=1");
    CHECK(r.headers == nghttp3::header_fields{{"accept", "text/plain"}});
    CHECK(r.body.empty());
    CHECK(r.remote == pair.client.address);
    if (!in_session) client.session(); // It can follow.
    CHECK(pair.server_counts->http_requests == 1);
    CHECK(pair.server_counts->refused_requests == 0);
    CHECK(pair.server_log.empty());
}

TEST_CASE("the host of a request without :authority is its Host", "[webtransport][http]") {
    echo_server pair;
    raw_http3 client{pair};
    CHECK(client.ask({{":method", "GET"}, {":scheme", "https"}, {":path", "/"}, {"host", "relay.example"}}) == 200);
    CHECK(pair.seen.at(0).authority == "relay.example");
}

TEST_CASE("a request is answered before the client's SETTINGS", "[webtransport][http]") {
    echo_server pair;
    raw_http3 client{pair, ""};
    CHECK(client.ask(get()) == 200);
}

TEST_CASE("a body arrives in pieces, and is answered once it is complete", "[webtransport][http]") {
    echo_server pair;
    raw_http3 client{pair};
    const auto text = noise(64 * 1024);
    const auto id = client.open(direction::bidi, headers(get("POST", "/echo")));
    for (std::size_t at = 0; at < text.size(); at += 10'000) client.more(id, data_frame(text.substr(at, 10'000)));
    pair.run_for(1s);
    CHECK(pair.seen.empty());
    client.more(id, "", true);
    pair.run_for(1s);
    REQUIRE(pair.seen.size() == 1);
    CHECK(pair.seen[0].method == "POST");
    CHECK(pair.seen[0].body == text);
    CHECK(body_of(client.received(id).bytes) == text);
    CHECK(client.received(id).fin);
}

TEST_CASE("trailers and unknown frames of a request change nothing", "[webtransport][http]") {
    echo_server pair;
    raw_http3 client{pair};
    const auto id = client.open(direction::bidi,
        headers(get("POST", "/echo")) + data_frame("a") + frame(0x21, "grease") + data_frame("") + data_frame("b") +
            frame(0x01, section({{"x-sum", "1"}})),
        true);
    CHECK(client.answer(id) == 200);
    CHECK(pair.seen.at(0).body == "ab");
    CHECK(nghttp3::find_field(pair.seen[0].headers, "x-sum") == std::nullopt);
}

TEST_CASE("HEAD, 204, 205 and 304 are answered without a body", "[webtransport][http]") {
    webtransport_pair pair;
    const auto [method, status] =
        GENERATE(table<std::string, int>({{"HEAD", 200}, {"GET", 204}, {"GET", 205}, {"GET", 304}}));
    pair.serve_http([&](const http_request&) { return http_response{.status = status, .body = "some text"}; });
    raw_http3 client{pair};
    const auto id = client.open(direction::bidi, headers(get(method)), true);
    CHECK(client.answer(id) == status);
    pair.run_for(50ms);
    CHECK(client.received(id).fin);
    CHECK(body_of(client.received(id).bytes).empty());
    CHECK(pair.server_counts->http_requests == 1);
}

TEST_CASE("a response that cannot be sent is 500, as is what the application throws", "[webtransport][http]") {
    webtransport_pair pair;
    const int what = GENERATE(0, 1, 2, 3, 4, 5);
    pair.serve_http([&](const http_request&) -> http_response {
        switch (what) {
        case 0: throw std::runtime_error{"no database"};
        case 1: throw 7;
        case 2: return {.status = 199};
        case 3: return {.status = 600};
        case 4: return {.status = 200, .headers = {{"a", "b\r\nc: d"}}};
        default: return {.status = 200, .body = std::string(64 * 1024 + 1, 'x')};
        }
    });
    raw_http3 client{pair};
    CHECK(client.ask(get()) == 500);
    REQUIRE(pair.server_log.size() == 1);
    CHECK(pair.server_log[0].starts_with("the HTTP function failed: "));
    for (int i = 0; i < 200; ++i) REQUIRE(client.ask(get()) == 500); // The fault is not the client's.
    CHECK(pair.server_log.size() == 10);
    CHECK_FALSE(client.is_over());
}

TEST_CASE("many requests on one connection are all answered", "[webtransport][http][limits]") {
    echo_server pair;
    raw_http3 client{pair};
    client.session();
    for (int i = 0; i < 1000; ++i) REQUIRE(client.ask(get("GET", "/" + std::to_string(i))) == 200);
    CHECK(pair.server_counts->http_requests == 1000);
    CHECK_FALSE(pair.server.ends.at(0)->has_value());
}

TEST_CASE("a connection with requests and no session is kept ten seconds after the last", "[webtransport][http]") {
    echo_server pair;
    raw_http3 client{pair};
    for (int i = 0; i < 5; ++i) {
        CHECK(client.ask(get()) == 200);
        pair.run_for(9s);
    }
    REQUIRE_FALSE(client.is_over());
    CHECK(client.code() == 0x100);
}

TEST_CASE("requests for other sessions than WebTransport's are not the application's", "[webtransport][http]") {
    echo_server pair;
    raw_http3 client{pair};
    CHECK(client.ask({{":method", "CONNECT"}, {":authority", "localhost"}}) == 405);
    CHECK(client.ask(connect("/", "websocket"), false) == 501);
    CHECK(pair.seen.empty());
}

} // namespace moqlite::test::webtransport_http_test

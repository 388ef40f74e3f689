// Headers of requests and of their answers, on both sides.
#include "raw_http3.hpp"

#include <catch2/generators/catch_generators.hpp>
#include <moqlite/nghttp3/header.hpp>

namespace moqlite::test::webtransport_headers_test {

using nghttp3::header_fields;

TEST_CASE("an application sees a request's headers and query", "[webtransport]") {
    webtransport_pair pair;
    raw_http3 client{pair};
    auto header = connect("/room/a?token=s%33cret&debug");
    for (const auto& f : fields{{"authorization", "Bearer x"}, {"x-twice", "1"}, {"x-twice", "2"}, {"cookie", "a=1"},
             {"origin", "https://localhost"}, {"cookie", "b=2"}, {"x-bytes", "\xff"}})
        header.push_back(f);
    REQUIRE(client.ask(header, false) == 200);
    const auto& r = pair.requests.at(0);
    CHECK(r.headers == header_fields{{"authorization", "Bearer x"}, {"x-twice", "1"}, {"x-twice", "2"},
                           {"cookie", "a=1; b=2"}, {"origin", "https://localhost"}, {"x-bytes", "\xff"}});
    CHECK(r.header("x-twice") == "1");
    CHECK(r.header("X-Twice") == std::nullopt);
    CHECK(r.header(":path") == std::nullopt);
    CHECK(r.authority == "localhost");
    CHECK(r.path_only() == "/room/a");
    CHECK(r.query("token") == "s3cret");
    CHECK(r.query("debug") == "");
    CHECK(r.query("other") == std::nullopt);
    CHECK(r.remote == pair.client.address);
}

TEST_CASE("a header may have 128 lines and 16 KiB, else it is answered 431", "[webtransport][limits]") {
    webtransport_pair pair;
    raw_http3 client{pair};
    auto header = connect();
    const auto lines = GENERATE(nghttp3::received_fields_max, nghttp3::received_fields_max + 1);
    for (std::size_t i = 0; i < lines; ++i) header.emplace_back("x", "");
    CHECK(client.ask(header, false) == (lines <= nghttp3::received_fields_max ? 200 : 431));
    CHECK(pair.requests.size() == (lines <= nghttp3::received_fields_max ? 1 : 0));
    CHECK_FALSE(client.is_over());
}

TEST_CASE("a client's own headers arrive", "[webtransport]") {
    webtransport_pair pair;
    pair.ask_with({.authority = "localhost:4443",
                      .path = "/room",
                      .origin = "https://localhost",
                      .protocols = {"moq-lite-05"},
                      .headers = {{"authorization", "Bearer x"}, {"x-empty", ""}, {"x-text", "a \t b"}}},
        pair.client.accept(), pair.client.failed());
    REQUIRE(pair.run([&] { return !pair.client.handlers.empty(); }));
    const auto& r = pair.requests.at(0);
    CHECK(r.header("authorization") == "Bearer x");
    CHECK(r.header("x-empty") == "");
    CHECK(r.header("x-text") == "a \t b");
    CHECK(r.header("origin") == "https://localhost");
    CHECK(r.origin == "https://localhost");
}

TEST_CASE("headers that could smuggle anything are not sent", "[webtransport]") {
    const header_fields bad = GENERATE(as<header_fields>{}, header_fields{{"", "x"}},
        header_fields{{":path", "/other"}}, header_fields{{"X-Upper", "x"}}, header_fields{{"a b", "x"}},
        header_fields{{"a:", "x"}}, header_fields{{"a", "x\r\nb: y"}}, header_fields{{"a", "x\ny"}},
        header_fields{{"a", std::string("x\0", 2)}}, header_fields{{"a", " x"}}, header_fields{{"a", "x\t"}},
        header_fields{{"a", "\x7f"}}, header_fields{{"connection", "close"}},
        header_fields{{"transfer-encoding", "chunked"}}, header_fields{{"host", "other"}},
        header_fields{{"content-length", "1"}}, header_fields{{"origin", "null"}}, header_fields{{"wt-protocol", "x"}},
        header_fields{{"good", "x"}, {"b\xff", "x"}}, header_fields(nghttp3::sent_fields_max + 1, {"a", "x"}),
        header_fields{{"a", std::string(nghttp3::sent_fields_size_max, 'x')}});
    CHECK_FALSE(nghttp3::is_sendable(bad));
    webtransport_pair pair;
    SECTION("by a client, which fails") {
        pair.ask_with({.authority = "localhost:4443", .headers = bad}, pair.client.accept(), pair.client.failed());
        REQUIRE(pair.run([&] { return !pair.client.failures.empty(); }));
        CHECK(pair.client.failures == std::vector<std::string>{"invalid request header"});
        CHECK(pair.requests.empty());
    }
    SECTION("by a server, which answers 500") {
        const int status = GENERATE(200, 403);
        pair.serve([&](const nghttp3::request& r) {
            auto out = accept_with(r, pair.server.accept());
            out.status = status;
            out.headers = bad;
            return out;
        });
        raw_http3 client{pair};
        CHECK(client.ask(connect(), false) == 500);
        CHECK(pair.server.handlers.empty());
        REQUIRE(pair.server_log.size() == 1);
        CHECK(pair.server_log[0].ends_with("500 invalid status or headers of the answer"));
    }
}

TEST_CASE("64 lines of 8 KiB together are sent", "[webtransport][limits]") {
    constexpr auto lines = nghttp3::sent_fields_max;
    CHECK(
        nghttp3::is_sendable(header_fields(lines, {"a", std::string(nghttp3::sent_fields_size_max / lines - 1, 'x')})));
    CHECK(nghttp3::is_sendable({}));
}

TEST_CASE("the client sees the status and headers of a refusal", "[webtransport]") {
    webtransport_pair pair;
    const int status = GENERATE(301, 401, 404, 503, 599);
    pair.serve(
        [&](const nghttp3::request&) { return nghttp3::answer{.status = status, .headers = {{"retry-after", "7"}}}; });
    std::vector<nghttp3::response> seen;
    std::vector<link::closed> failed;
    pair.ask_with({.authority = "localhost:4443",
                      .path = "/room",
                      .on_response = [&](const nghttp3::response& r) { seen.push_back(r); }},
        pair.client.accept(), [&](const link::closed& how) { failed.push_back(how); });
    REQUIRE(pair.run([&] { return !failed.empty(); }));
    REQUIRE(seen.size() == 1);
    CHECK(seen[0].status == status);
    CHECK(nghttp3::find_field(seen[0].headers, "retry-after") == "7");
    CHECK(failed.size() == 1);
    CHECK(failed[0].http_status == status);
    CHECK(failed[0].reason == "the server answered " + std::to_string(status) + " to /room");
    CHECK(pair.client.handlers.empty());
}

TEST_CASE("the client sees the headers of a successful answer before its session", "[webtransport]") {
    webtransport_pair pair;
    pair.serve([&](const nghttp3::request& r) {
        auto out = accept_with(r, pair.server.accept());
        out.headers = {{"x-node", "7"}};
        return out;
    });
    std::vector<nghttp3::response> seen;
    pair.ask_with({.authority = "localhost:4443",
                      .protocols = {"moq-lite-05"},
                      .on_response =
                          [&](const nghttp3::response& r) {
                              CHECK(pair.client.handlers.empty());
                              seen.push_back(r);
                          }},
        pair.client.accept(), pair.client.failed());
    REQUIRE(pair.run([&] { return !pair.client.handlers.empty(); }));
    REQUIRE(seen.size() == 1);
    CHECK(seen[0].status == 200);
    CHECK(nghttp3::find_field(seen[0].headers, "x-node") == "7");
    CHECK(nghttp3::find_field(seen[0].headers, "wt-protocol") == "\"moq-lite-05\"");
}

TEST_CASE("a failure that is no refusal has no status", "[webtransport]") {
    webtransport_pair pair;
    pair.serve([&](const nghttp3::request&) { return nghttp3::answer{.status = 200, .accept = pair.server.accept()}; });
    std::vector<link::closed> failed;
    pair.ask_with({.authority = "localhost:4443", .protocols = {"moq-lite-05", "moq-lite-04"}}, pair.client.accept(),
        [&](const link::closed& how) { failed.push_back(how); });
    REQUIRE(pair.run([&] { return !failed.empty(); }));
    CHECK(failed[0].http_status == 0);
    CHECK(failed[0].reason == "the server selected none of the offered protocols");
}

TEST_CASE("an answer without a valid status is 500, as is what the application throws", "[webtransport]") {
    webtransport_pair pair;
    const int status = GENERATE(0, 100, 199, 201, 204, 299, 600, 1000, -1);
    pair.serve([&](const nghttp3::request& r) -> nghttp3::answer {
        if (status == -1) throw std::runtime_error{"no database"};
        if (status == 0) throw 7;
        return {.status = status, .accept = accept_with(r, pair.server.accept()).accept};
    });
    raw_http3 client{pair};
    CHECK(client.ask(connect(), false) == 500);
    CHECK(pair.server.handlers.empty());
    CHECK_FALSE(client.is_over());
    if (status == -1) CHECK(pair.server_log.at(0).ends_with("500 no database"));
}

} // namespace moqlite::test::webtransport_headers_test

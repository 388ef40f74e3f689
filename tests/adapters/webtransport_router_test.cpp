// Which path's function answers a request, and what it checks.
#include "raw_http3.hpp"

#include <catch2/generators/catch_generators.hpp>
#include <moqlite/nghttp3/router.hpp>

namespace moqlite::test::webtransport_router_test {

using nghttp3::answer;
using nghttp3::request;
using nghttp3::router;

namespace {

/// Names itself as the reason.
nghttp3::answer_function named(std::string name) {
    return [name = std::move(name)](const request&) { return answer{.status = 404, .reason = name}; };
}

request asking(std::string path, std::string origin = {}, std::vector<std::string> protocols = {}) {
    return {.authority = "relay.example:4443",
        .path = std::move(path),
        .origin = std::move(origin),
        .protocols = std::move(protocols),
        .remote = {}};
}

std::string route_of(const router& r, std::string path) { return r(asking(std::move(path))).reason; }

/// The status of a request of a page.
int status(const nghttp3::origin_policy& policy, std::string origin, std::string authority = "relay.example:4443") {
    auto r = asking("/", std::move(origin));
    r.authority = std::move(authority);
    return nghttp3::answer_with({.accept = {}, .origins = policy})(r).status;
}

} // namespace

TEST_CASE("a request goes to its exact path, else to the longest prefix, else to the fallback", "[webtransport]") {
    router r;
    REQUIRE(r.at("/room", named("room")));
    REQUIRE(r.below("/room", named("rooms")));
    REQUIRE(r.below("/room/a/", named("a")));
    REQUIRE(r.below("/room-b", named("b")));
    CHECK(route_of(r, "/room") == "room");
    CHECK(route_of(r, "/room?token=/room/a") == "room");
    CHECK(route_of(r, "/room/") == "rooms");
    CHECK(route_of(r, "/room/b") == "rooms");
    CHECK(route_of(r, "/room/a") == "a");
    CHECK(route_of(r, "/room/a?x") == "a");
    CHECK(route_of(r, "/room/a/b/c") == "a");
    CHECK(route_of(r, "/room/ab") == "rooms");
    CHECK(route_of(r, "/room-b/a") == "b");
    for (const auto* other : {"/rooms", "/Room", "/room%2fa", "/", "", "*", "room"})
        CHECK(route_of(r, other) == "nothing is served there");
    CHECK(r(asking("/rooms")).status == 404);
    r.otherwise(named("other"));
    CHECK(route_of(r, "/rooms") == "other");
    CHECK(route_of(r, "*") == "other");
    REQUIRE(r.below("/", named("all")));
    CHECK(route_of(r, "/rooms") == "all");
    CHECK(route_of(r, "/") == "all");
    CHECK(route_of(r, "/room/b") == "rooms");
}

TEST_CASE("a path is not normalised: what is routed is what the application sees", "[webtransport]") {
    router r;
    REQUIRE(r.below("/public", named("public")));
    REQUIRE(r.below("/admin", named("admin")));
    CHECK(route_of(r, "/public/../admin") == "public");
    CHECK(route_of(r, "//admin") == "nothing is served there");
    CHECK(route_of(r, "/public//") == "public");
}

TEST_CASE("a route that cannot be reached is refused when it is added", "[webtransport]") {
    router r;
    REQUIRE(r.at("/a", named("a")));
    CHECK(r.at("/a", named("b")).error() == errc::invalid_argument);
    REQUIRE(r.below("/a", named("c"))); // Beside the exact one.
    CHECK(r.below("/a/", named("d")).error() == errc::invalid_argument);
    for (const auto* bad : {"", "a", "/a?x", "/a#x"}) CHECK(r.at(bad, named("x")).error() == errc::invalid_argument);
    CHECK(r.at("/b", nullptr).error() == errc::invalid_argument);
    CHECK(route_of(r, "/a") == "a");
}

TEST_CASE("a page is accepted from the host to which it connects", "[webtransport][origin]") {
    CHECK(status({}, "") == 200); // Not a browser.
    CHECK(status({}, "https://relay.example") == 200);
    CHECK(status({}, "https://RELAY.example:8080") == 200);
    CHECK(status({}, "https://other.example") == 403);
    CHECK(status({}, "https://relay.example.other.example") == 403);
    CHECK(status({}, "null") == 403);
}

TEST_CASE("with a list of origins, pages of these are accepted", "[webtransport][origin]") {
    const nghttp3::origin_policy some{.allowed = {"https://app.example", "http://localhost:8080"}};
    CHECK(status(some, "https://app.example") == 200);
    CHECK(status(some, "http://localhost:8080") == 200);
    CHECK(status(some, "http://app.example") == 403);
    CHECK(status(some, "https://relay.example") == 403);
    CHECK(status(some, "") == 200);
    CHECK(status({.allowed = {"*"}}, "https://anything.example") == 200);
    CHECK(status({.allowed = {"*"}}, "null") == 200);
}

TEST_CASE("a page whose own name leads to us is refused where our names are known", "[webtransport][origin]") {
    const nghttp3::origin_policy known{.own_names = [] { return std::vector<std::string>{"relay.example"}; }};
    CHECK(status(known, "https://relay.example") == 200);
    CHECK(status(known, "https://evil.example", "evil.example:4443") == 403);
    CHECK(status(known, "", "evil.example:4443") == 200);
    CHECK(status(known, "http://localhost:8080", "localhost:4443") == 403);
    auto local = known;
    local.loopback = true;
    CHECK(status(local, "http://localhost:8080", "localhost:4443") == 200);
    CHECK(status({}, "https://evil.example", "evil.example:4443") == 200); // Unknown: not checked.
}

TEST_CASE("the first offered sub-protocol that is supported is selected", "[webtransport]") {
    const auto answers = nghttp3::answer_with({.accept = {}, .protocols = {"moq-lite-04", "moq-lite-05"}});
    CHECK(answers(asking("/", {}, {"x", "moq-lite-05", "moq-lite-04"})).protocol == "moq-lite-05");
    CHECK(answers(asking("/", {}, {"x"})).status == 400);
    CHECK(answers(asking("/")).status == 400);
    const auto none = nghttp3::answer_with({.accept = {}});
    CHECK(none(asking("/", {}, {"x"})).status == 200);
    CHECK(none(asking("/", {}, {"x"})).protocol.empty());
}

TEST_CASE("a routed session has its request", "[webtransport]") {
    webtransport_pair pair;
    router r;
    std::string token;
    REQUIRE(r.below("/room", nghttp3::answer_with({.accept =
                                                       [&](link::connection& c, const request& asked, time_point now) {
                                                           token = asked.query("token").value_or("");
                                                           return pair.server.accept()(c, now);
                                                       },
                                 .protocols = {"moq-lite-05"}})));
    pair.serve(r);
    pair.ask({"moq-lite-05"}, "/room/a?token=s%33cret");
    REQUIRE(pair.run([&] { return !pair.client.handlers.empty(); }));
    CHECK(token == "s3cret");
    CHECK(pair.client.handlers[0]->connection.alpn() == "moq-lite-05");
    pair.ask({"moq-lite-05"}, "/elsewhere");
    REQUIRE(pair.run([&] { return !pair.client.failures.empty(); }));
    CHECK(pair.client.failures[0] == "the server answered 404 to /elsewhere");
    pair.ask({"moq-lite-05"}, "/room", "https://evil.example");
    REQUIRE(pair.run([&] { return pair.client.failures.size() == 2; }));
    CHECK(pair.client.failures[1] == "the server answered 403 to /room");
}

TEST_CASE("an offer without a function is answered 503", "[webtransport]") {
    webtransport_pair pair;
    pair.serve(nghttp3::answer_with({.accept = {}}));
    raw_http3 client{pair};
    CHECK(client.ask(connect(), false) == 503);
}

} // namespace moqlite::test::webtransport_router_test

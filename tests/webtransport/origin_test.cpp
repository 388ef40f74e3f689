#include <catch2/catch_test_macros.hpp>
#include <moqlite/webtransport/origin.hpp>
#include <vector>

using namespace moqlite::webtransport;

namespace {

bool admits(const std::vector<std::string>& allowed, std::string_view origin,
    std::string_view authority = "relay.example:4443") {
    return admits_origin(allowed, origin, authority);
}

} // namespace

TEST_CASE("who says no Origin is no browser, and comes in", "[webtransport][origin]") {
    CHECK(admits({}, ""));
    CHECK(admits({"https://a.example"}, ""));
}

TEST_CASE("where no origin is named, the page's host has to be the relay's, whatever its scheme and port",
    "[webtransport][origin]") {
    CHECK(admits({}, "https://relay.example"));
    CHECK(admits({}, "http://relay.example:8080"));
    CHECK(admits({}, "http://RELAY.example"));
    CHECK_FALSE(admits({}, "https://evil.example"));
    CHECK_FALSE(admits({}, "https://relay.example.evil.example"));
    CHECK_FALSE(admits({}, "https://relay.example@evil.example"));
    CHECK_FALSE(admits({}, "https://evil-relay.example"));
    CHECK_FALSE(admits({}, "relay.example"));
    CHECK_FALSE(admits({}, "null"));
    CHECK_FALSE(admits({}, "https://"));
    CHECK_FALSE(admits({}, "https://", ""));
    CHECK_FALSE(admits({}, "https://[", "["));
}

TEST_CASE("this machine has three names", "[webtransport][origin]") {
    for (const auto* page : {"http://localhost:8080", "http://127.0.0.1", "http://[::1]:3000"})
        for (const auto* relay : {"localhost:4443", "127.0.0.1:4443", "[::1]:4443", "[::1]"}) {
            CAPTURE(page, relay);
            CHECK(admits({}, page, relay));
        }
    CHECK_FALSE(admits({}, "http://localhost", "192.0.2.1:4443"));
    CHECK_FALSE(admits({}, "http://[::2]", "[::1]:4443"));
    CHECK(admits({}, "http://[2001:db8::1]:3000", "[2001:DB8::1]:4443"));
}

TEST_CASE("named origins come in exactly as they are written, and no others", "[webtransport][origin]") {
    const std::vector<std::string> allowed{"https://a.example", "http://b.example:3000", "null"};
    CHECK(admits(allowed, "https://a.example"));
    CHECK(admits(allowed, "http://b.example:3000"));
    CHECK(admits(allowed, "null"));
    CHECK_FALSE(admits(allowed, "http://a.example"));
    CHECK_FALSE(admits(allowed, "https://a.example:8443"));
    CHECK_FALSE(admits(allowed, "https://relay.example"));
    CHECK(admits({"*"}, "https://anyone.example"));
}

#include <catch2/catch_test_macros.hpp>
#include <moqlite/webtransport/origin.hpp>
#include <vector>

namespace moqlite::test::origin_test {

using namespace moqlite::webtransport;

namespace {

bool admits(const std::vector<std::string>& allowed, std::string_view origin,
    std::string_view authority = "relay.example:4443") {
    return admits_origin(allowed, origin, authority);
}

} // namespace

TEST_CASE("a client without an Origin is not a browser, and is accepted", "[webtransport][origin]") {
    CHECK(admits({}, ""));
    CHECK(admits({"https://a.example"}, ""));
}

TEST_CASE("without a list of origins, the page's host must be the relay's, with any scheme and port",
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

TEST_CASE("localhost has three names", "[webtransport][origin]") {
    for (const auto* page : {"http://localhost:8080", "http://127.0.0.1", "http://[::1]:3000"})
        for (const auto* relay : {"localhost:4443", "127.0.0.1:4443", "[::1]:4443", "[::1]"}) {
            CAPTURE(page, relay);
            CHECK(admits({}, page, relay));
        }
    CHECK_FALSE(admits({}, "http://localhost", "192.0.2.1:4443"));
    CHECK_FALSE(admits({}, "http://[::2]", "[::1]:4443"));
    CHECK(admits({}, "http://[2001:db8::1]:3000", "[2001:DB8::1]:4443"));
}

TEST_CASE("listed origins are accepted exactly as written, and no others", "[webtransport][origin]") {
    const std::vector<std::string> allowed{"https://a.example", "http://b.example:3000", "null"};
    CHECK(admits(allowed, "https://a.example"));
    CHECK(admits(allowed, "http://b.example:3000"));
    CHECK(admits(allowed, "null"));
    CHECK_FALSE(admits(allowed, "http://a.example"));
    CHECK_FALSE(admits(allowed, "https://a.example:8443"));
    CHECK_FALSE(admits(allowed, "https://relay.example"));
    CHECK(admits({"*"}, "https://anyone.example"));
}

TEST_CASE("an invalid Origin is rejected, not treated as missing", "[webtransport][origin]") {
    for (const std::string_view bad : {"relay.example", "://relay.example", "1http://relay.example",
             "ht tp://relay.example", "http://relay.example/", "http://relay.example/path", "http://relay.example?x",
             "http://relay.example#x", "http://user@relay.example", "http://relay.example:", "http://relay.example:80a",
             "http://relay.example:65536", "http://relay.example:080", "http://relay.example http://relay.example",
             "http://relay.example, http://relay.example", "http://relay.example\t", " http://relay.example", "NULL",
             "http://r\xc3\xa9lay.example", "http://[::1", "http://[]", "http://[::1]x", "http://[::g]", "http://a%20b",
             "http://:80", "http:relay.example", "null, null"}) {
        CAPTURE(bad);
        CHECK_FALSE(is_origin(bad));
        CHECK_FALSE(admits({}, bad));
        CHECK_FALSE(admits({"*"}, bad));
        CHECK_FALSE(admits({std::string{bad}}, bad));
    }
    for (const std::string_view good : {"null", "http://a", "https://relay.example:4443", "http://[::1]:65535",
             "file://", "chrome-extension://abcdefgh", "capacitor://localhost", "http://127.0.0.1:0"}) {
        CAPTURE(good);
        CHECK(is_origin(good));
        CHECK(admits({"*"}, good));
    }
}

TEST_CASE("a server's own hosts are its names, not others that resolve to it", "[webtransport][origin]") {
    const std::vector<std::string> names{"Relay.example", "*.cdn.example", "192.0.2.1", "2001:db8::1"};
    for (const std::string_view own : {"relay.example", "RELAY.example:4443", "relay.example.", "a.cdn.example:443",
             "192.0.2.1", "192.0.2.1:4443", "[2001:DB8::1]", "[2001:db8::1]:4443"}) {
        CAPTURE(own);
        CHECK(is_own_host(own, names, false));
    }
    for (const std::string_view foreign :
        {"", ":4443", "evil.example", "relay.example.evil.example", "xrelay.example", "cdn.example", ".cdn.example",
            "a.b.cdn.example", "192.0.2.2", "[2001:db8::2]", "[", "[]", "[]:1", "*.cdn.example", "localhost",
            "127.0.0.1:4443", "[::1]:4443", "relay.example@evil.example", "relay.example,evil"}) {
        CAPTURE(foreign);
        CHECK_FALSE(is_own_host(foreign, names, false));
    }
    for (const std::string_view here : {"localhost:4443", "LOCALHOST", "127.0.0.1:4443", "[::1]:4443"}) {
        CHECK(is_own_host(here, {}, true));
        CHECK_FALSE(is_own_host(here, {}, false));
    }
    CHECK_FALSE(is_own_host("evil.example", {}, true));
    CHECK_FALSE(is_own_host("127.0.0.2", {}, true));
}

} // namespace moqlite::test::origin_test

#include <catch2/catch_test_macros.hpp>
#include <moqlite/webtransport/target.hpp>

namespace moqlite::test::target_test {

using namespace moqlite::webtransport;

namespace {

using text = std::optional<std::string>;

} // namespace

TEST_CASE("a target is split at its first question mark", "[webtransport]") {
    CHECK(split_target("/room?token=1&x=?").path == "/room");
    CHECK(split_target("/room?token=1&x=?").query == "token=1&x=?");
    CHECK(split_target("/room").query.empty());
    CHECK(split_target("/room?").path == "/room");
    CHECK(split_target("/room?").query.empty());
    CHECK(split_target("").path.empty());
    CHECK(split_target("?x").query == "x");
    CHECK(split_target("/a%3fb").path == "/a%3fb"); // An escaped one separates nothing.
}

TEST_CASE("a query's parameters are found by name, the first of several", "[webtransport]") {
    CHECK(query_value("token=s3cret", "token") == text{"s3cret"});
    CHECK(query_value("a=1&token=2&token=3", "token") == text{"2"});
    CHECK(query_value("xtoken=1&token=2", "token") == text{"2"});
    CHECK(query_value("token", "token") == text{""});
    CHECK(query_value("token=", "token") == text{""});
    CHECK(query_value("token==x", "token") == text{"=x"});
    CHECK(query_value("a=1", "token") == std::nullopt);
    CHECK(query_value("", "token") == std::nullopt);
    CHECK(query_value("&&a=1&", "") == std::nullopt);
    CHECK(query_value("=1", "") == text{"1"});
}

TEST_CASE("escapes in a query are decoded, incomplete ones stay", "[webtransport]") {
    CHECK(query_value("a%2Fb=c%2fd+e%26", "a/b") == text{"c/d e&"});
    CHECK(query_value("a=%zz%4", "a") == text{"%zz%4"});
    CHECK(query_value("a=%00%ff", "a") == text{std::string("\0\xff", 2)});
    CHECK(decode_query("%") == "%");
}

TEST_CASE("a path is below a prefix by whole segments", "[webtransport]") {
    CHECK(is_below("/room", "/room"));
    CHECK(is_below("/room/", "/room"));
    CHECK(is_below("/room/a", "/room"));
    CHECK(is_below("/room/a", "/room/"));
    CHECK(is_below("/room", "/room/"));
    CHECK_FALSE(is_below("/rooms", "/room"));
    CHECK_FALSE(is_below("/Room", "/room"));
    CHECK_FALSE(is_below("/room%2fa", "/room"));
    CHECK_FALSE(is_below("/", "/room"));
    CHECK(is_below("/anything", "/"));
    CHECK(is_below("/", "/"));
    CHECK(is_below("/anything", ""));
}

} // namespace moqlite::test::target_test

#include <catch2/catch_test_macros.hpp>
#include <moqlite/core/path.hpp>

using namespace moqlite;

static_assert(path::segments("a/b") == 2 && path::is_normal("a/b") && path::strip("a/b", "a") == "b");

TEST_CASE("slashes at the ends of a path and doubled ones mean nothing", "[path]") {
    CHECK(path::normalise("/room/cam/") == "room/cam");
    CHECK(path::normalise("//room///cam//") == "room/cam");
    CHECK(path::normalise("room/cam") == "room/cam");
    CHECK(path::normalise("/").empty());
    CHECK(path::normalise("///").empty());
    CHECK(path::normalise("").empty());
}

TEST_CASE("normalising reuses its argument's memory", "[path]") {
    std::string out = "something longer than the path";
    path::normalise("/a//b/", out);
    CHECK(out == "a/b");
}

TEST_CASE("a path is normal exactly if normalising changes nothing", "[path]") {
    for (const auto* text : {"", "a", "a/b", "/", "/a", "a/", "a//b", "//", "a/b/", " / "})
        CHECK(path::is_normal(text) == (path::normalise(text) == text));
}

TEST_CASE("a path has as many segments as names between its slashes", "[path]") {
    CHECK(path::segments("") == 0);
    CHECK(path::segments("a") == 1);
    CHECK(path::segments("a/b/c") == 3);
}

TEST_CASE("a prefix matches whole segments", "[path]") {
    CHECK(path::strip("room/cam", "room") == "cam");
    CHECK(path::strip("room/cam/hd", "room/cam") == "hd");
    CHECK(path::strip("room", "room") == "");
    CHECK(path::strip("room", "") == "room");
    CHECK(path::strip("", "") == "");
    CHECK_FALSE(path::strip("roommate", "room"));
    CHECK_FALSE(path::strip("room", "room/cam"));
    CHECK_FALSE(path::strip("", "room"));
}

TEST_CASE("joining puts one slash between two names and none beside an empty one", "[path]") {
    CHECK(path::join("room", "cam") == "room/cam");
    CHECK(path::join("", "cam") == "cam");
    CHECK(path::join("room", "") == "room");
    CHECK(path::join("", "").empty());
}

TEST_CASE("what was joined can be stripped again", "[path]") {
    for (const auto* root : {"", "a", "a/b"})
        for (const auto* name : {"", "x", "x/y"}) CHECK(path::strip(path::join(root, name), root) == name);
}

// Publishers that die, come back, or are taken over by another.
#include "scene.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace moqlite;
using namespace moqlite::test;

TEST_CASE("a publisher that dies leaves its readers a code, at once", "[relay][restart]") {
    scene s;
    auto& camera = s.publisher();
    auto& reader = s.viewer();
    camera.accept(0, 0);
    camera.send(0, 0, "whole");
    const auto g = camera.begin(0, 1);
    REQUIRE(g->write_frame(timestamp{0}, as_bytes("half")));
    s.settle();
    CHECK(reader.groups() == list{"0: whole"});
    static_cast<void>(reader.heard());
    s.cut(camera);
    CHECK(reader.groups() == list{"1: half cut timeout"});
    CHECK(reader.heard().back() == "subscription_ended 0 timeout");
    CHECK(s.r.stats().tracks == 0);
    CHECK(s.r.stats().readers == 0);
    CHECK(s.r.stats().memory == 0);
}

TEST_CASE("a publisher that dies while nothing is open leaves a code too", "[relay][restart]") {
    scene s;
    auto& camera = s.publisher();
    auto& reader = s.viewer();
    camera.accept(0, 0);
    s.settle();
    static_cast<void>(reader.heard());
    SECTION("by closing") { camera->close(app_error::cancel, "done"); }
    SECTION("by vanishing") { s.cut(camera); }
    s.settle();
    REQUIRE(reader.heard().size() == 1);
}

TEST_CASE("a publisher that closes with code 0 is told as dropped, not as a clean end", "[relay][restart]") {
    scene s;
    auto& camera = s.publisher();
    auto& reader = s.viewer();
    camera.accept(0, 0);
    s.settle();
    camera->close(app_error::cancel, "done");
    s.settle();
    CHECK(reader.heard().back() == "subscription_ended 0 dropped");
}

TEST_CASE("a publisher that comes back is asked again", "[relay][restart]") {
    scene s;
    s.cut(s.publisher());
    auto& again = s.publisher();
    auto& reader = s.viewer();
    again.accept(0, 0);
    again.send(0, 0, "new");
    s.settle();
    CHECK(reader.groups() == list{"0: new"});
}

TEST_CASE("a broadcast that begins anew on the same session does not serve its old, ended track",
    "[relay][restart][regression]") {
    scene s;
    auto& camera = s.publisher();
    auto& first = s.viewer();
    camera.accept(0, 0);
    camera.send(0, 0, "old");
    camera.end_track(0, 1);
    s.settle();
    CHECK(first.groups() == list{"0: old"});
    static_cast<void>(camera.heard());
    SECTION("after it ended") {
        camera.unannounce();
        s.settle();
        camera.announce("room/cam");
    }
    SECTION("or by a restart alone") { camera.announce("room/cam", {hop_id{4}}); }
    s.settle();
    auto& second = s.viewer();
    CHECK(
        camera.heard() == list{"subscribe_requested 1 room/cam video priority 0 latency 0 ..", "groups_wanted 1 all"});
    camera.accept(1, 0);
    camera.send(1, 0, "new");
    s.settle();
    CHECK(second.groups() == list{"0: new"});
}

TEST_CASE(
    "another publisher of the name takes over for those who come next, and nobody is cut off", "[relay][restart]") {
    scene s;
    auto& first = s.publisher("room/cam", hop_id{1});
    auto& reader = s.viewer();
    first.accept(0, 0);
    first.send(0, 0, "first");
    s.settle();
    auto& second = s.publisher("room/cam", hop_id{2});
    auto& next = s.viewer();
    CHECK(
        second.heard() == list{"subscribe_requested 0 room/cam video priority 0 latency 0 ..", "groups_wanted 0 all"});
    second.accept(0, 0);
    second.send(0, 0, "second");
    first.send(0, 1, "still");
    s.settle();
    CHECK(reader.groups() == list{"0: first", "1: still"});
    CHECK(next.groups() == list{"0: second"});
    CHECK(s.r.stats().tracks == 2);
    SECTION("the old one's track goes with its last reader") {
        reader.unsubscribe();
        s.settle();
        CHECK(s.r.stats().tracks == 1);
        CHECK(first.heard().back() == "request_ended 0");
    }
    SECTION("its death ends its own readers only") {
        s.cut(first);
        CHECK(reader.heard().back() == "subscription_ended 0 timeout");
        CHECK(next.heard() == list{"subscription_accepted 0 from 0"});
    }
    SECTION("the death of the new one brings the old one back") {
        s.cut(second);
        CHECK(next.heard().back() == "subscription_ended 0 timeout");
        static_cast<void>(first.heard());
        static_cast<void>(s.viewer());
        CHECK(first.heard()[0] == "subscribe_requested 1 room/cam video priority 0 latency 0 ..");
    }
}

TEST_CASE("the same publisher by another way is no other publisher", "[relay][restart]") {
    scene s;
    auto& camera = s.join();
    camera.announce("room/cam", {hop_id{1}, hop_id{2}});
    auto& reader = s.viewer();
    camera.accept(0, 0);
    s.settle();
    auto& nearer = s.join();
    nearer.announce("room/cam", {hop_id{1}});
    s.settle();
    static_cast<void>(s.viewer());
    CHECK(nearer.heard().empty());
    camera.send(0, 0, "frame");
    s.settle();
    CHECK(reader.groups() == list{"0: frame"});
    CHECK(s.r.stats().tracks == 1);
}

TEST_CASE("a publisher that is farther away than another changes nothing for who comes next", "[relay][restart]") {
    scene s;
    auto& near = s.publisher("room/cam", hop_id{1});
    static_cast<void>(s.viewer());
    near.accept(0, 0);
    s.settle();
    auto& far = s.join();
    far.announce("room/cam", {hop_id{2}, hop_id{3}});
    s.settle();
    static_cast<void>(s.viewer());
    CHECK(far.heard().empty());
    CHECK(s.r.stats().tracks == 1);
}

TEST_CASE("when the nearer of two publishers leaves, who comes next gets the other's track", "[relay][restart]") {
    scene s;
    auto& far = s.join();
    far.announce("room/cam", {hop_id{2}, hop_id{3}});
    s.settle();
    auto& near = s.publisher("room/cam", hop_id{1});
    auto& reader = s.viewer();
    near.accept(0, 0);
    near.send(0, 0, "near");
    s.settle();
    SECTION("while its track goes on") {}
    SECTION("after its track has ended") { near.end_track(0, 1); }
    s.settle();
    near.unannounce();
    s.settle();
    CHECK(reader.groups() == list{"0: near"});
    auto& next = s.viewer();
    CHECK(next.groups().empty());
    CHECK(far.heard() == list{"subscribe_requested 0 room/cam video priority 0 latency 0 ..", "groups_wanted 0 all"});
}

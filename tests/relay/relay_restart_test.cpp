// Publishers that die, return, or are replaced by another.
#include "scene.hpp"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <functional>

namespace moqlite::test::relay_restart_test {

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

TEST_CASE("a publisher that closes with code 0 is reported as dropped, not as a clean end", "[relay][restart]") {
    scene s;
    auto& camera = s.publisher();
    auto& reader = s.viewer();
    camera.accept(0, 0);
    s.settle();
    camera->close(app_error::cancel, "done");
    s.settle();
    CHECK(reader.heard().back() == "subscription_ended 0 dropped");
}

TEST_CASE("a publisher that returns is subscribed again", "[relay][restart]") {
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

TEST_CASE("another publisher of the name serves later readers, and no reader is cut off", "[relay][restart]") {
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
    SECTION("the old one's track ends with its last reader") {
        reader.unsubscribe();
        s.settle();
        CHECK(s.r.stats().tracks == 1);
        CHECK(first.heard().back() == "request_ended 0 cancel");
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

TEST_CASE("the same publisher by another route is not another publisher", "[relay][restart]") {
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

TEST_CASE("a more distant publisher changes nothing for later readers", "[relay][restart]") {
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

TEST_CASE("when the nearer of two publishers leaves, later readers get the other's track", "[relay][restart]") {
    scene s;
    auto& far = s.join();
    far.announce("room/cam", {hop_id{2}, hop_id{3}});
    s.settle();
    auto& near = s.publisher("room/cam", hop_id{1});
    auto& reader = s.viewer();
    near.accept(0, 0);
    near.send(0, 0, "near");
    s.settle();
    SECTION("while its track continues") {}
    SECTION("after its track has ended") { near.end_track(0, 1); }
    s.settle();
    near.unannounce();
    s.settle();
    CHECK(reader.groups() == list{"0: near"});
    auto& next = s.viewer();
    CHECK(next.groups().empty());
    CHECK(far.heard() == list{"subscribe_requested 0 room/cam video priority 0 latency 0 ..", "groups_wanted 0 all"});
}

// Issue 10, C3: after the last route of a name has ended, a new announcement is a new broadcast.

namespace {

/// Group 0 of an old broadcast, to a viewer that has it.
struct with_old : scene {
    with_old() : camera(publisher()), first(viewer()) {
        camera.accept(0, 0);
        camera.send(0, 0, "old");
        settle();
        CHECK(first.groups() == list{"0: old"});
        camera.heard();
        first.heard();
    }
    guest& camera;
    guest& first;
};

void serves_only_the_new(scene& s, guest& publisher, std::uint64_t request) {
    auto& next = s.viewer();
    const auto asked = publisher.heard();
    REQUIRE(!asked.empty());
    CHECK(asked.back() == "groups_wanted " + std::to_string(request) + " all");
    publisher.accept(request, 0);
    publisher.send(request, 0, "new");
    s.settle();
    CHECK(next.groups() == list{"0: new"});
    CHECK(next.heard() == list{"subscription_accepted 0 from 0"});
}

} // namespace

TEST_CASE("a broadcast that is announced again is new, in whatever order its old track ends",
    "[relay][restart][end of track]") {
    with_old s;
    const auto end = [&] { REQUIRE(s.camera->end_track(request_id{0}, at(1))); };
    const auto finish = [&] { REQUIRE(s.camera->finish(request_id{0})); };
    const auto ended = [&] { s.camera.unannounce(); };
    const auto start = [&] { s.camera.announce("room/cam"); };
    const std::vector<std::function<void()>> steps[] = {
        {end, finish, ended, start},
        {end, ended, finish, start},
        {end, ended, start, finish},
        {ended, end, finish, start},
        {ended, end, start, finish},
        {ended, start, end, finish},
    };
    const auto order = GENERATE(0, 1, 2, 3, 4, 5);
    const bool at_once = GENERATE(false, true);
    CAPTURE(order, at_once);
    for (const auto& step : steps[order]) {
        step();
        if (!at_once) s.settle();
    }
    s.settle();
    CHECK(s.first.heard() == list{"subscription_end_known 0 before 1", "subscription_ended 0 finished"});
    serves_only_the_new(s, s.camera, 1);
}

TEST_CASE("a broadcast that is announced again while its old track goes on is new, and old viewers are served on",
    "[relay][restart]") {
    with_old s;
    s.camera.unannounce();
    s.settle();
    SECTION("by the same session") {
        s.camera.announce("room/cam");
        s.settle();
        serves_only_the_new(s, s.camera, 1);
    }
    SECTION("by another session") {
        auto& other = s.publisher();
        serves_only_the_new(s, other, 0);
    }
    s.pass(2s);
    s.camera.send(0, 1, "rest");
    s.camera.end_track(0, 2);
    s.settle();
    CHECK(s.first.groups() == list{"1: rest"});
    CHECK(s.first.heard() == list{"subscription_end_known 0 before 2", "subscription_ended 0 finished"});
    serves_only_the_new(s, s.publisher("room/cam", hop_id{9}), 0);
}

TEST_CASE("a slow viewer of an ended track gets all of it after the name was announced again",
    "[relay][restart][end of track]") {
    with_old s;
    s.first.relay_end.takes = false;
    s.camera.send(0, 1, "rest");
    s.camera.end_track(0, 2);
    s.camera.unannounce();
    s.camera.announce("room/cam");
    s.settle();
    serves_only_the_new(s, s.camera, 1);
    s.open_window(s.first);
    CHECK(s.first.groups() == list{"1: rest"});
    CHECK(s.first.heard() == list{"subscription_end_known 0 before 2", "subscription_ended 0 finished"});
}

TEST_CASE("another publisher that a neighbour names for the same broadcast has tracks of its own", "[relay][restart]") {
    scene s;
    auto& neighbour = s.join();
    neighbour.announce("room/cam", {hop_id{3}, hop_id{7}});
    s.settle();
    s.viewer();
    neighbour.accept(0, 0);
    neighbour.send(0, 0, "old");
    s.settle();
    neighbour.heard();
    neighbour.announce("room/cam", {hop_id{4}, hop_id{7}});
    s.settle();
    serves_only_the_new(s, neighbour, 1);
}

// Issue 10, D7: a publisher that returns before its dead session has timed out.

TEST_CASE("a publisher that returns within its idle timeout takes over its viewers at once", "[relay][restart]") {
    with_old s;
    const auto hop = GENERATE(hop_id{}, hop_id{5});
    s.camera.end.deaf = true;
    auto& again = s.publisher("room/cam", hop);
    serves_only_the_new(s, again, 0);
    CHECK(s.first.heard().empty());
    s.pass(500ms);
    CHECK(s.first.heard() == list{"subscription_ended 0 dropped"});
    CHECK(s.first.arriving().empty());
    s.first.subscribe({"room/cam", "video"});
    s.settle();
    CHECK(s.first.groups() == list{"0: new"});
    again.send(0, 1, "more");
    s.settle();
    CHECK(s.first.groups() == list{"1: more"});
    s.cut(s.camera);
    CHECK_FALSE(s.r.broadcasts().find("room/cam") == nullptr);
}

TEST_CASE("a publisher that returns with its own hop takes over its viewers, too", "[relay][restart]") {
    scene s;
    auto& camera = s.publisher("room/cam", hop_id{5});
    auto& first = s.viewer();
    camera.accept(0, 0);
    camera.send(0, 0, "old");
    s.settle();
    first.heard();
    camera.end.deaf = true;
    auto& again = s.publisher("room/cam", hop_id{5});
    s.pass(500ms);
    CHECK(first.heard() == list{"subscription_ended 0 dropped"});
    serves_only_the_new(s, again, 0);
}

TEST_CASE("a replaced publisher that is alive keeps its viewers until it falls silent", "[relay][restart]") {
    with_old s;
    s.publisher("room/cam", hop_id{5});
    const auto g = s.camera.begin(0, 1);
    for (int i = 0; i < 10; ++i) {
        s.pass(400ms);
        REQUIRE(g->write_frame(timestamp{1}, as_bytes("x")));
        s.settle();
    }
    CHECK(s.first.heard().empty());
    CHECK(s.first.arriving() == list{"1: xxxxxxxxxx"});
    s.camera.end.deaf = true;
    for (int i = 0; i < 4; ++i) s.pass(400ms);
    CHECK(s.first.heard().back() == "subscription_ended 0 dropped");
}

TEST_CASE(
    "a replaced publisher without data keeps its viewers as long as it acknowledges", "[relay][restart][regression]") {
    scene s;
    auto& camera = s.publisher("room/cam", hop_id{1});
    auto& reader = s.viewer({.ordered = true, .max_age = complete_age, .start = at(0), .end = at(0)});
    camera.accept(0, 0);
    camera.send(0, 0, "old");
    s.settle();
    CHECK(reader.groups() == list{"0: old"});
    reader.heard();
    camera.heard();
    SECTION("that wait for rare groups") { reader.update({.ordered = true, .max_age = complete_age, .end = at(9)}); }
    SECTION("that are held back at their Group End") {}
    SECTION("that it has ended at their Group End") { REQUIRE(camera->finish(request_id{0})); }
    s.settle();
    auto& other = s.publisher("room/cam", hop_id{2});
    for (int i = 0; i < 120; ++i) s.pass(500ms);
    CHECK(reader.heard().empty());
    CHECK(other.heard().empty());
    reader.update({.ordered = true, .max_age = complete_age, .end = at(19)});
    s.settle();
    const auto asked = camera.heard();
    const auto request = std::ranges::any_of(asked, [](const auto& l) { return l.starts_with("subscribe_req"); });
    camera.send(request ? 1 : 0, 1, "more");
    s.settle();
    CHECK(reader.groups() == list{"1: more"});
    camera.end.deaf = true;
    for (int i = 0; i < 3; ++i) s.pass(500ms);
    CHECK(reader.heard() == list{"subscription_ended 0 dropped"});
}

// Issue 10: with a round trip longer than the grace, a live publisher could not answer in time.
TEST_CASE(
    "a replaced publisher has three round trips to show activity, if the round trip is known", "[relay][restart]") {
    with_old s;
    const auto rtt = GENERATE(duration{}, duration{100ms}, duration{600ms});
    const auto grace = std::max<duration>(500ms, 3 * rtt);
    const bool late = GENERATE(false, true);
    CAPTURE(rtt.count(), late);
    if (!late) s.session_of(s.camera).path_measured({.rtt = rtt}, s.now);
    s.camera.end.deaf = true;
    s.publisher("room/cam", hop_id{5});
    s.pass(400ms);
    if (late) s.session_of(s.camera).path_measured({.rtt = rtt}, s.now);
    SECTION("one that is silent for longer loses its readers") {
        s.pass(grace - 400ms - 1ms);
        CHECK(s.first.heard().empty());
        s.pass(1ms);
        CHECK(s.first.heard() == list{"subscription_ended 0 dropped"});
    }
    SECTION("one that answers within it keeps them") {
        s.pass(grace - 400ms - 1ms);
        s.camera.end.deaf = false;
        s.camera.end.resume();
        s.settle();
        s.pass(1ms);
        CHECK(s.first.heard().empty());
    }
}

TEST_CASE("a replaced publisher on a long path does not delay readers of another", "[relay][restart]") {
    scene s;
    auto& far = s.publisher("room/cam", hop_id{1});
    auto& near = s.publisher("room/mic", hop_id{2});
    auto& first = s.viewer();
    auto& second = s.join();
    second.subscribe({"room/mic", "audio"});
    s.settle();
    far.accept(0, 0);
    near.accept(0, 0);
    s.settle();
    static_cast<void>(first.heard());
    static_cast<void>(second.heard());
    s.session_of(far).path_measured({.rtt = 2s}, s.now);
    far.end.deaf = near.end.deaf = true;
    auto& both = s.publisher("room/cam", hop_id{3});
    both.announce("room/mic");
    s.settle();
    s.pass(500ms);
    CHECK(first.heard().empty());
    CHECK(second.heard() == list{"subscription_ended 0 dropped"});
    s.pass(5500ms);
    CHECK(first.heard() == list{"subscription_ended 0 dropped"});
}

} // namespace moqlite::test::relay_restart_test

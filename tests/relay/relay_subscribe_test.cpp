// Subscriptions through a relay: one upstream, many readers, and where each begins.
#include "scene.hpp"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>

namespace moqlite::test::relay_subscribe_test {

TEST_CASE("a subscription is forwarded to the publisher, and its groups to the subscriber", "[relay][subscribe]") {
    scene s;
    auto& camera = s.publisher();
    auto& viewer = s.viewer();
    CHECK(
        camera.heard() == list{"subscribe_requested 0 room/cam video priority 0 latency 0 ..", "groups_wanted 0 all"});
    camera.accept(0, 3);
    camera.send(0, 3, "one");
    s.settle();
    camera.send(0, 4, "two");
    s.settle();
    CHECK(viewer.heard() == list{"subscription_accepted 0 from 3"});
    CHECK(viewer.groups() == list{"3: one", "4: two"});
}

TEST_CASE("a frame is forwarded before its last byte has arrived", "[relay][subscribe]") {
    scene s;
    auto& camera = s.publisher();
    auto& viewer = s.viewer();
    camera.accept(0, 0);
    const auto g = camera.begin(0, 0);
    REQUIRE(g->begin_frame(timestamp{0}, 8));
    REQUIRE(g->append_payload(as_bytes("half")));
    s.settle();
    CHECK(viewer.arriving() == list{"0: half"});
    REQUIRE(g->append_payload(as_bytes("done")));
    REQUIRE(g->finish());
    s.settle();
    CHECK(viewer.groups() == list{"0: halfdone"});
}

TEST_CASE("a request for an unknown broadcast is refused at once", "[relay][subscribe]") {
    scene s;
    auto& viewer = s.viewer();
    CHECK(viewer.heard() == list{"subscription_ended 0 unroutable"});
    SECTION("as is a broadcast of the requester itself") {
        viewer.announce("room/cam");
        s.settle();
        viewer.subscribe({"room/cam", "video"});
        s.settle();
        CHECK(viewer.heard() == list{"subscription_ended 1 unroutable"});
    }
    CHECK(s.r.stats().tracks == 0);
}

TEST_CASE("a publisher's refusal reaches every subscriber", "[relay][subscribe]") {
    scene s;
    auto& camera = s.publisher();
    auto& first = s.viewer();
    auto& second = s.viewer();
    REQUIRE(camera->reject(request_id{0}, app_error::unauthorized));
    s.settle();
    CHECK(first.heard() == list{"subscription_ended 0 unauthorized"});
    CHECK(second.heard() == list{"subscription_ended 0 unauthorized"});
    CHECK(s.r.stats().tracks == 0);
    CHECK(s.r.stats().readers == 0);
}

TEST_CASE("many readers of a track are one subscription upstream", "[relay][subscribe]") {
    scene s;
    auto& camera = s.publisher();
    std::vector<guest*> viewers;
    for (int i = 0; i < 10; ++i) viewers.push_back(&s.viewer());
    CHECK(camera.heard().size() == 2);
    camera.accept(0, 0);
    camera.send(0, 0, "frame");
    s.settle();
    for (auto* v : viewers) CHECK(v->groups() == list{"0: frame"});
    CHECK(s.r.stats().readers == 10);
    CHECK(s.r.stats().tracks == 1);
}

TEST_CASE("the upstream subscription is the union of what all readers want", "[relay][subscribe]") {
    scene s;
    auto& camera = s.publisher();
    const auto ms = [](unsigned n) { return milliseconds{n}; };
    auto& first = s.viewer({.priority = 5, .ordered = true, .max_age = ms(100), .end = at(9)});
    CHECK(camera.heard() ==
          list{"subscribe_requested 0 room/cam video priority 5 ordered latency 100 ..9", "groups_wanted 0 to 9"});
    SECTION("the highest priority, the longest latency, and ordered only if all are") {
        auto& second = s.viewer({.priority = 9, .max_age = ms(50), .end = at(9)});
        CHECK(camera.heard() == list{"subscribe_updated 0 priority 9 latency 100 ..9"});
        second.unsubscribe();
        s.settle();
        CHECK(camera.heard() == list{"subscribe_updated 0 priority 5 ordered latency 100 ..9"});
    }
    SECTION("the largest Group End") {
        static_cast<void>(s.viewer({.priority = 1, .ordered = true, .end = at(20)}));
        CHECK(
            camera.heard() == list{"subscribe_updated 0 priority 5 ordered latency 100 ..20", "groups_wanted 0 to 20"});
        first.update({.priority = 5, .ordered = true, .max_age = ms(100), .end = at(15)});
        s.settle();
        CHECK(camera.heard().empty());
        first.update({.priority = 5, .ordered = true, .max_age = ms(100), .end = at(30)});
        s.settle();
        CHECK(
            camera.heard() == list{"subscribe_updated 0 priority 5 ordered latency 100 ..30", "groups_wanted 0 to 30"});
    }
    SECTION("of complete readers, whatever live readers there are") {
        auto& second = s.viewer({.ordered = true});
        CHECK(camera.heard().empty());
        SECTION("none once only live ones are left: sent groups are not requested again") {
            first.unsubscribe();
            s.settle();
            CHECK(camera.heard() == list{"subscribe_updated 0 priority 0 ordered latency 0 ..", "groups_wanted 0 all"});
        }
        SECTION("also when the others leave") {
            second.unsubscribe();
            s.settle();
            CHECK(camera.heard().empty());
        }
    }
    SECTION("an update that does not change the union is not forwarded") {
        static_cast<void>(s.viewer({.priority = 9, .ordered = true, .max_age = ms(200), .end = at(9)}));
        static_cast<void>(camera.heard());
        first.update({.priority = 6, .ordered = true, .max_age = ms(150), .end = at(9)});
        s.settle();
        CHECK(camera.heard().empty());
    }
}

TEST_CASE("the last reader to leave ends the subscription upstream", "[relay][subscribe]") {
    scene s;
    auto& camera = s.publisher();
    auto& first = s.viewer();
    auto& second = s.viewer();
    camera.accept(0, 0);
    camera.send(0, 0, "frame");
    s.settle();
    static_cast<void>(camera.heard());
    first.unsubscribe();
    s.settle();
    CHECK(camera.heard().empty());
    SECTION("by leaving") { second.unsubscribe(); }
    SECTION("or by dying") { s.cut(second); }
    s.settle();
    CHECK(camera.heard() == list{"request_ended 0 cancel"});
    CHECK(s.r.stats().tracks == 0);
    CHECK(s.r.stats().cached_bytes == 0);
    CHECK(s.r.stats().memory == 0);
    static_cast<void>(s.viewer());
    CHECK(camera.heard()[0] == "subscribe_requested 1 room/cam video priority 0 latency 0 ..");
}

TEST_CASE(
    "a late joiner gets the newest group from its first frame, and the following ones", "[relay][subscribe][late]") {
    scene s;
    auto& camera = s.publisher();
    static_cast<void>(s.viewer());
    camera.accept(0, 0);
    camera.send(0, 0, "old");
    const auto g = camera.begin(0, 1);
    REQUIRE(g->write_frame(timestamp{0}, as_bytes("first ")));
    s.settle();
    auto& late = s.viewer();
    CHECK(late.heard() == list{"subscription_accepted 0 from 1"});
    CHECK(late.arriving() == list{"1: first "});
    REQUIRE(g->write_frame(timestamp{1}, as_bytes("second")));
    REQUIRE(g->finish());
    s.settle();
    camera.send(0, 2, "next");
    s.settle();
    CHECK(late.groups() == list{"1: first second", "2: next"});
}

TEST_CASE("a subscription with a start gets every cached group from there", "[relay][subscribe][start]") {
    scene s;
    auto& camera = s.publisher();
    static_cast<void>(s.viewer({.start = at(0)}));
    camera.accept(0, 0);
    for (unsigned n = 0; n < 5; ++n) camera.send(0, n, std::to_string(n));
    s.settle();
    auto& late = s.viewer({.ordered = true, .start = at(2)});
    CHECK(late.heard() == list{"subscription_accepted 0 from 2"});
    CHECK(late.groups() == list{"2: 2", "3: 3", "4: 4"});
}

TEST_CASE(
    "a subscription with a start that is no longer cached learns its actual first group", "[relay][subscribe][start]") {
    relay_options o;
    o.bounds.cache_age = 10s;
    scene s{o};
    auto& camera = s.publisher();
    static_cast<void>(s.viewer({.start = at(0)}));
    camera.accept(0, 0);
    for (unsigned n = 0; n < 3; ++n) camera.send(0, n, std::to_string(n));
    s.settle();
    s.pass(11s);
    camera.send(0, 3, "3");
    s.settle();
    auto& late = s.viewer({.ordered = true, .start = at(0)});
    CHECK(late.heard() == list{"subscription_accepted 0 from 2"});
    CHECK(late.groups() == list{"2: 2", "3: 3"});
}

TEST_CASE("a start in the future does not delay other readers", "[relay][subscribe][start]") {
    scene s;
    auto& camera = s.publisher();
    auto& early = s.viewer({.start = at(100)});
    camera.accept(0, 100);
    s.settle();
    auto& viewer = s.viewer();
    camera.accept(1, 5);
    camera.send(1, 5, "now");
    s.settle();
    CHECK(viewer.groups() == list{"5: now"});
    CHECK(early.heard() == list{"subscription_accepted 0 from 100"});
    CHECK(std::ranges::count(camera.heard(), "request_ended 0 cancel") == 1);
    camera.send(1, 100, "then");
    s.settle();
    CHECK(early.groups() == list{"100: then"});
    CHECK(viewer.groups() == list{"100: then"});
}

// Issue 10, B8: at most two upstream subscriptions a track.
TEST_CASE("ever lower starts cause two upstream subscriptions, not one each", "[relay][subscribe][start]") {
    scene s;
    auto& camera = s.publisher();
    auto& greedy = s.join();
    for (unsigned n = 0; n < 100; ++n) {
        greedy.subscribe({"room/cam", "video"}, {.start = at(1000 - n)});
        s.settle();
    }
    CHECK(
        camera.heard() == list{"subscribe_requested 0 room/cam video priority 0 latency 0 1000..",
                              "groups_wanted 0 all", "request_ended 0 cancel",
                              "subscribe_requested 1 room/cam video priority 0 latency 0 0..", "groups_wanted 1 all"});
    auto& viewer = s.viewer();
    camera.accept(1, 7);
    camera.send(1, 7, "seven");
    s.settle();
    CHECK(viewer.groups() == list{"7: seven"});
    CHECK(s.r.stats().tracks == 1);
}

TEST_CASE("a group number that arrives twice is accepted once", "[relay][subscribe]") {
    scene s;
    auto& camera = s.publisher();
    auto& viewer = s.viewer();
    camera.accept(0, 0);
    camera.send(0, 0, "first");
    s.settle();
    const auto again = camera.begin(0, 0);
    REQUIRE(again->write_frame(timestamp{0}, as_bytes("again")));
    s.settle();
    CHECK(viewer.groups() == list{"0: first"});
    CHECK(viewer.arriving().empty());
    CHECK(camera.heard().back() == "group_lost 0 sequence 0 duplicate");
}

TEST_CASE("a group that its publisher cuts off is cut off for every reader", "[relay][subscribe]") {
    scene s;
    auto& camera = s.publisher();
    auto& viewer = s.viewer();
    camera.accept(0, 0);
    const auto g = camera.begin(0, 0);
    REQUIRE(g->write_frame(timestamp{0}, as_bytes("some")));
    s.settle();
    g->abort(app_error::old);
    s.settle();
    CHECK(viewer.groups() == list{"0: some cut old"});
    CHECK(viewer.heard() == list{"subscription_accepted 0 from 0", "groups_dropped 0 0 to 0 old"});
    SECTION("and dropped for late joiners") {
        auto& late = s.viewer({.start = at(0)});
        CHECK(late.heard() == list{"subscription_accepted 0 from 0", "groups_dropped 0 0 to 0 old"});
    }
}

TEST_CASE("only the sessions affected by an input need a pump", "[relay][ready]") {
    scene s;
    auto& camera = s.publisher();
    for (int i = 0; i < 5000; ++i) static_cast<void>(s.join());
    auto& viewer = s.viewer();
    camera.accept(0, 0);
    camera.send(0, 0, "before");
    s.settle();
    s.pumped.clear();
    camera.send(0, 1, "now");
    s.settle();
    CHECK(viewer.groups() == list{"0: before", "1: now"});
    for (auto key : s.pumped) CHECK((key == camera.key || key == viewer.key));
    CHECK(s.pumped.size() <= 4);
}

TEST_CASE("the operator can see what a relay holds", "[relay][stats]") {
    scene s;
    auto& camera = s.publisher();
    static_cast<void>(s.viewer());
    static_cast<void>(s.viewer());
    camera.accept(0, 0);
    camera.send(0, 0, std::string(1000, 'x'));
    s.settle();
    auto now = s.r.stats();
    CHECK(now.sessions == 3);
    CHECK(now.broadcasts == 1);
    CHECK(now.tracks == 1);
    CHECK(now.readers == 2);
    CHECK(now.cached_bytes >= 1000);
    CHECK(now.memory >= now.cached_bytes);
    CHECK(now.memory < 2 * now.cached_bytes);
    CHECK(now.groups_lost == 0);
}

} // namespace moqlite::test::relay_subscribe_test

// Group End through a relay: each reader's range, and the resulting upstream subscription.
#include "scene.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

namespace moqlite::test::relay_cap_test {

namespace {

subscribe_options up_to(std::uint64_t last, std::optional<std::uint64_t> first = {}) {
    return {.ordered = true, .start = first ? std::optional{at(*first)} : std::nullopt, .end = at(last)};
}

/// A relay with a publisher whose groups 0 .. 4 a reader has read, which is far ahead of all others.
struct with_groups : scene {
    explicit with_groups(relay_options o = {}) : scene(std::move(o)), camera(publisher()), ahead(viewer(up_to(99))) {
        camera.accept(0, 0);
        for (unsigned n = 0; n < 5; ++n) camera.send(0, n, std::to_string(n));
        settle();
        static_cast<void>(camera.heard());
    }
    guest& camera;
    guest& ahead;
};

} // namespace

TEST_CASE("a capped reader gets the requested groups, and more when it raises its Group End", "[relay][group end]") {
    with_groups s;
    auto& reader = s.viewer(up_to(1, 0));
    CHECK(reader.groups() == list{"0: 0", "1: 1"});
    reader.update(up_to(3));
    s.settle();
    CHECK(reader.groups() == list{"2: 2", "3: 3"});
    s.camera.send(0, 5, "5");
    s.settle();
    CHECK(reader.groups().empty());
    reader.update(up_to(9));
    s.settle();
    CHECK(reader.groups() == list{"4: 4", "5: 5"});
    s.camera.send(0, 6, "6");
    s.settle();
    CHECK(reader.groups() == list{"6: 6"});
}

TEST_CASE("one reader's Group End delays no other", "[relay][group end]") {
    with_groups s;
    auto& capped = s.viewer(up_to(0, 0));
    static_cast<void>(s.ahead.groups());
    for (unsigned n = 5; n < 8; ++n) s.camera.send(0, n, std::to_string(n));
    s.settle();
    CHECK(s.ahead.groups() == list{"5: 5", "6: 6", "7: 7"});
    CHECK(capped.groups() == list{"0: 0"});
    CHECK(s.camera.heard().empty());
}

TEST_CASE("the upstream Group End is the highest of the readers', and rises with it", "[relay][group end]") {
    scene s;
    auto& camera = s.publisher();
    auto& reader = s.viewer(up_to(1, 0));
    camera.accept(0, 0);
    camera.send(0, 0, "0");
    camera.send(0, 1, "1");
    CHECK(camera->open_group(request_id{0}, at(2)).error() == errc::beyond_group_end);
    s.settle();
    static_cast<void>(camera.heard());
    reader.update(up_to(2));
    s.settle();
    CHECK(camera.heard() == list{"subscribe_updated 0 priority 0 ordered latency 0 0..2", "groups_wanted 0 to 2"});
    camera.send(0, 2, "2");
    s.settle();
    CHECK(reader.groups() == list{"0: 0", "1: 1", "2: 2"});
}

TEST_CASE("groups that the cache has dropped are announced to a capped reader as dropped, before the cached ones",
    "[relay][group end]") {
    relay_options o;
    o.bounds.cache_age = 10s;
    o.bounds.cache = 1500;
    with_groups s{o};
    auto& reader = s.viewer(up_to(1, 0));
    static_cast<void>(reader.heard());
    CHECK(reader.groups() == list{"0: 0", "1: 1"});
    s.pass(1s);
    reader.update(up_to(8));
    s.settle();
    CHECK(reader.heard() == list{"groups_dropped 0 2 to 3 evicted"});
    CHECK(reader.groups() == list{"4: 4"});
    CHECK(s.r.stats().groups_lost == 2);
    CHECK(s.notices().back() == "reader_lost_group 3 room/cam video 3 evicted");
}

TEST_CASE("a DROP covers no more than the reader has requested", "[relay][group end]") {
    relay_options o;
    o.bounds.cache = 1500;
    with_groups s{o};
    auto& reader = s.viewer(up_to(0, 0));
    static_cast<void>(reader.heard());
    s.pass(1s);
    reader.update(up_to(2));
    s.settle();
    CHECK(reader.heard() == list{"groups_dropped 0 1 to 2 evicted"});
    reader.update(up_to(4));
    s.settle();
    CHECK(reader.heard() == list{"groups_dropped 0 3 to 3 evicted"});
    CHECK(reader.groups() == list{"0: 0", "4: 4"});
}

TEST_CASE("a Group End that is lowered, or raised again, serves no group twice", "[relay][group end][regression]") {
    with_groups s;
    auto& reader = s.viewer(up_to(4, 0));
    CHECK(reader.groups().size() == 5);
    for (int i = 0; i < 3; ++i) {
        reader.update(up_to(0));
        s.settle();
        reader.update(up_to(4));
        s.settle();
    }
    CHECK(reader.groups().empty());
    CHECK(s.session_of(reader).as<session>()->unsent(request_id{0}) == 0);
    reader.update(up_to(5));
    s.camera.send(0, 5, "5");
    s.settle();
    CHECK(reader.groups() == list{"5: 5"});
}

TEST_CASE("a first Group End after none serves no group again, and later ones in their turn",
    "[relay][group end][regression]") {
    with_groups s;
    auto& reader = s.viewer({.ordered = true, .max_age = complete_age, .start = at(0)});
    CHECK(reader.groups().size() == 5);
    reader.update(up_to(1));
    s.settle();
    reader.update(up_to(4));
    s.settle();
    CHECK(reader.groups().empty());
    s.ahead.groups();
    s.camera.send(0, 5, "5");
    s.camera.send(0, 6, "6");
    s.settle();
    CHECK(s.ahead.groups().size() == 2);
    CHECK(reader.groups().empty());
    reader.update(up_to(6));
    s.settle();
    CHECK(reader.groups() == list{"5: 5", "6: 6"});
}

TEST_CASE("a Group End that is removed stays removed", "[relay][group end]") {
    with_groups s;
    auto& reader = s.viewer(up_to(1, 0));
    reader.update({.ordered = true});
    s.settle();
    CHECK(reader.groups().size() == 5);
    reader.update(up_to(1));
    s.settle();
    s.camera.send(0, 5, "5");
    s.settle();
    CHECK(reader.groups() == list{"5: 5"});
}

TEST_CASE("a publisher that ends a subscription at its Group End is subscribed again from the next group",
    "[relay][group end]") {
    scene s;
    auto& camera = s.publisher();
    auto& reader = s.viewer(up_to(1, 0));
    camera.accept(0, 0);
    camera.send(0, 0, "0");
    camera.send(0, 1, "1");
    static_cast<void>(camera.heard());
    REQUIRE(camera->finish(request_id{0}));
    s.settle();
    // Not before a reader wants more.
    CHECK(camera.heard() == list{"request_ended 0 delivered"});
    reader.update(up_to(4));
    s.settle();
    CHECK(camera.heard() ==
          list{"subscribe_requested 1 room/cam video priority 0 ordered latency 0 2..4", "groups_wanted 1 to 4"});
    CHECK(reader.heard() == list{"subscription_accepted 0 from 0"});
    SECTION("and serves on") {
        camera.accept(1, 2);
        camera.send(1, 2, "2");
        camera.send(1, 3, "3");
        camera.end_track(1, 4);
        s.settle();
        CHECK(reader.groups() == list{"0: 0", "1: 1", "2: 2", "3: 3"});
        CHECK(reader.heard() == list{"subscription_end_known 0 before 4", "subscription_ended 0 finished"});
    }
    SECTION("or from a later one, if it has no longer kept that") {
        camera.accept(1, 4);
        s.settle();
        CHECK(reader.heard() == list{"groups_dropped 0 2 to 3 not_found"});
    }
}

TEST_CASE("a track whose publisher waits at a Group End continues with a reader that wants more, or is freed",
    "[relay][group end][regression]") {
    scene s;
    auto& camera = s.publisher();
    auto& reader = s.viewer(up_to(1, 0));
    camera.accept(0, 0);
    camera.send(0, 0, "0");
    camera.send(0, 1, "1");
    REQUIRE(camera->finish(request_id{0}));
    s.settle();
    static_cast<void>(camera.heard());
    static_cast<void>(reader.heard());
    SECTION("a live viewer arrives") {
        auto& live = s.viewer();
        CHECK(camera.heard() ==
              list{"subscribe_requested 1 room/cam video priority 0 latency 0 ..", "groups_wanted 1 all"});
        camera.accept(1, 2);
        camera.send(1, 2, "2");
        s.settle();
        CHECK(live.groups() == list{"2: 2"});
        CHECK(reader.groups() == list{"0: 0", "1: 1"});
    }
    SECTION("its only reader leaves, and the next one begins anew") {
        reader.unsubscribe();
        s.settle();
        CHECK(s.r.stats().tracks == 0);
        s.viewer();
        CHECK(camera.heard() ==
              list{"subscribe_requested 1 room/cam video priority 0 latency 0 ..", "groups_wanted 1 all"});
    }
    SECTION("its publisher leaves, which its reader learns when it wants more") {
        s.cut(camera);
        CHECK(reader.heard().empty());
        reader.update(up_to(4));
        s.settle();
        CHECK(reader.heard() == list{"subscription_ended 0 dropped"});
        CHECK(s.r.stats().tracks == 0);
    }
}

TEST_CASE("a publisher that ends at a Group End while a higher one is in flight is subscribed again",
    "[relay][group end][regression]") {
    scene s;
    auto& camera = s.publisher();
    auto& reader = s.viewer(up_to(1, 0));
    camera.accept(0, 0);
    camera.send(0, 0, "0");
    camera.send(0, 1, "1");
    s.settle();
    camera.end.deaf = true; // The update is delayed in transit.
    REQUIRE(camera->finish(request_id{0}));
    reader.update(up_to(4));
    s.settle();
    camera.end.deaf = false;
    camera.end.resume();
    s.settle();
    CHECK(camera.heard().back() == "groups_wanted 1 to 4");
    CHECK(reader.heard() == list{"subscription_accepted 0 from 0"});
    SECTION("and if nothing follows, the track has ended") {
        REQUIRE(camera->finish(request_id{1}));
        s.settle();
        CHECK(reader.heard() == list{"subscription_end_known 0 before 2", "subscription_ended 0 finished"});
    }
}

TEST_CASE("on versions without END a FIN at a Group End ends the track if nothing follows",
    "[relay][group end][regression]") {
    scene s;
    auto& camera = s.join({}, version::lite_03);
    camera.announce("room/cam");
    auto& reader = s.viewer(up_to(1, 0));
    camera.accept(0, 0);
    camera.send(0, 0, "0");
    camera.send(0, 1, "1");
    REQUIRE(camera->finish(request_id{0}));
    s.settle();
    s.pass_for_all(300ms);
    CHECK(reader.heard() == list{"subscription_accepted 0 from 0"});
    const list all{"subscription_end_known 0 before 2", "subscription_ended 0 finished"};
    SECTION("its publisher has left") {
        s.cut(camera);
        reader.update(up_to(4));
        s.settle();
        CHECK(reader.heard() == all);
    }
    SECTION("its publisher leaves at the moment of the request") {
        reader.update(up_to(4));
        s.settle();
        s.cut(camera);
        CHECK(reader.heard() == all);
    }
    SECTION("its publisher no longer has it") {
        reader.update(up_to(4));
        s.settle();
        REQUIRE(camera->reject(request_id{1}, app_error::not_found));
        s.settle();
        CHECK(reader.heard() == all);
    }
    SECTION("but not if its publisher continues, and is then lost") {
        reader.update(up_to(4));
        s.settle();
        camera.accept(1, 2);
        s.settle();
        s.cut(camera);
        CHECK(reader.heard() == list{"subscription_ended 0 timeout"});
    }
}

// Issue 10: @moq/net accepts a subscription beyond the end of a track, and then stays silent for ever.
TEST_CASE(
    "before moq-lite-05 a publisher that ended at a Group End and brings nothing for a second has ended the track",
    "[relay][group end][end of track]") {
    scene s;
    auto& camera = s.join({}, GENERATE(version::lite_03, version::lite_04));
    camera.announce("room/cam");
    auto& reader = s.viewer(up_to(1, 0));
    camera.accept(0, 0);
    camera.send(0, 0, "0");
    camera.send(0, 1, "1");
    REQUIRE(camera->finish(request_id{0}));
    s.settle();
    s.pass_for_all(300ms);
    reader.update(up_to(4));
    s.settle();
    static_cast<void>(reader.heard());
    static_cast<void>(reader.groups());
    const bool accepts = GENERATE(true, false);
    if (accepts) camera.accept(1, 2);
    s.settle();
    const list end{"subscription_end_known 0 before 2", "subscription_ended 0 finished"};
    SECTION("and gets no more requests") {
        CHECK(s.r.deadline() <= s.now + 1s);
        s.pass(999ms);
        CHECK(reader.heard().empty());
        s.pass(1ms);
        CHECK(reader.heard() == end);
        CHECK(camera.heard().back() == "request_ended 1 cancel");
        CHECK(s.viewer({.ordered = true, .start = at(0)}).groups() == list{"0: 0", "1: 1"});
        s.pass(31s);
        CHECK(s.r.stats().tracks == 0);
        CHECK_FALSE(s.r.deadline());
    }
    SECTION("or three round trips, on a long path") {
        s.session_of(camera).path_measured({.rtt = 700ms}, s.now);
        s.pass(2099ms);
        CHECK(reader.heard().empty());
        s.pass(1ms);
        CHECK(reader.heard() == end);
    }
    SECTION("but not if a group has arrived in that time") {
        s.pass(999ms);
        camera.send(1, 2, "2");
        s.settle();
        s.pass(10s);
        CHECK(reader.groups() == list{"2: 2"});
        CHECK(reader.heard().empty());
    }
    SECTION("and nothing is left if its readers leave first") {
        reader.unsubscribe();
        s.settle();
        CHECK(s.r.stats().tracks == 0);
        CHECK_FALSE(s.r.deadline());
        s.pass(10s);
    }
}

} // namespace moqlite::test::relay_cap_test

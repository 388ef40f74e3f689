// Between versions: each row of the table in design.md that is about moq-lite.
#include "scene.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/generators/catch_generators_range.hpp>

namespace moqlite::test::bridge_test {

namespace {

// Each GENERATE iterates over all of its values.
#define WITHOUT_TIMES GENERATE(version::lite_03, version::lite_04)
#define WITH_TIMES GENERATE(version::lite_05, version::lite_06, version::lite_07_wip)
#define ANY_VERSION GENERATE(from_range(all_versions))

/// Announces room/cam on version `v`.
guest& camera_on(scene& s, version v, hop_id origin = {}) {
    auto& camera = s.join({}, v, origin);
    camera.announce("room/cam");
    s.settle();
    return camera;
}
void write(const group_ref& g, std::uint64_t time, std::string_view payload) {
    REQUIRE(g->write_frame(timestamp{time}, as_bytes(payload)));
}

} // namespace

TEST_CASE("frames without timestamps leave with the time of their arrival, in milliseconds", "[relay][bridge]") {
    scene s{{.epoch = t0 - 5ms}};
    auto& camera = camera_on(s, WITHOUT_TIMES);
    const auto to = WITH_TIMES;
    auto& viewer = s.viewer({}, to);
    camera.accept(0, 3);
    const auto g = camera.begin(0, 3);
    write(g, 0, "one");
    s.settle();
    s.pass(20ms);
    write(g, 0, "two");
    REQUIRE(g->finish());
    s.settle();
    CHECK(viewer.groups() == list{"3: onetwo"});
    CHECK(viewer.times() == std::vector<std::uint64_t>{5, 25});
    SECTION("and for later readers") {
        s.pass(20ms);
        auto& late = s.viewer({}, to);
        CHECK(late.times() == std::vector<std::uint64_t>{5, 25});
    }
}

TEST_CASE("timestamps are dropped for versions without them, the payload is the same", "[relay][bridge]") {
    scene s;
    auto& camera = camera_on(s, WITH_TIMES);
    auto& viewer = s.viewer({}, WITH_TIMES);
    auto& old = s.viewer({}, WITHOUT_TIMES);
    camera.accept(0, 3);
    const auto g = camera.begin(0, 3);
    write(g, 90000, "one");
    write(g, 93000, "");
    write(g, 91500, std::string(3000, 'x'));
    s.settle();
    const auto held = s.r.stats().memory;
    REQUIRE(g->finish());
    s.settle();
    CHECK(viewer.times() == std::vector<std::uint64_t>{90000, 93000, 91500});
    CHECK(old.times() == std::vector<std::uint64_t>{0, 0, 0});
    CHECK(old.groups() == viewer.groups());
    // There is one log for all.
    auto& late = s.viewer({}, version::lite_03);
    CHECK(late.groups() == list{"3: 3003 bytes"});
    CHECK(s.r.stats().memory <= held);
}

TEST_CASE("from any version to any other every byte arrives, and the end", "[relay][bridge]") {
    const auto from = ANY_VERSION;
    const auto to = ANY_VERSION;
    CAPTURE(alpn(from), alpn(to));
    scene s;
    auto& camera = camera_on(s, from);
    auto& viewer = s.viewer({.ordered = true, .max_age = complete_age, .start = at(3)}, to);
    CHECK(camera.heard() ==
          list{"subscribe_requested 0 room/cam video priority 0 ordered latency 86400000 3..", "groups_wanted 0 all"});
    camera.accept(0, 4);
    for (std::uint64_t n = 4; n < 6; ++n) {
        const auto g = camera.begin(0, n);
        for (int i = 0; i < 100; ++i) write(g, 1000, std::string(static_cast<std::size_t>(i) * 7, 'x'));
        REQUIRE(g->finish());
    }
    s.settle();
    CHECK(viewer.groups() == list{"4: 34650 bytes", "5: 34650 bytes"});
    camera.end_track(0, 6);
    s.settle();
    if (!has_fin_after_groups(from)) s.pass_for_all(250ms);
    if (!has_fin_after_groups(to)) {
        CHECK(viewer.heard() == list{"subscription_accepted 0 from 4", "groups_dropped 0 3 to 3 not_found"});
        viewer->tick(s.now + 250ms);
        viewer.drain();
        CHECK(viewer.heard() == list{"subscription_ended 0 finished"});
    } else {
        CHECK(viewer.heard() == list{"subscription_accepted 0 from 4", "subscription_end_known 0 before 6",
                                    "subscription_ended 0 finished"});
    }
}

TEST_CASE(
    "TRACK for a track whose upstream version has none is answered at once with the defaults", "[relay][bridge]") {
    scene s;
    auto& camera = camera_on(s, WITHOUT_TIMES);
    auto& asker = s.join({}, WITH_TIMES);
    REQUIRE(asker->request_track({"room/cam", "video"}));
    s.settle();
    CHECK(asker.heard() == list{"track_info_received 0 priority 0 unordered latency 5000 timescale 1000"});
    CHECK(camera.heard().empty());
}

TEST_CASE("a group is reported before TRACK_INFO and SUBSCRIBE_OK, in raw ticks", "[relay][bridge]") {
    scene s;
    auto& camera = camera_on(s, WITH_TIMES);
    auto& viewer = s.viewer({}, WITH_TIMES);
    REQUIRE(viewer->request_track({"room/cam", "video"}));
    s.settle();
    const auto g = camera.begin(0, 3);
    write(g, 90000, "one");
    s.settle();
    CHECK(viewer.arriving() == list{"3: one"});
    CHECK(viewer.times() == std::vector<std::uint64_t>{90000});
    CHECK(viewer.heard().empty());
}

TEST_CASE("a frame that is too large is refused between all versions", "[relay][bridge]") {
    relay_options o;
    o.bounds.frame = 1000;
    scene s{o};
    auto& camera = camera_on(s, ANY_VERSION);
    auto& viewer = s.viewer({}, ANY_VERSION);
    camera.accept(0, 3);
    static_cast<void>(s.notices());
    const auto g = camera.begin(0, 3);
    write(g, 0, "one");
    s.settle();
    REQUIRE(g->begin_frame(timestamp{0}, 1001));
    REQUIRE(g->append_payload(as_bytes("x")));
    s.settle();
    CHECK(viewer.groups() == list{"3: one cut frame_too_large"});
    CHECK(s.notices().front().ends_with("frame_too_large"));
}

TEST_CASE("a broadcast published over two versions is one track only if both have timestamps", "[relay][bridge]") {
    const auto other = ANY_VERSION;
    CAPTURE(alpn(other));
    scene s;
    auto& camera = camera_on(s, version::lite_05, hop_id{7});
    static_cast<void>(s.viewer());
    auto& second = camera_on(s, other, hop_id{7});
    camera.unannounce();
    s.settle();
    static_cast<void>(camera.heard());
    static_cast<void>(second.heard());
    static_cast<void>(s.viewer());
    CHECK(second.heard().empty() == has_timestamps(other));
}

TEST_CASE("the cheapest route is used and announced, with its cost", "[relay][bridge]") {
    scene s;
    auto& far = s.join({}, version::lite_06, hop_id{7});
    far.announce("room/cam", {hop_id{1}, hop_id{2}});
    s.settle();
    auto& watcher = s.join({}, version::lite_06, hop_id{9});
    watcher.watch();
    s.settle();
    CHECK(watcher.heard() == list{"broadcast_available 0 room/cam hops 1 2 7 0 cost 2 2"});
    auto& near = s.join({}, version::lite_05, hop_id{8});
    near.announce("room/cam", {hop_id{1}});
    s.settle();
    // Its cold cost is unknown, and so the highest: the announcement stays valid.
    CHECK(watcher.heard().empty());
    static_cast<void>(s.viewer());
    CHECK(far.heard().size() == 2);
    CHECK(near.heard().empty());
}

} // namespace moqlite::test::bridge_test

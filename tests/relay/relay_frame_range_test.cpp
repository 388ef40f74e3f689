// Ranges of frames through a relay: served from its log at the exact frame, requested upstream as ranges where the
// publisher has them; and holes, which are filled by a FETCH of their frames.
#include "scene.hpp"

#include <algorithm>
#include <catch2/generators/catch_generators.hpp>

namespace moqlite::test::relay_frame_range_test {

namespace {

constexpr track_ref video{"room/cam", "video"};
/// A reader that accepts no loss.
const subscribe_options complete{.ordered = true, .max_age = complete_age, .start = at(0)};

frame_range range(std::uint64_t first, std::optional<std::uint64_t> last = {}) {
    return {object_id{first}, last ? std::optional{object_id{*last}} : std::nullopt};
}
void fetch(guest& g, std::uint64_t sequence, const frame_range& frames) {
    REQUIRE(g->fetch(video, at(sequence), 128, frames));
}
void frame(const group_ref& g, std::uint64_t time, std::string_view payload) {
    REQUIRE(g->write_frame(timestamp{time}, as_bytes(payload)));
}
guest& camera_in(scene& s, version v) {
    auto& g = s.join({}, v);
    g.announce("room/cam");
    s.settle();
    return g;
}
using times = std::vector<std::uint64_t>;

} // namespace

TEST_CASE("frames of a cached group are served from the log, with their times, whatever the publisher's version",
    "[relay][frames]") {
    scene s;
    auto& camera = camera_in(s, GENERATE(version::lite_05, version::lite_06, version::lite_07_wip));
    auto& viewer = s.viewer({}, version::lite_06);
    camera.accept(0, 3);
    const auto g = camera.begin(0, 3);
    for (const auto* payload : {"a", "b", "c", "d"}) frame(g, 10 + static_cast<std::uint64_t>(*payload - 'a'), payload);
    s.settle();
    camera.heard();
    auto& late = s.join({}, GENERATE(version::lite_06, version::lite_07_wip));
    fetch(late, 3, range(1, 2));
    s.settle();
    CHECK(late.groups() == list{"3: bc"});
    CHECK(late.times() == times{11, 12});
    fetch(late, 3, range(3)); // Of a group that is still arriving.
    s.settle();
    CHECK(late.arriving() == list{"0: d"}); // The guest hears of its number at its end.
    REQUIRE(g->finish());
    s.settle();
    CHECK(late.groups() == list{"3: d"});
    CHECK(viewer.groups() == list{"3: abcd"});
    CHECK(camera.heard().empty());
}

TEST_CASE("frames of a group that is not cached are requested as these frames, once for all who want some of them",
    "[relay][frames]") {
    scene s;
    auto& camera = camera_in(s, version::lite_06);
    auto& one = s.join({}, version::lite_06);
    auto& two = s.join({}, version::lite_06);
    fetch(one, 2, range(1, 3));
    s.settle();
    CHECK(camera.heard() == list{"fetch_requested 0 room/cam video sequence 2 priority 128 frames 1..3"});
    fetch(two, 2, range(2, 3));
    s.settle();
    CHECK(camera.heard().empty());
    const auto g = camera.begin(0, 2);
    for (const auto* payload : {"a", "b", "c", "d", "e"}) frame(g, 7, payload);
    s.settle();
    CHECK(one.groups() == list{"2: bcd"});
    CHECK(two.groups() == list{"2: cd"});
    CHECK(camera.heard() == list{"request_ended 0 delivered"});
    fetch(two, 2, range(0));
    s.settle();
    CHECK(camera.heard() == list{"fetch_requested 1 room/cam video sequence 2 priority 128"});
}

TEST_CASE("a publisher without ranges is asked for the whole group, and stopped behind the last frame wanted",
    "[relay][frames]") {
    scene s;
    auto& camera = camera_in(s, version::lite_05);
    auto& one = s.join({}, version::lite_06);
    fetch(one, 2, range(1, 2));
    s.settle();
    CHECK(camera.heard() == list{"fetch_requested 0 room/cam video sequence 2 priority 128"});
    const auto g = camera.begin(0, 2);
    frame(g, 10, "a");
    frame(g, 11, "b");
    s.settle();
    CHECK(one.arriving() == list{"0: b"});
    frame(g, 12, "c");
    frame(g, 13, "d");
    s.settle();
    CHECK(one.groups() == list{"2: bc"});
    CHECK(one.times() == times{11, 12});
    CHECK(camera.heard() == list{"request_ended 0 cancel"});
}

TEST_CASE("frames beyond the end of the group are refused", "[relay][frames][bad input]") {
    scene s;
    auto& camera = camera_in(s, GENERATE(version::lite_05, version::lite_06));
    auto& one = s.join({}, version::lite_06);
    fetch(one, 2, range(5));
    s.settle();
    const auto g = camera.begin(0, 2);
    frame(g, 10, "a");
    REQUIRE(g->finish());
    s.settle();
    CHECK(one.groups() == list{"2:  cut not_found"});
}

TEST_CASE(
    "a subscription with ranges gets exactly its frames, and upstream whole groups are requested", "[relay][frames]") {
    scene s;
    auto& camera = camera_in(s, GENERATE(version::lite_05, version::lite_06));
    auto& viewer = s.viewer(
        {.start = at(3), .end = at(4), .frame_start = object_id{1}, .frame_end = object_id{0}}, version::lite_06);
    CHECK(camera.heard().front() == "subscribe_requested 0 room/cam video priority 0 latency 0 3..4");
    camera.accept(0, 3);
    for (const std::uint64_t n : {3, 4}) {
        const auto g = camera.begin(0, n);
        frame(g, 10, "a");
        frame(g, 11, "b");
        REQUIRE(g->finish());
    }
    s.settle();
    auto got = viewer.groups();
    std::sort(got.begin(), got.end());
    CHECK(got == list{"3: b", "4: a"});
}

TEST_CASE("a group that is reset is continued by a FETCH of its missing frames, for readers that accept no loss",
    "[relay][frames][hole]") {
    scene s;
    auto& camera = camera_in(s, version::lite_06);
    auto& viewer = s.viewer(complete, GENERATE(version::lite_05, version::lite_06));
    camera.accept(0, 0);
    const auto g = camera.begin(0, 0);
    frame(g, 10, "a");
    frame(g, 11, "b");
    const bool inside = GENERATE(false, true);
    if (inside) {
        REQUIRE(g->begin_frame(timestamp{12}, 4));
        REQUIRE(g->append_payload(as_bytes("cc")));
    }
    s.settle();
    camera.heard();
    g->abort(app_error::old);
    s.settle();
    CHECK(viewer.groups().empty());
    CHECK(without(camera.heard(), "group_lost") ==
          list{"fetch_requested 1 room/cam video sequence 0 priority 0 frames 2.."});
    SECTION("which arrive") {
        const auto rest = camera.begin(1, 0);
        frame(rest, 10, "a");
        frame(rest, 11, "b");
        frame(rest, 12, "cccc");
        frame(rest, 13, "d");
        s.settle();
        CHECK(viewer.arriving() == list{"0: abccccd"});
        REQUIRE(rest->finish());
        s.settle();
        CHECK(viewer.groups() == list{"0: abccccd"});
        CHECK(viewer.times() == times{10, 11, 12, 13});
        // It is cached like any other.
        auto& late = s.join({}, version::lite_06);
        fetch(late, 0, range(1));
        s.settle();
        CHECK(late.groups() == list{"0: bccccd"});
    }
    SECTION("which the publisher refuses: then it was reset") {
        REQUIRE(camera->reject(request_id{1}, app_error::not_found));
        s.settle();
        CHECK(viewer.groups() == list{inside ? "0: abcc cut old" : "0: ab cut old"});
        // Once.
        CHECK(without(camera.heard(), "group_lost").empty());
    }
    SECTION("which are cut off: then it was reset") {
        const auto rest = camera.begin(1, 0);
        for (const auto* payload : {"a", "b"}) frame(rest, 10, payload);
        frame(rest, 12, "cccc");
        s.settle();
        rest->abort(app_error::evicted);
        s.settle();
        CHECK(viewer.groups() == list{"0: abcccc cut old"});
        CHECK(s.r.stats().readers == 1);
    }
    SECTION("which the publisher does not send in time: then it was reset") {
        s.pass(60s);
        CHECK(viewer.groups() == list{inside ? "0: abcc cut old" : "0: ab cut old"});
    }
    SECTION("while the reader leaves") {
        viewer.unsubscribe();
        s.settle();
        s.pass(600s);
        CHECK(s.r.stats().tracks == 0);
    }
    SECTION("while the publisher leaves") {
        s.cut(camera);
        s.settle();
        CHECK(viewer.groups().size() == 1);
        CHECK(viewer.arriving().empty());
    }
}

TEST_CASE("a cached group that was reset is continued for the first reader that accepts no loss, once for all of them",
    "[relay][frames][hole]") {
    scene s;
    auto& camera = camera_in(s, version::lite_06);
    auto& live = s.viewer({}, version::lite_06);
    camera.accept(0, 0);
    const auto g = camera.begin(0, 0);
    frame(g, 10, "a");
    s.settle();
    g->abort(app_error::old);
    camera.send(0, 1, "next");
    s.settle();
    CHECK(live.groups().size() == 2);
    camera.heard();
    auto& one = s.viewer(complete, version::lite_06);
    auto& two = s.viewer(complete, version::lite_05);
    const auto asked = camera.heard();
    CHECK(std::count_if(
              asked.begin(), asked.end(), [](const auto& line) { return line.starts_with("fetch_requested"); }) == 1);
    const bool refused = GENERATE(false, true);
    if (refused) {
        REQUIRE(camera->reject(request_id{1}, app_error::not_found));
        s.settle();
        CHECK(one.groups() == list{"1: next", "0: a cut old"});
        CHECK(s.r.stats().cached_bytes != 0);
        for (int i = 0; i != 9; ++i) s.viewer(complete, version::lite_06), s.settle();
        const auto again = camera.heard();
        CHECK(std::count_if(again.begin(), again.end(),
                  [](const auto& line) { return line.starts_with("fetch_requested"); }) <= 3);
        return;
    }
    const auto rest = camera.begin(1, 0);
    frame(rest, 10, "a");
    frame(rest, 11, "b");
    REQUIRE(rest->finish());
    s.settle();
    CHECK(one.groups() == list{"1: next", "0: ab"});
    CHECK(two.groups() == list{"1: next", "0: ab"});
    CHECK(live.groups().empty());
    CHECK(s.viewer(complete, version::lite_06).groups().size() == 2);
    CHECK(std::count(asked.begin(), asked.end(), "") == 0);
}

TEST_CASE("frames that differ from those that are there do not continue a group", "[relay][frames][hole][bad input]") {
    scene s;
    auto& camera = camera_in(s, version::lite_06);
    auto& viewer = s.viewer(complete, version::lite_06);
    camera.accept(0, 0);
    const auto g = camera.begin(0, 0);
    REQUIRE(g->begin_frame(timestamp{12}, 4));
    REQUIRE(g->append_payload(as_bytes("cc")));
    s.settle();
    g->abort(app_error::old);
    s.settle();
    const auto rest = camera.begin(1, 0);
    GENERATE(false, true) ? frame(rest, 12, "ccccc") : frame(rest, 13, "cccc");
    s.settle();
    CHECK(viewer.groups().size() == 1);
    CHECK(viewer.arriving().empty());
}

TEST_CASE("a reset group is not fetched for live readers, nor of publishers without ranges", "[relay][frames][hole]") {
    scene s;
    const bool live = GENERATE(false, true);
    auto& camera = camera_in(s, live ? version::lite_06 : version::lite_05);
    auto& viewer = s.viewer(live ? subscribe_options{.start = at(0)} : complete, version::lite_06);
    camera.accept(0, 0);
    const auto g = camera.begin(0, 0);
    frame(g, 10, "a");
    s.settle();
    camera.heard();
    g->abort(app_error::old);
    s.settle();
    CHECK(without(camera.heard(), "group_lost").empty());
    CHECK(viewer.groups() == list{"0: a cut old"});
}

TEST_CASE("a hole is filled through a chain of relays", "[relay][frames][hole]") {
    // The second relay's request for the missing frames is answered by the first one's log as that is filled.
    scene s;
    auto& camera = camera_in(s, version::lite_06);
    auto& viewer = s.viewer(complete, version::lite_06);
    camera.accept(0, 0);
    const auto g = camera.begin(0, 0);
    frame(g, 10, "a");
    s.settle();
    camera.heard();
    g->abort(app_error::old);
    s.settle();
    auto& next = s.join({}, version::lite_06);
    fetch(next, 0, range(1));
    s.settle();
    CHECK(camera.heard().size() == 2); // group_lost, and one FETCH.
    const auto rest = camera.begin(1, 0);
    frame(rest, 10, "a");
    frame(rest, 11, "b");
    REQUIRE(rest->finish());
    s.settle();
    CHECK(next.groups() == list{"0: b"});
    CHECK(viewer.groups() == list{"0: ab"});
}

TEST_CASE("who waits for a frame that never comes keeps no long group in memory at the cost of its readers",
    "[relay][frames][attack]") {
    relay_options o;
    o.bounds.memory = 8 * 1024 * 1024;
    scene s{std::move(o)};
    auto& camera = camera_in(s, version::lite_06);
    auto& viewer = s.viewer({.start = at(0)}, version::lite_06);
    camera.accept(0, 0);
    const auto g = camera.begin(0, 0);
    frame(g, 1, "x");
    s.settle();
    auto& waiting = s.join({}, GENERATE(version::lite_06, version::lite_07_wip));
    constexpr object_id never{std::uint64_t{1} << 60};
    if (GENERATE(false, true))
        fetch(waiting, 0, {never, {}});
    else
        waiting.subscribe(video, {.start = at(0), .frame_start = never});
    s.settle();
    camera.heard();
    const std::string payload(100'000, 'x');
    for (int i = 0; i != 160; ++i) {
        REQUIRE(g->write_frame(timestamp{2}, as_bytes(payload)));
        s.pass(1ms);
    }
    CHECK(camera.heard().empty());
    CHECK(viewer.arriving() == list{"0: 16000001 bytes"});
}

TEST_CASE("who takes nothing of the few frames it wants keeps no long group in memory at the cost of its readers",
    "[relay][frames][attack]") {
    relay_options o;
    o.bounds.memory = 8 * 1024 * 1024;
    scene s{std::move(o)};
    auto& camera = camera_in(s, version::lite_06);
    auto& viewer = s.viewer({.start = at(0)}, version::lite_06);
    camera.accept(0, 0);
    const auto g = camera.begin(0, 0);
    frame(g, 1, "x");
    s.settle();
    auto& waiting = s.join({}, GENERATE(version::lite_06, version::lite_07_wip));
    const bool written = GENERATE(false, true);
    (written ? waiting.end.acknowledges : waiting.relay_end.takes) = false;
    waiting.subscribe(video, {.start = at(0), .end = at(0), .frame_end = object_id{0}});
    s.settle();
    camera.heard();
    const std::string payload(100'000, 'x');
    for (int i = 0; i != 160; ++i) {
        REQUIRE(g->write_frame(timestamp{2}, as_bytes(payload)));
        s.pass(1ms);
    }
    CHECK(camera.heard().empty());
    CHECK(viewer.arriving() == list{"0: 16000001 bytes"});
}

TEST_CASE("a group that ran out of memory inside a frame is not continued", "[relay][frames][hole][memory]") {
    relay_options o;
    o.bounds.memory = 200'000;
    scene s{std::move(o)};
    auto& camera = camera_in(s, version::lite_06);
    auto& viewer = s.viewer(complete, version::lite_06);
    camera.accept(0, 0);
    camera.send(0, 0, std::string(100'000, 'a')); // Cached.
    const auto g = camera.begin(0, 1);
    frame(g, 1, "b");
    s.settle();
    CHECK(viewer.groups() == list{"0: 100000 bytes"});
    camera.heard();
    frame(g, 2, std::string(50'000, 'x'));
    s.settle();
    CHECK(without(camera.heard(), "group_lost").empty());
    const auto cut = viewer.groups();
    REQUIRE(cut.size() == 1);
    CHECK(cut[0].find(" cut ") != std::string::npos);
}

} // namespace moqlite::test::relay_frame_range_test

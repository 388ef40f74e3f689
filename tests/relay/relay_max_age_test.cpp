// Max Age at a relay: where a subscription begins, and what a slow reader loses. Issue 12.
#include "scene.hpp"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

namespace moqlite::test::relay_max_age_test {

namespace {

const track_ref video{"room/cam", "video"};

/// A publisher whose groups 0 to 4 are in the cache: one a second by arrival, or all at once and by their timestamps.
struct with_groups : scene {
    explicit with_groups(bool timed) {
        auto& camera = publisher();
        if (timed) {
            auto& asker = join();
            REQUIRE(asker->request_track(video));
            settle();
            REQUIRE(camera->answer_track(request_id{0}, track_info{.timescale = 90'000}));
            settle();
        }
        viewer();
        const request_id request{timed ? 1u : 0u};
        camera.accept(number(request), 0);
        for (std::uint64_t n = 0; n != 5; ++n) {
            const auto g = camera.begin(number(request), n);
            REQUIRE(g->write_frame(timestamp{timed ? n * 90'000 : 0}, as_bytes("x")));
            REQUIRE(g->finish());
            settle();
            if (!timed && n != 4) pass(1s);
        }
    }
    /// The groups that a new reader gets.
    list got(version v, milliseconds max_age, std::optional<std::uint64_t> start = {}) {
        subscribe_options o{.ordered = true, .max_age = max_age};
        if (start) o.start = at(*start);
        auto groups = viewer(o, v).groups();
        std::sort(groups.begin(), groups.end());
        return groups;
    }
};

const list all{"0: x", "1: x", "2: x", "3: x", "4: x"};
const list last_two{"3: x", "4: x"};
const list latest{"4: x"};

} // namespace

TEST_CASE("where Max Age decides about the start, a subscription begins with the oldest cached group that it allows",
    "[relay][max age][dialects §16.1.6]") {
    for (const bool timed : {false, true}) {
        with_groups s{timed};
        for (const auto v : all_versions) {
            if (!has_start_by_age(v)) {
                CHECK(s.got(v, complete_age) == latest);
                continue;
            }
            // The successor of group 2 began 1 s before.
            CHECK(s.got(v, milliseconds{1000}) == list{"2: x", "3: x", "4: x"});
            CHECK(s.got(v, milliseconds{999}) == last_two);
            CHECK(s.got(v, milliseconds{0}) == latest);
            CHECK(s.got(v, milliseconds{3000}) == all);
            CHECK(s.got(v, complete_age) == all);
            // Group Start is a floor.
            CHECK(s.got(v, complete_age, 3) == last_two);
            CHECK(s.got(v, milliseconds{0}, 3) == latest);
        }
    }
}

TEST_CASE("a floor above the newest cached group is waited for", "[relay][max age]") {
    scene s;
    auto& camera = s.publisher();
    auto& first = s.viewer();
    camera.accept(0, 0);
    camera.send(0, 0, "x");
    s.settle();
    auto& reader = s.viewer({.max_age = complete_age, .start = at(2)}, version::lite_06);
    camera.send(0, 1, "x");
    camera.send(0, 2, "x");
    s.settle();
    CHECK(reader.groups() == list{"2: x"});
    CHECK(first.groups().size() == 3);
}

TEST_CASE("a reader that wants the latest group gets it also from a publisher whose version begins by age",
    "[relay][max age]") {
    scene s;
    auto& camera = s.join({}, version::lite_06);
    camera.announce("room/cam");
    s.settle();
    s.viewer({.max_age = complete_age});
    CHECK(
        camera.heard() == list{"subscribe_requested 0 room/cam video priority 0 latency 0 ..", "groups_wanted 0 all"});
    camera.accept(0, 7);
    s.settle();
    // Its Max Age holds from then on.
    const auto told = camera.heard();
    REQUIRE(told.size() == 1);
    CHECK(told[0].starts_with("subscribe_updated 0 "));
    CHECK(told[0].find("latency 86400000 ..") != std::string::npos);
}

TEST_CASE("a reader that wants every group asks a publisher of an earlier version for them from the first on",
    "[relay][max age]") {
    scene s;
    auto& camera = s.publisher();
    s.viewer({.max_age = complete_age}, version::lite_06);
    CHECK(camera.heard() ==
          list{"subscribe_requested 0 room/cam video priority 0 ordered latency 86400000 0..", "groups_wanted 0 all"});
}

TEST_CASE("a track begins with the oldest group that any of its readers' Max Ages wants, in any order of arrival",
    "[relay][max age]") {
    scene s;
    auto& camera = s.join({}, version::lite_06);
    camera.announce("room/cam");
    s.settle();
    const bool first = GENERATE(false, true);
    const subscribe_options newest_only{.max_age = 0ms}, older{.max_age = 2000ms};
    s.viewer(first ? newest_only : older, version::lite_06);
    s.viewer(first ? older : newest_only, version::lite_06);
    // One of an earlier version begins at the latest group all the same.
    s.viewer({.max_age = 9000ms}, version::lite_05);
    const auto asked = [&] { // The last Max Age.
        std::string last;
        for (const auto& line : camera.heard())
            if (const auto found = line.find("latency "); found != std::string::npos) last = line.substr(found);
        return last;
    };
    CHECK(asked() == "latency 2000 ..");
    camera.accept(0, 0);
    s.settle();
    CHECK(asked() == "latency 9000 ..");
}

TEST_CASE("a slow reader loses what is too old, for itself alone, counted and named", "[relay][max age]") {
    for (const auto v : all_versions) {
        scene s;
        auto& camera = s.publisher();
        auto& slow = s.viewer({.max_age = milliseconds{2000}}, v);
        auto& other = s.viewer({.max_age = milliseconds{2000}}, v);
        camera.accept(0, 0);
        s.settle();
        slow.relay_end.takes = false;
        s.notices();
        for (std::uint64_t n = 0; n != 6; ++n) {
            camera.send(0, n, "x");
            s.settle();
            s.pass_for_all(0s); // Its deadline asks for that, so that the age of what waits has a beginning.
            s.pass_for_all(1s);
        }
        // It is 6 s: the successor of 2 was served at 3 s.
        CHECK(s.r.stats().groups_too_old == 3);
        CHECK(s.r.stats().groups_lost == 3);
        const auto notices = s.notices();
        CHECK(std::count(notices.begin(), notices.end(),
                  "reader_lost_group " + std::to_string(slow.key) + " room/cam video 2 old") == 1);
        CHECK(notices.size() == 3);
        s.open_window(slow);
        auto groups = slow.groups();
        std::sort(groups.begin(), groups.end());
        CHECK(groups == list{"3: x", "4: x", "5: x"});
        CHECK(other.groups().size() == 6);
    }
}

} // namespace moqlite::test::relay_max_age_test

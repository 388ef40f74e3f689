// The end of a track, as its readers see it, and its time in the cache.
#include "scene.hpp"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

namespace moqlite::test::relay_end_test {

namespace {

/// A relay with a publisher of groups 0 and 1, and one reader.
struct with_track : scene {
    explicit with_track(relay_options o = {})
        : scene(std::move(o)), camera(publisher()), reader(viewer({.start = at(0)})) {
        camera.accept(0, 0);
        camera.send(0, 0, "a");
        settle();
        camera.send(0, 1, "b");
        settle();
        static_cast<void>(reader.heard());
    }
    void end() {
        camera.end_track(0, 2);
        settle();
    }
    guest& camera;
    guest& reader;
};

} // namespace

TEST_CASE("END is forwarded at once, FIN when everything is delivered", "[relay][end of track]") {
    with_track s;
    const auto g = s.camera.begin(0, 2);
    REQUIRE(g->write_frame(timestamp{0}, as_bytes("c")));
    s.settle();
    REQUIRE(s.camera->end_track(request_id{0}, at(3)));
    s.settle();
    CHECK(s.reader.heard() == list{"subscription_end_known 0 before 3"});
    s.reader.end.acknowledges = false;
    REQUIRE(g->finish());
    REQUIRE(s.camera->finish(request_id{0}));
    s.settle();
    CHECK(s.reader.groups() == list{"0: a", "1: b", "2: c"});
    CHECK(s.reader.heard().empty());
    s.reader.end.acknowledges = true;
    s.reader.end.resume();
    s.settle();
    CHECK(s.reader.heard() == list{"subscription_ended 0 finished"});
    CHECK(s.r.stats().readers == 0);
}

TEST_CASE("a reader that cannot take the last groups yet is served to the end when it can", "[relay][end of track]") {
    with_track s;
    s.reader.relay_end.takes = false;
    for (unsigned n = 2; n < 6; ++n) s.camera.send(0, n, std::to_string(n));
    s.settle();
    s.camera.end_track(0, 6);
    s.settle();
    s.cut(s.camera);
    CHECK(s.reader.heard().empty());
    static_cast<void>(s.reader.groups());
    s.open_window(s.reader);
    CHECK(s.reader.groups() == list{"5: 5", "4: 4", "3: 3", "2: 2"});
    CHECK(s.reader.heard() == list{"subscription_end_known 0 before 6", "subscription_ended 0 finished"});
}

TEST_CASE("a reader that arrives between END and the last groups gets these, too", "[relay][end of track]") {
    with_track s;
    REQUIRE(s.camera->end_track(request_id{0}, at(3)));
    s.settle();
    auto& late = s.viewer();
    s.camera.send(0, 2, "c");
    REQUIRE(s.camera->finish(request_id{0}));
    s.settle();
    CHECK(late.groups() == list{"1: b", "2: c"});
    CHECK(late.heard() ==
          list{"subscription_accepted 0 from 1", "subscription_end_known 0 before 3", "subscription_ended 0 finished"});
}

TEST_CASE("groups that never came are reported when their track ends, whether or not its publisher can",
    "[relay][end of track][drop]") {
    const auto v = GENERATE(version::lite_03, version::lite_05, version::lite_06, version::lite_07_wip);
    const auto r = GENERATE(version::lite_04, version::lite_05, version::lite_06, version::lite_07_wip);
    CAPTURE(alpn(v), alpn(r));
    relay_options o;
    o.bounds.cache = 4 * 960; // Four groups, or two with the headers of another format.
    scene s{std::move(o)};
    auto& camera = s.join({}, v);
    camera.announce("room/cam");
    s.settle();
    auto& reader = s.viewer({.ordered = true, .max_age = complete_age, .start = at(0)}, r);
    camera.accept(0, 0);
    for (const std::uint64_t n : {0, 2, 3, 4, 5, 8}) {
        camera.send(0, n, "x");
        s.pass(1ms);
    }
    CHECK(reader.groups().size() == 6);
    reader.heard();
    camera.end_track(0, 10);
    s.settle();
    s.pass_for_all(1s);
    const auto drops = [](guest& g) { // Without their codes, which depend on the version.
        list said;
        for (const auto& line : g.heard())
            if (line.starts_with("groups_dropped")) said.push_back(line.substr(0, line.rfind(' ')));
        return said;
    };
    list expected{"groups_dropped 0 1 to 1", "groups_dropped 0 6 to 7"};
    if (v != version::lite_03) expected.push_back("groups_dropped 0 9 to 9"); // It names no end.
    CHECK(drops(reader) == (has_stream_count(r) ? list{} : expected));
    // A later reader: the cache has none of the first groups.
    auto& late = s.viewer({.ordered = true, .max_age = complete_age, .start = at(5)}, r);
    CHECK(late.groups().size() == 2);
    const auto told = drops(late);
    CHECK(std::count(told.begin(), told.end(), expected[1]) == (has_stream_count(r) ? 0 : 1));
}

TEST_CASE("a track without groups ends too", "[relay][end of track]") {
    scene s;
    auto& camera = s.publisher();
    auto& reader = s.viewer();
    camera.end_track(0, 0);
    s.settle();
    CHECK(reader.heard() ==
          list{"subscription_end_known 0 before 0", "subscription_accepted 0 from 0", "subscription_ended 0 finished"});
}

TEST_CASE("an ended track is served from the log while it is cached", "[relay][end of track][log]") {
    with_track s;
    s.end();
    static_cast<void>(s.camera.heard());
    SECTION("to a complete reader") {
        auto& late = s.viewer({.ordered = true, .start = at(0)});
        CHECK(late.groups() == list{"0: a", "1: b"});
        CHECK(late.heard() == list{"subscription_accepted 0 from 0", "subscription_end_known 0 before 2",
                                  "subscription_ended 0 finished"});
    }
    SECTION("to a live reader") {
        auto& late = s.viewer();
        CHECK(late.groups() == list{"1: b"});
        CHECK(late.heard() == list{"subscription_accepted 0 from 1", "subscription_end_known 0 before 2",
                                  "subscription_ended 0 finished"});
    }
    SECTION("also after the broadcast was un-announced") {
        s.camera.unannounce();
        s.settle();
        CHECK(s.viewer({.start = at(0)}).groups().size() == 2);
    }
    SECTION("also after its publisher has left") {
        s.cut(s.camera);
        CHECK(s.viewer({.start = at(0)}).groups().size() == 2);
    }
    CHECK(s.camera.heard().empty());
}

TEST_CASE("the TRACK_INFO of an ended track is answered while the log has it", "[relay][end of track][log][track]") {
    with_track s;
    static_cast<void>(s.camera.heard());
    const auto ask = [&](guest& g) {
        REQUIRE(g->request_track({"room/cam", "video"}));
        s.settle();
        return g.heard();
    };
    CHECK(ask(s.reader).empty());
    REQUIRE(s.camera->answer_track(request_id{1}, {.priority = 7}));
    s.settle();
    const auto answer = s.reader.heard();
    REQUIRE(answer.size() == 1);
    s.end();
    if (GENERATE(false, true))
        s.cut(s.camera);
    else
        s.camera.unannounce();
    s.settle();
    static_cast<void>(s.reader.heard());
    CHECK(ask(s.join()).size() == 1);
    CHECK(ask(s.reader)[0].substr(22) == answer[0].substr(22));
    SECTION("and no longer") {
        s.pass(31s);
        CHECK(ask(s.join()) == list{"track_refused 0 unroutable"});
    }
    SECTION("and not where it has begun anew") {
        auto& other = s.publisher();
        CHECK(ask(s.join()).empty());
        CHECK(other.heard() == list{"track_requested 0 room/cam video"});
    }
}

TEST_CASE("an ended track is forgotten after the cache's age", "[relay][end of track][log]") {
    with_track s;
    s.end();
    CHECK(s.r.deadline() <= s.now + 30s);
    s.pass(31s);
    CHECK(s.r.stats().tracks == 0);
    CHECK(s.r.stats().cached_bytes == 0);
    CHECK(s.r.stats().memory == 0);
    CHECK_FALSE(s.r.deadline());
    SECTION("its publisher is subscribed again") {
        static_cast<void>(s.camera.heard());
        static_cast<void>(s.viewer());
        CHECK(s.camera.heard()[0] == "subscribe_requested 1 room/cam video priority 0 latency 0 ..");
    }
    SECTION("and without a publisher it is not found") {
        s.camera.unannounce();
        s.settle();
        CHECK(s.viewer().heard() == list{"subscription_ended 0 unroutable"});
    }
}

TEST_CASE("a reader of an ended track keeps it, capped or slow, beyond the cache's age", "[relay][end of track][log]") {
    with_track s;
    auto& capped = s.viewer({.ordered = true, .start = at(0), .end = at(0)});
    s.reader.unsubscribe();
    s.end();
    CHECK(capped.groups() == list{"0: a"});
    CHECK(capped.heard() == list{"subscription_accepted 0 from 0", "subscription_end_known 0 before 2"});
    s.pass(31s);
    s.pass(31s);
    capped.update({.ordered = true, .end = at(5)});
    s.settle();
    CHECK(capped.groups() == list{"1: b"});
    CHECK(capped.heard() == list{"subscription_ended 0 finished"});
    s.pass(31s);
    CHECK(s.r.stats().tracks == 0);
}

TEST_CASE("un-announcing ends no subscription", "[relay][end of track]") {
    with_track s;
    s.camera.unannounce();
    s.settle();
    s.camera.send(0, 2, "c");
    s.settle();
    CHECK(s.reader.groups() == list{"0: a", "1: b", "2: c"});
    CHECK(s.reader.heard().empty());
    SECTION("and a new reader is still served") { CHECK(s.viewer().groups() == list{"2: c"}); }
}

TEST_CASE("a publisher's DROP reaches the readers that want those groups, also later ones", "[relay][end of track]") {
    with_track s;
    auto& later = s.viewer({.start = at(5)});
    REQUIRE(s.camera->drop(request_id{0}, at(2), at(3), app_error::old));
    s.camera.send(0, 4, "e");
    s.settle();
    CHECK(s.reader.heard() == list{"groups_dropped 0 2 to 3 old"});
    CHECK(later.heard() == list{"subscription_accepted 0 from 5"});
    auto& late = s.viewer({.ordered = true, .start = at(0)});
    CHECK(late.groups() == list{"0: a", "1: b", "4: e"});
    CHECK(late.heard() == list{"subscription_accepted 0 from 0", "groups_dropped 0 2 to 3 old"});
}

TEST_CASE("a group that was cut off does not keep a track from ending", "[relay][end of track]") {
    with_track s;
    const auto g = s.camera.begin(0, 2);
    REQUIRE(g->begin_frame(timestamp{0}, 10));
    REQUIRE(g->append_payload(as_bytes("part")));
    s.settle();
    REQUIRE(s.camera->end_track(request_id{0}, at(3)));
    REQUIRE(s.camera->finish(request_id{0}));
    g->abort(app_error::old);
    s.settle();
    CHECK(s.reader.groups() == list{"0: a", "1: b", "2: part cut old"});
    CHECK(s.reader.heard().back() == "subscription_ended 0 finished");
}

// Issue 10: a reader that knows the end may leave before the publisher's FIN has arrived.

namespace {

/// Requests the track like a late joiner: TRACK, FETCH of group 1, SUBSCRIBE from 0.
list ask_late(scene& s) {
    auto& late = s.join();
    REQUIRE(late->fetch({"room/cam", "video"}, at(1)));
    late.subscribe({"room/cam", "video"}, {.ordered = true, .start = at(0)});
    s.settle();
    auto out = late.groups();
    for (auto& line : late.heard()) out.push_back(std::move(line));
    return out;
}

} // namespace

TEST_CASE(
    "a track is complete once its END and all groups before it have arrived, even if readers leave before the FIN",
    "[relay][end of track][log][regression]") {
    with_track s;
    REQUIRE(s.reader->request_track({"room/cam", "video"}));
    s.settle();
    REQUIRE(s.camera->answer_track(request_id{1}, {.priority = 7}));
    const auto range = GENERATE(as<std::string>{}, "without gaps", "completed by drops", "with a group that was reset");
    const auto way = GENERATE(as<std::string>{}, "the reader leaves, the broadcast ends",
        "the broadcast ends, the reader leaves", "the publisher vanishes",
        "the publisher resets the subscription, and vanishes", "the reader leaves, the publisher vanishes");
    const auto after = GENERATE(as<std::string>{}, "nothing", "its time is over", "the name is announced again");
    CAPTURE(range, way, after);
    const bool leaves_first = way.starts_with("the reader leaves");
    // A reset group may have been cut off together with its subscription.
    if (range == "with a group that was reset" && way.starts_with("the publisher")) return;
    if (range == "without gaps") {
        REQUIRE(s.camera->end_track(request_id{0}, at(2)));
    } else if (range == "completed by drops") {
        s.camera.send(0, 4, "e");
        REQUIRE(s.camera->drop(request_id{0}, at(2), at(3), app_error::old));
        REQUIRE(s.camera->end_track(request_id{0}, at(6)));
        REQUIRE(s.camera->drop(request_id{0}, at(5), at(5), app_error::old));
    } else {
        const auto g = s.camera.begin(0, 2);
        REQUIRE(g->write_frame(timestamp{0}, as_bytes("half")));
        s.settle();
        g->abort(app_error::old);
        REQUIRE(s.camera->end_track(request_id{0}, at(3)));
    }
    s.settle();
    if (leaves_first) s.reader.unsubscribe();
    s.settle();
    if (way.starts_with("the publisher resets")) REQUIRE(s.camera->reject(request_id{0}, app_error::dropped));
    s.settle();
    if (way.find("vanishes") != way.npos)
        s.cut(s.camera);
    else
        s.camera.unannounce();
    s.settle();
    if (way.ends_with("the reader leaves"))
        s.reader.unsubscribe();
    else if (!leaves_first)
        CHECK(s.reader.heard().back() == "subscription_ended 0 finished");
    s.settle();
    if (after == "its time is over") {
        s.pass(31s);
        CHECK(s.r.stats().tracks == 0);
        CHECK(s.r.stats().memory == 0);
        CHECK_FALSE(s.r.deadline());
        return;
    }
    if (after == "the name is announced again") {
        auto& again = s.publisher();
        static_cast<void>(s.viewer());
        CHECK(again.heard()[0].starts_with("subscribe_requested 0 room/cam video"));
        return;
    }
    const auto late = ask_late(s);
    REQUIRE(late.size() >= 6);
    CHECK(list(late.begin(), late.begin() + 3) == list{"1: b", "0: a", "1: b"});
    CHECK(late.back() == "subscription_ended 0 finished");
    auto& asks = s.join();
    REQUIRE(asks->request_track({"room/cam", "video"}));
    s.settle();
    CHECK(asks.heard()[0].starts_with("track_info_received 0"));
}

TEST_CASE(
    "a track that may still get a group is not complete when its last reader leaves", "[relay][end of track][log]") {
    with_track s;
    const auto what = GENERATE(as<std::string>{}, "one is missing", "the last one is missing", "one is arriving",
        "drops leave a hole", "the end is not known");
    const bool vanishes = GENERATE(false, true);
    CAPTURE(what, vanishes);
    group_ref arriving;
    if (what == "one is missing") {
        s.camera.send(0, 3, "d");
        REQUIRE(s.camera->end_track(request_id{0}, at(4)));
    } else if (what == "the last one is missing") {
        REQUIRE(s.camera->end_track(request_id{0}, at(3)));
    } else if (what == "one is arriving") {
        arriving = s.camera.begin(0, 2);
        REQUIRE(arriving->write_frame(timestamp{0}, as_bytes("half")));
        s.settle();
        REQUIRE(s.camera->end_track(request_id{0}, at(3)));
    } else if (what == "drops leave a hole") {
        REQUIRE(s.camera->drop(request_id{0}, at(2), at(3), app_error::old));
        REQUIRE(s.camera->drop(request_id{0}, at(5), at(6), app_error::old));
        REQUIRE(s.camera->end_track(request_id{0}, at(7)));
    }
    s.settle();
    static_cast<void>(s.camera.heard());
    if (vanishes) {
        s.cut(s.camera);
        CHECK(s.reader.heard().back() == "subscription_ended 0 timeout");
        CHECK(s.viewer().heard() == list{"subscription_ended 0 unroutable"});
        return;
    }
    s.reader.unsubscribe();
    s.settle();
    CHECK(s.r.stats().tracks == 0);
    static_cast<void>(s.viewer());
    const auto asked = s.camera.heard();
    CHECK(std::any_of(asked.begin(), asked.end(),
        [](const auto& line) { return line.starts_with("subscribe_requested 1 room/cam video"); }));
}

TEST_CASE(
    "before moq-lite-05 a track that may have ended at a Group End is served from the log once it has no publisher",
    "[relay][end of track][log]") {
    scene s;
    auto& camera = s.join({}, version::lite_04);
    camera.announce("room/cam");
    s.settle();
    auto& reader = s.viewer({.ordered = true, .start = at(0), .end = at(0)});
    camera.accept(0, 0);
    camera.send(0, 0, "a");
    s.settle();
    REQUIRE(camera->finish(request_id{0}));
    s.settle();
    s.pass_for_all(300ms);
    camera.unannounce();
    s.settle();
    reader.unsubscribe();
    s.settle();
    auto& late = s.viewer({.start = at(0)});
    CHECK(late.groups() == list{"0: a"});
    CHECK(late.heard().back() == "subscription_ended 0 finished");
}

} // namespace moqlite::test::relay_end_test

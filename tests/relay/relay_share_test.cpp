// Upstream requests caused by one session, and their time limits. Issue 10, B8, B9 and B16.
#include "scene.hpp"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

namespace moqlite::test::relay_share_test {

namespace {

std::size_t count(const list& lines, std::string_view what) {
    return static_cast<std::size_t>(
        std::ranges::count_if(lines, [&](const auto& line) { return line.starts_with(what); }));
}

/// A publisher that grants a limited number of request streams, and answers none.
guest& stingy_publisher(scene& s, std::uint64_t streams) {
    auto& camera = s.publisher();
    camera.relay_end.requests_most = streams;
    camera.relay_end.regrants = true;
    return camera;
}

} // namespace

TEST_CASE("one viewer that requests more tracks than a publisher accepts leaves room for others", "[relay][share]") {
    scene s;
    auto& camera = stingy_publisher(s, 100);
    auto& greedy = s.join();
    s.notices();
    for (unsigned n = 0; n < 200; ++n) greedy.subscribe({"room/cam", std::to_string(n)});
    s.settle();
    const auto refused = count(greedy.heard(), "subscription_ended");
    CHECK(refused >= 100);
    CHECK(refused <= 160);
    CHECK(s.r.stats().requests_refused == refused);
    CHECK(count(s.notices(), "request_refused 2 room/cam ") == refused);
    camera.heard();
    for (int n = 0; n < 3; ++n) {
        auto& other = s.join();
        other.subscribe({"room/cam", "other" + std::to_string(n)});
        REQUIRE(other->request_track({"room/cam", "other" + std::to_string(n)}));
        REQUIRE(other->fetch({"room/cam", "video"}, at(static_cast<unsigned>(n))));
        s.settle();
        const auto asked = camera.heard();
        CHECK(count(asked, "subscribe_requested") == 1);
        CHECK(count(asked, "track_requested") == 1);
        CHECK(count(asked, "fetch_requested") == 1);
    }
    s.pass_for_all(20s);
    CHECK(s.r.session(camera.key) != nullptr);
    SECTION("and may request others after leaving some") {
        s.cut(greedy);
        auto& next = s.join();
        for (unsigned n = 0; n < 40; ++n) next.subscribe({"room/cam", std::to_string(n)});
        s.settle();
        CHECK(count(next.heard(), "subscription_ended") == 0);
    }
}

TEST_CASE("unanswered FETCHes do not use up a publisher's streams, and time out", "[relay][share][fetch]") {
    scene s;
    auto& camera = stingy_publisher(s, 128);
    std::vector<guest*> hostile;
    for (unsigned k = 0; k < 5; ++k) {
        auto& g = s.join();
        hostile.push_back(&g);
        for (unsigned i = 0; i < 250; ++i) REQUIRE(g->fetch({"room/cam", "video"}, at(1000 * k + i)));
        s.settle();
    }
    camera.heard();
    auto& honest = s.viewer();
    REQUIRE(honest->request_track({"room/cam", "video"}));
    REQUIRE(honest->fetch({"room/cam", "video"}, at(99'999)));
    s.settle();
    const auto asked = camera.heard();
    CHECK(count(asked, "subscribe_requested") == 1);
    CHECK(count(asked, "track_requested") == 1);
    CHECK(count(asked, "fetch_requested") == 1);
    for (auto* g : hostile) CHECK(g->groups().size() >= 200);
    s.pass(10s);
    for (auto* g : hostile) {
        const auto ended = g->groups();
        REQUIRE(!ended.empty());
        CHECK(ended.back().ends_with("cut timeout"));
    }
    CHECK(honest.heard() == list{"track_refused 0 timeout"});
    CHECK(s.r.stats().requests_overdue > 0);
    CHECK_FALSE(s.r.deadline());
}

TEST_CASE("if the transport knows how many streams a publisher grants, these are shared instead of an estimate",
    "[relay][share]") {
    scene s;
    auto& far = s.join(); // Another relay, with what many have published.
    for (unsigned n = 0; n < 200; ++n) far.announce("room/" + std::to_string(n), {hop_id{100 + n}, hop_id{7}});
    s.settle();
    s.session_of(far).path_measured({.bidi_streams = 256}, s.now);
    auto& edge = s.join();
    for (unsigned n = 0; n < 128; ++n) edge.subscribe({"room/" + std::to_string(n), "video"});
    s.settle();
    CHECK(s.r.stats().requests_refused == 0);
    auto& other = s.join();
    for (unsigned n = 128; n < 200; ++n) other.subscribe({"room/" + std::to_string(n), "video"});
    s.settle();
    CHECK(s.r.stats().requests_refused == 0);
}

TEST_CASE("sessions that mix SUBSCRIBE, TRACK and FETCH have one share for all of them", "[relay][share]") {
    // Found by an attack: with a share for each kind, five of them took all of 128 streams.
    scene s;
    auto& camera = stingy_publisher(s, 128);
    for (unsigned k = 0; k < 5; ++k) {
        auto& g = s.join();
        for (unsigned i = 0; i < 250; ++i) {
            const auto name = std::to_string(k) + "." + std::to_string(i);
            if (i % 3 == 0) static_cast<void>(g->request_track({"room/cam", name}));
            if (i % 3 == 1) static_cast<void>(g->fetch({"room/cam", name}, at(0)));
            if (i % 3 == 2) g.subscribe({"room/cam", name});
        }
        s.settle();
    }
    camera.heard();
    auto& honest = s.join();
    honest.subscribe({"room/cam", "video"});
    REQUIRE(honest->request_track({"room/cam", "video"}));
    REQUIRE(honest->fetch({"room/cam", "audio"}, at(7)));
    s.settle();
    const auto asked = camera.heard();
    CHECK(count(asked, "subscribe_requested") == 1);
    CHECK(count(asked, "track_requested") == 1);
    CHECK(count(asked, "fetch_requested") == 1);
}

TEST_CASE("a reader of many tracks may still make a few other requests", "[relay][share]") {
    scene s;
    auto& camera = stingy_publisher(s, 128);
    auto& viewer = s.join();
    for (unsigned n = 0; n < 45; ++n) viewer.subscribe({"room/cam", std::to_string(n)});
    s.settle();
    camera.heard();
    REQUIRE(viewer->request_track({"room/cam", "0"}));
    REQUIRE(viewer->fetch({"room/cam", "0"}, at(3)));
    s.settle();
    CHECK(camera.heard().size() == 2);
    CHECK(s.r.stats().requests_refused == 0);
}

TEST_CASE(
    "a publisher that grants no more streams gets no more requests, which are refused at once", "[relay][share]") {
    scene s;
    auto& camera = stingy_publisher(s, 3);
    auto& viewer = s.viewer();
    auto& other = s.join();
    other.subscribe({"room/cam", "audio"});
    s.settle();
    auto& third = s.join();
    third.subscribe({"room/cam", "data"}); // It waits: it is not known yet that there is no stream for it.
    s.settle();
    auto& late = s.join();
    late.subscribe({"room/cam", "late"});
    s.settle();
    CHECK(late.heard() == list{"subscription_ended 0 bounds_exceeded"});
    camera.accept(0, 0);
    camera.send(0, 0, "frame");
    s.settle();
    CHECK(viewer.groups() == list{"0: frame"});
}

TEST_CASE("a FETCH asks the publishers of a name in turn", "[relay][fetch]") {
    scene s;
    auto& far = s.join();
    far.announce("room/cam", {hop_id{2}, hop_id{3}});
    auto& near = s.publisher("room/cam", hop_id{1});
    auto& viewer = s.join();
    REQUIRE(viewer->fetch({"room/cam", "video"}, at(7)));
    s.settle();
    CHECK(near.heard() == list{"fetch_requested 0 room/cam video sequence 7 priority 128"});
    CHECK(far.heard().empty());
    // The next one when the first refuses, leaves, or does not answer.
    const int fails = GENERATE(0, 1, 2);
    if (fails == 0) REQUIRE(near->reject(request_id{0}, app_error::not_found));
    if (fails == 1) s.cut(near);
    if (fails == 2) s.pass(10s);
    s.settle();
    CHECK(far.heard() == list{"fetch_requested 0 room/cam video sequence 7 priority 128"});
    CHECK(viewer.groups().empty());
    SECTION("and gets it") {
        far.send(0, 7, "seven");
        s.settle();
        CHECK(viewer.groups() == list{"7: seven"});
    }
    SECTION("and is refused when none has it") {
        REQUIRE(far->reject(request_id{0}, app_error::not_found));
        s.settle();
        CHECK(viewer.groups() == list{"7:  cut not_found"});
    }
}

TEST_CASE("relays that ask each other for a group do not wait for each other in a circle", "[relay][fetch]") {
    scene s{{.origin = hop_id{77}}};
    auto& camera = s.publisher("room/cam", hop_id{1});
    auto& neighbour = s.join({}, version::lite_05, hop_id{88});
    neighbour.announce("room/cam", {hop_id{1}});
    auto& third = s.join({}, version::lite_05, hop_id{99});
    third.announce("room/cam", {hop_id{1}});
    s.settle();
    REQUIRE(neighbour->fetch({"room/cam", "video"}, at(7)));
    s.settle();
    REQUIRE(camera->reject(request_id{0}, app_error::not_found));
    s.settle();
    // The third relay's route is longer than our own: it may go through this neighbour.
    CHECK(third.heard().empty());
    CHECK(neighbour.groups() == list{"7:  cut not_found"});
    SECTION("but a viewer's request tries every route, and no relay waits for its own request") {
        auto& viewer = s.join();
        REQUIRE(viewer->fetch({"room/cam", "video"}, at(8)));
        s.settle();
        REQUIRE(camera->reject(request_id{1}, app_error::not_found));
        s.settle();
        auto& asked = neighbour.heard().empty() ? third : neighbour;
        auto& other = &asked == &third ? neighbour : third;
        REQUIRE(other->fetch({"room/cam", "video"}, at(8)));
        s.settle();
        REQUIRE(camera->reject(request_id{2}, app_error::not_found));
        s.settle();
        CHECK(other.groups() == list{"8:  cut not_found"});
    }
}

// Issue 10, C7.
TEST_CASE("a group that never ends and outgrows the cache is reported once a track, and counted for each late viewer",
    "[relay][memory]") {
    relay_options o;
    o.bounds.cache = 1 << 20;
    o.bounds.memory = 2 << 20;
    scene s{o};
    auto& camera = s.publisher();
    auto& viewer = s.viewer();
    camera.accept(0, 0);
    const auto g = camera.begin(0, 0);
    for (int i = 0; i < 64; ++i) {
        REQUIRE(g->write_frame(timestamp{0}, as_bytes(std::string(64 * 1024, 'x'))));
        s.settle();
        s.pass(1ms);
    }
    CHECK(count(s.notices(), "group_outgrew_cache") == 0);
    for (int i = 0; i < 3; ++i) CHECK(s.viewer().heard().back() == "groups_dropped 0 0 to 0 evicted");
    CHECK(s.r.stats().groups_lost == 3);
    const auto told = s.notices();
    CHECK(count(told, "group_outgrew_cache 1 room/cam video 0") == 1);
    CHECK(count(told, "reader_lost_group") == 3);
    REQUIRE(g->finish());
    s.settle();
    CHECK(viewer.groups().size() == 1);
}

// Issue 10, B12.
TEST_CASE("a root that could not be announced to other peers is not admitted", "[relay][admission]") {
    scene s;
    auto& guest = s.arrive();
    std::string deep;
    for (int i = 0; i < 33; ++i) deep += "x/";
    CHECK(s.r.admit(guest.key, {.root = "\xff\xfe"}).error() == errc::bad_utf8);
    CHECK(s.r.admit(guest.key, {.root = std::string(4097, 'x')}).error() == errc::name_too_long);
    CHECK(s.r.admit(guest.key, {.root = deep}).error() == errc::too_many_segments);
    CHECK(s.r.admit(guest.key, {.root = "caf\xc3\xa9"}));
}

} // namespace moqlite::test::relay_share_test

// Attacks of one host's sessions on the requests of others.
#include "scene.hpp"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>

using namespace moqlite;
using namespace moqlite::test;

namespace {

std::size_t count(const list& lines, std::string_view what) {
    return static_cast<std::size_t>(
        std::ranges::count_if(lines, [&](const auto& line) { return line.starts_with(what); }));
}

guest& publisher_granting(scene& s, std::uint64_t streams) {
    auto& camera = s.publisher("room/cam", hop_id{1});
    camera.relay_end.requests_most = streams;
    camera.relay_end.regrants = true;
    s.session_of(camera).path_measured({.bidi_streams = streams - 1}, s.now);
    return camera;
}

track_info info_of(std::uint64_t timescale) {
    track_info info;
    info.timescale = timescale;
    return info;
}

} // namespace

TEST_CASE("a TRACK goes to the current publisher of the broadcast, not to the one that covered it before",
    "[relay][attack][track]") {
    scene s;
    auto& hostile = s.publisher(""); // Covers everything.
    auto& accomplice = s.join();
    REQUIRE(accomplice->request_track({"room/cam", "video"}));
    s.settle();
    REQUIRE(count(hostile.heard(), "track_requested") == 1);
    auto& camera = s.publisher("room/cam", hop_id{1});
    camera.heard();
    auto& viewer = s.join();
    REQUIRE(viewer->request_track({"room/cam", "video"}));
    s.settle();
    CHECK(count(camera.heard(), "track_requested") == 1);
    SECTION("though that one is silent") {
        REQUIRE(camera->answer_track(request_id{0}, info_of(90'000)));
        s.settle();
        CHECK(viewer.heard() == list{"track_info_received 0 priority 0 unordered latency 5000 timescale 90000"});
        s.pass(10s);
        CHECK(accomplice.heard() == list{"track_refused 0 timeout"});
    }
    SECTION("whose answer is of another track") {
        REQUIRE(hostile->answer_track(request_id{0}, info_of(7)));
        s.settle();
        for (auto& line : viewer.heard()) CHECK(line == "");
    }
}

TEST_CASE("a FETCH goes to the current publisher of the broadcast, not to the one that covered it before",
    "[relay][attack][fetch]") {
    scene s;
    auto& hostile = s.publisher("");
    auto& accomplice = s.join();
    REQUIRE(accomplice->fetch({"room/cam", "video"}, at(7)));
    s.settle();
    REQUIRE(count(hostile.heard(), "fetch_requested") == 1);
    auto& camera = s.publisher("room/cam", hop_id{1});
    camera.heard();
    auto& viewer = s.join();
    REQUIRE(viewer->fetch({"room/cam", "video"}, at(7)));
    s.settle();
    CHECK(count(camera.heard(), "fetch_requested") == 1);
    hostile.send(0, 7, "forged");
    s.settle();
    CHECK(viewer.groups().empty());
}

TEST_CASE(
    "subscriptions to one track that were retired by takeovers yield to new readers of it", "[relay][attack][share]") {
    scene s;
    auto& camera = publisher_granting(s, 60);
    auto& flapping = s.join({}, version::lite_05, hop_id{2});
    auto& greedy = s.join();
    std::uint64_t answered = 0;
    for (int n = 0; n < 80; ++n) {
        greedy.subscribe({"room/cam", "video"});
        s.settle();
        if (camera->accept(request_id{answered}, group_sequence{0})) {
            camera.send(answered, 0, "frame");
            ++answered;
        }
        s.settle();
        flapping.announce("room/cam"); // Takes over,
        s.settle();
        flapping.unannounce("room/cam"); // and leaves.
        s.settle();
    }
    INFO("places of one session: " << answered);
    CHECK(answered > 50);
    for (int n = 0; n < 20; ++n) {
        camera.heard();
        auto& honest = s.viewer();
        CHECK(honest.heard().empty());
        CHECK(count(camera.heard(), "subscribe_requested") == 1);
        flapping.announce("room/cam");
        s.settle();
        flapping.unannounce("room/cam");
        s.settle();
    }
}

TEST_CASE(
    "a place that is left to bring its last groups is really free when it is taken back", "[relay][attack][share]") {
    scene s;
    auto& camera = publisher_granting(s, 40);
    auto& greedy = s.join();
    auto& capped = s.join();
    greedy.subscribe({"room/cam", "video"});
    capped.subscribe({"room/cam", "video"}, {.ordered = true, .max_age = complete_age, .end = at(0)});
    s.settle();
    camera.accept(0, 0);
    camera.send(0, 0, "x"); // The live reader is delayed, and gets a subscription of its own.
    s.settle();
    REQUIRE(s.r.stats().tracks == 2);
    camera.accept(1, 1);
    const auto unfinished = camera.begin(1, 1);
    REQUIRE(unfinished->write_frame(timestamp{0}, as_bytes(std::string("half"))));
    s.settle();
    CHECK(greedy.arriving() == list{"1: half"});
    greedy.relay_end.takes = false;
    // It sets a Group End, and returns to the first; arriving groups are completed.
    greedy.update({.ordered = true, .max_age = complete_age, .end = at(5)});
    s.settle();
    CHECK(s.r.stats().tracks == 2);
    for (unsigned n = 100; n < 160; ++n) greedy.subscribe({"room/cam", std::to_string(n)});
    s.settle();
    for (std::uint64_t n = 2; camera->accept(request_id{n}, group_sequence{0}); ++n) camera.send(n, 0, "frame");
    s.settle();
    greedy.relay_end.takes = true;
    camera.heard();
    for (int n = 0; n < 8; ++n) {
        auto& honest = s.join();
        honest.subscribe({"room/cam", "honest" + std::to_string(n)});
        s.settle();
        CHECK(honest.heard().empty());
        CHECK(count(camera.heard(), "subscribe_requested") == 1);
    }
}

TEST_CASE(
    "a place that only brings its last groups does not protect the others of its session", "[relay][attack][share]") {
    for (const bool drains : {false, true}) {
        scene s;
        auto& camera = publisher_granting(s, 40);
        auto& honest = s.join();
        honest.subscribe({"room/cam", "h0"});
        honest.subscribe({"room/cam", "h1"});
        s.settle();
        std::uint64_t id = 0;
        const auto serve_all = [&] {
            for (; camera->accept(request_id{id}, group_sequence{0}); ++id) camera.send(id, 0, "frame");
            s.settle();
        };
        serve_all();
        auto& greedy = s.join();
        auto& capped = s.join();
        greedy.subscribe({"room/cam", "video"});
        capped.subscribe({"room/cam", "video"}, {.ordered = true, .max_age = complete_age, .end = at(0)});
        s.settle();
        serve_all();
        camera.accept(id, 1);
        REQUIRE(id == 3);
        const auto unfinished = camera.begin(id, 1);
        ++id;
        REQUIRE(unfinished->write_frame(timestamp{0}, as_bytes(std::string("half"))));
        s.settle();
        if (drains) {
            greedy.relay_end.takes = false;
            greedy.update({.ordered = true, .max_age = complete_age, .end = at(5)});
            s.settle();
        }
        for (unsigned n = 100; n < 160; ++n) greedy.subscribe({"room/cam", std::to_string(n)});
        s.settle();
        serve_all();
        honest.heard();
        for (int n = 0; s.session_of(camera).requests_left() != std::optional<std::uint64_t>{0}; ++n) {
            REQUIRE(n < 40);
            auto& other = s.join();
            other.subscribe({"room/cam", "other" + std::to_string(n)});
            s.settle();
            serve_all();
            CHECK(other.heard().size() == 1);
        }
        honest.subscribe({"room/cam", "h2"});
        s.settle();
        INFO("drains " << drains);
        CHECK(honest.heard().empty());
    }
}

TEST_CASE(
    "sessions of one host that announce much leave room for publishers of one name", "[relay][attack][announce]") {
    relay_options o;
    o.bounds.announced_by_all = 2 << 20;
    scene s{o};
    for (int k = 0; k < 14; ++k) {
        auto& hog = s.join();
        for (int i = 0; i != 2048; ++i) hog.announce("hog/" + std::to_string(k) + "/" + std::to_string(i));
        s.settle();
        CHECK(hog.heard().empty());
    }
    for (int n = 0; n < 100; ++n) {
        auto& honest = s.publisher("room/" + std::to_string(n));
        CHECK(honest.heard().empty());
        CHECK(s.r.broadcasts().find("room/" + std::to_string(n)) != nullptr);
    }
    CHECK(s.r.stats().broadcasts * 512 <= o.bounds.announced_by_all);
}

TEST_CASE("a TRACK sent to a publisher that took over briefly does not delay others", "[relay][attack][track]") {
    scene s;
    auto& camera = s.publisher("room/cam", hop_id{1});
    auto& hostile = s.publisher("room/cam", hop_id{2});
    auto& accomplice = s.join();
    REQUIRE(accomplice->request_track({"room/cam", "video"}));
    s.settle();
    REQUIRE(count(hostile.heard(), "track_requested") == 1);
    hostile.unannounce("room/cam");
    s.settle();
    camera.heard();
    auto& viewer = s.join();
    REQUIRE(viewer->request_track({"room/cam", "video"}));
    s.settle();
    CHECK(count(camera.heard(), "track_requested") == 1);
}

TEST_CASE("ended tracks of one publisher do not push out those of another", "[relay][attack][end]") {
    scene s;
    auto& camera = s.publisher();
    auto& viewer = s.viewer();
    camera.accept(0, 0);
    camera.send(0, 0, "kept");
    camera.end_track(0, 1);
    s.settle();
    CHECK(viewer.groups() == list{"0: kept"});
    auto& hostile = s.publisher("hostile/x");
    std::uint64_t id = 0;
    for (int round = 0; round < 30; ++round) {
        auto& accomplice = s.join();
        for (int n = 0; n < 50; ++n) accomplice.subscribe({"hostile/x", std::to_string(round * 50 + n)});
        s.settle();
        for (; hostile->accept(request_id{id}, group_sequence{0}); ++id) {
            hostile.send(id, 0, "x");
            hostile.end_track(id, 1);
        }
        s.settle();
    }
    s.pass(1ms);
    INFO("ended " << id);
    CHECK(id > 1100);
    camera.heard();
    auto& late = s.viewer();
    CHECK(late.groups() == list{"0: kept"});
    CHECK(camera.heard().empty());
}

TEST_CASE("TRACK_INFO of one publisher does not push out that of another", "[relay][attack][track]") {
    scene s;
    auto& camera = s.publisher();
    auto& viewer = s.join();
    REQUIRE(viewer->request_track({"room/cam", "video"}));
    s.settle();
    REQUIRE(camera->answer_track(request_id{0}, info_of(90'000)));
    s.settle();
    REQUIRE(viewer.heard().size() == 1);
    auto& hostile = s.publisher("hostile/x");
    auto& accomplice = s.join();
    std::uint64_t answered = 0;
    for (int name = 0; answered != 4200; ++name) {
        REQUIRE(accomplice->request_track({"hostile/x", std::to_string(name)}));
        s.settle();
        REQUIRE(hostile->answer_track(request_id{answered++}, info_of(7)));
        s.settle();
    }
    camera.heard();
    auto& late = s.join();
    REQUIRE(late->request_track({"room/cam", "video"}));
    s.settle();
    CHECK(late.heard() == list{"track_info_received 0 priority 0 unordered latency 5000 timescale 90000"});
    CHECK(camera.heard().empty());
}

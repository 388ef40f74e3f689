// TRACK through a relay: sent once, answered to all.
#include "scene.hpp"

#include <catch2/catch_test_macros.hpp>

namespace moqlite::test::relay_track_test {

namespace {

void ask(guest& g) { REQUIRE(g->request_track({"room/cam", "video"})); }
const track_info info{.priority = 7, .ordered = true, .timescale = 90000};
const list answer{"track_info_received 0 priority 7 ordered latency 5000 timescale 90000"};

} // namespace

TEST_CASE("a TRACK is forwarded once and answered to every requester", "[relay][track]") {
    scene s;
    auto& camera = s.publisher();
    auto& first = s.join();
    auto& second = s.join();
    ask(first);
    s.settle();
    ask(second);
    s.settle();
    CHECK(camera.heard() == list{"track_requested 0 room/cam video"});
    REQUIRE(camera->answer_track(request_id{0}, info));
    s.settle();
    CHECK(first.heard() == answer);
    CHECK(second.heard() == answer);
    SECTION("and cached while the broadcast exists") {
        auto& third = s.join();
        ask(third);
        s.settle();
        CHECK(third.heard() == answer);
        CHECK(camera.heard().empty());
    }
    SECTION("and requested again after it has restarted") {
        camera.unannounce();
        s.settle();
        camera.announce("room/cam");
        s.settle();
        ask(first);
        s.settle();
        CHECK(camera.heard() == list{"track_requested 1 room/cam video"});
    }
    SECTION("and requested again from another publisher") {
        auto& other = s.publisher();
        ask(first);
        s.settle();
        CHECK(other.heard() == list{"track_requested 0 room/cam video"});
        CHECK(camera.heard().empty());
    }
}

TEST_CASE("a requester that has left gets no answer, and leaves nothing behind", "[relay][track][regression]") {
    scene s;
    auto& camera = s.publisher();
    auto& first = s.join();
    auto& second = s.join();
    ask(first);
    ask(second);
    s.settle();
    SECTION("by leaving the relay") { s.cut(first); }
    SECTION("by giving up the question") {
        s.session_of(first).stream_stopped(stream_id{client_bidi(0)}, app_error::cancel, s.now);
        while (const auto e = s.session_of(first).poll_event()) s.r.handle(first.key, *e, s.now);
    }
    REQUIRE(camera->answer_track(request_id{0}, info));
    s.settle();
    CHECK(second.heard() == answer);
    CHECK(first.heard() != answer);
}

TEST_CASE("a publisher that dies before it answers is reported as such", "[relay][track]") {
    scene s;
    auto& camera = s.publisher();
    auto& asker = s.join();
    ask(asker);
    s.settle();
    SECTION("by dying") {
        s.cut(camera);
        CHECK(asker.heard() == list{"track_refused 0 timeout"});
    }
    SECTION("or refusing") {
        REQUIRE(camera->reject(request_id{0}, app_error::not_found));
        s.settle();
        CHECK(asker.heard() == list{"track_refused 0 not_found"});
        ask(asker);
        s.settle();
        CHECK(camera.heard() == list{"track_requested 0 room/cam video", "track_requested 1 room/cam video"});
    }
}

TEST_CASE("a TRACK of an unknown broadcast is refused, and on versions without TRACK the defaults are the answer",
    "[relay][track]") {
    scene s;
    auto& asker = s.join();
    ask(asker);
    s.settle();
    CHECK(asker.heard() == list{"track_refused 0 unroutable"});
    auto& old = s.join({}, version::lite_03);
    old.announce("room/cam");
    s.settle();
    ask(asker);
    s.settle();
    CHECK(asker.heard() == list{"track_info_received 1 priority 0 unordered latency 5000 timescale 1000"});
}

TEST_CASE("the publisher's priority decides between tracks of equal reader priority", "[relay][track]") {
    scene s;
    auto& camera = s.publisher();
    auto& reader = s.join();
    ask(reader);
    REQUIRE(reader->request_track({"room/cam", "audio"}));
    s.settle();
    REQUIRE(camera->answer_track(request_id{0}, {.priority = 1}));
    REQUIRE(camera->answer_track(request_id{1}, {.priority = 9}));
    s.settle();
    reader.subscribe({"room/cam", "video"});
    reader.subscribe({"room/cam", "audio"});
    s.settle();
    camera.accept(2, 0);
    camera.accept(3, 0);
    s.settle();
    static_cast<void>(reader.groups());
    reader.relay_end.takes = false;
    camera.send(2, 0, "video");
    camera.send(3, 0, "audio");
    s.settle();
    s.open_window(reader);
    CHECK(reader.groups() == list{"0: audio", "0: video"});
}

TEST_CASE("the TRACK_INFO of a track being read outlives any number of others", "[relay][track]") {
    scene s;
    auto& camera = s.publisher();
    s.viewer();
    auto& asker = s.join();
    ask(asker);
    s.settle();
    REQUIRE(camera->answer_track(request_id{1}, info));
    s.settle();
    static_cast<void>(camera.heard());
    auto& loud = s.publisher("loud");
    for (std::uint64_t n = 0; n < 5000; ++n) {
        REQUIRE(asker->request_track({"loud", std::to_string(n)}));
        s.settle();
        REQUIRE(loud->answer_track(request_id{n}, info));
        s.settle();
    }
    auto& late = s.join();
    ask(late);
    s.settle();
    CHECK(late.heard() == answer);
    CHECK(camera.heard().empty());
}

} // namespace moqlite::test::relay_track_test

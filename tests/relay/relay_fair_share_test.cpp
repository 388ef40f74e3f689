// Sharing a publisher's request streams when it grants no more. Issue 10, B8 and B9.
#include "scene.hpp"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <malloc.h>

namespace moqlite::test::relay_fair_share_test {

namespace {

std::size_t count(const list& lines, std::string_view what) {
    return static_cast<std::size_t>(
        std::ranges::count_if(lines, [&](const auto& line) { return line.starts_with(what); }));
}

/// A publisher that grants a limited number of request streams.
guest& publisher_granting(scene& s, std::uint64_t streams) {
    auto& camera = s.publisher();
    camera.relay_end.requests_most = streams;
    camera.relay_end.regrants = true;
    s.session_of(camera).path_measured({.bidi_streams = streams - 1}, s.now); // One is an ANNOUNCE_REQUEST's.
    return camera;
}

/// Answers every SUBSCRIBE that it has not answered yet with group 0.
void serve_all(scene& s, guest& camera, std::uint64_t& answered, std::uint64_t up_to) {
    for (; answered < up_to; ++answered) {
        if (!camera->accept(request_id{answered}, group_sequence{0})) continue;
        camera.send(answered, 0, "frame");
    }
    s.settle();
}

void subscribe(guest& g, unsigned from, unsigned n, const std::string& prefix = "") {
    for (unsigned i = from; i < from + n; ++i) g.subscribe({"room/cam", prefix + std::to_string(i)});
}

} // namespace

TEST_CASE("a viewer of two tracks is served however many SUBSCRIBEs of others a silent publisher leaves unanswered",
    "[relay][share]") {
    scene s;
    auto& camera = publisher_granting(s, 100);
    std::vector<guest*> hostile;
    for (unsigned k = 0; k < 8; ++k) {
        hostile.push_back(&s.join());
        subscribe(*hostile.back(), 0, 150, std::to_string(k) + ".");
        s.settle();
    }
    for (unsigned round = 0; round < 4; ++round) {
        camera.heard();
        auto& honest = s.join();
        REQUIRE(honest->request_track({"room/cam", "video" + std::to_string(round)}));
        honest.subscribe({"room/cam", "video" + std::to_string(round)});
        honest.subscribe({"room/cam", "audio" + std::to_string(round)});
        s.settle();
        const auto asked = camera.heard();
        CHECK(count(asked, "subscribe_requested") == 2);
        CHECK(count(asked, "track_requested") == 1);
        // The others ask again and again.
        for (unsigned k = 0; k < hostile.size(); ++k)
            subscribe(*hostile[k], 1000 * (round + 1), 50, std::to_string(k) + ".");
        s.settle();
        s.pass(1s);
        CHECK(honest.heard().empty());
    }
    SECTION("and those that lose a place get a code, which is reported and counted") {
        s.notices();
        const auto before = s.r.stats().requests_refused;
        for (auto* g : hostile) g->heard();
        for (unsigned n = 0; n < 20; ++n) CHECK(s.viewer().heard().empty());
        for (unsigned n = 0; n < 20; ++n) {
            auto& honest = s.join();
            honest.subscribe({"room/cam", "late" + std::to_string(n)});
            s.settle();
            CHECK(honest.heard().empty());
        }
        list lost;
        for (auto* g : hostile)
            for (auto& line : g->heard()) lost.push_back(line);
        CHECK(lost.size() >= 10);
        CHECK(std::ranges::all_of(lost, [](const auto& line) { return line.ends_with("bounds_exceeded"); }));
        CHECK(s.r.stats().requests_refused == before + lost.size());
        CHECK(count(s.notices(), "request_refused") == lost.size());
    }
}

TEST_CASE("sessions with as many requests as others take no place from each other", "[relay][share]") {
    scene s;
    auto& camera = publisher_granting(s, 100);
    std::vector<guest*> hostile;
    for (unsigned k = 0; k < 5; ++k) {
        hostile.push_back(&s.join());
        subscribe(*hostile.back(), 0, 150, std::to_string(k) + ".");
        s.settle();
    }
    camera.heard();
    for (unsigned round = 0; round < 20; ++round)
        for (unsigned k = 0; k < hostile.size(); ++k) {
            subscribe(*hostile[k], 1000 * (round + 1), 10, std::to_string(k) + ".");
            s.settle();
        }
    // 1 000 requests were refused: each session had its share.
    CHECK(count(camera.heard(), "subscribe_requested") <= 5);
}

TEST_CASE("a viewer of a track is served where others hold all places for served tracks", "[relay][share]") {
    scene s;
    auto& camera = publisher_granting(s, 100);
    std::uint64_t answered = 0;
    const auto readers = GENERATE(1U, 2U, 3U); // Of each track.
    std::vector<guest*> others;
    for (unsigned k = 0; k < readers; ++k) {
        others.push_back(&s.join());
        subscribe(*others.back(), 0, 100);
        s.settle();
        serve_all(s, camera, answered, 100);
        subscribe(*others.back(), 100, 100);
        s.settle();
        serve_all(s, camera, answered, 200);
    }
    camera.heard();
    for (auto* g : others) g->heard();
    for (unsigned n = 0; n < 20; ++n) {
        auto& honest = s.join();
        honest.subscribe({"room/cam", "video" + std::to_string(n)});
        honest.subscribe({"room/cam", "audio" + std::to_string(n)});
        s.settle();
        CHECK(count(camera.heard(), "subscribe_requested") == 2);
        CHECK(honest.heard().empty());
    }
}

TEST_CASE("a mesh link carries 200 tracks of a publisher that grants 256 streams, beside another requester",
    "[relay][share]") {
    scene s;
    auto& camera = publisher_granting(s, 256);
    auto& edge = s.join({}, version::lite_05, hop_id{88}); // Another relay.
    std::uint64_t answered = 0;
    subscribe(edge, 0, 200, "edge");
    s.settle();
    serve_all(s, camera, answered, 200);
    CHECK(s.r.stats().requests_refused == 0);
    CHECK(edge.groups().size() == 200);
    edge.heard();
    auto& other = s.join();
    subscribe(other, 0, 100, "other");
    s.settle();
    // It gets the rest, except for a reserve; the link's served subscriptions stay.
    CHECK(count(other.heard(), "subscription_ended") == 100 - (255 - 200 - 255 / 8));
    CHECK(edge.heard().empty());
    for (unsigned n = 0; n < 20; ++n) {
        auto& viewer = s.join();
        subscribe(viewer, 0, 2, std::to_string(n) + ".");
        s.settle();
        CHECK(viewer.heard().empty());
    }
    CHECK(edge.heard().empty());
}

TEST_CASE("an unanswered SUBSCRIBE waits until its place is needed, but at least 10 s", "[relay][share]") {
    scene s;
    auto& camera = publisher_granting(s, 41);
    std::vector<guest*> waiting;
    for (unsigned k = 0; k < 40; ++k) {
        waiting.push_back(&s.join());
        waiting.back()->subscribe({"room/cam", std::to_string(k)});
        s.settle();
    }
    camera.heard();
    const auto heard_by_all = [&] {
        list all;
        for (auto* g : waiting)
            for (auto& line : g->heard()) all.push_back(line);
        return all;
    };
    auto& early = s.viewer();
    CHECK(early.heard() == list{"subscription_ended 0 bounds_exceeded"});
    SECTION("without need") {
        s.pass(60s);
        CHECK(heard_by_all().empty());
    }
    SECTION("with need") {
        s.pass(10s);
        CHECK(heard_by_all().empty());
        auto& late = s.viewer();
        CHECK(late.heard().empty());
        CHECK(count(camera.heard(), "subscribe_requested") == 1);
        CHECK(heard_by_all() == list{"subscription_ended 0 bounds_exceeded"});
        CHECK(s.r.stats().requests_overdue == 1);
    }
}

TEST_CASE("a relay's state of pending requests does not grow with those answered or cancelled", "[relay][share]") {
    scene s;
    auto& camera = publisher_granting(s, 100);
    auto& slow = s.join();
    auto& busy = s.join();
    /// Bytes left over from ended requests. The connections here keep their streams.
    const auto left_over = [&] {
        const auto before = ::mallinfo2().uordblks;
        for (unsigned i = 0; i < 20'000; ++i) {
            const auto query = busy->request_track({"room/cam", "audio"});
            REQUIRE(query);
            s.settle();
            REQUIRE(busy->cancel(*query));
            s.settle();
        }
        camera.heard();
        busy.heard();
        s.notices();
        s.pumped = {};
        return ::mallinfo2().uordblks - before;
    };
    left_over();
    const auto alone = left_over();
    REQUIRE(slow->fetch({"room/cam", "video"}, at(1))); // Never answered.
    s.settle();
    CHECK(left_over() < alone + 200'000);
    CHECK(s.r.deadline());
}

} // namespace moqlite::test::relay_fair_share_test

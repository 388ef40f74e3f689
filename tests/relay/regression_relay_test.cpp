// Faults found by review in the relay, each with its reproduction.
#include "scene.hpp"

#include <algorithm>
#include <array>
#include <catch2/catch_test_macros.hpp>

namespace moqlite::test::regression_relay_test {

namespace {

subscribe_options complete_up_to(std::uint64_t end) {
    return {.ordered = true, .max_age = milliseconds{86'400'000}, .start = at(0), .end = at(end)};
}
bool any_begins(const list& lines, std::string_view what) {
    return std::any_of(lines.begin(), lines.end(), [&](const auto& line) { return line.starts_with(what); });
}

} // namespace

TEST_CASE("a group that exists is not announced as dropped because a later one was dropped", "[relay][regression]") {
    relay_options o;
    o.bounds.cache = 300'000;
    scene s{o};
    auto& camera = s.publisher();
    auto& slow = s.viewer(complete_up_to(0));
    s.viewer(complete_up_to(9));
    camera.accept(0, 0);
    camera.send(0, 0, "zero");
    const auto late = camera.begin(0, 1);
    REQUIRE(late->write_frame(timestamp{0}, as_bytes("one")));
    camera.send(0, 2, std::string(200'000, 'x'));
    camera.send(0, 3, std::string(200'000, 'x'));
    s.settle();
    s.pass(1ms);
    REQUIRE(late->finish());
    s.settle();
    slow.heard();
    auto more = complete_up_to(9);
    more.start.reset();
    slow.update(more);
    s.settle();
    CHECK(slow.heard() == list{"groups_dropped 0 2 to 2 evicted"});
    CHECK(slow.groups() == list{"0: zero", "1: one", "3: 200000 bytes"});
    // A new reader begins with the cached groups, too.
    auto& newcomer = s.viewer({.start = at(1)});
    CHECK(newcomer.groups() == list{"3: 200000 bytes", "1: one"});
}

TEST_CASE("a Group End that is raised after the publisher's FIN causes a new subscription", "[relay][regression]") {
    for (const auto v : {version::lite_03, version::lite_04}) {
        scene s;
        auto& camera = s.join({}, v);
        camera.announce("room/cam");
        s.settle();
        auto& reader = s.viewer(complete_up_to(2));
        camera.heard();
        camera.accept(0, 0);
        for (unsigned n = 0; n < 3; ++n) camera.send(0, n, "x");
        s.settle();
        REQUIRE(camera->finish(request_id{0})); // At its Group End, as the draft says.
        s.settle();
        auto more = complete_up_to(5);
        more.start.reset();
        reader.update(more);
        s.settle();
        for (int i = 0; i < 3; ++i) s.pass_for_all(200ms);
        CHECK(any_begins(
            camera.heard(), "subscribe_requested 1 room/cam video priority 0 ordered latency 86400000 3..5"));
        CHECK_FALSE(any_begins(reader.heard(), "subscription_ended"));
    }
}

TEST_CASE("late messages of a replaced publisher do not affect its successor", "[relay][regression]") {
    scene s;
    auto& first = s.join();
    first.announce("room/cam", {hop_id{1}, hop_id{2}, hop_id{3}});
    s.settle();
    auto& viewer = s.join();
    REQUIRE(viewer->request_track({"room/cam", "video"}));
    s.settle();
    auto& second = s.join({}, version::lite_04);
    second.announce("room/cam", {hop_id{1}});
    s.settle();
    REQUIRE(first->answer_track(request_id{0}, track_info{.timescale = 90'000}));
    s.settle();
    auto& later = s.join();
    REQUIRE(later->request_track({"room/cam", "video"}));
    s.settle();
    const auto told = later.heard();
    REQUIRE(told.size() == 1);
    CHECK(told[0].find("timescale 1000") != std::string::npos);
}

TEST_CASE("tracks that have ended are bounded in number", "[relay][regression]") {
    scene s;
    auto& camera = s.publisher();
    auto& reader = s.join();
    for (unsigned n = 0; n < 3000; ++n) {
        const auto id = reader->subscribe({"room/cam", std::to_string(n)});
        REQUIRE(id);
        s.settle();
        camera.accept(n, 0);
        camera.end_track(n, 0);
        s.settle();
        if (n % 100 == 0) s.pass(1ms);
    }
    s.pass(1ms);
    CHECK(s.r.stats().tracks <= 1024);
    s.pass(31s);
    CHECK(s.r.stats().tracks == 0);
}

TEST_CASE("unanswered TRACKs to one publisher are bounded, and no other is affected", "[relay][regression]") {
    scene s;
    s.publisher();
    auto& other = s.publisher("other");
    auto& asker = s.join();
    std::size_t refused = 0;
    for (unsigned n = 0; n < 3000; ++n) {
        REQUIRE(asker->request_track({"room/cam", std::to_string(n)}));
        s.settle();
        for (const auto& line : asker.heard()) refused += line.starts_with("track_refused");
    }
    CHECK(refused > 1900);
    REQUIRE(asker->request_track({"other", "video"}));
    s.settle();
    CHECK(other.heard().size() == 1);
}

} // namespace moqlite::test::regression_relay_test

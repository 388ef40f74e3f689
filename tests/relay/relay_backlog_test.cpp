// Complete readers that are slower than their publisher, and their backlog. Issue 10, B1.
#include "scene.hpp"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

namespace moqlite::test::relay_backlog_test {

namespace {

std::size_t count(const list& lines, std::string_view what) {
    return static_cast<std::size_t>(
        std::ranges::count_if(lines, [&](const auto& line) { return line.starts_with(what); }));
}

/// Subscribes like implementations without Group End, or with one that is never reached.
subscribe_options complete(bool capped) {
    subscribe_options o{.ordered = true, .max_age = complete_age, .start = at(0)};
    if (capped) o.end = at(1'000'000);
    return o;
}

} // namespace

TEST_CASE(
    "a complete reader that falls far behind is served from the log, and loses no cached group", "[relay][backlog]") {
    scene s;
    auto& camera = s.publisher();
    auto& slow = s.viewer(complete(GENERATE(true, false)));
    const bool ends = GENERATE(true, false);
    slow.relay_end.takes = false;
    camera.accept(0, 0);
    for (std::uint64_t n = 0; n < 3000; ++n) {
        camera.send(0, n, "frame");
        if (n % 50 == 0) s.settle();
    }
    if (ends) camera.end_track(0, 3000);
    s.settle();
    CHECK(s.r.stats().groups_lost == 0);
    slow.heard();
    s.open_window(slow);
    auto got = slow.groups();
    REQUIRE(got.size() == 3000);
    std::ranges::sort(got);
    CHECK(std::ranges::adjacent_find(got) == got.end());
    const auto heard = slow.heard();
    CHECK(count(heard, "groups_dropped") == 0);
    CHECK(count(heard, "subscription_ended") == (ends ? 1 : 0));
    if (ends) return;
    camera.send(0, 3000, "last");
    s.settle();
    CHECK(slow.groups() == list{"3000: last"});
}

TEST_CASE(
    "a complete reader that falls behind the cache gets one event for each group that it loses", "[relay][backlog]") {
    relay_options o;
    o.bounds.cache = 200 * 1024;
    scene s{o};
    auto& camera = s.publisher();
    auto& slow = s.viewer(complete(true));
    slow.relay_end.takes = false;
    camera.accept(0, 0);
    for (std::uint64_t n = 0; n < 2000; ++n) {
        camera.send(0, n, "frame");
        s.settle();
        s.r.tick(s.now);
    }
    slow.heard();
    s.open_window(slow);
    const auto got = slow.groups();
    CHECK(got.size() >= 512 + 150);
    CHECK(got.size() < 1000);
    CHECK(s.r.stats().groups_lost == 2000 - got.size());
    std::uint64_t told = 0;
    for (const auto& line : slow.heard()) {
        if (!line.starts_with("groups_dropped")) continue;
        unsigned long long first = 0, last = 0;
        REQUIRE(std::sscanf(line.c_str(), "groups_dropped 0 %llu to %llu", &first, &last) == 2);
        told += last - first + 1;
    }
    CHECK(told == 2000 - got.size());
}

TEST_CASE("a complete reader may raise its Group End while it is behind", "[relay][backlog]") {
    scene s;
    auto& camera = s.publisher();
    auto options = complete(true);
    options.end = at(700);
    auto& slow = s.viewer(options);
    slow.relay_end.takes = false;
    camera.accept(0, 0);
    const auto late = camera.begin(0, 600); // Arrives to its end after the others.
    for (std::uint64_t n = 0; n <= 1500; ++n) {
        if (n != 600) camera.send(0, n, "frame");
        s.settle();
        if (n != 700) continue;
        options.end = at(1500);
        slow.update(options);
        s.settle();
    }
    REQUIRE(late->write_frame(timestamp{0}, as_bytes(std::string("late"))));
    REQUIRE(late->finish());
    s.settle();
    s.open_window(slow);
    CHECK(slow.groups().size() == 1501);
    CHECK(s.r.stats().groups_lost == 0);
}

TEST_CASE("a complete reader that becomes a live one continues with new groups", "[relay][backlog]") {
    scene s;
    auto& camera = s.publisher();
    auto& slow = s.viewer(complete(false));
    slow.relay_end.takes = false;
    camera.accept(0, 0);
    for (std::uint64_t n = 0; n < 1000; ++n) camera.send(0, n, "frame");
    s.settle();
    slow.update({.priority = 1});
    s.settle();
    camera.send(0, 1000, "next");
    s.settle();
    s.open_window(slow);
    CHECK(std::ranges::count(slow.groups(), "1000: next") == 1); // The newest live group is sent first.
    CHECK(count(slow.heard(), "groups_dropped") >= 1);
}

TEST_CASE("all delayed tracks of one peer continue, also when another request of it ends", "[relay][backlog]") {
    relay_options o;
    o.bounds.served_groups = 40; // Half of it is for all of its complete readers together.
    scene s{o};
    auto& camera = s.publisher();
    auto& slow = s.join();
    constexpr std::uint64_t tracks = 5, groups = 100;
    for (std::uint64_t t = 0; t < tracks; ++t) slow.subscribe({"room/cam", std::to_string(t)}, complete(true));
    s.settle();
    slow.relay_end.takes = false;
    for (std::uint64_t t = 0; t < tracks; ++t) camera.accept(t, 0);
    for (std::uint64_t n = 0; n < groups; ++n)
        for (std::uint64_t t = 0; t < tracks; ++t) camera.send(t, n, "frame");
    s.settle();
    const bool leaves = GENERATE(false, true);
    if (leaves) slow.unsubscribe();
    s.settle();
    s.open_window(slow);
    const auto got = std::ranges::count_if(slow.groups(), [](const auto& line) { return line.ends_with("frame"); });
    CHECK(static_cast<std::uint64_t>(got) >= (leaves ? tracks - 1 : tracks) * groups);
    CHECK(s.r.stats().groups_lost == 0);
}

TEST_CASE("groups that wait for hundreds of peers leave memory for others", "[relay][backlog][memory]") {
    relay_options o;
    o.bounds.memory = 8 << 20;
    o.bounds.cache = 4 << 20;
    scene s{o};
    auto& own = s.publisher("hostile/x");
    auto& camera = s.publisher();
    const bool capped = GENERATE(true, false);
    for (int k = 0; k < 400; ++k) {
        auto& hog = s.join();
        hog.relay_end.takes = false;
        hog.subscribe({"hostile/x", "t"}, capped ? complete(true) : subscribe_options{});
    }
    s.settle();
    own.accept(0, 0);
    for (std::uint64_t n = 0; n < 300; ++n) own.send(0, n, "x"), s.settle();
    s.r.tick(s.now);
    auto& viewer = s.join();
    for (const char* name : {"video", "audio"}) viewer.subscribe({"room/cam", name});
    s.settle();
    for (std::uint64_t t = 0; t < 2; ++t) camera.accept(t, 0);
    std::size_t got = 0;
    for (std::uint64_t n = 0; n < 50; ++n) {
        for (std::uint64_t t = 0; t < 2; ++t) camera.send(t, n, std::string(20'000, 'v'));
        s.settle();
        s.pass(100ms);
        got += viewer.groups().size();
    }
    CHECK(got == 100);
    CHECK(s.r.stats().memory <= o.bounds.memory);
}

} // namespace moqlite::test::relay_backlog_test

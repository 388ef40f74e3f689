// How far a complete reader reads ahead, and when that increases.
#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <moqlite/session/read_ahead.hpp>

namespace moqlite::test::read_ahead_test {

using namespace std::chrono_literals;

namespace {

constexpr time_point t0{1s};
constexpr std::size_t kib = 1024;

limits bounds(std::size_t start, std::size_t most) {
    limits out;
    out.read_ahead_start = start;
    out.read_ahead = most;
    return out;
}
constexpr group_sequence g(std::uint64_t n) { return group_sequence{n}; }

/// A reader whose publisher gets a new Group End after `delay`, and then sends a group each `each`.
read_ahead after_a_minute(duration delay, duration each, bool drained) {
    read_ahead r{bounds(64 * kib, 1024 * kib)};
    std::uint64_t cap = r.distance() - 1;
    std::uint64_t told = cap; // The publisher's Group End.
    time_point known = t0, now = t0;
    for (std::uint64_t n = 0; now < t0 + 60s; ++n) {
        if (n > told) {
            now = std::max(now, known);
            told = cap;
        }
        r.group_opened(g(n), drained, now);
        now += each;
        r.group_closed(g(n), 8 * kib, now);
        const auto wanted = n + r.distance();
        if (!r.worth_it(g(cap), g(wanted))) continue;
        r.raised(g(cap), now);
        cap = wanted;
        known = now + delay;
    }
    return r;
}

} // namespace

TEST_CASE("a reader begins with two groups, then with as many as fill its start", "[session][read ahead]") {
    read_ahead r{bounds(64 * kib, 1024 * kib)};
    CHECK(r.distance() == 2);
    r.group_closed(g(0), 8 * kib, t0);
    CHECK(r.distance() == 6);
    read_ahead small{bounds(64 * kib, 10 * kib)};
    CHECK(small.bytes() == 10 * kib);
    small.group_closed(g(0), 1000 * kib, t0);
    CHECK(small.distance() == 2);
    small.group_closed(g(1), 0, t0);
    CHECK(small.distance() == 2);
    read_ahead many{bounds(64 * kib, 1024 * kib)};
    for (std::uint64_t n = 0; n < 100; ++n) many.group_closed(g(n), 1, t0);
    CHECK(many.distance() == 64 * kib / (2048 + 7)); // It forgets the size of old ones, but for a rest.
}

TEST_CASE("the Group End is raised after a quarter of the distance", "[session][read ahead]") {
    read_ahead r{bounds(64 * kib, 1024 * kib)};
    for (std::uint64_t n = 0; n < 8; ++n) r.group_closed(g(n), 1 * kib, t0);
    REQUIRE(r.distance() == 21);
    CHECK_FALSE(r.worth_it(g(30), g(34)));
    CHECK(r.worth_it(g(30), g(35)));
}

TEST_CASE("a reader that waits for its raises increases its distance, up to its bound", "[session][read ahead]") {
    const auto far = after_a_minute(100ms, 1ms, true);
    CHECK(far.bytes() > 512 * kib);
    CHECK(far.bytes() <= 1024 * kib);
}

TEST_CASE("a reader whose groups arrive without a pause keeps its distance", "[session][read ahead]") {
    CHECK(after_a_minute(2ms, 10ms, true).bytes() == 64 * kib);
}

TEST_CASE("a slow reader keeps its distance", "[session][read ahead]") {
    CHECK(after_a_minute(100ms, 1ms, false).bytes() == 64 * kib);
}

TEST_CASE("occasional pauses of the publisher do not increase the distance", "[session][read ahead]") {
    read_ahead r{bounds(64 * kib, 1024 * kib)};
    auto now = t0;
    for (std::uint64_t n = 0; n < 300; ++n) {
        r.raised(g(n), now);
        now += 10ms;
        r.group_closed(g(n), 8 * kib, now);
        if (n % 3 != 0) now += 50ms;
        r.group_opened(g(n + 1), true, now);
    }
    CHECK(r.bytes() == 64 * kib);
}

} // namespace moqlite::test::read_ahead_test

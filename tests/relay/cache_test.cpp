// The cache of a relay: what is evicted first, and what stays.
#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <moqlite/relay/cache.hpp>
#include <string>
#include <utility>
#include <vector>

namespace moqlite::test::cache_test {

using namespace std::chrono_literals;
using relaying::log_entry;
using relaying::track_log;

namespace {

constexpr time_point t0{1s};
constexpr std::size_t smallest = 960; ///< A group of a few bytes takes a slab of this size.

struct shelf {
    explicit shelf(std::size_t cached = 10 * smallest, std::size_t memory = SIZE_MAX)
        : bounds{.cache = cached, .memory = memory, .cache_age = 30s}, pool(memory), kept(pool, bounds) {}
    ~shelf() {
        for (auto* log : {&a, &b}) kept.forget(*log);
    }
    log_entry& arriving(track_log& log, std::uint64_t sequence, std::size_t size = 10, time_point now = t0) {
        auto g = group::make(pool, group_sequence{sequence}, version::lite_05);
        auto& e = kept.add(log, g, {.session = publisher, .group = group_id{sequence}}, now);
        // As received from the network, in pieces.
        REQUIRE(g->begin_frame(timestamp{0}, size));
        for (const std::string part(1000, 'x'); size != 0;) {
            const auto n = std::min(size, part.size());
            REQUIRE(g->append_payload(as_bytes(part).first(n)));
            size -= n;
        }
        return e;
    }
    log_entry& whole(track_log& log, std::uint64_t sequence, std::size_t size = 10, time_point now = t0) {
        auto& e = arriving(log, sequence, size, now);
        REQUIRE(e.group->finish());
        kept.complete(e, now);
        return e;
    }
    void enforce(time_point now) {
        kept.enforce(now, [&](relaying::source from) { stopped.emplace_back(from.session, number(from.group)); });
    }
    static std::vector<std::uint64_t> numbers(track_log& log) {
        std::vector<std::uint64_t> out;
        log.for_each(group_sequence{}, {}, [&](log_entry& e) { out.push_back(number(e.group->sequence())); });
        return out;
    }
    limits bounds;
    slab_pool pool;
    relaying::cache kept;
    track_log a{kept.memory_of_entries()}, b{kept.memory_of_entries()};
    std::uint64_t publisher = 1;                                  ///< Of the next group.
    std::vector<std::pair<std::uint64_t, std::uint64_t>> stopped; ///< Publisher and group.
};

using numbers = std::vector<std::uint64_t>;

} // namespace

TEST_CASE("a log finds its groups by number", "[relay][cache]") {
    shelf s;
    CHECK(s.a.empty());
    CHECK(s.a.newest() == nullptr);
    s.whole(s.a, 3);
    s.whole(s.a, 1);
    CHECK(s.a.lowest() == group_sequence{1});
    CHECK(s.a.newest()->group->sequence() == group_sequence{3});
    CHECK(s.a.find(group_sequence{1}) != nullptr);
    CHECK(s.a.find(group_sequence{2}) == nullptr);
    numbers seen;
    s.a.for_each(
        group_sequence{2}, group_sequence{3}, [&](log_entry& e) { seen.push_back(number(e.group->sequence())); });
    CHECK(seen == numbers{3});
}

TEST_CASE("a cache counts what has arrived whole, and gives it all back", "[relay][cache]") {
    shelf s;
    s.whole(s.a, 0);
    auto& second = s.arriving(s.a, 1);
    CHECK(s.kept.bytes() == smallest);
    CHECK(second.group->finish());
    s.kept.complete(second, t0);
    CHECK(s.kept.bytes() == 2 * smallest);
    CHECK(s.kept.added() == 2);
    s.kept.forget(s.a);
    CHECK(s.a.empty());
    CHECK(s.kept.bytes() == 0);
    CHECK(s.pool.in_use() == 0);
}

TEST_CASE(
    "beyond its bytes the oldest groups are dropped, of any track, but the newest of a track last", "[relay][cache]") {
    shelf s{3 * smallest};
    s.whole(s.b, 7);
    for (unsigned n = 0; n < 4; ++n) s.whole(s.a, n);
    s.enforce(t0);
    CHECK(s.kept.bytes() <= s.bounds.cache);
    CHECK(shelf::numbers(s.b) == numbers{7});
    CHECK(shelf::numbers(s.a) == numbers{2, 3});
    CHECK(s.a.floor == group_sequence{2});
    CHECK_FALSE(s.b.floor);
}

TEST_CASE("even the newest is dropped if there is no room for it", "[relay][cache]") {
    shelf s{3 * smallest};
    s.whole(s.a, 0);
    s.whole(s.b, 5000, 20 * smallest);
    s.enforce(t0);
    CHECK(s.kept.bytes() <= s.bounds.cache);
    CHECK(s.b.empty());
    CHECK(s.b.floor == group_sequence{5001});
    // An eviction that would free nothing is left out.
    CHECK(shelf::numbers(s.a) == numbers{0});
}

TEST_CASE("a loud track pushes out its own groups, and never the newest of a quiet one", "[relay][cache]") {
    shelf s{8 * smallest};
    s.whole(s.b, 3);
    s.whole(s.b, 4); // A catalogue, written once.
    for (unsigned n = 0; n < 200; ++n) {
        s.whole(s.a, n, 10, t0 + n * 1s);
        s.enforce(t0 + n * 1s);
        CHECK(s.kept.bytes() <= s.bounds.cache);
    }
    CHECK(shelf::numbers(s.b) == numbers{4});
    CHECK(shelf::numbers(s.a).size() == 7);
    // Even if each group of the loud track is as large as the cache.
    for (unsigned n = 200; n < 210; ++n) {
        s.whole(s.a, n, 12 * smallest, t0 + n * 1s);
        s.enforce(t0 + n * 1s);
    }
    CHECK(shelf::numbers(s.b) == numbers{4});
    CHECK(s.a.empty());
}

TEST_CASE("a group that a newer one follows is no longer spared", "[relay][cache]") {
    shelf s{4 * smallest};
    s.whole(s.b, 0);
    auto& next = s.arriving(s.b, 1);
    for (unsigned n = 0; n < 5; ++n) s.whole(s.a, n);
    s.enforce(t0);
    CHECK(shelf::numbers(s.b) == numbers{1}); // Its newest is arriving.
    CHECK(next.group->finish());
    s.kept.complete(next, t0);
    s.kept.forget(s.a);
    s.whole(s.b, 2, 40 * smallest);
    s.enforce(t0);
    CHECK(shelf::numbers(s.b).empty());
}

TEST_CASE("beyond its age a group is dropped, but the newest of a quiet track stays", "[relay][cache]") {
    shelf s;
    s.whole(s.a, 0);
    s.whole(s.a, 1);
    s.whole(s.a, 2, 10, t0 + 10s);
    s.whole(s.b, 9);
    CHECK(s.kept.deadline() == t0 + 30s);
    s.enforce(t0 + 29s);
    CHECK(shelf::numbers(s.a) == numbers{0, 1, 2});
    s.enforce(t0 + 30s);
    CHECK(shelf::numbers(s.a) == numbers{2});
    CHECK(shelf::numbers(s.b) == numbers{9});
    CHECK(s.kept.deadline() == t0 + 40s);
    s.enforce(t0 + 1h);
    CHECK(shelf::numbers(s.a) == numbers{2});
    CHECK(s.kept.deadline() == t0 + 1h + 30s);
}

TEST_CASE(
    "what a complete reader has not asked for yet outlives its age, but not the cache's bytes", "[relay][cache]") {
    shelf s;
    for (unsigned n = 0; n < 5; ++n) s.whole(s.a, n);
    s.a.wanted = group_sequence{1};
    s.enforce(t0 + 1h);
    CHECK(shelf::numbers(s.a) == numbers{2, 3, 4});
    s.a.wanted = group_sequence{3};
    s.enforce(t0 + 2h);
    CHECK(shelf::numbers(s.a) == numbers{4});
    s.a.wanted = group_sequence{0};
    for (unsigned n = 5; n < 50; ++n) s.whole(s.a, n, 10, t0 + 2h);
    s.enforce(t0 + 2h);
    CHECK(s.a.lowest() == group_sequence{40});
}

TEST_CASE("near the limit of memory, a group that is arriving loses its head first", "[relay][cache][memory]") {
    shelf s{1 << 20, 1 << 20};
    s.whole(s.a, 0, 300'000);
    auto& large = s.arriving(s.b, 0, 600'000);
    CHECK(s.pool.in_use() > (1 << 20) / 8 * 7);
    s.enforce(t0);
    CHECK(large.group->lost_head() > 0);
    CHECK(large.group->memory() < 100'000);
    CHECK(shelf::numbers(s.a) == numbers{0});
    CHECK(shelf::numbers(s.b) == numbers{0});
}

TEST_CASE("near the limit of memory, readers of groups that the cache has dropped lose them first",
    "[relay][cache][memory]") {
    shelf s{530'000, 1 << 20};
    wake_queue queue;
    group_reader slow, fresh;
    slow.attach(s.whole(s.a, 0, 460'000).group, queue);
    s.whole(s.a, 1, 60'000);
    s.enforce(t0);
    CHECK(shelf::numbers(s.a) == numbers{1});
    CHECK_FALSE(slow.evicted());
    fresh.attach(s.whole(s.b, 0, 350'000).group, queue);
    s.enforce(t0);
    CHECK(slow.evicted() == app_error::evicted);
    CHECK_FALSE(fresh.evicted());
}

TEST_CASE("near the limit of memory, no more is evicted than brings it below", "[relay][cache][memory][regression]") {
    shelf s{2 << 20, 1 << 20};
    wake_queue queue;
    std::vector<group_reader> readers(15);
    for (unsigned n = 0; n < 15; ++n) readers[n].attach(s.whole(s.a, n, 60'000).group, queue);
    CHECK(s.pool.in_use() > (1 << 20) / 8 * 7);
    s.enforce(t0);
    // Readers pin until their sessions are pumped, which is counted.
    numbers evicted;
    for (const auto& r : readers)
        if (r.evicted()) evicted.push_back(number(r.source()->sequence()));
    CHECK(evicted == numbers{0, 1});
    CHECK(s.a.lowest() == group_sequence{2});
}

TEST_CASE("near the limit of memory, the publisher that has left most unfinished loses the oldest of it",
    "[relay][cache][memory]") {
    shelf s{1 << 20, 1 << 20};
    s.publisher = 7;
    auto& healthy = s.arriving(s.a, 0, 50'000);
    s.publisher = 8;
    for (unsigned n = 0; n < 13; ++n) s.arriving(s.b, n, 60'000);
    CHECK(s.pool.in_use() > (1 << 20) / 8 * 7);
    s.enforce(t0);
    const auto before = s.pool.in_use();
    CHECK(before <= (1 << 20) / 8 * 7);
    CHECK(healthy.group->lost_head() == 0);
    CHECK(shelf::numbers(s.a) == numbers{0});
    // Freeing heads was enough. Now there are none left.
    for (unsigned n = 13; s.stopped.empty() && n < 100; ++n) {
        s.arriving(s.b, n, 900);
        for (int i = 0; i < 16; ++i) s.arriving(s.b, 1000 + 16 * n + static_cast<unsigned>(i), 900);
        s.enforce(t0);
    }
    REQUIRE_FALSE(s.stopped.empty());
    CHECK(s.stopped.front() == std::pair<std::uint64_t, std::uint64_t>{8, 0});
    CHECK(std::all_of(s.stopped.begin(), s.stopped.end(), [](const auto& x) { return x.first == 8; }));
    CHECK(healthy.group->lost_head() == 0);
    CHECK(s.pool.in_use() <= (1 << 20) / 8 * 7);
}

TEST_CASE("near the limit of memory, a reader that is far behind in a long group loses it, one that keeps up does not",
    "[relay][cache][memory]") {
    shelf s{1 << 20, 1 << 20};
    wake_queue queue;
    group_reader slow, quick;
    auto g = group::make(s.pool, group_sequence{0}, version::lite_05);
    slow.attach(g, queue);
    quick.attach(g, queue);
    s.kept.add(s.a, g, {.session = 1}, t0);
    const std::string part(1000, 'x');
    REQUIRE(g->begin_frame(timestamp{0}, 10'000'000));
    for (int i = 0; i < 950; ++i) {
        REQUIRE(g->append_payload(as_bytes(part)));
        quick.wrote(quick.unsent());
        quick.acked(quick.unacked());
    }
    s.enforce(t0);
    CHECK(slow.evicted() == app_error::evicted);
    CHECK_FALSE(quick.evicted());
    CHECK(shelf::numbers(s.a) == numbers{0});
    CHECK(s.stopped.empty());
}

TEST_CASE("a cache with age 0 terminates", "[relay][cache][regression]") {
    shelf s;
    s.bounds.cache_age = 0s;
    relaying::cache brief{s.pool, s.bounds};
    auto g = group::make(s.pool, group_sequence{0}, version::lite_05);
    track_log log{brief.memory_of_entries()};
    brief.add(log, g, {}, t0);
    brief.enforce(t0, [](relaying::source) {});
    CHECK(brief.deadline() > t0);
    brief.enforce(t0 + 1s, [](relaying::source) {});
    CHECK(brief.deadline() > t0 + 1s);
    brief.forget(log);
}

TEST_CASE("empty groups are bounded, too", "[relay][cache][regression]") {
    shelf s;
    s.a.wanted = group_sequence{0}; // None of it is dropped by age.
    std::size_t most = 0;
    for (unsigned n = 0; n < 1000; ++n) {
        auto g = group::make(s.pool, group_sequence{n}, version::lite_05);
        auto& e = s.kept.add(s.a, g, {}, t0);
        REQUIRE(g->finish());
        s.kept.complete(e, t0);
        s.enforce(t0);
        most = std::max(most, shelf::numbers(s.a).size());
    }
    CHECK(most < 50);
}

TEST_CASE("a group that arrives slowly keeps its head for a complete reader that has not asked for it yet",
    "[relay][cache][regression]") {
    shelf s;
    s.a.wanted = group_sequence{0};
    auto& slow = s.arriving(s.a, 1, 100'000);
    s.arriving(s.a, 2);
    s.enforce(t0 + 1h);
    CHECK(slow.group->lost_head() == 0);
    s.a.wanted.reset();
    s.enforce(t0 + 2h);
    CHECK(slow.group->lost_head() > 0);
}

// Issue 10, B1.
TEST_CASE("near the limit of memory the groups themselves count, though they are empty", "[relay][cache][memory]") {
    shelf s{1 << 20, 64 * 1024};
    std::uint64_t n = 0;
    for (; s.pool.charged() <= 60 * 1024; ++n) {
        const auto g = group::make(s.pool, group_sequence{n}, version::lite_05);
        REQUIRE(g);
        auto& e = s.kept.add(s.a, g, {}, t0);
        REQUIRE(g->finish());
        s.kept.complete(e, t0);
    }
    REQUIRE(s.pool.in_use() == 0);
    s.enforce(t0);
    CHECK(s.pool.charged() <= 64 * 1024 / 8 * 7);
    CHECK(s.pool.charged() >= 64 * 1024 / 2);
    CHECK(s.a.newest()->group->sequence() == group_sequence{n - 1});
}

TEST_CASE("headers that are made for a reader of another format count as part of the cached group", "[relay][cache]") {
    shelf s{2 * smallest};
    auto& first = s.whole(s.a, 0);
    s.whole(s.a, 1);
    s.enforce(t0);
    REQUIRE(shelf::numbers(s.a) == std::vector<std::uint64_t>{0, 1});
    wake_queue wake;
    group_reader reader;
    std::array<byte_view, 4> ranges;
    reader.attach(first.group, wake, frame_format::lite_leading_ones);
    REQUIRE(reader.lend(ranges, SIZE_MAX).bytes != 0);
    s.enforce(t0);
    CHECK(shelf::numbers(s.a) == std::vector<std::uint64_t>{1});
    CHECK(s.kept.bytes() == smallest);
    // The newest of its track, where the largest goes first.
    auto& newest = s.whole(s.b, 0);
    group_reader other;
    other.attach(newest.group, wake, frame_format::lite_leading_ones);
    REQUIRE(other.lend(ranges, SIZE_MAX).bytes != 0);
    s.enforce(t0);
    CHECK(shelf::numbers(s.b).empty());
    CHECK(shelf::numbers(s.a) == std::vector<std::uint64_t>{1});
    // One that is arriving counts when it is complete.
    auto& open = s.arriving(s.b, 1);
    group_reader third;
    third.attach(open.group, wake, frame_format::lite_leading_ones);
    REQUIRE(open.group->write_frame(timestamp{0}, as_bytes("x")));
    REQUIRE(third.lend(ranges, SIZE_MAX).bytes != 0);
    s.enforce(t0);
    CHECK(s.kept.bytes() == smallest);
}

TEST_CASE("a group that is in the logs of two tracks is counted in each, also when the other has gone",
    "[relay][cache][regression]") {
    shelf s{2 * smallest};
    const auto grown = [](const log_entry& e, group_reader& by) {
        wake_queue wake;
        std::array<byte_view, 4> ranges;
        by.attach(e.group, wake, frame_format::lite_leading_ones);
        REQUIRE(by.lend(ranges, SIZE_MAX).bytes != 0);
        by.detach();
    };
    auto& first = s.whole(s.a, 0);
    auto& second = s.kept.add(s.b, first.group, {.session = 1, .group = group_id{1}}, t0);
    s.kept.complete(second, t0);
    CHECK(s.kept.bytes() == 2 * smallest);
    group_reader reader;
    SECTION("both grow") {
        grown(first, reader);
        s.kept.enforce(t0, [](auto) {});
        CHECK(s.kept.bytes() <= s.bounds.cache);
        CHECK(shelf::numbers(s.a).size() + shelf::numbers(s.b).size() < 2);
    }
    SECTION("one has gone") {
        s.kept.forget(s.b);
        CHECK(s.kept.bytes() == smallest);
        grown(first, reader);
        s.enforce(t0);
        CHECK((s.kept.bytes() == 0 || s.kept.bytes() > smallest)); // Too large now, or counted as larger.
    }
}

} // namespace moqlite::test::cache_test

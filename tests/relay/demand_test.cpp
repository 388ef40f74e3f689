// The combined demand of a track's readers, after any history of joins, updates and leaves.
#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <moqlite/relay/demand.hpp>
#include <vector>

namespace moqlite::test::demand_test {

using relaying::demand;

namespace {

/// The same by looking at every reader.
subscribe_options sum_of(const std::vector<subscribe_options>& readers) {
    subscribe_options sum{.priority = 0, .ordered = true};
    for (const auto& o : readers) {
        sum.priority = std::max(sum.priority, o.priority);
        sum.ordered = sum.ordered && o.ordered;
        sum.max_age = std::max(sum.max_age, o.max_age);
        if (o.end) sum.end = std::max(sum.end.value_or(*o.end), *o.end);
    }
    return sum;
}

} // namespace

TEST_CASE("the sum of all readers is the same as by looking at each of them", "[relay][demand]") {
    demand d;
    std::vector<subscribe_options> readers;
    std::uint64_t dice = 7;
    const auto roll = [&](std::uint64_t n) {
        dice = dice * 6364136223846793005u + 1442695040888963407u;
        return (dice >> 33) % n;
    };
    for (int i = 0; i < 5000; ++i) {
        if (!readers.empty() && roll(2) == 0) {
            const auto leaving = readers.begin() + static_cast<std::ptrdiff_t>(roll(readers.size()));
            d.remove(*leaving);
            readers.erase(leaving);
        } else {
            subscribe_options o{.priority = static_cast<priority>(roll(4)),
                .ordered = roll(5) != 0,
                .max_age = milliseconds{roll(3) * 100}};
            if (roll(4) != 0) o.end = group_sequence{roll(6)};
            d.add(o);
            readers.push_back(o);
        }
        REQUIRE(d.readers() == readers.size());
        REQUIRE(d.sum() == sum_of(readers));
    }
}

TEST_CASE("the lowest and the highest Group End are of those that have one", "[relay][demand]") {
    demand d;
    CHECK_FALSE(d.lowest_end());
    d.add({});
    d.add({.end = group_sequence{4}});
    d.add({.end = group_sequence{9}});
    CHECK(d.live() == 1);
    CHECK(d.lowest_end() == group_sequence{4});
    CHECK(d.highest_end() == group_sequence{9});
    CHECK(d.sum().end == group_sequence{9}); // A live reader does not remove it for others.
    d.remove({});
    CHECK(d.live() == 0);
    CHECK(d.sum().end == group_sequence{9});
    d.remove({.end = group_sequence{9}});
    CHECK(d.sum().end == group_sequence{4});
}

} // namespace moqlite::test::demand_test

// Which groups are accounted for, as a bounded set of ranges.
#include <catch2/catch_test_macros.hpp>
#include <moqlite/relay/group_ranges.hpp>
#include <random>
#include <set>
#include <utility>
#include <vector>

namespace moqlite::test::group_ranges_test {

namespace {

using gaps = std::vector<std::pair<std::uint64_t, std::uint64_t>>;

void add(relaying::group_ranges& r, std::uint64_t first, std::uint64_t last) {
    r.add(group_sequence{first}, group_sequence{last});
}
gaps of(const relaying::group_ranges& r, std::uint64_t from, std::uint64_t end) {
    gaps out;
    r.for_each_gap(group_sequence{from}, group_sequence{end},
        [&](group_sequence first, group_sequence last) { out.emplace_back(number(first), number(last)); });
    return out;
}

} // namespace

TEST_CASE("gaps are what was not added", "[relay][ranges]") {
    std::mt19937 random{7};
    for (int round = 0; round != 500; ++round) {
        relaying::group_ranges r;
        std::set<std::uint64_t> all;
        for (int i = 0; i != 12; ++i) {
            const auto first = random() % 40;
            const auto last = first + random() % 4;
            add(r, first, last);
            for (auto n = first; n <= last; ++n) all.insert(n);
        }
        const auto from = random() % 20, end = from + random() % 30;
        std::set<std::uint64_t> missing;
        for (const auto& [first, last] : of(r, from, end))
            for (auto n = first; n <= last; ++n) CHECK(missing.insert(n).second);
        for (auto n = from; n < end; ++n) CHECK(missing.contains(n) != all.contains(n));
        CHECK((missing.empty() || (*missing.begin() >= from && *missing.rbegin() < end)));
    }
}

TEST_CASE("of too many gaps the lowest are forgotten", "[relay][ranges][attack]") {
    relaying::group_ranges r;
    for (std::uint64_t n = 0; n != 100'000; ++n) add(r, 2 * n, 2 * n);
    const auto left = of(r, 0, 200'000);
    CHECK(left.size() == 64);
    CHECK(left.back() == std::pair<std::uint64_t, std::uint64_t>{199'999, 199'999});
    constexpr std::uint64_t most = (std::uint64_t{1} << 62) - 1;
    add(r, most, most);
    CHECK(of(r, most - 1, most).size() == 1);
    CHECK(of(r, 10, 10).empty());
}

} // namespace moqlite::test::group_ranges_test

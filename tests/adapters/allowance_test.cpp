// Limits on what unvalidated clients can make an endpoint send: per source and in total.
#include "../../adapters/ngtcp2/detail/allowance.hpp"

#include <catch2/catch_test_macros.hpp>
#include <string>
#include <vector>

namespace moqlite::test::allowance_test {

namespace {

using namespace std::chrono_literals;
using ngtcp2::detail::allowance_by_source;

const time_point start{1h};

link::address host(unsigned n, std::uint16_t port = 1000) {
    return *link::address::parse("10.0." + std::to_string(n / 256) + "." + std::to_string(n % 256), port);
}
/// How many of `tries` are granted.
int granted(allowance_by_source& a, const link::address& from, time_point now, int tries) {
    int n = 0;
    for (int i = 0; i < tries; ++i) n += a.take(from, now) ? 1 : 0;
    return n;
}

} // namespace

TEST_CASE("a source gets its share of each second and no more, from whatever ports") {
    allowance_by_source a{5, 100};
    a.rekey(1);
    CHECK(granted(a, host(1), start, 3) == 3);
    CHECK(granted(a, host(1, 2000), start + 500ms, 9) == 2);
    CHECK(granted(a, host(1), start + 999ms, 9) == 0);
    CHECK(granted(a, host(1), start + 1s, 9) == 5);
}

TEST_CASE("one source's use does not reduce the others' share, and the total is bounded") {
    allowance_by_source a{5, 1000};
    a.rekey(1);
    CHECK(granted(a, host(0), start, 1000) == 5);
    int all = 5, alone = 0;
    for (unsigned n = 1; n <= 100; ++n) {
        const auto its = granted(a, host(n), start, 5);
        all += its;
        alone += its == 5 ? 1 : 0;
    }
    CHECK(alone >= 85); // Some share a counter.
    for (unsigned n = 101; n < 5000; ++n) all += granted(a, host(n), start, 5);
    CHECK(all == 1000);
}

TEST_CASE("which sources share a counter depends on the key") {
    const auto shares_with_first = [](std::uint64_t key) {
        allowance_by_source a{1, 100'000};
        a.rekey(key);
        std::vector<unsigned> found;
        static_cast<void>(a.take(host(0), start));
        for (unsigned n = 1; n < 20'000; ++n) {
            allowance_by_source one = a;
            if (!one.take(host(n), start)) found.push_back(n);
        }
        return found;
    };
    const auto first = shares_with_first(1), second = shares_with_first(2);
    REQUIRE(!first.empty());
    CHECK(first != second);
}

} // namespace moqlite::test::allowance_test

// How many runs a scenario gets: 1 000 seeds in Release, 100 under sanitizers.
#pragma once

#include <catch2/catch_test_macros.hpp>
#include <cstdint>
#include <cstdlib>
#include <string>

namespace moqlite::sim {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr std::uint64_t default_seeds = 100;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
inline constexpr std::uint64_t default_seeds = 100;
#else
inline constexpr std::uint64_t default_seeds = 1000;
#endif
#else
inline constexpr std::uint64_t default_seeds = 1000;
#endif

/// Calls run(seed) for each seed, and every tenth twice: the hash of what was said must be the same.
/// MOQLITE_SEEDS=<n> runs n of them, MOQLITE_SEED=<n> only that one.
template <class Run>
void for_each_seed(Run&& run, std::uint64_t share = 1) {
    std::uint64_t first = 0;
    std::uint64_t count = default_seeds / share;
    if (const char* n = std::getenv("MOQLITE_SEEDS")) count = std::stoull(n) / share;
    if (const char* n = std::getenv("MOQLITE_SEED")) first = std::stoull(n), count = 1;
    for (auto seed = first; seed < first + count; ++seed) {
        INFO("MOQLITE_SEED=" << seed);
        const auto said = run(seed);
        if (seed % 10 == 0) REQUIRE(run(seed) == said);
    }
}

} // namespace moqlite::sim

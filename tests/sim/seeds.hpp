// The number of runs of a scenario: that of its transport in Release, a tenth under sanitizers.
#pragma once

#include "world.hpp"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace moqlite::sim {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr std::uint64_t slowness = 10;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
inline constexpr std::uint64_t slowness = 10;
#else
inline constexpr std::uint64_t slowness = 1;
#endif
#else
inline constexpr std::uint64_t slowness = 1;
#endif

/// Calls run(seed) for each seed, and every tenth twice: the hash of the output must be the same.
/// MOQLITE_SEEDS=<n> runs n of them, MOQLITE_SEED=<n> only that one; MOQLITE_HASH=1 shows the hashes.
template <class Net, class Run>
void for_each_seed(Run&& run, std::uint64_t share = 1) {
    static const bool shown = std::getenv("MOQLITE_HASH") != nullptr;
    std::uint64_t first = 0;
    std::uint64_t count = Net::seeds / slowness / share;
    if (const char* n = std::getenv("MOQLITE_SEEDS")) count = std::stoull(n) / share;
    count = std::max<std::uint64_t>(count, all_versions.size()); // Each version at least once: world::spoken.
    if (const char* n = std::getenv("MOQLITE_SEED")) first = std::stoull(n), count = 1;
    for (auto seed = first; seed < first + count; ++seed) {
        INFO("MOQLITE_SEED=" << seed);
        try {
            const auto said = run(seed);
            if (shown) std::printf("%" PRIu64 " %016" PRIx64 "\n", seed, said);
            if (seed % 10 == 0) REQUIRE(run(seed) == said);
        } catch (...) {
            if (!world::plan().empty()) std::fprintf(stderr, "seed %" PRIu64 "\n%s", seed, world::plan().c_str());
            throw;
        }
    }
}

} // namespace moqlite::sim

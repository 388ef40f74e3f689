// The cache of a relay: the cost of eviction.
#include "cost.hpp"

#include <chrono>
#include <cstdlib>
#include <memory>
#include <moqlite/relay/cache.hpp>
#include <vector>

namespace moqlite::bench::costs {

namespace {

using namespace std::chrono_literals;

/// A loud track writes 500 groups into a full cache beside N tracks of one group each.
void loud_beside_quiet(std::size_t n) {
    slab_pool pool{SIZE_MAX};
    limits bounds{.cache = (n + 8) * 1024, .memory = SIZE_MAX};
    relaying::cache kept{pool, bounds};
    std::vector<std::unique_ptr<relaying::track_log>> quiet;
    time_point now{1s};
    const std::vector<std::byte> payload(100);
    const auto add = [&](relaying::track_log& log, std::uint64_t sequence) {
        const auto g = group::make(pool, group_sequence{sequence}, version::lite_05);
        auto& e = kept.add(log, g, {}, now);
        static_cast<void>(g->write_frame(timestamp{0}, payload));
        static_cast<void>(g->finish());
        kept.complete(e, now);
        now += 1ms;
        kept.enforce(now, [](relaying::source) {});
    };
    for (std::size_t i = 0; i != n; ++i)
        add(*quiet.emplace_back(std::make_unique<relaying::track_log>(kept.memory_of_entries())), 0);
    relaying::track_log loud{kept.memory_of_entries()};
    std::uint64_t next = 0;
    for (int i = 0; i != 500; ++i) add(loud, next++);
    {
        const measured on;
        for (int i = 0; i != 500; ++i) add(loud, next++);
    }
    for (auto& log : quiet) {
        if (log->empty()) std::abort();
        kept.forget(*log);
    }
    kept.forget(loud);
}

const scenes ours{{"B16 a loud track fills the cache beside N quiet ones", 1000, 1.2, loud_beside_quiet}};

} // namespace

} // namespace moqlite::bench::costs

// What a peer takes of announcements, divided among the sessions that published them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <moqlite/containers/id_table.hpp>
#include <moqlite/core/limits.hpp>

namespace moqlite::detail {

/// Counts the broadcasts announced to a peer, by source. One source may use half of what the others leave, so that a
/// peer that publishes a flood does not keep the broadcasts of others from being announced; the last eighth is reserved
/// for sources that have nothing announced.
class announce_shares {
public:
    /// Counts one more broadcast with a path of this size; `source` 0: our own, bounded by the total alone. False: it
    /// does not fit, and is not counted.
    bool add(const limits& most, std::uint32_t source, std::size_t bytes) {
        const use* found = source != 0 ? by_source_.find(source) : nullptr;
        const use its = found != nullptr ? *found : use{};
        if (!fits(most.announcements, all_.count, its.count, 1, source)) return false;
        if (!fits(most.announced_bytes, all_.bytes, its.bytes, bytes, source)) return false;
        if (source != 0) change(found != nullptr ? *by_source_.find(source) : by_source_.insert(source, {}), 1, bytes);
        change(all_, 1, bytes);
        return true;
    }
    void remove(std::uint32_t source, std::size_t bytes) noexcept {
        change(all_, SIZE_MAX, 0 - bytes);
        use* its = by_source_.find(source);
        if (its == nullptr) return;
        change(*its, SIZE_MAX, 0 - bytes);
        if (its->count == 0) by_source_.erase(source);
    }

private:
    struct use {
        std::size_t count = 0;
        std::size_t bytes = 0;
    };
    static void change(use& u, std::size_t count, std::size_t bytes) noexcept {
        u.count += count;
        u.bytes += bytes;
    }
    static bool fits(
        std::size_t most, std::size_t all, std::size_t its, std::size_t more, std::uint32_t source) noexcept {
        if (source == 0 || its == 0) return all + more <= most;
        const auto shared = most - most / 8;
        const auto others = all - its;
        return its + more <= (shared - std::min(shared, others)) / 2;
    }

    use all_;
    id_table<use> by_source_;
};

} // namespace moqlite::detail

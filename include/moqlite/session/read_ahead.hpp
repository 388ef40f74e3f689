// How far ahead of its position a complete reader sets its Group End.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <moqlite/core/ids.hpp>
#include <moqlite/core/limits.hpp>
#include <moqlite/core/time.hpp>

namespace moqlite {

/// Starts small, since bytes in flight that cannot be read yet only fill queues (and caches) on the path. Doubles when
/// the reader has repeatedly waited for groups that it had allowed too late.
class read_ahead {
public:
    explicit read_ahead(const limits& bounds) noexcept
        : most_(bounds.read_ahead), bytes_(std::min(bounds.read_ahead, bounds.read_ahead_start)) {}

    /// In groups, including the one being read, estimated from recent group sizes. Small groups cost memory too.
    [[nodiscard]] std::uint64_t distance() const noexcept {
        if (!seen_) return groups_min;
        return std::clamp<std::uint64_t>(bytes_ / (group_size_ + group_overhead), groups_min, groups_max);
    }
    /// Whether raising a Group End from `old` to `fresh` is worth an update.
    [[nodiscard]] bool worth_it(group_sequence old, group_sequence fresh) const noexcept {
        return number(fresh) >= number(old) + std::max<std::uint64_t>(1, distance() / 4);
    }
    [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }

    /// The Group End was raised beyond `old`.
    void raised(group_sequence old, time_point now) noexcept {
        if (!raise_.watched) raise_ = {.watched = true, .old = old, .at = now};
    }
    /// The last byte of a group has arrived.
    void group_closed(group_sequence sequence, std::uint64_t size, time_point now) noexcept {
        group_size_ = std::max(group_size_ - group_size_ / 8, size);
        seen_ = true;
        if (raise_.watched && sequence == raise_.old) raise_.exhausted = std::max(now, raise_.at);
    }
    /// The first byte of a group has arrived; `drained`: everything before it has been read.
    void group_opened(group_sequence sequence, bool drained, time_point now) noexcept {
        if (!raise_.watched || sequence <= raise_.old) return;
        const auto waited = raise_.exhausted != time_point{} ? now - raise_.exhausted : duration{};
        // More than a quarter of the time until the raise took effect was spent waiting.
        const bool too_late = waited >= wait_min && 4 * waited > now - raise_.at;
        raise_ = {};
        waits_ = too_late && drained ? waits_ + 1 : 0;
        if (waits_ < waits_needed) return;
        bytes_ = std::min(2 * bytes_, most_);
        waits_ = 0;
    }

    static constexpr std::uint64_t groups_max = 512;

private:
    /// The raise whose effect is being watched.
    struct raise {
        bool watched = false;
        group_sequence old{};
        time_point at{};
        time_point
            exhausted{}; ///< When everything allowed before the raise had arrived, but not before `at`; 0: not yet.
    };
    static constexpr std::uint64_t groups_min = 2;
    static constexpr duration wait_min =
        std::chrono::milliseconds{5};      ///< A shorter wait is the scheduler's, not the network's.
    static constexpr int waits_needed = 3; ///< In a row: a single delay of the publisher is no reason.
    static constexpr std::uint64_t group_overhead = 2048;
    std::size_t most_;
    std::size_t bytes_;
    std::uint64_t group_size_ = 0; ///< The largest of the recent groups.
    bool seen_ = false;
    int waits_ = 0;
    raise raise_;
};

} // namespace moqlite

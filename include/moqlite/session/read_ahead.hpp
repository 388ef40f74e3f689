// How far ahead of where it reads a complete reader sets its Group End.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <moqlite/core/ids.hpp>
#include <moqlite/core/limits.hpp>
#include <moqlite/core/time.hpp>

namespace moqlite {

/// Begins small, since what is under way and cannot be read yet only fills queues (and caches) on the
/// path, and doubles when the reader has to wait, again and again, for groups that the publisher was
/// told of too late.
class read_ahead {
public:
    explicit read_ahead(const limits& bounds) noexcept
        : most_(bounds.read_ahead), bytes_(std::min(bounds.read_ahead, bounds.read_ahead_start)) {}

    /// In groups, the one that is being read included; by the size of those seen. Small ones cost memory too.
    [[nodiscard]] std::uint64_t distance() const noexcept {
        if (!seen_) return least;
        return std::clamp<std::uint64_t>(bytes_ / (group_size_ + group_overhead), least, most_groups);
    }
    /// Whether it is worth an update to raise a Group End from `old` to `fresh`.
    [[nodiscard]] bool worth_it(group_sequence old, group_sequence fresh) const noexcept {
        return number(fresh) >= number(old) + std::max<std::uint64_t>(1, distance() / 4);
    }
    [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }

    /// The publisher is told that it may go beyond `old`.
    void raised(group_sequence old, time_point now) noexcept {
        if (!raise_.watched) raise_ = {.watched = true, .old = old, .at = now};
    }
    /// The last byte of a group has come.
    void group_closed(group_sequence sequence, std::uint64_t size, time_point now) noexcept {
        group_size_ = std::max(group_size_ - group_size_ / 8, size);
        seen_ = true;
        if (raise_.watched && sequence == raise_.old) raise_.exhausted = std::max(now, raise_.at);
    }
    /// The first byte of a group has come; `drained`: all before it has been read.
    void group_opened(group_sequence sequence, bool drained, time_point now) noexcept {
        if (!raise_.watched || sequence <= raise_.old) return;
        const auto waited = raise_.exhausted != time_point{} ? now - raise_.exhausted : duration{};
        // Of the time that the raise took to have an effect, more than a quarter was spent waiting.
        const bool too_late = waited >= shortest_wait && 4 * waited > now - raise_.at;
        raise_ = {};
        waits_ = too_late && drained ? waits_ + 1 : 0;
        if (waits_ < enough_waits) return;
        bytes_ = std::min(2 * bytes_, most_);
        waits_ = 0;
    }

    static constexpr std::uint64_t most_groups = 512;

private:
    /// The one that is being watched.
    struct raise {
        bool watched = false;
        group_sequence old{};
        time_point at{};
        time_point exhausted{}; ///< When all that was allowed before had come, and not before it; 0: not yet.
    };
    static constexpr std::uint64_t least = 2;
    static constexpr duration shortest_wait = std::chrono::milliseconds{5}; ///< Less is a scheduler's, not a network's.
    static constexpr int enough_waits = 3; ///< One after the other: a publisher that stumbles once is no reason.
    static constexpr std::uint64_t group_overhead = 2048;
    std::size_t most_;
    std::size_t bytes_;
    std::uint64_t group_size_ = 0; ///< Of recent groups, the largest.
    bool seen_ = false;
    int waits_ = 0;
    raise raise_;
};

} // namespace moqlite

// Black hole detection (RFC 8899 §4.3): ngtcp2 finds the largest packet size of a path once and keeps it, so that after
// a change of route large packets are lost, while small ones, which keep both ends alive, still arrive.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <moqlite/core/time.hpp>
#include <span>

namespace moqlite::ngtcp2::detail {

/// The size that every path carries (RFC 9000 §14).
inline constexpr std::size_t smallest_path = 1200;

/// The state of a connection's packets when its turn begins.
struct path_sample {
    std::uint64_t lost = 0;      ///< Packets, since the connection began; 0 where ngtcp2 does not count them.
    std::uint64_t in_flight = 0; ///< Bytes.
    std::size_t size = 0;        ///< The largest packet that ngtcp2 would send.
    duration pto{};
};

/// Bounds the size of a connection's packets: to 1200 bytes when larger ones vanish, and then to ever larger ones, each
/// tried by three packets first, until ngtcp2 may decide again. Falling back by mistake costs a sixth of the
/// throughput, for seconds.
class black_hole {
public:
    static constexpr std::size_t no_bound = std::numeric_limits<std::size_t>::max();
    static constexpr std::size_t trials = 3;

    /// Bytes of the largest packet that may be sent.
    [[nodiscard]] std::size_t bound() const noexcept { return bound_; }
    /// A larger size that trials_left() packets may probe; 0: none.
    [[nodiscard]] std::size_t trial() const noexcept { return trials_left() == 0 ? 0 : trial_; }
    [[nodiscard]] std::size_t trials_left() const noexcept {
        return trial_ == 0 ? 0 : trials - static_cast<std::size_t>(large_);
    }
    /// True: look() would have no effect.
    [[nodiscard]] bool is_idle() const noexcept { return large_ == 0 && bound_ == no_bound; }
    /// Packets above this size are counted by sent().
    [[nodiscard]] std::size_t threshold() const noexcept { return trial_ != 0 ? bound_ : smallest_path; }

    /// The beginning of a turn. `sizes`: packet sizes that a path may have, in any order.
    void look(const path_sample& s, std::span<const std::uint16_t> sizes, time_point now) noexcept {
        if (trial_ != 0) {
            if (large_ == trials && now - since_ >= 3 * s.pto) judge(s, now);
            return;
        }
        if (large_ != 0 && is_proved(s))
            large_ = 0;
        else if (large_ >= trials && now - since_ >= 3 * s.pto)
            return shrink(s, now);
        if (bound_ == no_bound || now < grow_at_) return;
        for (const std::size_t size : sizes)
            if (size > bound_ && (trial_ == 0 || size < trial_)) trial_ = size;
        if (trial_ == 0 || trial_ > s.size) trial_ = s.size;
        if (trial_ <= bound_) *this = {}; // ngtcp2 itself has reduced its size.
        large_ = 0;
    }

    /// The end of a turn in which `large` packets above the threshold were sent.
    void sent(std::size_t large, const path_sample& s, time_point now) noexcept {
        if (large == 0) return;
        if (large_ == 0) {
            since_ = now;
            lost_ = s.lost;
        }
        large_ += large;
        if (trial_ != 0 && large_ > trials) large_ = trials;
    }

    /// The kernel refused a packet of `size` bytes (EMSGSIZE). Precondition: `size` is above smallest_path.
    void too_large(std::size_t size, const path_sample& s, time_point now) noexcept {
        if (trial_ != 0 && size > bound_)
            failed(s, now);
        else if (size <= std::min(bound_, s.size))
            shrink(s, now);
    }

    /// Starts over: the connection has migrated to another path.
    void forget() noexcept { *this = {}; }

private:
    static constexpr duration soonest = std::chrono::seconds{1}; ///< Between trials.
    static constexpr duration latest = std::chrono::minutes{10}; ///< PMTU_RAISE_TIMER (RFC 8899 §5.1.1).

    /// More large packets were sent than can have been lost or be on their way: some have arrived.
    [[nodiscard]] bool is_proved(const path_sample& s) const noexcept {
        return large_ > (s.lost - lost_) + s.in_flight / (smallest_path + 1);
    }

    /// The outcome of the probes is known. Other losses count as theirs, which errs towards failure.
    void judge(const path_sample& s, time_point now) noexcept {
        if (s.lost - lost_ >= trials) return failed(s, now);
        bound_ = trial_ >= s.size ? no_bound : trial_;
        trial_ = 0;
        large_ = 0;
        grow_at_ = now + std::max(soonest, 3 * s.pto);
    }

    void failed(const path_sample& s, time_point now) noexcept {
        wait_ = now - failed_at_ > 2 * latest ? soonest : std::min(2 * wait_, latest);
        failed_at_ = now;
        trial_ = 0;
        large_ = 0;
        grow_at_ = now + std::max(wait_, 3 * s.pto);
    }

    void shrink(const path_sample& s, time_point now) noexcept {
        bound_ = smallest_path;
        failed(s, now);
    }

    std::size_t bound_ = no_bound;
    std::size_t trial_ = 0;
    std::uint64_t large_ = 0; ///< Packets above the threshold since one was last proved to have arrived.
    std::uint64_t lost_ = 0;  ///< path_sample::lost when the first of them was sent.
    time_point since_{};      ///< When the first of them was sent.
    time_point grow_at_{};
    time_point failed_at_{};
    duration wait_ = soonest;
};

} // namespace moqlite::ngtcp2::detail

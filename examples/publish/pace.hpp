// Paces frames.
#pragma once

#include <chrono>
#include <cmath>
#include <cstdint>
#include <moqlite/core/time.hpp>

namespace moqlite::programs {

/// Frame n is due n/rate after the first. A rate of 0 makes every frame due at once.
class pace {
public:
    explicit pace(double rate) noexcept : rate_(rate) {}

    [[nodiscard]] bool is_paced() const noexcept { return rate_ > 0; }
    /// When the next frame is due, on the caller's clock.
    [[nodiscard]] time_point due(time_point now) const noexcept {
        if (!is_paced()) return now;
        if (!started_) return now;
        return first_ + duration{std::llround(static_cast<double>(count_) * 1e9 / rate_)};
    }
    /// A frame was sent.
    void next(time_point now) noexcept {
        if (!started_) restart(now);
        ++count_;
    }
    /// Starts over at `now`, after a time without input or subscribers.
    void restart(time_point now) noexcept {
        started_ = true;
        first_ = now;
        count_ = 0;
    }

private:
    double rate_;
    bool started_ = false;
    time_point first_{};
    std::uint64_t count_ = 0;
};

/// `at` in µs since the Unix epoch, by the current offset of the system clock.
[[nodiscard]] inline timestamp unix_microseconds(time_point at, time_point now) noexcept {
    const auto since_epoch = std::chrono::system_clock::now().time_since_epoch() - (now - at);
    return timestamp{
        static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(since_epoch).count())};
}

} // namespace moqlite::programs

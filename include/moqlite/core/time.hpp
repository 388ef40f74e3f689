// Time is a parameter: the caller reads a clock, the library never does.
#pragma once

#include <chrono>
#include <cstdint>

namespace moqlite {

using duration = std::chrono::nanoseconds;

/// Latencies on the wire: the full range of a varint.
using milliseconds = std::chrono::duration<std::uint64_t, std::milli>;

/// Tag of the caller's monotonic clock. It has no now(), so that the library cannot read it.
struct caller_clock {
    using rep = std::chrono::nanoseconds::rep;
    using period = std::chrono::nanoseconds::period;
    using duration = std::chrono::nanoseconds;
    using time_point = std::chrono::time_point<caller_clock, std::chrono::nanoseconds>;
    static constexpr bool is_steady = true;
};

/// A time on the caller's clock. Its epoch is the caller's choice; it never goes backwards.
using time_point = caller_clock::time_point;

/// A frame's media time, in ticks of its track's timescale.
enum class timestamp : std::uint64_t {};

/// The time that `ticks` of a timescale last, in whole milliseconds; long ones are cut to 2^53. Precondition: timescale
/// != 0.
[[nodiscard]] constexpr milliseconds media_time(std::uint64_t ticks, std::uint64_t timescale) noexcept {
    constexpr std::uint64_t most = std::uint64_t{1} << 53;
    const auto seconds = ticks / timescale;
    const auto rest = ticks % timescale;
    if (seconds >= most / 1000) return milliseconds{most};
    return milliseconds{seconds * 1000 + (timescale < most ? rest * 1000 / timescale : rest / (timescale / 1000))};
}

/// The synthesised timestamp of a frame without one: whole milliseconds from `epoch` to its arrival.
[[nodiscard]] constexpr timestamp arrival_time(time_point epoch, time_point arrived) noexcept {
    const auto passed = std::chrono::duration_cast<std::chrono::milliseconds>(arrived - epoch).count();
    return timestamp{passed > 0 ? static_cast<std::uint64_t>(passed) : 0};
}

} // namespace moqlite

// Measurements of the bench: clocks, CPU time and memory of this process, percentiles.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <vector>

namespace moqlite::bench {

/// Seconds of the monotonic clock, which all processes of a machine share.
[[nodiscard]] double seconds_now() noexcept;
/// CPU seconds of this process, kernel time included.
[[nodiscard]] double cpu_now() noexcept;
/// Resident bytes of this process, now and at most.
[[nodiscard]] std::uint64_t resident() noexcept;
[[nodiscard]] std::uint64_t resident_peak() noexcept;
/// {at, cpu, rss, peak}, as the functions above say.
[[nodiscard]] nlohmann::json usage();

/// Pins the process to `core`; false: the machine has no such core.
bool pin_to(int core) noexcept;
[[nodiscard]] int cores() noexcept;
/// Gives this process a session of its own and a high priority; false: not permitted.
bool go_first();

/// 0 for none.
[[nodiscard]] double median(std::vector<double> values);
/// The `part` (0 .. 1) quantile; reorders the values. 0 for none.
[[nodiscard]] double percentile(std::vector<float>& values, double part);

} // namespace moqlite::bench

// What the bench measures with: clocks, CPU time and memory of this process, percentiles.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <vector>

namespace moqlite::bench {

/// Seconds of the monotonic clock, which all processes of a machine share.
[[nodiscard]] double seconds_now() noexcept;
/// CPU seconds of this process, in the kernel's part too.
[[nodiscard]] double cpu_now() noexcept;
/// Resident bytes of this process, now and at most.
[[nodiscard]] std::uint64_t resident() noexcept;
[[nodiscard]] std::uint64_t resident_peak() noexcept;
/// {at, cpu, rss, peak}, as the functions above say.
[[nodiscard]] nlohmann::json usage();

/// Runs on `core` only from now on; false: the machine has no such core.
bool pin_to(int core) noexcept;
[[nodiscard]] int cores() noexcept;
/// From now on this process has a session of its own and goes before most other programs of the
/// machine; false: that is not allowed.
bool go_first();

/// 0 for none.
[[nodiscard]] double median(std::vector<double> values);
/// The value below which `part` (0 .. 1) of them lie; reorders them. 0 for none.
[[nodiscard]] double percentile(std::vector<float>& values, double part);

} // namespace moqlite::bench

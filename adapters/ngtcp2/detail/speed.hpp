// Measures the speed of a cipher in this process.
#pragma once

#include <chrono>
#include <cstddef>

namespace moqlite::ngtcp2::detail {

/// Bytes per second of `seal`, which takes `block` bytes, measured for about `milliseconds`.
template <class Seal>
double bytes_per_second(std::size_t block, int milliseconds, Seal seal) {
    using clock = std::chrono::steady_clock;
    const auto start = clock::now();
    const auto end = start + std::chrono::milliseconds{milliseconds};
    std::size_t bytes = 0;
    auto now = start;
    for (; now < end; now = clock::now())
        for (int i = 0; i < 64; ++i, bytes += block) seal();
    return static_cast<double>(bytes) / std::chrono::duration<double>(now - start).count();
}

} // namespace moqlite::ngtcp2::detail

// The machine's monotonic clock on the library's time scale.
#pragma once

#include <chrono>
#include <moqlite/core/time.hpp>

namespace moqlite::asio {

[[nodiscard]] inline time_point now() noexcept {
    return time_point{std::chrono::steady_clock::now().time_since_epoch()};
}

/// The same moment for an Asio timer.
[[nodiscard]] inline std::chrono::steady_clock::time_point to_steady(time_point t) noexcept {
    return std::chrono::steady_clock::time_point{
        std::chrono::duration_cast<std::chrono::steady_clock::duration>(t.time_since_epoch())};
}

} // namespace moqlite::asio

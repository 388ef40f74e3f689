// Sizes, times and error names, parsed and formatted for people.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <moqlite/asio/error.hpp>
#include <moqlite/core/time.hpp>
#include <moqlite/session/event.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace moqlite::programs {

/// "300", "16K", "1.5G": K, M and G are powers of 1024, in either case; also "KiB" and "KB".
[[nodiscard]] std::optional<std::uint64_t> parse_size(std::string_view text);

/// "12.3 MiB"
[[nodiscard]] std::string size_text(double bytes);

[[nodiscard]] inline duration to_duration(double seconds) {
    return std::chrono::duration_cast<duration>(std::chrono::duration<double>{seconds});
}

/// Bytes per second over about the last second; to be called a few times a second.
class speed {
public:
    /// "4.1 MiB/s"
    [[nodiscard]] std::string text(std::uint64_t bytes, time_point now);

private:
    struct sample {
        time_point at{};
        std::uint64_t bytes = 0;
    };
    std::array<sample, 5> samples_{};
    std::size_t next_ = 0;
};

/// A peer's text for one log line: control characters become '?', long text is truncated.
[[nodiscard]] std::string printable(std::string_view utf8);

} // namespace moqlite::programs

// The figures of moqlite-watch --stats.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace moqlite::programs {

/// Counts durations in buckets whose width is 1/64 of their value: exact to 1.6 %, in fixed memory.
class histogram {
public:
    void add(std::uint64_t microseconds) noexcept {
        ++counts_[index(microseconds)];
        ++total_;
    }
    /// The middle of the bucket with the quantile `part` (0 .. 1); nullopt: no values.
    [[nodiscard]] std::optional<double> quantile(double part) const noexcept {
        if (total_ == 0) return std::nullopt;
        auto left = static_cast<std::uint64_t>(part * static_cast<double>(total_ - 1)) + 1;
        std::size_t i = 0;
        while (counts_[i] < left) left -= counts_[i++];
        return (static_cast<double>(lowest(i)) + static_cast<double>(lowest(i + 1) - 1)) / 2;
    }

private:
    static constexpr unsigned bits = 6;
    static constexpr std::size_t per_octave = std::size_t{1} << bits;
    static constexpr unsigned octaves = 40;

    [[nodiscard]] static std::size_t index(std::uint64_t v) noexcept {
        if (v < per_octave) return static_cast<std::size_t>(v);
        const auto shift = static_cast<unsigned>(std::bit_width(v)) - bits - 1;
        if (shift >= octaves) return per_octave * (octaves + 1) - 1;
        return per_octave * (shift + 1) + static_cast<std::size_t>((v >> shift) - per_octave);
    }
    [[nodiscard]] static std::uint64_t lowest(std::size_t i) noexcept {
        if (i < per_octave) return i;
        return (per_octave + i % per_octave) << (i / per_octave - 1);
    }

    std::array<std::uint64_t, per_octave*(octaves + 1)> counts_{};
    std::uint64_t total_ = 0;
};

struct watch_statistics {
    std::uint64_t frames = 0;
    std::uint64_t bytes = 0;
    std::uint64_t lost = 0; ///< Groups.
    histogram latency_us;
};

} // namespace moqlite::programs

// The layouts of a frame on a stream, of every protocol.
#pragma once

#include <cstddef>
#include <cstdint>
#include <moqlite/core/version.hpp>

namespace moqlite {

/// The header before each payload on a group stream. A group's log is kept in one of these formats.
enum class frame_format : std::uint8_t {
    lite_size,         ///< Size (moq-lite-03, 04).
    lite_time,         ///< Timestamp Delta, Size (05, 06).
    lite_leading_ones, ///< The same in leading-ones integers (07-wip).
};

inline constexpr std::size_t frame_formats = 3;

[[nodiscard]] constexpr frame_format frames_of(version v) noexcept {
    return has_leading_ones(v) ? frame_format::lite_leading_ones
           : has_timestamps(v) ? frame_format::lite_time
                               : frame_format::lite_size;
}

[[nodiscard]] constexpr bool has_timestamps(frame_format f) noexcept { return f != frame_format::lite_size; }

/// False: a frame kept as `from` lacks a field of `to`.
[[nodiscard]] constexpr bool can_become(frame_format from, frame_format to) noexcept {
    return has_timestamps(from) || !has_timestamps(to);
}

/// A frame of `from` without its Timestamp Delta is a frame of `to`: no header has to be made.
[[nodiscard]] constexpr bool only_lacks_times(frame_format from, frame_format to) noexcept {
    return from == frame_format::lite_time && to == frame_format::lite_size;
}

/// The same format, or the first with timestamps: in it a relay keeps a group, for readers of every format.
[[nodiscard]] constexpr frame_format with_timestamps(frame_format f) noexcept {
    return has_timestamps(f) ? f : frame_format::lite_time;
}

} // namespace moqlite

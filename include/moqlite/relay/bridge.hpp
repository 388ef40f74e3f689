// Conversions between versions: a track may arrive in one and leave in another.
#pragma once

#include <moqlite/core/track_info.hpp>
#include <moqlite/wire/frame_format.hpp>

namespace moqlite::relaying {

/// The TRACK_INFO of a track whose publisher sends none: its timestamps, if any, are from arrival_time().
inline constexpr track_info default_track_info{
    .priority = 0, .ordered = false, .max_age = milliseconds{5000}, .timescale = 1000};

/// Whether a track of one publisher has the same timestamps in both formats.
[[nodiscard]] constexpr bool same_timestamps(frame_format a, frame_format b) noexcept {
    return has_timestamps(a) == has_timestamps(b);
}

} // namespace moqlite::relaying

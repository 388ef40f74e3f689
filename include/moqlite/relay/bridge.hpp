// Conversions between versions: a track may arrive in one and leave in another.
#pragma once

#include <moqlite/core/track_info.hpp>
#include <moqlite/core/version.hpp>

namespace moqlite::relaying {

/// The dialect in which a group that arrived in version `v` is kept. A log always has timestamps: a reader whose
/// version has none skips them when sending (group_reader), so that one log serves all. Frames that arrive without one
/// get their arrival time (session::collect), which would be lost later.
[[nodiscard]] constexpr version log_dialect(version v) noexcept { return with_timestamps(v); }

/// The TRACK_INFO of a track whose publisher sends none: its timestamps, if any, are from arrival_time().
inline constexpr track_info default_track_info{
    .priority = 0, .ordered = false, .max_latency = milliseconds{5000}, .timescale = 1000};

/// Whether a track of one publisher has the same timestamps over both versions.
[[nodiscard]] constexpr bool same_timestamps(version a, version b) noexcept {
    return has_timestamps(a) == has_timestamps(b);
}

} // namespace moqlite::relaying

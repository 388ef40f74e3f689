// Between versions: what a relay makes of what came by one and goes by another.
#pragma once

#include <moqlite/core/track_info.hpp>
#include <moqlite/core/version.hpp>

namespace moqlite::relaying {

/// The dialect in which a group is kept that came by `v`. A log always has timestamps: whoever knows none
/// steps over them as it is sent (group_reader), so that one log serves all. Frames that came without get the
/// time of their arrival (session::collect), which could not be had later.
[[nodiscard]] constexpr version log_dialect(version v) noexcept { return with_timestamps(v); }

/// The TRACK_INFO of a track whose publisher sends none: its timestamps, if any, are arrival_time()s.
inline constexpr track_info default_track_info{
    .priority = 0, .ordered = false, .max_latency = milliseconds{5000}, .timescale = 1000};

/// False: the same track would have other timestamps by the other way, though its publisher is the same.
[[nodiscard]] constexpr bool tell_alike(version a, version b) noexcept {
    return has_timestamps(a) == has_timestamps(b);
}

} // namespace moqlite::relaying

// The properties of a track.
#pragma once

#include <cstdint>
#include <moqlite/core/ids.hpp>
#include <moqlite/core/time.hpp>

namespace moqlite {

/// The properties of a track as its publisher reports them. They hold while its broadcast lives.
struct track_info {
    moqlite::priority priority = 0;
    bool ordered = false;
    milliseconds max_age{5000};     ///< How long groups other than the latest are kept.
    std::uint64_t timescale = 1000; ///< Ticks per second; never 0.

    friend constexpr bool operator==(const track_info&, const track_info&) = default;
};

} // namespace moqlite

// The options of a subscription.
#pragma once

#include <chrono>
#include <cstdint>
#include <moqlite/core/ids.hpp>
#include <moqlite/core/time.hpp>
#include <optional>

namespace moqlite {

/// How a subscriber wants the groups of a track; it may change its mind while it is subscribed.
struct subscribe_options {
    moqlite::priority priority = 0;
    bool ordered = false;                     ///< Oldest group first, not newest.
    milliseconds max_latency{0};              ///< Groups that are older may be dropped, never the latest.
    std::optional<group_sequence> start = {}; ///< None: the latest; in an update: as before.
    std::optional<group_sequence> end = {};   ///< The last one wanted; none: all that come.

    friend constexpr bool operator==(const subscribe_options&, const subscribe_options&) = default;
};

} // namespace moqlite

// The options of a subscription.
#pragma once

#include <chrono>
#include <cstdint>
#include <moqlite/core/ids.hpp>
#include <moqlite/core/time.hpp>
#include <optional>

namespace moqlite {

/// How a subscriber wants the groups of a track; it may change them while it is subscribed.
struct subscribe_options {
    moqlite::priority priority = 0;
    bool ordered = false;                     ///< Oldest group first; else newest first.
    milliseconds max_latency{0};              ///< Older groups may be dropped, but never the latest.
    std::optional<group_sequence> start = {}; ///< nullopt: the latest; in an update: unchanged.
    std::optional<group_sequence> end = {};   ///< The last group wanted; nullopt: no end.

    friend constexpr bool operator==(const subscribe_options&, const subscribe_options&) = default;
};

} // namespace moqlite

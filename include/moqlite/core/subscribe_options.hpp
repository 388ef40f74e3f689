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
    std::optional<group_sequence> start = {}; ///< nullopt: the latest.
    std::optional<group_sequence> end = {};   ///< The last group wanted; nullopt: no end.

    friend constexpr bool operator==(const subscribe_options&, const subscribe_options&) = default;
};

/// The `end` of subscribe_changes that removes the Group End.
inline constexpr group_sequence no_end{UINT64_MAX};

/// The changes of an update. Members that are not set leave the option unchanged.
struct subscribe_changes {
    std::optional<moqlite::priority> priority = {};
    std::optional<bool> ordered = {};
    std::optional<milliseconds> max_latency = {};
    std::optional<group_sequence> start = {};
    std::optional<group_sequence> end = {}; ///< Or no_end.

    /// `before`, changed.
    [[nodiscard]] constexpr subscribe_options applied_to(const subscribe_options& before) const noexcept {
        return {.priority = priority.value_or(before.priority),
            .ordered = ordered.value_or(before.ordered),
            .max_latency = max_latency.value_or(before.max_latency),
            .start = start ? start : before.start,
            .end = end == no_end ? std::nullopt
                   : end         ? end
                                 : before.end};
    }
};

/// The changes that turn any options into `wanted`; only the start is unchanged where `wanted` has none.
[[nodiscard]] constexpr subscribe_changes changes_to(const subscribe_options& wanted) noexcept {
    return {.priority = wanted.priority,
        .ordered = wanted.ordered,
        .max_latency = wanted.max_latency,
        .start = wanted.start,
        .end = wanted.end.value_or(no_end)};
}

} // namespace moqlite

// The options of a subscription.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <moqlite/core/frame_range.hpp>
#include <moqlite/core/ids.hpp>
#include <moqlite/core/time.hpp>
#include <optional>

namespace moqlite {

/// How a subscriber wants the groups of a track; it may change them while it is subscribed.
struct subscribe_options {
    moqlite::priority priority = 0;
    bool ordered = false;    ///< Oldest group first; else newest first.
    milliseconds max_age{0}; ///< Older groups may be dropped, but never the latest.
    /// The first group wanted. nullopt: the latest, or where the version lets Max Age decide, the oldest that is young
    /// enough.
    std::optional<group_sequence> start = {};
    std::optional<group_sequence> end = {}; ///< The last group wanted; nullopt: no end.
    object_id frame_start{};                ///< The first frame wanted of group `start`; else 0. From moq-lite-06 on.
    /// The last frame wanted of group `end`; nullopt: all. From moq-lite-06 on.
    std::optional<object_id> frame_end = {};

    friend constexpr bool operator==(const subscribe_options&, const subscribe_options&) = default;
};

/// The frames wanted of one of the groups wanted: its first and its last may be wanted in part. Without a Group Start,
/// Frame Start is of group 0.
[[nodiscard]] constexpr frame_range frames_wanted(const subscribe_options& o, group_sequence g) noexcept {
    frame_range out;
    if (g == o.start.value_or(group_sequence{})) out.first = o.frame_start;
    if (g == o.end) out.last = o.frame_end;
    return out;
}

/// The last group and frame that a publisher serves: once there is a Group End, updates only raise it, as groups that
/// were sent are not requested again.
struct served_end {
    bool capped = false; ///< There has been a Group End.
    std::optional<group_sequence> group = {};
    std::optional<object_id> frame = {};

    [[nodiscard]] constexpr served_end raised_to(const subscribe_options& o) const noexcept {
        served_end out{capped || o.end, o.end, o.frame_end};
        if (capped && o.end) out.group = group ? std::max(group, o.end) : std::nullopt;
        if (!out.group || out.group != group) {
            if (!out.group) out.frame.reset();
        } else if (o.end != group || !frame) {
            out.frame = frame;
        } else if (o.frame_end) {
            out.frame = std::max(frame, o.frame_end);
        }
        return out;
    }
    /// The only group wanted has no frame left.
    [[nodiscard]] constexpr bool is_before(const std::optional<group_sequence>& start, object_id first) const noexcept {
        return group && *group == start.value_or(group_sequence{}) && frame && *frame < first;
    }
};

/// The Max Age of a subscriber that accepts no loss.
inline constexpr milliseconds complete_age{86'400'000};

/// The `end` of subscribe_changes that removes the Group End.
inline constexpr group_sequence no_end{UINT64_MAX};
/// The `frame_end` of subscribe_changes that removes the Frame End.
inline constexpr object_id all_frames{UINT64_MAX};

/// The changes of an update. Members that are not set leave the option unchanged.
struct subscribe_changes {
    std::optional<moqlite::priority> priority = {};
    std::optional<bool> ordered = {};
    std::optional<milliseconds> max_age = {};
    std::optional<group_sequence> start = {};
    std::optional<group_sequence> end = {}; ///< Or no_end.
    std::optional<object_id> frame_start = {};
    std::optional<object_id> frame_end = {}; ///< Or all_frames.

    /// `before`, changed.
    [[nodiscard]] constexpr subscribe_options applied_to(const subscribe_options& before) const noexcept {
        return {.priority = priority.value_or(before.priority),
            .ordered = ordered.value_or(before.ordered),
            .max_age = max_age.value_or(before.max_age),
            .start = start ? start : before.start,
            .end = end == no_end ? std::nullopt
                   : end         ? end
                                 : before.end,
            .frame_start = frame_start.value_or(before.frame_start),
            .frame_end = frame_end == all_frames ? std::nullopt
                         : frame_end             ? frame_end
                                                 : before.frame_end};
    }
};

/// The changes that turn any options into `wanted`; only the start is unchanged where `wanted` has none.
[[nodiscard]] constexpr subscribe_changes changes_to(const subscribe_options& wanted) noexcept {
    return {.priority = wanted.priority,
        .ordered = wanted.ordered,
        .max_age = wanted.max_age,
        .start = wanted.start,
        .end = wanted.end.value_or(no_end),
        .frame_start = wanted.frame_start,
        .frame_end = wanted.frame_end.value_or(all_frames)};
}

} // namespace moqlite

// A range of the frames of one group.
#pragma once

#include <moqlite/core/ids.hpp>
#include <optional>

namespace moqlite {

/// Frames `first` to `last` of a group; by default all.
struct frame_range {
    object_id first{};
    std::optional<object_id> last = {}; ///< Inclusive; nullopt: to the end of the group.

    [[nodiscard]] constexpr bool covers(const frame_range& other) const noexcept {
        return first <= other.first && (!last || (other.last && *other.last <= *last));
    }
    friend constexpr bool operator==(const frame_range&, const frame_range&) = default;
};

} // namespace moqlite

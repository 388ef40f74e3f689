// Changes of announcements that a session holds back for a while.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <moqlite/core/time.hpp>
#include <optional>
#include <vector>

namespace moqlite::detail {

/// The id of a held change; those below 2 are none.
using hold_id = std::uint32_t;
inline constexpr hold_id not_held = 0;
inline constexpr hold_id hold_passed = 1; ///< The change has been held back, and goes out with the next pump.

/// A heap of held changes, earliest first. Whoever holds the id decides whether a change still counts when it is due:
/// one that was superseded stays in the heap until then.
class held_changes {
public:
    struct change {
        time_point due{};
        std::uint64_t request = 0; ///< Whose change: the owner number of its stream.
        std::uint32_t slot = 0;    ///< Of the entry.
        hold_id id = not_held;
    };

    [[nodiscard]] std::size_t size() const noexcept { return all_.size(); }
    hold_id add(time_point due, std::uint64_t request, std::uint32_t slot) {
        all_.push_back({due, request, slot, next_});
        std::push_heap(all_.begin(), all_.end(), later);
        const auto id = next_++;
        if (next_ == not_held) next_ = first_id;
        return id;
    }
    [[nodiscard]] std::optional<time_point> deadline() const noexcept {
        return all_.empty() ? std::nullopt : std::optional{all_.front().due};
    }
    /// The next change that is due; nullopt: none.
    [[nodiscard]] std::optional<change> take_due(time_point now) noexcept {
        if (all_.empty() || all_.front().due > now) return std::nullopt;
        std::pop_heap(all_.begin(), all_.end(), later);
        const auto taken = all_.back();
        all_.pop_back();
        if (all_.empty()) all_ = {}; // Frees the memory of past changes.
        return taken;
    }

private:
    static bool later(const change& a, const change& b) noexcept {
        return a.due != b.due ? a.due > b.due : a.id > b.id;
    }
    static constexpr hold_id first_id = hold_passed + 1;
    std::vector<change> all_;
    hold_id next_ = first_id;
};

} // namespace moqlite::detail

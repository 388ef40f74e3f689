// Paths that were retracted a short time ago, so that stale routes to their publishers can be held back.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <moqlite/containers/ring.hpp>
#include <moqlite/containers/tree.hpp>
#include <moqlite/core/ids.hpp>
#include <moqlite/core/route_cost.hpp>
#include <moqlite/core/time.hpp>
#include <optional>
#include <utility>

namespace moqlite::detail {

/// A changed best route is announced after this time, so that only one of several changes is; while a retraction
/// crosses a mesh of relays, it usually arrives before.
inline constexpr duration change_hold = std::chrono::milliseconds{300};

/// After a retraction, relays that it has not reached yet may still announce their routes to the same publisher ("path
/// hunting"): longer or dearer ones, with the same first hop. A publisher that returns has an equal route, or another
/// first hop.
class retractions {
public:
    struct route {
        hop_id publisher{};                      ///< 0: unknown; such routes are not held back.
        std::pair<route_cost, std::size_t> rank; ///< Cost and hops; less is better.
        std::uint64_t since = 0;                 ///< The number of the change that began it.
    };

    /// The best route of a path, given as its hash, is gone; `change` is the number of that change.
    void add(std::uint64_t path, const route& gone, std::uint64_t change, time_point now) {
        while (!order_.empty() && (order_.front().second + hold <= now || order_.size() >= most)) forget_oldest();
        auto best = gone.rank;
        auto* found = by_path_.find(path);
        if (found != nullptr && found->gone.publisher == gone.publisher) {
            // It was stale itself, and was held back.
            if (found->gone.rank < gone.rank && found->change < gone.since) return;
            // It followed a better one, and that change was held back.
            if (now < found->at + change_hold) best = std::min(best, found->gone.rank);
        }
        order_.make_room(1);
        if (found == nullptr) found = &by_path_.make(path);
        found->at = now;
        found->change = change;
        found->gone = {gone.publisher, best, gone.since};
        order_.push({path, now});
    }
    /// Until when such a route is held back from a listener that began at `born`; nullopt: it is not.
    [[nodiscard]] std::optional<time_point> held_until(
        std::uint64_t path, const route& is, time_point born, time_point now) noexcept {
        const auto* found = by_path_.find(path);
        if (found == nullptr || is.publisher == hop_id{} || found->gone.publisher != is.publisher) return std::nullopt;
        if (found->at < born || found->at + hold <= now || is.rank <= found->gone.rank) return std::nullopt;
        return found->at + hold;
    }

private:
    struct retraction : tree_hook {
        explicit retraction(std::uint64_t p) noexcept : path(p) {}
        std::uint64_t path;
        time_point at{};
        std::uint64_t change = 0;
        route gone;
    };
    struct path_of {
        std::uint64_t operator()(const retraction& r) const noexcept { return r.path; }
    };
    void forget_oldest() noexcept {
        const auto [path, at] = order_.pop();
        auto* found = by_path_.find(path);
        if (found != nullptr && found->at == at) by_path_.erase(*found);
    }

    static constexpr duration hold = std::chrono::seconds{2};
    static constexpr std::size_t most = 16384;         ///< Beyond it the oldest are forgotten.
    tree<retraction, std::uint64_t, path_of> by_path_; ///< Peers choose the keys: a hash table could be made slow.
    ring<std::pair<std::uint64_t, time_point>> order_;
};

} // namespace moqlite::detail

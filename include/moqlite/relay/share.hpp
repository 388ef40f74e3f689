// What one session makes a relay ask of a publisher.
#pragma once

#include <cstddef>
#include <cstdint>
#include <moqlite/core/ids.hpp>
#include <moqlite/core/time.hpp>

namespace moqlite::relaying {

enum class request_kind : std::uint8_t {
    subscribe, ///< Lasts as long as somebody reads.
    query,     ///< TRACK or FETCH: lasts until it is answered.
};

/// Requests that are open at one publisher for one session.
struct share {
    std::size_t subscriptions = 0;
    std::size_t queries = 0;

    [[nodiscard]] std::size_t& of(request_kind kind) noexcept {
        return kind == request_kind::subscribe ? subscriptions : queries;
    }
    [[nodiscard]] bool empty() const noexcept { return subscriptions == 0 && queries == 0; }
    /// Whether one more fits where `left` are left for others. A subscription: while all of both kinds are fewer than
    /// these; a query: while they are fewer than a third of these, so that some remain for subscriptions. Whoever has
    /// used that up with subscriptions may still ask a few queries: they end soon.
    [[nodiscard]] bool allows(request_kind kind, std::size_t left) const noexcept {
        if (left == 0) return false;
        if (kind == request_kind::query && queries < least) return true;
        const auto most = kind == request_kind::subscribe ? left : left / 3;
        return subscriptions + queries < (most < least ? least : most);
    }
    static constexpr std::size_t least = 4;
};

/// A TRACK or FETCH of ours that waits for its answer.
struct unanswered {
    std::uint64_t source = 0; ///< Key of the publisher's session.
    std::uint64_t id = 0;     ///< A query_id, or the group_id of a FETCH.
    bool is_fetch = false;
    time_point since{};
};

} // namespace moqlite::relaying

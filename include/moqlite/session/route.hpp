// A way to a broadcast.
#pragma once

#include <cstdint>
#include <moqlite/core/ids.hpp>
#include <moqlite/core/route_cost.hpp>
#include <vector>

namespace moqlite {

/// A route to a broadcast.
struct route {
    std::vector<hop_id> hops; ///< Origin first; empty for our own broadcast.
    std::uint64_t source = 0; ///< Key of the session that announced it; 0 for our own broadcast.
    route_cost cost{};        ///< With all links so far.
    bool is_local = false;    ///< Its source is an application of this process.
    std::uint64_t since = 0; ///< Set by the table: the number of the change with which its source began to announce it.
    /// It was announced here by its publisher: one hop, or one without an id and the id that it got here.
    [[nodiscard]] bool is_direct() const noexcept {
        return hops.size() <= 1 || (hops.size() == 2 && hops.back() == hop_id{});
    }
    bool operator==(const route& other) const noexcept {
        return hops == other.hops && source == other.source && cost == other.cost;
    }
};

} // namespace moqlite

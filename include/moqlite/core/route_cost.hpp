// The cost of a route.
#pragma once

#include <algorithm>
#include <cstdint>

namespace moqlite {

/// The cost of one more subscription through a route, moq-lite-06 §ANNOUNCE_START. Routes are compared by `warm` first.
struct route_cost {
    static constexpr std::uint64_t max = (std::uint64_t{1} << 62) - 1;

    std::uint64_t warm = 0; ///< As things are now.
    std::uint64_t cold = 0; ///< As if no relay carried the broadcast yet.

    /// The cost of a route whose announcement carries none.
    [[nodiscard]] static constexpr route_cost unknown() noexcept { return {0, max}; }
    /// The cost of a route that is used only where there is no other.
    [[nodiscard]] static constexpr route_cost highest() noexcept { return {max, max}; }
    /// With the price of one more link; saturates at `max`.
    [[nodiscard]] constexpr route_cost plus(std::uint64_t price) const noexcept {
        const auto sum = [&](std::uint64_t cost) { return std::min(cost, max) + std::min(price, max); };
        return {std::min(sum(warm), max), std::min(sum(cold), max)};
    }
    friend constexpr auto operator<=>(const route_cost&, const route_cost&) = default;
};

} // namespace moqlite

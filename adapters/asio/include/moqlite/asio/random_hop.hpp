// A random hop id.
#pragma once

#include <cstdint>
#include <limits>
#include <moqlite/core/ids.hpp>
#include <random>

namespace moqlite::asio {

/// Not 0, which some peers refuse, and below 2^53, above which some lose precision.
[[nodiscard]] inline hop_id random_hop() {
    std::random_device random;
    constexpr auto largest = (std::uint64_t{1} << std::numeric_limits<double>::digits) - 1;
    return hop_id{std::uniform_int_distribution<std::uint64_t>{1, largest}(random)};
}

} // namespace moqlite::asio

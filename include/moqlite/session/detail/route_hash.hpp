// The hash by which relays choose alike among equal routes.
#pragma once

#include <cstdint>
#include <moqlite/core/ids.hpp>
#include <span>
#include <string_view>

namespace moqlite::detail {

inline constexpr std::uint64_t fnv_prime = 0x100000001b3;

/// The part of the path: a path may be long, and be compared often.
[[nodiscard]] constexpr std::uint64_t path_hash(std::string_view path) noexcept {
    std::uint64_t sum = 0x420c0decb00b;
    for (const char c : path) sum = (sum ^ static_cast<unsigned char>(c)) * fnv_prime;
    return sum;
}

/// FNV-1a over the path and the hop ids, each as eight bytes, least significant first; seed and prime are those of the
/// reference implementation (moq-lite-wire §10), so that all relays of a mesh agree.
[[nodiscard]] constexpr std::uint64_t route_hash(std::uint64_t of_path, std::span<const hop_id> hops) noexcept {
    auto sum = of_path;
    for (const hop_id hop : hops)
        for (unsigned shift = 0; shift != 64; shift += 8) sum = (sum ^ (number(hop) >> shift & 0xff)) * fnv_prime;
    return sum;
}
[[nodiscard]] constexpr std::uint64_t route_hash(std::string_view path, std::span<const hop_id> hops) noexcept {
    return route_hash(path_hash(path), hops);
}

} // namespace moqlite::detail

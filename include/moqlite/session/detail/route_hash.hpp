// The hash by which relays choose alike among equal routes.
#pragma once

#include <cstdint>
#include <moqlite/core/ids.hpp>
#include <span>
#include <string_view>

namespace moqlite::detail {

/// FNV-1a over the path and the hop ids, each as eight bytes, least significant first; seed and prime are those of the
/// reference implementation (moq-lite-wire §10), so that all relays of a mesh agree.
[[nodiscard]] constexpr std::uint64_t route_hash(std::string_view path, std::span<const hop_id> hops) noexcept {
    std::uint64_t sum = 0x420c0decb00b;
    const auto add = [&](std::uint64_t byte) { sum = (sum ^ byte) * 0x100000001b3; };
    for (const char c : path) add(static_cast<unsigned char>(c));
    for (const hop_id hop : hops)
        for (unsigned shift = 0; shift != 64; shift += 8) add(number(hop) >> shift & 0xff);
    return sum;
}

} // namespace moqlite::detail

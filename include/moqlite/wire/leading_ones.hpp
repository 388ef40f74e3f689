// Integers whose length is the number of leading ones in the first byte: moq-lite-07, and moq-transport from draft-17
// on.
#pragma once

#include <array>
#include <bit>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <moqlite/core/bytes.hpp>
#include <moqlite/wire/varint.hpp>
#include <optional>
#include <span>

namespace moqlite::wire {

/// The largest encoded size: the longest form holds 64 bits.
inline constexpr std::size_t leading_ones_size_max = 9;

/// Bytes that write_leading_ones() needs. The 7-byte form is read but never written, as the reference implementation
/// does. Precondition: value <= varint_max.
[[nodiscard]] constexpr std::size_t leading_ones_size(std::uint64_t value) noexcept {
    const std::size_t bits = 64u - static_cast<unsigned>(std::countl_zero(value));
    const auto size = bits <= 7 ? 1 : (bits + 6) / 7;
    return size < 7 ? size : bits <= 56 ? 8 : 9;
}

/// Reads one integer, of any form, from the front of `in`. If it is incomplete, `in` is unchanged. Values above
/// varint_max are returned: the caller refuses them.
[[nodiscard]] constexpr std::optional<std::uint64_t> read_leading_ones(byte_view& in) noexcept {
    if (in.empty()) return std::nullopt;
    const auto first = std::to_integer<std::uint8_t>(in[0]);
    const auto ones = static_cast<std::size_t>(std::countl_one(first));
    if (in.size() <= ones) return std::nullopt;
    // A zero follows the ones where there is room for it.
    std::uint64_t value = ones < 7 ? first & (0x7fu >> ones) : 0;
    for (std::size_t i = 1; i <= ones; ++i) value = value << 8 | std::to_integer<std::uint64_t>(in[i]);
    in = in.subspan(ones + 1);
    return value;
}

/// A lower bound of the integer at the front of `in`, which may be incomplete.
[[nodiscard]] constexpr std::uint64_t leading_ones_at_least(byte_view in) noexcept {
    if (in.empty()) return 0;
    std::array<std::byte, leading_ones_size_max> whole{};
    for (std::size_t i = 0; i < whole.size() && i < in.size(); ++i) whole[i] = in[i];
    byte_view view{whole};
    return *read_leading_ones(view);
}

/// Writes `value` to the front of `out` and returns the bytes used. Preconditions: value <= varint_max, and `out` has
/// room for leading_ones_size(value).
constexpr std::size_t write_leading_ones(std::uint64_t value, std::span<std::byte> out) noexcept {
    assert(value <= varint_max && out.size() >= leading_ones_size(value));
    const auto size = leading_ones_size(value);
    for (std::size_t i = 0; i < size; ++i) {
        const auto shift = 8 * (size - 1 - i);
        out[i] = shift < 64 ? static_cast<std::byte>(value >> shift & 0xff) : std::byte{0};
    }
    out[0] |= static_cast<std::byte>(0xff00u >> (size - 1) & 0xff);
    return size;
}

} // namespace moqlite::wire

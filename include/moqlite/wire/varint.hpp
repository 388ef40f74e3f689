// QUIC variable-length integers, RFC 9000 §16, and signed numbers folded into them.
#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <moqlite/core/bytes.hpp>
#include <optional>
#include <span>

namespace moqlite::wire {

/// The largest value of a varint.
inline constexpr std::uint64_t varint_max = (std::uint64_t{1} << 62) - 1;

/// The largest encoded size of a varint.
inline constexpr std::size_t varint_size_max = 8;

/// Bytes needed to encode `value`: 1, 2, 4 or 8. Precondition: value <= varint_max.
[[nodiscard]] constexpr std::size_t varint_size(std::uint64_t value) noexcept {
    return value < 1u << 6 ? 1 : value < 1u << 14 ? 2 : value < 1u << 30 ? 4 : 8;
}

/// Reads one varint from the front of `in`. If it is incomplete, `in` is unchanged.
[[nodiscard]] constexpr std::optional<std::uint64_t> read_varint(byte_view& in) noexcept {
    if (in.empty()) return std::nullopt;
    const auto first = std::to_integer<std::uint64_t>(in[0]);
    const auto size = std::size_t{1} << (first >> 6);
    if (in.size() < size) return std::nullopt;

    auto value = first & 0x3f;
    for (std::size_t i = 1; i < size; ++i) value = value << 8 | std::to_integer<std::uint64_t>(in[i]);
    in = in.subspan(size);
    return value;
}

/// A lower bound of the varint at the front of `in`, which may be incomplete.
[[nodiscard]] constexpr std::uint64_t varint_at_least(byte_view in) noexcept {
    if (in.empty()) return 0;
    const auto first = std::to_integer<std::uint64_t>(in[0]);
    const auto size = std::size_t{1} << (first >> 6);
    auto value = first & 0x3f;
    for (std::size_t i = 1; i < size; ++i)
        value = value << 8 | (i < in.size() ? std::to_integer<std::uint64_t>(in[i]) : 0);
    return value;
}

/// Writes `value` in its shortest form to the front of `out` and returns the bytes used.
/// Preconditions: value <= varint_max, and `out` has room for varint_size(value).
constexpr std::size_t write_varint(std::uint64_t value, std::span<std::byte> out) noexcept {
    assert(value <= varint_max && out.size() >= varint_size(value));
    const auto size = varint_size(value);
    const std::uint64_t mark = size == 1 ? 0 : size == 2 ? 1 : size == 4 ? 2 : 3;
    const auto bits = value | mark << (8 * size - 2);
    for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<std::byte>(bits >> (8 * (size - 1 - i)) & 0xff);
    return size;
}

/// Maps numbers of small magnitude to small numbers: 0, -1, 1, -2 become 0, 1, 2, 3.
[[nodiscard]] constexpr std::uint64_t zigzag(std::int64_t value) noexcept {
    return static_cast<std::uint64_t>(value) << 1 ^ static_cast<std::uint64_t>(value >> 63);
}

[[nodiscard]] constexpr std::int64_t unzigzag(std::uint64_t value) noexcept {
    return static_cast<std::int64_t>(value >> 1 ^ (0 - (value & 1)));
}

} // namespace moqlite::wire

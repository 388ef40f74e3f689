// The integers of every protocol by one name, so that a codec is written once for all versions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <moqlite/core/bytes.hpp>
#include <moqlite/core/version.hpp>
#include <moqlite/wire/frame_format.hpp>
#include <moqlite/wire/leading_ones.hpp>
#include <moqlite/wire/varint.hpp>
#include <optional>
#include <span>

namespace moqlite::wire {

/// How integers are encoded. It is decided once for each integer, never for each byte.
enum class integers : std::uint8_t {
    quic,         ///< RFC 9000 §16.
    leading_ones, ///< moq-lite-07, moq-transport from draft-17 on.
};

/// The largest encoded size, in any encoding.
inline constexpr std::size_t integer_size_max = leading_ones_size_max;

[[nodiscard]] constexpr integers integers_of(version v) noexcept {
    return has_leading_ones(v) ? integers::leading_ones : integers::quic;
}
[[nodiscard]] constexpr integers integers_of(frame_format f) noexcept {
    return f == frame_format::lite_leading_ones ? integers::leading_ones : integers::quic;
}

/// Reads one integer from the front of `in`. If it is incomplete, `in` is unchanged. Values above varint_max are
/// returned: the caller refuses them.
[[nodiscard]] constexpr std::optional<std::uint64_t> read_integer(integers form, byte_view& in) noexcept {
    return form == integers::quic ? read_varint(in) : read_leading_ones(in);
}
/// A lower bound of the integer at the front of `in`, which may be incomplete.
[[nodiscard]] constexpr std::uint64_t integer_at_least(integers form, byte_view in) noexcept {
    return form == integers::quic ? varint_at_least(in) : leading_ones_at_least(in);
}
/// Precondition, here and below: value <= varint_max.
[[nodiscard]] constexpr std::size_t integer_size(integers form, std::uint64_t value) noexcept {
    return form == integers::quic ? varint_size(value) : leading_ones_size(value);
}
/// Writes `value` in its shortest form to the front of `out`, which has room for it, and returns the bytes used.
constexpr std::size_t write_integer(integers form, std::uint64_t value, std::span<std::byte> out) noexcept {
    return form == integers::quic ? write_varint(value, out) : write_leading_ones(value, out);
}

} // namespace moqlite::wire

// FRAME, moq-lite-05, on a group stream or in the answer to a fetch: Timestamp Delta (where the format has
// timestamps), Size, Payload.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <moqlite/core/bytes.hpp>
#include <moqlite/core/time.hpp>
#include <moqlite/core/version.hpp>
#include <moqlite/wire/frame_format.hpp>
#include <moqlite/wire/integers.hpp>
#include <moqlite/wire/message.hpp>
#include <moqlite/wire/varint.hpp>
#include <optional>
#include <span>

namespace moqlite::wire::lite {

/// Maximum bytes before a frame's payload.
inline constexpr std::size_t frame_header_size_max = 2 * integer_size_max;

/// Deltas that can be encoded: -delta_bound <= delta < delta_bound.
inline constexpr std::int64_t delta_bound = std::int64_t{1} << 61;

/// A frame's header. `delta` is in ticks, from the previous frame or, in the first frame, from 0.
struct frame_header {
    std::int64_t delta = 0;   ///< 0 where the version has no timestamps.
    std::uint64_t size = 0;   ///< Bytes of payload.
    std::size_t consumed = 0; ///< Bytes of the header.

    friend constexpr bool operator==(const frame_header&, const frame_header&) = default;
};

/// Parses the header at the front of `in`. A payload above `max_size` is refused before it arrives; a delta above 62
/// bits is errc::timestamp_out_of_range.
[[nodiscard]] constexpr taken<frame_header> take_frame_header(
    frame_format f, byte_view in, std::uint64_t max_size = default_limits.frame) noexcept {
    const auto form = integers_of(f);
    frame_header header;
    auto rest = in;
    if (has_timestamps(f)) {
        const auto delta = read_integer(form, rest);
        if (!delta) return {};
        if (*delta > varint_max) return errc::timestamp_out_of_range;
        header.delta = unzigzag(*delta);
    }
    const auto before_size = rest;
    const auto size = read_integer(form, rest);
    if (size.value_or(integer_at_least(form, before_size)) > max_size) return errc::frame_too_large;
    if (!size) return {};
    header.size = *size;
    header.consumed = in.size() - rest.size();
    return header;
}

[[nodiscard]] constexpr taken<frame_header> take_frame_header(
    version v, byte_view in, std::uint64_t max_size = default_limits.frame) noexcept {
    return take_frame_header(frames_of(v), in, max_size);
}

/// Writes a frame's header to the front of `out` and returns its size; 0 if it cannot be encoded.
constexpr std::size_t write_frame_header(
    frame_format f, std::int64_t delta, std::uint64_t size, std::span<std::byte, frame_header_size_max> out) noexcept {
    const auto form = integers_of(f);
    if (size > varint_max) return 0;
    if (!has_timestamps(f)) return write_integer(form, size, out);
    if (delta < -delta_bound || delta >= delta_bound) return 0;
    const auto used = write_integer(form, zigzag(delta), out);
    return used + write_integer(form, size, out.subspan(used));
}

constexpr std::size_t write_frame_header(
    version v, std::int64_t delta, std::uint64_t size, std::span<std::byte, frame_header_size_max> out) noexcept {
    return write_frame_header(frames_of(v), delta, size, out);
}

/// `base` moved by `delta` ticks, if that is within 0 .. 2^62-1 (else errc::timestamp_out_of_range).
[[nodiscard]] constexpr std::optional<timestamp> apply_delta(timestamp base, std::int64_t delta) noexcept {
    // Modulo 2^64 the sum of a valid base and any delta is valid only where the true sum is.
    const auto sum = static_cast<std::uint64_t>(base) + static_cast<std::uint64_t>(delta);
    if (static_cast<std::uint64_t>(base) > varint_max || sum > varint_max) return std::nullopt;
    return timestamp{sum};
}

/// The delta from one timestamp to another, if both are in range and it can be encoded.
[[nodiscard]] constexpr std::optional<std::int64_t> delta(timestamp from, timestamp to) noexcept {
    const auto a = static_cast<std::uint64_t>(from);
    const auto b = static_cast<std::uint64_t>(to);
    if (a > varint_max || b > varint_max) return std::nullopt;
    const auto out = static_cast<std::int64_t>(b) - static_cast<std::int64_t>(a);
    if (out < -delta_bound || out >= delta_bound) return std::nullopt;
    return out;
}

} // namespace moqlite::wire::lite

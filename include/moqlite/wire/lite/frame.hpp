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
#include <moqlite/wire/leading_ones.hpp>
#include <moqlite/wire/message.hpp>
#include <moqlite/wire/varint.hpp>
#include <optional>
#include <span>

namespace moqlite::wire::lite {

/// Maximum bytes before a frame's payload.
inline constexpr std::size_t frame_header_size_max = 2 * leading_ones_size_max;

/// Deltas that can be encoded: -delta_bound <= delta < delta_bound.
inline constexpr std::int64_t delta_bound = std::int64_t{1} << 61;

/// A frame's header. `delta` is in ticks, from the previous frame or, in the first frame, from 0.
struct frame_header {
    std::int64_t delta = 0;   ///< 0 where the version has no timestamps.
    std::uint64_t size = 0;   ///< Bytes of payload.
    std::size_t consumed = 0; ///< Bytes of the header.

    friend constexpr bool operator==(const frame_header&, const frame_header&) = default;
};

/// The integer encoding of a format's headers.
struct header_integers {
    frame_format format;

    [[nodiscard]] constexpr bool leading_ones() const noexcept { return format == frame_format::lite_leading_ones; }
    [[nodiscard]] constexpr std::optional<std::uint64_t> read(byte_view& in) const noexcept {
        return leading_ones() ? read_leading_ones(in) : read_varint(in);
    }
    [[nodiscard]] constexpr std::uint64_t at_least(byte_view in) const noexcept {
        return leading_ones() ? leading_ones_at_least(in) : varint_at_least(in);
    }
    [[nodiscard]] constexpr std::size_t size(std::uint64_t value) const noexcept {
        return leading_ones() ? leading_ones_size(value) : varint_size(value);
    }
    constexpr std::size_t write(std::uint64_t value, std::span<std::byte> out) const noexcept {
        return leading_ones() ? write_leading_ones(value, out) : write_varint(value, out);
    }
};

/// Parses the header at the front of `in`. A payload above `max_size` is refused before it arrives; a delta above 62
/// bits is errc::timestamp_out_of_range.
[[nodiscard]] constexpr taken<frame_header> take_frame_header(
    frame_format f, byte_view in, std::uint64_t max_size = default_limits.frame) noexcept {
    const header_integers integers{f};
    frame_header header;
    auto rest = in;
    if (has_timestamps(f)) {
        const auto delta = integers.read(rest);
        if (!delta) return {};
        if (*delta > varint_max) return errc::timestamp_out_of_range;
        header.delta = unzigzag(*delta);
    }
    const auto before_size = rest;
    const auto size = integers.read(rest);
    if (size.value_or(integers.at_least(before_size)) > max_size) return errc::frame_too_large;
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
    const header_integers integers{f};
    if (size > varint_max) return 0;
    if (!has_timestamps(f)) return integers.write(size, out);
    if (delta < -delta_bound || delta >= delta_bound) return 0;
    const auto used = integers.write(zigzag(delta), out);
    return used + integers.write(size, out.subspan(used));
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

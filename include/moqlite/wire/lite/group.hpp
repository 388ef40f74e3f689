// GROUP, the first message of a group stream, moq-lite-06: Subscribe ID, Group Sequence, Frame Start.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <moqlite/core/ids.hpp>
#include <moqlite/wire/lite/codec.hpp>
#include <moqlite/wire/lite/stream_type.hpp>
#include <span>

namespace moqlite::wire::lite {

struct group_header {
    std::uint64_t subscription = 0; ///< Subscribe ID, chosen by the subscriber.
    group_sequence sequence = {};
    object_id frame_start{}; ///< The first frame on this stream. From moq-lite-06 on; else 0.

    friend constexpr bool operator==(const group_header&, const group_header&) = default;
};

inline void read(reader& in, version v, group_header& m, const limits&) noexcept {
    m.subscription = in.varint();
    m.sequence = group_sequence{in.varint()};
    if (has_frame_ranges(v)) m.frame_start = object_id{in.varint()};
}

inline void write(writer& out, version v, const group_header& m) {
    out.varint(m.subscription);
    out.varint(number(m.sequence));
    if (has_frame_ranges(v)) return out.varint(number(m.frame_start));
    if (m.frame_start != object_id{}) out.fail(errc::unsupported);
}

/// Maximum bytes of a group stream before its first frame: type, length and three integers.
inline constexpr std::size_t group_prefix_size_max = 2 + 3 * integer_size_max;

/// Maximum size of a GROUP, in any encoding of its fields.
[[nodiscard]] constexpr std::size_t group_size_max(version v) noexcept {
    return (has_frame_ranges(v) ? 3 : 2) * (has_leading_ones(v) ? leading_ones_size_max : varint_size_max);
}

/// Writes the stream type and GROUP to the front of `out` and returns their size; 0 if a number is
/// too large.
constexpr std::size_t write_group_prefix(
    version v, const group_header& m, std::span<std::byte, group_prefix_size_max> out) noexcept {
    const auto form = integers_of(v);
    const std::array fields{m.subscription, number(m.sequence), number(m.frame_start)};
    const std::size_t count = has_frame_ranges(v) ? 3 : 2;
    std::size_t body = 0;
    for (std::size_t i = 0; i != count; ++i) {
        if (fields[i] > varint_max) return 0;
        body += integer_size(form, fields[i]);
    }
    auto used = write_integer(form, static_cast<std::uint64_t>(uni_type::group), out);
    used += write_integer(form, body, out.subspan(used));
    for (std::size_t i = 0; i != count; ++i) used += write_integer(form, fields[i], out.subspan(used));
    return used;
}

} // namespace moqlite::wire::lite

// GROUP, the first message of a group stream, moq-lite-05: Subscribe ID, Group Sequence.
#pragma once

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

    friend constexpr bool operator==(const group_header&, const group_header&) = default;
};

inline void read(reader& in, version, group_header& m, const limits&) noexcept {
    m.subscription = in.varint();
    m.sequence = group_sequence{in.varint()};
}

inline void write(writer& out, version, const group_header& m) {
    out.varint(m.subscription);
    out.varint(number(m.sequence));
}

/// Maximum bytes of a group stream before its first frame: type, length and two varints.
inline constexpr std::size_t group_prefix_size_max = 2 + 2 * varint_size_max;

/// Writes the stream type and GROUP to the front of `out` and returns their size; 0 if a number is
/// too large.
constexpr std::size_t write_group_prefix(
    const group_header& m, std::span<std::byte, group_prefix_size_max> out) noexcept {
    if (m.subscription > varint_max || number(m.sequence) > varint_max) return 0;
    const auto body = varint_size(m.subscription) + varint_size(number(m.sequence));
    auto used = write_varint(static_cast<std::uint64_t>(uni_type::group), out);
    used += write_varint(body, out.subspan(used));
    used += write_varint(m.subscription, out.subspan(used));
    return used + write_varint(number(m.sequence), out.subspan(used));
}

} // namespace moqlite::wire::lite

// FETCH, moq-lite-06: one group or some of its frames, answered by them on the same stream.
#pragma once

#include <moqlite/core/ids.hpp>
#include <moqlite/wire/lite/codec.hpp>
#include <optional>
#include <string_view>

namespace moqlite::wire::lite {

struct fetch {
    std::string_view broadcast = {};
    std::string_view track = {};
    moqlite::priority priority = 0;
    group_sequence group = {};
    object_id frame_start{};                 ///< From moq-lite-06 on.
    std::optional<object_id> frame_end = {}; ///< The last frame; nullopt: to the end of the group. From 06 on.

    friend constexpr bool operator==(const fetch&, const fetch&) = default;
};

inline void read(reader& in, version v, fetch& m, const limits& bounds) noexcept {
    m.broadcast = detail::read_path(in, bounds);
    m.track = in.string();
    m.priority = in.u8();
    m.group = group_sequence{in.varint()};
    if (!has_frame_ranges(v)) return;
    m.frame_start = object_id{in.varint()};
    m.frame_end = detail::read_optional<object_id>(in);
    if (m.frame_end && *m.frame_end < m.frame_start) in.fail(errc::bad_frame_range);
}

inline void write(writer& out, version v, const fetch& m) {
    out.string(m.broadcast);
    out.string(m.track);
    out.u8(m.priority);
    out.varint(number(m.group));
    const bool whole = m.frame_start == object_id{} && !m.frame_end;
    if (!has_frame_ranges(v)) return whole ? void() : out.fail(errc::unsupported);
    if (m.frame_end && *m.frame_end < m.frame_start) out.fail(errc::bad_frame_range);
    out.varint(number(m.frame_start));
    detail::write_optional(out, m.frame_end);
}

} // namespace moqlite::wire::lite

// SUBSCRIBE and SUBSCRIBE_UPDATE, moq-lite-06.
#pragma once

#include <cstdint>
#include <moqlite/core/subscribe_options.hpp>
#include <moqlite/wire/lite/codec.hpp>
#include <string_view>

namespace moqlite::wire::lite {

struct subscribe {
    std::uint64_t id = 0; ///< Subscribe ID, chosen by the subscriber; groups carry it.
    std::string_view broadcast = {};
    std::string_view track = {};
    subscribe_options options = {};

    friend constexpr bool operator==(const subscribe&, const subscribe&) = default;
};

struct subscribe_update {
    subscribe_options options = {};

    friend constexpr bool operator==(const subscribe_update&, const subscribe_update&) = default;
};

namespace detail {

/// Where Max Age decides about the start, Group Start is a floor: 0 is none.
[[nodiscard]] inline std::optional<group_sequence> read_floor(reader& in) noexcept {
    const auto floor = in.varint();
    return floor == 0 ? std::nullopt : std::optional{group_sequence{floor}};
}

inline void read_options(reader& in, version v, subscribe_options& o) noexcept {
    o.priority = in.u8();
    if (has_ordered(v)) o.ordered = in.boolean();
    o.max_age = milliseconds{in.varint()};
    o.start = has_start_by_age(v) ? read_floor(in) : read_optional<group_sequence>(in);
    o.end = read_optional<group_sequence>(in);
    if (!has_frame_ranges(v)) return;
    o.frame_start = object_id{in.varint()};
    o.frame_end = read_optional<object_id>(in);
    if (o.frame_end && !o.end) in.fail(errc::bad_frame_range);
    if (served_end{true, o.end, o.frame_end}.is_before(o.start, o.frame_start)) in.fail(errc::bad_frame_range);
}

inline void write_options(writer& out, version v, const subscribe_options& o) {
    out.u8(o.priority);
    if (has_ordered(v)) out.boolean(o.ordered);
    out.varint(o.max_age.count());
    has_start_by_age(v) ? out.varint(number(o.start.value_or(group_sequence{}))) : write_optional(out, o.start);
    write_optional(out, o.end);
    if (!has_frame_ranges(v)) {
        if (o.frame_start != object_id{} || o.frame_end) out.fail(errc::unsupported);
        return;
    }
    const bool reversed = served_end{true, o.end, o.frame_end}.is_before(o.start, o.frame_start);
    if (reversed || (o.frame_end && !o.end)) out.fail(errc::bad_frame_range);
    out.varint(number(o.frame_start));
    write_optional(out, o.frame_end);
}

} // namespace detail

inline void read(reader& in, version v, subscribe& m, const limits& bounds) noexcept {
    m.id = in.varint();
    m.broadcast = detail::read_path(in, bounds);
    m.track = in.string();
    detail::read_options(in, v, m.options);
}

inline void write(writer& out, version v, const subscribe& m) {
    out.varint(m.id);
    out.string(m.broadcast);
    out.string(m.track);
    detail::write_options(out, v, m.options);
}

inline void read(reader& in, version v, subscribe_update& m, const limits&) noexcept {
    detail::read_options(in, v, m.options);
}

inline void write(writer& out, version v, const subscribe_update& m) { detail::write_options(out, v, m.options); }

} // namespace moqlite::wire::lite

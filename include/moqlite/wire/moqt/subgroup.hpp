// A stream of objects of one subgroup: its header, then the objects, draft-14 §10.4.2.
#pragma once

#include <cstddef>
#include <cstdint>
#include <moqlite/core/ids.hpp>
#include <moqlite/wire/moqt/object.hpp>
#include <optional>

namespace moqlite::wire::moqt {

/// How the header says which subgroup it is.
enum class subgroup_form : std::uint8_t { zero = 0, first_object = 2, field = 4 };

struct subgroup_header {
    std::uint64_t alias = 0; ///< Of the track.
    group_sequence group{};
    subgroup_form form = subgroup_form::zero;
    subgroup_id subgroup{};      ///< Of the form `first_object` the id of the first object, which follows.
    bool has_extensions = false; ///< Each object has a field for them.
    bool ends_group = false;     ///< The last object before the FIN is the group's.
    bool is_first = false;       ///< Draft-18: the first object here is the first of the subgroup.
    bool has_priority = true;    ///< Else it is that of the track (draft-18).
    std::uint8_t priority = 128; ///< Of the publisher; 0 is the most urgent.
    std::size_t consumed = 0;    ///< Bytes of the header, its type included.

    friend constexpr bool operator==(const subgroup_header&, const subgroup_header&) = default;
};

struct object_header {
    object_id object{};
    byte_view extensions = {}; ///< Pairs, which alias the input.
    std::uint64_t size = 0;    ///< Bytes of payload, which follow.
    object_status status = object_status::normal;
    std::size_t consumed = 0; ///< Bytes of the header.
};

namespace detail {

inline constexpr std::uint64_t subgroup_type = 0x10;
inline constexpr std::uint64_t with_extensions = 0x01;
inline constexpr std::uint64_t with_end_of_group = 0x08;
inline constexpr std::uint64_t form_mask = 0x06;
inline constexpr std::uint64_t with_default_priority = 0x20;
inline constexpr std::uint64_t with_first_object = 0x40;

} // namespace detail

/// A unidirectional stream of this type is one of a subgroup.
[[nodiscard]] constexpr bool is_subgroup(const draft& d, std::uint64_t type) noexcept {
    if (d.default_priority) type &= ~(detail::with_default_priority | detail::with_first_object);
    return type >= detail::subgroup_type && type <= 0x1d && (type & detail::form_mask) != detail::form_mask;
}

/// Parses the header, type included, at the front of a stream. errc::unknown_stream_type: it is no stream of objects.
[[nodiscard]] constexpr taken<subgroup_header> take_subgroup_header(const draft& d, byte_view in) noexcept {
    detail::stream_reader from{d, in};
    const auto type = from.varint();
    if (!is_subgroup(d, type)) from.fail(errc::unknown_stream_type);
    if (from.missing() || from.error() != errc::ok) return detail::taken_from(from, subgroup_header{});
    subgroup_header h{.form = static_cast<subgroup_form>(type & detail::form_mask),
        .has_extensions = (type & detail::with_extensions) != 0,
        .ends_group = (type & detail::with_end_of_group) != 0,
        .is_first = (type & detail::with_first_object) != 0,
        .has_priority = (type & detail::with_default_priority) == 0};
    h.alias = from.varint();
    h.group = group_sequence{from.varint()};
    if (h.form == subgroup_form::field) h.subgroup = subgroup_id{from.varint()};
    if (h.has_priority) h.priority = from.u8();
    return detail::taken_from(from, h);
}

inline void write(writer& out, const draft& d, const subgroup_header& h) {
    if (!d.default_priority && (h.is_first || !h.has_priority)) return out.fail(errc::unsupported);
    out.varint(detail::subgroup_type | static_cast<std::uint64_t>(h.form) |
               (h.has_extensions ? detail::with_extensions : 0) | (h.ends_group ? detail::with_end_of_group : 0) |
               (h.is_first ? detail::with_first_object : 0) | (h.has_priority ? 0 : detail::with_default_priority));
    out.varint(h.alias);
    out.varint(number(h.group));
    if (h.form == subgroup_form::field) out.varint(number(h.subgroup));
    if (h.has_priority) out.u8(h.priority);
}

/// Parses the header of an object. `before`: the one before it on the stream.
[[nodiscard]] constexpr taken<object_header> take_object_header(const draft& d, const subgroup_header& of,
    std::optional<object_id> before, byte_view in, const limits& bounds = default_limits) noexcept {
    detail::stream_reader from{d, in};
    object_header o;
    const auto delta = from.varint();
    const auto least = before ? number(*before) + 1 : 0;
    if (least > varint_max || delta > varint_max - least) from.fail(errc::value_too_large);
    o.object = object_id{least + delta};
    if (of.has_extensions) o.extensions = detail::read_extensions(from, d, bounds);
    o.size = from.varint();
    if (o.size > bounds.frame) from.fail(errc::frame_too_large);
    o.status = detail::read_status_of(from, d, o.size, o.extensions);
    return detail::taken_from(from, o);
}

/// Precondition: `before` is below the object.
inline void write(
    writer& out, const draft& d, const subgroup_header& of, std::optional<object_id> before, const object_header& o) {
    out.varint(before ? number(o.object) - number(*before) - 1 : number(o.object));
    detail::write_body(out, d, {o.extensions, o.size, o.status}, of.has_extensions);
}

} // namespace moqlite::wire::moqt

// The stream that answers a FETCH: its header, then objects with all their ids, draft-14 §10.4.4.
#pragma once

#include <cstddef>
#include <cstdint>
#include <moqlite/core/ids.hpp>
#include <moqlite/wire/moqt/location.hpp>
#include <moqlite/wire/moqt/object.hpp>
#include <optional>

namespace moqlite::wire::moqt {

struct fetch_header {
    static constexpr std::uint64_t type = 0x05;

    std::uint64_t request = 0;
    std::size_t consumed = 0; ///< Bytes of the header, its type included.
};

struct fetched_object {
    /// Draft-18: instead of an object, everything up to and with `where` that was not sent before it.
    enum class gap : std::uint8_t { none, does_not_exist, unknown };

    location where{};
    subgroup_id subgroup{};                       ///< Of an object that came as a datagram its id (draft-14), or 0.
    bool is_datagram = false;                     ///< Draft-18: it came as a datagram.
    std::uint8_t priority = 128;                  ///< Of the publisher; 0 is the most urgent.
    byte_view extensions = {};                    ///< Pairs, which alias the input.
    std::uint64_t size = 0;                       ///< Bytes of payload, which follow.
    object_status status = object_status::normal; ///< Draft-14.
    gap missing = gap::none;
    std::size_t consumed = 0; ///< Bytes of the header.
};

/// What an object may leave out, since it is as before: kept from object to object of one stream.
struct fetch_cursor {
    std::optional<location> where{};        ///< Of the last object or gap.
    std::optional<subgroup_id> subgroup{};  ///< Of the last object that was in one.
    std::optional<std::uint8_t> priority{}; ///< Of the last object.
    bool descends = false;                  ///< The groups, as FETCH asked.

    void note(const fetched_object& o) noexcept {
        where = o.where;
        if (o.missing != fetched_object::gap::none) return;
        if (!o.is_datagram) subgroup = o.subgroup;
        priority = o.priority;
    }
};

/// errc::unknown_stream_type: it is no answer to a FETCH.
[[nodiscard]] constexpr taken<fetch_header> take_fetch_header(const draft& d, byte_view in) noexcept {
    detail::stream_reader from{d, in};
    if (from.varint() != fetch_header::type) from.fail(errc::unknown_stream_type);
    return detail::taken_from(from, fetch_header{.request = from.varint()});
}

inline void write(writer& out, const draft&, const fetch_header& h) {
    out.varint(fetch_header::type);
    out.varint(h.request);
}

namespace detail {

namespace fetch_flag {
inline constexpr std::uint64_t subgroup_mask = 0x03; ///< 0: it is 0; 1: as before; 2: one more; 3: a field.
inline constexpr std::uint64_t object = 0x04;
inline constexpr std::uint64_t group = 0x08;
inline constexpr std::uint64_t priority = 0x10;
inline constexpr std::uint64_t extensions = 0x20;
inline constexpr std::uint64_t datagram = 0x40;
inline constexpr std::uint64_t gap = 0x8c;
inline constexpr std::uint64_t unknown_gap = 0x10c;
} // namespace fetch_flag

[[nodiscard]] constexpr std::uint64_t sum(stream_reader& in, std::uint64_t a, std::uint64_t b) noexcept {
    if (a > varint_max || b > varint_max - a) in.fail(errc::value_too_large);
    return a + b;
}

/// The group of an object: given, or that of the one before.
[[nodiscard]] constexpr group_sequence read_group(
    stream_reader& in, const fetch_cursor& before, std::uint64_t flags) noexcept {
    const bool is_given = (flags & fetch_flag::group) != 0;
    if (!before.where) {
        if (!is_given) in.fail(errc::bad_choice);
        return group_sequence{is_given ? in.varint() : 0};
    }
    const auto last = number(before.where->group);
    if (!is_given) return before.where->group;
    const auto delta = in.varint();
    if (!before.descends) return group_sequence{sum(in, sum(in, last, delta), 1)};
    if (delta >= last) in.fail(errc::value_too_large);
    return group_sequence{last - delta - 1};
}

[[nodiscard]] constexpr subgroup_id read_subgroup(
    stream_reader& in, const fetch_cursor& before, std::uint64_t flags) noexcept {
    const auto how = flags & fetch_flag::subgroup_mask;
    if ((flags & fetch_flag::datagram) != 0 || how == 0) return {};
    if (how == 3) return subgroup_id{in.varint()};
    if (!before.subgroup) in.fail(errc::bad_choice);
    return subgroup_id{sum(in, number(before.subgroup.value_or(subgroup_id{})), how - 1)};
}

/// Its number counts from the object before, in another group from 0.
[[nodiscard]] constexpr object_id read_object(
    stream_reader& in, const fetch_cursor& before, std::uint64_t flags) noexcept {
    const bool is_given = (flags & fetch_flag::object) != 0;
    if (!before.where && !is_given) in.fail(errc::bad_choice);
    const auto last = before.where ? number(before.where->object) : 0;
    if (!is_given) return object_id{sum(in, last, 1)};
    const bool is_absolute = !before.where || (flags & fetch_flag::group) != 0;
    const auto delta = in.varint();
    return object_id{is_absolute ? delta : sum(in, last, delta)};
}

[[nodiscard]] constexpr taken<fetched_object> take_flagged(
    const draft& d, const fetch_cursor& before, byte_view in, const limits& bounds) noexcept {
    stream_reader from{d, in};
    fetched_object o;
    const auto flags = from.varint();
    const bool is_gap = flags == fetch_flag::gap || flags == fetch_flag::unknown_gap;
    if (flags >= 128 && !is_gap) from.fail(errc::bad_choice);
    if (from.missing() || from.error() != errc::ok) return taken_from(from, o);
    if (is_gap) { // Its ids are whole, since it may end in the group of the object before it.
        o.missing = flags == fetch_flag::gap ? fetched_object::gap::does_not_exist : fetched_object::gap::unknown;
        o.where.group = group_sequence{from.varint()};
        o.where.object = object_id{from.varint()};
        return taken_from(from, o);
    }
    o.is_datagram = (flags & fetch_flag::datagram) != 0;
    o.where.group = read_group(from, before, flags);
    o.subgroup = read_subgroup(from, before, flags);
    o.where.object = read_object(from, before, flags);
    if ((flags & fetch_flag::priority) != 0)
        o.priority = from.u8();
    else if (before.priority)
        o.priority = *before.priority;
    else
        from.fail(errc::bad_choice);
    if ((flags & fetch_flag::extensions) != 0) o.extensions = read_extensions(from, d, bounds);
    o.size = from.varint();
    if (o.size > bounds.frame) from.fail(errc::frame_too_large);
    return taken_from(from, o);
}

} // namespace detail

/// Parses the header of an object. errc::object_order: within its group it is not after the one before it, which makes
/// the track malformed. Afterwards, once it is whole, `before` notes it.
[[nodiscard]] constexpr taken<fetched_object> take_fetched_object(
    const draft& d, const fetch_cursor& before, byte_view in, const limits& bounds = default_limits) noexcept {
    const auto follows = [&](const location& where) {
        return !before.where || before.where->group != where.group || before.where->object < where.object;
    };
    if (d.fetch_deltas) {
        const auto object = detail::take_flagged(d, before, in, bounds);
        if (object && !follows(object->where)) return errc::object_order;
        return object;
    }
    detail::stream_reader from{d, in};
    fetched_object o;
    o.where.group = group_sequence{from.varint()};
    o.subgroup = subgroup_id{from.varint()};
    o.where.object = object_id{from.varint()};
    if (!follows(o.where)) from.fail(errc::object_order);
    o.priority = from.u8();
    o.extensions = detail::read_extensions(from, d, bounds);
    o.size = from.varint();
    if (o.size > bounds.frame) from.fail(errc::frame_too_large);
    o.status = detail::read_status_of(from, d, o.size, o.extensions);
    return detail::taken_from(from, o);
}

namespace detail {

inline void write_gap(writer& out, const fetched_object& o) {
    out.varint(o.missing == fetched_object::gap::unknown ? fetch_flag::unknown_gap : fetch_flag::gap);
    out.varint(number(o.where.group));
    out.varint(number(o.where.object));
}

inline void write_group_delta(writer& out, const fetch_cursor& before, group_sequence group) {
    if (!before.where) return out.varint(number(group));
    const auto last = number(before.where->group);
    if (before.descends ? number(group) > last : number(group) < last) return out.fail(errc::object_order);
    out.varint((before.descends ? last - number(group) : number(group) - last) - 1);
}

inline void write_flagged(writer& out, const fetch_cursor& before, const fetched_object& o) {
    if (o.status != object_status::normal) return out.fail(errc::bad_object_status);
    const bool same_group = before.where && before.where->group == o.where.group;
    const bool next_object = same_group && next(before.where->object) == o.where.object;
    const bool same_priority = before.priority == o.priority;
    const std::uint64_t subgroup = o.is_datagram || o.subgroup == subgroup_id{} ? 0
                                   : before.subgroup == o.subgroup              ? 1
                                                                                : 3;
    out.varint(subgroup | (next_object ? 0 : fetch_flag::object) | (same_group ? 0 : fetch_flag::group) |
               (same_priority ? 0 : fetch_flag::priority) | (o.extensions.empty() ? 0 : fetch_flag::extensions) |
               (o.is_datagram ? fetch_flag::datagram : 0));
    if (!same_group) write_group_delta(out, before, o.where.group);
    if (subgroup == 3) out.varint(number(o.subgroup));
    const auto from = same_group ? number(before.where->object) : 0;
    if (!next_object) out.varint(number(o.where.object) - from);
    if (!same_priority) out.u8(o.priority);
    if (!o.extensions.empty()) {
        out.varint(o.extensions.size());
        out.bytes(o.extensions);
    }
    out.varint(o.size);
}

} // namespace detail

/// Precondition: within its group it is after `before`, which notes it afterwards.
inline void write(writer& out, const draft& d, const fetch_cursor& before, const fetched_object& o) {
    const bool is_gap = o.missing != fetched_object::gap::none;
    if (d.fetch_deltas) return is_gap ? detail::write_gap(out, o) : detail::write_flagged(out, before, o);
    if (is_gap) return out.fail(errc::unsupported);
    out.varint(number(o.where.group));
    out.varint(number(o.subgroup));
    out.varint(number(o.where.object));
    out.u8(o.priority);
    detail::write_body(out, d, {o.extensions, o.size, o.status}, true);
}

} // namespace moqlite::wire::moqt

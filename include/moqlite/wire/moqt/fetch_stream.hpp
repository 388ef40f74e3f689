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
    location where{};
    subgroup_id subgroup{};      ///< Of an object that came as a datagram its id.
    std::uint8_t priority = 128; ///< Of the publisher; 0 is the most urgent.
    byte_view extensions = {};   ///< Pairs, which alias the input.
    std::uint64_t size = 0;      ///< Bytes of payload, which follow.
    object_status status = object_status::normal;
    std::size_t consumed = 0; ///< Bytes of the header.
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

/// Parses the header of an object. `before`: the one before it. errc::object_order: within its group, it is not after
/// that one, which makes the track malformed.
[[nodiscard]] constexpr taken<fetched_object> take_fetched_object(
    const draft& d, std::optional<location> before, byte_view in, const limits& bounds = default_limits) noexcept {
    detail::stream_reader from{d, in};
    fetched_object o;
    o.where.group = group_sequence{from.varint()};
    o.subgroup = subgroup_id{from.varint()};
    o.where.object = object_id{from.varint()};
    if (before && before->group == o.where.group && o.where.object <= before->object) from.fail(errc::object_order);
    o.priority = from.u8();
    o.extensions = detail::read_extensions(from, d, bounds);
    o.size = from.varint();
    if (o.size > bounds.frame) from.fail(errc::frame_too_large);
    o.status = detail::read_status_of(from, o.size, o.extensions);
    return detail::taken_from(from, o);
}

inline void write(writer& out, const draft&, const fetched_object& o) {
    out.varint(number(o.where.group));
    out.varint(number(o.subgroup));
    out.varint(number(o.where.object));
    out.u8(o.priority);
    detail::write_body(out, {o.extensions, o.size, o.status}, true);
}

} // namespace moqlite::wire::moqt

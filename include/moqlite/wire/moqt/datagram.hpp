// An object in a datagram, draft-14 §10.3.
#pragma once

#include <cstdint>
#include <moqlite/core/ids.hpp>
#include <moqlite/core/result.hpp>
#include <moqlite/wire/moqt/object.hpp>
#include <moqlite/wire/reader.hpp>
#include <moqlite/wire/writer.hpp>
#include <vector>

namespace moqlite::wire::moqt {

struct object_datagram {
    std::uint64_t alias = 0; ///< Of the track.
    group_sequence group{};
    object_id object{};
    bool has_object = true;      ///< The id is written, even if it is 0.
    bool ends_group = false;     ///< It is the group's last object.
    bool has_status = false;     ///< A status instead of a payload.
    std::uint8_t priority = 128; ///< Of the publisher; 0 is the most urgent.
    byte_view extensions = {};   ///< Pairs.
    byte_view payload = {};
    object_status status = object_status::normal;
};

namespace detail {

inline constexpr std::uint64_t datagram_extensions = 0x01;
inline constexpr std::uint64_t datagram_end_of_group = 0x02;
inline constexpr std::uint64_t datagram_object_0 = 0x04;
inline constexpr std::uint64_t datagram_status = 0x20;

} // namespace detail

/// errc::unknown_stream_type: the draft has no such datagram.
[[nodiscard]] inline result<object_datagram> decode_datagram(const draft& d, byte_view bytes) noexcept {
    reader in{bytes, d.form};
    const auto type = in.varint();
    if (in.error() != errc::ok) return in.error();
    if (type > 0x07 && type != 0x20 && type != 0x21) return errc::unknown_stream_type;
    object_datagram o{.has_object = (type & detail::datagram_object_0) == 0,
        .ends_group = (type & detail::datagram_end_of_group) != 0,
        .has_status = (type & detail::datagram_status) != 0};
    o.alias = in.varint();
    o.group = group_sequence{in.varint()};
    if (o.has_object) o.object = object_id{in.varint()};
    o.priority = in.u8();
    if ((type & detail::datagram_extensions) != 0) {
        o.extensions = in.bytes(in.varint());
        if (in.error() == errc::ok && o.extensions.empty()) in.fail(errc::parameter_size);
        if (const auto error = check_pairs(d, o.extensions); error != errc::ok) in.fail(error);
    }
    if (o.has_status) {
        auto error = errc::ok;
        o.status = detail::read_status(in.varint(), o.extensions, error);
        if (error != errc::ok) in.fail(error);
    } else {
        o.payload = in.rest();
    }
    if (const auto error = in.finish(); error != errc::ok) return error;
    return o;
}

/// Appends it, or nothing at all.
[[nodiscard]] inline errc encode(const draft& d, const object_datagram& o, std::vector<std::byte>& out) {
    writer to{out, d.form};
    const bool status_only = o.has_status && (o.ends_group || !o.has_object || !o.payload.empty());
    const bool has_no_status = !o.has_status && o.status != object_status::normal;
    if (status_only || has_no_status || (!o.has_object && o.object != object_id{})) to.fail(errc::invalid_argument);
    to.varint((o.extensions.empty() ? 0 : detail::datagram_extensions) |
              (o.ends_group ? detail::datagram_end_of_group : 0) | (o.has_object ? 0 : detail::datagram_object_0) |
              (o.has_status ? detail::datagram_status : 0));
    to.varint(o.alias);
    to.varint(number(o.group));
    if (o.has_object) to.varint(number(o.object));
    to.u8(o.priority);
    if (!o.extensions.empty()) {
        to.varint(o.extensions.size());
        to.bytes(o.extensions);
    }
    if (o.has_status)
        to.varint(static_cast<std::uint64_t>(o.status));
    else
        to.bytes(o.payload);
    if (to.error() != errc::ok) to.rollback();
    return to.error();
}

} // namespace moqlite::wire::moqt

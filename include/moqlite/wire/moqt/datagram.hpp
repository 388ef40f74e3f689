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
    bool has_priority = true;    ///< Else it is that of the track (draft-18).
    std::uint8_t priority = 128; ///< Of the publisher; 0 is the most urgent.
    byte_view extensions = {};   ///< Pairs.
    byte_view payload = {};
    object_status status = object_status::normal;
};

namespace detail {

inline constexpr std::uint64_t datagram_extensions = 0x01;
inline constexpr std::uint64_t datagram_end_of_group = 0x02;
inline constexpr std::uint64_t datagram_object_0 = 0x04;
inline constexpr std::uint64_t datagram_default_priority = 0x08;
inline constexpr std::uint64_t datagram_status = 0x20;

/// The bits that a datagram's type may have.
[[nodiscard]] constexpr bool is_datagram(const draft& d, std::uint64_t type) noexcept {
    if (!d.default_priority) return type <= 0x07 || type == 0x20 || type == 0x21;
    const bool status_and_end = (type & datagram_status) != 0 && (type & datagram_end_of_group) != 0;
    return (type & ~std::uint64_t{0x2f}) == 0 && !status_and_end;
}

} // namespace detail

/// errc::unknown_stream_type: the draft has no such datagram.
[[nodiscard]] inline result<object_datagram> decode_datagram(const draft& d, byte_view bytes) noexcept {
    reader in{bytes, d.form};
    const auto type = in.varint();
    if (in.error() != errc::ok) return in.error();
    if (!detail::is_datagram(d, type)) return errc::unknown_stream_type;
    object_datagram o{.has_object = (type & detail::datagram_object_0) == 0,
        .ends_group = (type & detail::datagram_end_of_group) != 0,
        .has_status = (type & detail::datagram_status) != 0,
        .has_priority = (type & detail::datagram_default_priority) == 0};
    o.alias = in.varint();
    o.group = group_sequence{in.varint()};
    if (o.has_object) o.object = object_id{in.varint()};
    if (o.has_priority) o.priority = in.u8();
    if ((type & detail::datagram_extensions) != 0) {
        o.extensions = in.bytes(in.varint());
        if (in.error() == errc::ok && o.extensions.empty()) in.fail(errc::parameter_size);
        if (const auto error = check_pairs(d, o.extensions); error != errc::ok) in.fail(error);
    }
    if (o.has_status) {
        auto error = errc::ok;
        o.status = detail::read_status(d, in.varint(), o.extensions, error);
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
    const auto type = (o.extensions.empty() ? 0 : detail::datagram_extensions) |
                      (o.ends_group ? detail::datagram_end_of_group : 0) |
                      (o.has_object ? 0 : detail::datagram_object_0) | (o.has_status ? detail::datagram_status : 0) |
                      (o.has_priority ? 0 : detail::datagram_default_priority);
    const bool fits = o.has_status ? o.payload.empty() : o.status == object_status::normal;
    if (!fits || (!o.has_object && o.object != object_id{})) to.fail(errc::invalid_argument);
    if (!o.extensions.empty() && !detail::may_have_extensions(d, o.status)) to.fail(errc::bad_object_status);
    if (!detail::is_datagram(d, type)) to.fail(errc::unsupported);
    to.varint(type);
    to.varint(o.alias);
    to.varint(number(o.group));
    if (o.has_object) to.varint(number(o.object));
    if (o.has_priority) to.u8(o.priority);
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

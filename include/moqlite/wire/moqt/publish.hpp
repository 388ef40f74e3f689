// PUBLISH, by which a publisher begins a subscription, its answer, and PUBLISH_DONE, which ends one, draft-14 §9.12 to
// §9.15.
#pragma once

#include <cstdint>
#include <moqlite/wire/moqt/codec.hpp>
#include <moqlite/wire/moqt/control.hpp>
#include <moqlite/wire/moqt/location.hpp>
#include <moqlite/wire/moqt/parameters.hpp>
#include <moqlite/wire/moqt/subscribe.hpp>
#include <moqlite/wire/moqt/track_namespace.hpp>
#include <moqlite/wire/moqt/typed_parameters.hpp>
#include <optional>
#include <string_view>

namespace moqlite::wire::moqt {

struct publish {
    std::uint64_t request = 0;
    full_track_name track{};
    std::uint64_t alias = 0;
    group_order order = group_order::ascending;
    std::optional<location> largest{}; ///< nullopt: nothing was published yet.
    bool forward = true;               ///< Objects follow at once, before PUBLISH_OK.
    parameter_list parameters{};
    // Draft-18:
    std::uint64_t expires = 0; ///< Milliseconds; 0: not known, or never.
    byte_view properties = {}; ///< Of the track, as pairs, its `order` among them.

    friend bool operator==(const publish& a, const publish& b) noexcept {
        return a.request == b.request && a.track == b.track && a.alias == b.alias && a.order == b.order &&
               a.largest == b.largest && a.forward == b.forward && a.parameters == b.parameters &&
               a.expires == b.expires && as_text(a.properties) == as_text(b.properties);
    }
};

/// Draft-14; later a REQUEST_OK.
struct publish_ok {
    std::uint64_t request = 0;
    bool forward = true;
    std::uint8_t priority = 128; ///< Of the subscriber; 0 is the most urgent.
    group_order order = group_order::ascending;
    location_filter filter{};
    parameter_list parameters{};

    friend bool operator==(const publish_ok&, const publish_ok&) = default;
};

/// The last message of a subscription, after its last stream.
struct publish_done {
    static constexpr std::uint64_t unknown_count = varint_max;

    std::uint64_t request = 0;
    std::uint64_t status = 0;
    std::uint64_t streams = unknown_count; ///< Opened for it. Peers write 0 although they opened some.
    std::string_view reason = {};

    friend bool operator==(const publish_done&, const publish_done&) = default;
};

[[nodiscard]] constexpr std::uint64_t message_type(const draft&, const publish&) noexcept { return 0x1d; }
[[nodiscard]] constexpr std::uint64_t message_type(const draft&, const publish_ok&) noexcept { return 0x1e; }
[[nodiscard]] constexpr std::uint64_t message_type(const draft&, const publish_done&) noexcept { return 0x0b; }

inline void read(reader& in, const dialect& d, publish& m, const limits& bounds) noexcept {
    m.request = in.varint();
    m.track = detail::read_track_name(in, bounds);
    m.alias = in.varint();
    if (d.rules.typed_parameters) return detail::read_typed_answer(in, d.rules, m, parameter_scope::publish);
    m.order = detail::read_order(in, group_order::ascending);
    m.largest = detail::read_largest(in);
    m.forward = detail::read_flag(in);
    m.parameters = detail::read_parameters(in, d.rules);
}
inline void write(writer& out, const draft& d, const publish& m) {
    out.varint(m.request);
    detail::write_track_name(out, m.track);
    out.varint(m.alias);
    if (d.typed_parameters) {
        namespace type = message_parameter;
        detail::parameter_writer all{d, {type::expires, type::largest_object, type::forward}};
        if (m.expires != 0) all.integer(type::expires, m.expires);
        all.place(type::largest_object, m.largest);
        all.byte(type::forward, m.forward ? 1 : 0);
        all.write(out, m.parameters);
        return detail::write_properties(out, d, m.properties);
    }
    detail::write_order(out, m.order, group_order::ascending);
    detail::write_largest(out, m.largest);
    out.boolean(m.forward);
    detail::write_parameters(out, m.parameters);
}

inline void read(reader& in, const dialect& d, publish_ok& m, const limits&) noexcept {
    m.request = in.varint();
    m.forward = detail::read_flag(in);
    m.priority = in.u8();
    m.order = detail::read_order(in, group_order::ascending);
    m.filter = detail::read_filter(in);
    m.parameters = detail::read_parameters(in, d.rules);
}
inline void write(writer& out, const draft&, const publish_ok& m) {
    out.varint(m.request);
    out.boolean(m.forward);
    out.u8(m.priority);
    detail::write_order(out, m.order, group_order::ascending);
    detail::write_filter(out, m.filter);
    detail::write_parameters(out, m.parameters);
}

inline void read(reader& in, const dialect& d, publish_done& m, const limits&) noexcept {
    m.request = detail::read_answered(in, d);
    m.status = in.varint();
    m.streams = in.varint();
    m.reason = detail::read_reason(in);
}
inline void write(writer& out, const draft& d, const publish_done& m) {
    detail::write_answered(out, d, m.request);
    out.varint(m.status);
    out.varint(m.streams);
    detail::write_reason(out, m.reason);
}

} // namespace moqlite::wire::moqt

// FETCH, which asks for objects of the past, and its answer, draft-14 §9.16 to §9.18.
#pragma once

#include <cstdint>
#include <moqlite/wire/moqt/codec.hpp>
#include <moqlite/wire/moqt/location.hpp>
#include <moqlite/wire/moqt/parameters.hpp>
#include <moqlite/wire/moqt/track_namespace.hpp>
#include <moqlite/wire/moqt/typed_parameters.hpp>

namespace moqlite::wire::moqt {

enum class fetch_type : std::uint8_t {
    standalone = 1,
    relative_joining = 2, ///< From `joining_start` groups before the largest of a subscription.
    absolute_joining = 3, ///< From group `joining_start`.
};

struct fetch {
    std::uint64_t request = 0;
    std::uint8_t priority = 128; ///< 0 is the most urgent.
    group_order order = group_order::publishers;
    fetch_type type = fetch_type::standalone;
    // Standalone.
    full_track_name track{};
    location start{};
    location end{}; ///< After the last object; object 0: the whole of its group.
    // Joining.
    std::uint64_t joined = 0; ///< The request of the subscription.
    std::uint64_t joining_start = 0;
    parameter_list parameters{};

    friend bool operator==(const fetch&, const fetch&) = default;
};

struct fetch_ok {
    std::uint64_t request = 0;
    group_order order = group_order::ascending;
    bool end_of_track = false; ///< `end` is that of the track.
    location end{};
    parameter_list parameters{};
    byte_view properties = {}; ///< Draft-18: of the track, as pairs.

    friend bool operator==(const fetch_ok& a, const fetch_ok& b) noexcept {
        return a.request == b.request && a.order == b.order && a.end_of_track == b.end_of_track && a.end == b.end &&
               a.parameters == b.parameters && as_text(a.properties) == as_text(b.properties);
    }
};

[[nodiscard]] constexpr std::uint64_t message_type(const draft&, const fetch&) noexcept { return 0x16; }
[[nodiscard]] constexpr std::uint64_t message_type(const draft&, const fetch_ok&) noexcept { return 0x18; }

inline void read(reader& in, const dialect& d, fetch& m, const limits& bounds) noexcept {
    m.request = in.varint();
    if (!d.rules.typed_parameters) {
        m.priority = in.u8();
        m.order = detail::read_order(in, group_order::publishers);
    }
    const auto type = in.varint();
    if (type < 1 || type > 3) in.fail(errc::bad_choice);
    if (in.error() != errc::ok) return;
    m.type = static_cast<fetch_type>(type);
    if (m.type == fetch_type::standalone) {
        m.track = detail::read_track_name(in, bounds);
        m.start = detail::read_location(in);
        m.end = detail::read_location(in);
    } else {
        m.joined = in.varint();
        m.joining_start = in.varint();
    }
    m.parameters = detail::read_parameters(in, d.rules, parameter_scope::fetch);
    if (!d.rules.typed_parameters) return;
    typed_parameter_reader all{d.rules, m.parameters.pairs, m.parameters.count};
    while (const auto p = all.next()) {
        if (p->type == message_parameter::subscriber_priority) m.priority = static_cast<std::uint8_t>(p->value);
        if (p->type == message_parameter::group_order) m.order = static_cast<group_order>(p->value);
    }
}
inline void write(writer& out, const draft& d, const fetch& m) {
    out.varint(m.request);
    if (!d.typed_parameters) {
        out.u8(m.priority);
        detail::write_order(out, m.order, group_order::publishers);
    }
    out.varint(static_cast<std::uint64_t>(m.type));
    if (m.type == fetch_type::standalone) {
        detail::write_track_name(out, m.track);
        detail::write_location(out, m.start);
        detail::write_location(out, m.end);
    } else {
        out.varint(m.joined);
        out.varint(m.joining_start);
    }
    if (!d.typed_parameters) return detail::write_parameters(out, m.parameters);
    detail::parameter_writer all{d, {message_parameter::subscriber_priority, message_parameter::group_order}};
    all.byte(message_parameter::subscriber_priority, m.priority);
    all.order(m.order);
    all.write(out, m.parameters);
}

inline void read(reader& in, const dialect& d, fetch_ok& m, const limits&) noexcept {
    m.request = detail::read_answered(in, d);
    if (!d.rules.typed_parameters) m.order = detail::read_order(in, group_order::ascending);
    m.end_of_track = detail::read_flag(in);
    m.end = detail::read_location(in);
    m.parameters = detail::read_parameters(in, d.rules, parameter_scope::fetch_ok);
    m.properties = detail::read_properties(in, d.rules);
}
/// Where there are typed parameters, the order is that of the FETCH, and is not written.
inline void write(writer& out, const draft& d, const fetch_ok& m) {
    detail::write_answered(out, d, m.request);
    if (!d.typed_parameters) detail::write_order(out, m.order, group_order::ascending);
    out.boolean(m.end_of_track);
    detail::write_location(out, m.end);
    detail::write_parameters(out, d, m.parameters);
    detail::write_properties(out, d, m.properties);
}

} // namespace moqlite::wire::moqt

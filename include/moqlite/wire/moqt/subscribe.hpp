// SUBSCRIBE, its answers and updates, and TRACK_STATUS, which looks the same, draft-14 §9.7 to §9.11 and §9.19.
#pragma once

#include <cstdint>
#include <moqlite/wire/moqt/codec.hpp>
#include <moqlite/wire/moqt/location.hpp>
#include <moqlite/wire/moqt/parameters.hpp>
#include <moqlite/wire/moqt/track_namespace.hpp>
#include <moqlite/wire/moqt/typed_parameters.hpp>
#include <optional>
#include <utility>

namespace moqlite::wire::moqt {

/// SUBSCRIBE; or TRACK_STATUS, which asks for the answer alone.
struct subscribe {
    request_kind of = request_kind::subscribe;
    std::uint64_t request = 0;
    full_track_name track{};
    std::uint8_t priority = 128; ///< 0 is the most urgent.
    group_order order = group_order::publishers;
    bool forward = true; ///< Objects are wanted now.
    location_filter filter{};
    parameter_list parameters{};

    friend bool operator==(const subscribe&, const subscribe&) = default;
};

/// SUBSCRIBE_OK or TRACK_STATUS_OK.
struct subscribe_ok {
    request_kind of = request_kind::subscribe;
    std::uint64_t request = 0;
    std::uint64_t alias = 0;   ///< Of the track, on its streams and datagrams; 0 in TRACK_STATUS_OK.
    std::uint64_t expires = 0; ///< Milliseconds; 0: not known, or never.
    group_order order = group_order::ascending;
    std::optional<location> largest{}; ///< nullopt: nothing was published yet.
    parameter_list parameters{};
    byte_view properties = {}; ///< Draft-18: of the track, as pairs, its `order` among them.

    friend bool operator==(const subscribe_ok& a, const subscribe_ok& b) noexcept {
        return a.of == b.of && a.request == b.request && a.alias == b.alias && a.expires == b.expires &&
               a.order == b.order && a.largest == b.largest && a.parameters == b.parameters &&
               as_text(a.properties) == as_text(b.properties);
    }
};

/// REQUEST_UPDATE, draft-18: changes of any request, on its stream. What is not given stays.
struct request_update {
    std::uint64_t request = 0; ///< Its own.
    parameter_list parameters{};

    friend bool operator==(const request_update&, const request_update&) = default;
};

struct subscribe_update {
    std::uint64_t request = 0;      ///< Its own.
    std::uint64_t subscription = 0; ///< The request of the SUBSCRIBE.
    location start{};
    std::optional<group_sequence> end_group{}; ///< The last group; nullopt: open.
    std::uint8_t priority = 128;
    bool forward = true;
    parameter_list parameters{};

    friend bool operator==(const subscribe_update&, const subscribe_update&) = default;
};

/// The private message by which a subscriber of a moqtail relay changes the track at a group.
struct switch_track {
    std::uint64_t request = 0;
    full_track_name track{};
    std::uint64_t subscription = 0; ///< The one to end.
    parameter_list parameters{};

    friend bool operator==(const switch_track&, const switch_track&) = default;
};

[[nodiscard]] constexpr std::uint64_t message_type(const draft&, const subscribe& m) noexcept {
    return m.of == request_kind::track_status ? 0x0d : 0x03;
}
[[nodiscard]] constexpr std::uint64_t message_type(const draft&, const subscribe_ok& m) noexcept {
    return m.of == request_kind::track_status ? 0x0e : 0x04;
}
[[nodiscard]] constexpr std::uint64_t message_type(const draft&, const subscribe_update&) noexcept { return 0x02; }
[[nodiscard]] constexpr std::uint64_t message_type(const draft&, const request_update&) noexcept { return 0x02; }
[[nodiscard]] constexpr std::uint64_t message_type(const draft&, const switch_track&) noexcept { return 0x22; }

namespace detail {

/// What the parameters say of a subscription; without a filter it is of everything.
template <class M>
void take_parameters(const draft& d, M& m) noexcept {
    m.filter = {.from = filter_start::absolute};
    typed_parameter_reader all{d, m.parameters.pairs, m.parameters.count};
    while (const auto p = all.next()) {
        reader value{p->bytes, d.form};
        if (p->type == message_parameter::subscriber_priority) m.priority = static_cast<std::uint8_t>(p->value);
        if (p->type == message_parameter::group_order) m.order = static_cast<group_order>(p->value);
        if (p->type == message_parameter::forward) m.forward = p->value == 1;
        if (p->type == message_parameter::subscription_filter) m.filter = read_filter_value(value);
    }
}
template <class M>
void write_typed_subscription(writer& out, const draft& d, const M& m) {
    parameter_writer all{d, {message_parameter::forward, message_parameter::subscriber_priority,
                                message_parameter::subscription_filter, message_parameter::group_order}};
    all.byte(message_parameter::forward, m.forward ? 1 : 0);
    all.byte(message_parameter::subscriber_priority, m.priority);
    all.filter(m.filter);
    all.order(m.order);
    all.write(out, m.parameters);
}

/// After the request's id.
inline void read_subscription(reader& in, const dialect& d, subscribe& m, const limits& bounds) noexcept {
    m.track = read_track_name(in, bounds);
    if (d.rules.typed_parameters) {
        const bool asks = m.of == request_kind::track_status;
        m.parameters = read_parameters(in, d.rules, asks ? parameter_scope::track_status : parameter_scope::subscribe);
        return take_parameters(d.rules, m);
    }
    m.priority = in.u8();
    m.order = read_order(in, group_order::publishers);
    m.forward = read_flag(in);
    m.filter = read_filter(in);
    m.parameters = read_parameters(in, d.rules);
}

/// The publisher's order: a property of the track, which was checked.
[[nodiscard]] inline group_order order_in(const draft& d, byte_view properties) noexcept {
    const auto order = find(d, properties, track_property::default_publisher_group_order);
    return order && order->value == 2 ? group_order::descending : group_order::ascending;
}

/// EXPIRES and LARGEST_OBJECT, and the properties of the track.
template <class M>
void read_typed_answer(reader& in, const draft& d, M& m, parameter_scope scope) noexcept {
    m.parameters = read_parameters(in, d, scope);
    typed_parameter_reader all{d, m.parameters.pairs, m.parameters.count};
    while (const auto p = all.next()) {
        reader value{p->bytes, d.form};
        if (p->type == message_parameter::largest_object) m.largest = read_location(value);
        if constexpr (requires { m.expires; })
            if (p->type == message_parameter::expires) m.expires = p->value;
        if constexpr (requires { m.forward; })
            if (p->type == message_parameter::forward) m.forward = p->value == 1;
    }
    m.properties = read_properties(in, d);
    m.order = order_in(d, m.properties);
}

/// After the alias.
inline void read_answer(reader& in, const dialect& d, subscribe_ok& m) noexcept {
    if (d.rules.typed_parameters) return read_typed_answer(in, d.rules, m, parameter_scope::subscribe_ok);
    m.expires = in.varint();
    m.order = read_order(in, group_order::ascending);
    m.largest = read_largest(in);
    m.parameters = read_parameters(in, d.rules);
}

/// Reads by the draft, and if that fails by `other`.
template <class M, class Draft, class Other>
void read_either(reader& in, M& m, bool may_be_other, Draft by_draft, Other by_other) noexcept {
    const auto before = m;
    auto first = in;
    by_draft(first);
    if (first.finish() == errc::ok || !may_be_other) {
        in = first;
        return;
    }
    auto second = in;
    auto answer = before;
    std::swap(m, answer);
    by_other(second);
    if (second.finish() == errc::ok) {
        in = second;
        return;
    }
    m = answer; // The draft's error is the one to tell.
    in = first;
}

} // namespace detail

inline void read(reader& in, const dialect& d, subscribe& m, const limits& bounds) noexcept {
    m.request = in.varint();
    const bool moqtail = d.reads.moqtail_track_status && m.of == request_kind::track_status;
    detail::read_either(
        in, m, moqtail, [&](reader& r) { detail::read_subscription(r, d, m, bounds); },
        [&](reader& r) { // An alias before the name.
            static_cast<void>(r.varint());
            detail::read_subscription(r, d, m, bounds);
        });
}
inline void write(writer& out, const draft& d, const subscribe& m) {
    out.varint(m.request);
    detail::write_track_name(out, m.track);
    // The parameters of TRACK_STATUS are not those of a delivery.
    if (d.typed_parameters && m.of == request_kind::track_status) return detail::write_parameters(out, d, m.parameters);
    if (d.typed_parameters) return detail::write_typed_subscription(out, d, m);
    out.u8(m.priority);
    detail::write_order(out, m.order, group_order::publishers);
    out.boolean(m.forward);
    detail::write_filter(out, m.filter);
    detail::write_parameters(out, m.parameters);
}

inline void read(reader& in, const dialect& d, subscribe_ok& m, const limits&) noexcept {
    m.request = detail::read_answered(in, d);
    const bool moqtail = d.reads.moqtail_track_status && m.of == request_kind::track_status;
    detail::read_either(
        in, m, moqtail,
        [&](reader& r) {
            m.alias = r.varint();
            detail::read_answer(r, d, m);
        },
        [&](reader& r) { detail::read_answer(r, d, m); }); // No alias.
}
inline void write(writer& out, const draft& d, const subscribe_ok& m) {
    detail::write_answered(out, d, m.request);
    out.varint(m.alias);
    if (d.typed_parameters) {
        detail::parameter_writer all{d, {message_parameter::expires, message_parameter::largest_object}};
        if (m.expires != 0) all.integer(message_parameter::expires, m.expires);
        all.place(message_parameter::largest_object, m.largest);
        all.write(out, m.parameters);
        return detail::write_properties(out, d, m.properties);
    }
    out.varint(m.expires);
    detail::write_order(out, m.order, group_order::ascending);
    detail::write_largest(out, m.largest);
    detail::write_parameters(out, m.parameters);
}

inline void read(reader& in, const dialect& d, subscribe_update& m, const limits&) noexcept {
    m.request = in.varint();
    m.subscription = in.varint();
    m.start = detail::read_location(in);
    if (const auto after = in.varint(); after != 0) m.end_group = group_sequence{after - 1};
    m.priority = in.u8();
    m.forward = detail::read_flag(in);
    m.parameters = detail::read_parameters(in, d.rules);
}
inline void write(writer& out, const draft&, const subscribe_update& m) {
    out.varint(m.request);
    out.varint(m.subscription);
    detail::write_location(out, m.start);
    out.varint(m.end_group ? number(*m.end_group) + 1 : 0);
    out.u8(m.priority);
    out.boolean(m.forward);
    detail::write_parameters(out, m.parameters);
}

inline void read(reader& in, const dialect& d, request_update& m, const limits&) noexcept {
    m.request = in.varint();
    m.parameters = detail::read_parameters(in, d.rules, parameter_scope::update);
}
inline void write(writer& out, const draft& d, const request_update& m) {
    out.varint(m.request);
    detail::write_parameters(out, d, m.parameters);
}

inline void read(reader& in, const dialect& d, switch_track& m, const limits& bounds) noexcept {
    m.request = in.varint();
    m.track = detail::read_track_name(in, bounds);
    m.subscription = in.varint();
    m.parameters = detail::read_parameters(in, d.rules);
}
inline void write(writer& out, const draft&, const switch_track& m) {
    out.varint(m.request);
    detail::write_track_name(out, m.track);
    out.varint(m.subscription);
    detail::write_parameters(out, m.parameters);
}

} // namespace moqlite::wire::moqt

// Parameters whose type says their form, and the messages that may have them: draft-18 §10.2.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <moqlite/wire/message.hpp>
#include <moqlite/wire/moqt/location.hpp>
#include <moqlite/wire/moqt/parameters.hpp>
#include <moqlite/wire/moqt/track_namespace.hpp>
#include <optional>
#include <utility>
#include <vector>

namespace moqlite::wire::moqt {

namespace message_parameter {
inline constexpr std::uint64_t object_delivery_timeout = 0x02;
inline constexpr std::uint64_t rendezvous_timeout = 0x04;
inline constexpr std::uint64_t subgroup_delivery_timeout = 0x06;
inline constexpr std::uint64_t expires = 0x08;
inline constexpr std::uint64_t largest_object = 0x09;
inline constexpr std::uint64_t fill_timeout = 0x0a;
inline constexpr std::uint64_t forward = 0x10;
inline constexpr std::uint64_t subscriber_priority = 0x20;
inline constexpr std::uint64_t subscription_filter = 0x21;
inline constexpr std::uint64_t group_order = 0x22;
inline constexpr std::uint64_t new_group_request = 0x32;
inline constexpr std::uint64_t track_namespace_prefix = 0x34;
} // namespace message_parameter

/// Types that have a meaning in the properties of a track, draft-18 §12.
namespace track_property {
inline constexpr std::uint64_t object_delivery_timeout = 0x02;
inline constexpr std::uint64_t max_cache_duration = 0x04;
inline constexpr std::uint64_t subgroup_delivery_timeout = 0x06;
inline constexpr std::uint64_t default_publisher_priority = 0x0e;
inline constexpr std::uint64_t default_publisher_group_order = 0x22;
inline constexpr std::uint64_t dynamic_groups = 0x30;
} // namespace track_property

/// The messages that may have a parameter, one bit each. REQUEST_OK stands for several.
enum class parameter_scope : std::uint16_t {
    publish = 1,
    publish_ok = 2,
    subscribe = 4,
    subscribe_ok = 8,
    update = 16,
    update_ok = 32,
    fetch = 64,
    fetch_ok = 128,
    status_ok = 256,
    publish_namespace = 512,
    subscribe_namespace = 1024,
    subscribe_tracks = 2048,
    track_status = 4096,
};
[[nodiscard]] constexpr std::uint16_t operator|(parameter_scope a, parameter_scope b) noexcept {
    return static_cast<std::uint16_t>(static_cast<std::uint16_t>(a) | static_cast<std::uint16_t>(b));
}
[[nodiscard]] constexpr std::uint16_t operator|(std::uint16_t a, parameter_scope b) noexcept {
    return static_cast<std::uint16_t>(a | static_cast<std::uint16_t>(b));
}

/// A parameter; `bytes` is the value of those that are no number: a location, a namespace, or bytes after their length.
struct typed_parameter {
    std::uint64_t type = 0;
    std::uint64_t value = 0;
    byte_view bytes = {};
};

namespace detail {

enum class parameter_form : std::uint8_t { integer, byte, place, prefixed, names };

struct parameter_rule {
    std::uint64_t type;
    parameter_form form;
    std::uint16_t scope;
    bool may_repeat = false;
};

using scoped = parameter_scope;
inline constexpr parameter_rule parameter_rules[] = {
    {message_parameter::object_delivery_timeout, parameter_form::integer,
        scoped::publish_ok | scoped::subscribe | scoped::update},
    {message_parameter::authorization_token, parameter_form::prefixed,
        scoped::publish | scoped::subscribe | scoped::update | scoped::subscribe_namespace | scoped::subscribe_tracks |
            scoped::publish_namespace | scoped::fetch | scoped::track_status,
        true},
    {message_parameter::rendezvous_timeout, parameter_form::integer, scoped::subscribe | scoped::subscribe},
    {message_parameter::subgroup_delivery_timeout, parameter_form::integer,
        scoped::publish_ok | scoped::subscribe | scoped::update},
    {message_parameter::expires, parameter_form::integer,
        scoped::subscribe_ok | scoped::publish | scoped::publish_ok | scoped::update_ok},
    {message_parameter::largest_object, parameter_form::place,
        scoped::subscribe_ok | scoped::publish | scoped::update_ok | scoped::status_ok},
    {message_parameter::fill_timeout, parameter_form::integer, scoped::fetch | scoped::fetch},
    {message_parameter::forward, parameter_form::byte,
        scoped::subscribe | scoped::update | scoped::publish | scoped::publish_ok | scoped::subscribe_tracks},
    {message_parameter::subscriber_priority, parameter_form::byte,
        scoped::subscribe | scoped::fetch | scoped::update | scoped::publish_ok},
    {message_parameter::subscription_filter, parameter_form::prefixed,
        scoped::subscribe | scoped::publish_ok | scoped::update},
    {message_parameter::group_order, parameter_form::byte, scoped::subscribe | scoped::publish_ok | scoped::fetch},
    {message_parameter::new_group_request, parameter_form::integer,
        scoped::publish_ok | scoped::subscribe | scoped::update},
    {message_parameter::track_namespace_prefix, parameter_form::names, scoped::update | scoped::update},
};

[[nodiscard]] constexpr const parameter_rule* rule_of(std::uint64_t type) noexcept {
    for (const auto& rule : parameter_rules)
        if (rule.type == type) return &rule;
    return nullptr;
}

/// A filter as the value of a parameter: its end is counted from its start.
[[nodiscard]] inline location_filter read_filter_value(reader& in) noexcept {
    auto filter = read_filter(in);
    if (!filter.end_group) return filter;
    const auto delta = number(*filter.end_group);
    if (delta > varint_max - number(filter.start.group)) in.fail(errc::value_too_large);
    filter.end_group = group_sequence{number(filter.start.group) + delta};
    return filter;
}
inline void write_filter_value(writer& out, location_filter filter) {
    if (filter.end_group) {
        if (*filter.end_group < filter.start.group) return out.fail(errc::group_out_of_range);
        filter.end_group = group_sequence{number(*filter.end_group) - number(filter.start.group)};
    }
    write_filter(out, filter);
}

/// What is wrong with a value.
[[nodiscard]] inline errc check_value(const draft& d, const typed_parameter& p) noexcept {
    reader in{p.bytes, d.form};
    switch (p.type) {
    case message_parameter::authorization_token: return decode_token(d, p.bytes).error();
    case message_parameter::forward: return p.value > 1 ? errc::bad_flag : errc::ok;
    case message_parameter::group_order: return p.value < 1 || p.value > 2 ? errc::bad_choice : errc::ok;
    case message_parameter::subscription_filter:
        static_cast<void>(read_filter_value(in));
        return in.error() == errc::bad_choice || in.error() == errc::value_too_large ? in.error()
               : in.finish() == errc::ok                                             ? errc::ok
                                                                                     : errc::bad_parameter;
    default: return errc::ok;
    }
}

} // namespace detail

/// Reads typed parameters one by one; `count` of them.
class typed_parameter_reader {
public:
    typed_parameter_reader(const draft& d, byte_view in, std::uint64_t count) noexcept
        : in_(in, d.form), rules_(d), left_(count) {}

    /// nullopt: there are no more, or error() says why.
    [[nodiscard]] std::optional<typed_parameter> next() noexcept {
        if (left_ == 0 || error() != errc::ok) return std::nullopt;
        --left_;
        typed_parameter p{.type = in_.varint()};
        if (p.type > varint_max - type_) in_.fail(errc::value_too_large);
        type_ = p.type += type_;
        const auto* rule = detail::rule_of(p.type);
        if (rule == nullptr) in_.fail(errc::unexpected_parameter);
        if (error() != errc::ok) return std::nullopt;
        take_value(rule->form, p);
        if (const auto why = detail::check_value(rules_, p); why != errc::ok) in_.fail(why);
        return error() == errc::ok ? std::optional{p} : std::nullopt;
    }
    [[nodiscard]] errc error() const noexcept { return in_.error(); }
    /// Bytes that were not read; 0 after an error.
    [[nodiscard]] std::size_t left() const noexcept { return in_.remaining().size(); }

private:
    void take_value(detail::parameter_form form, typed_parameter& p) noexcept {
        const auto from = in_.remaining();
        switch (form) {
        case detail::parameter_form::integer: p.value = in_.varint(); return;
        case detail::parameter_form::byte: p.value = in_.u8(); return;
        case detail::parameter_form::prefixed: p.bytes = in_.bytes(in_.varint()); return;
        case detail::parameter_form::place: static_cast<void>(detail::read_location(in_)); break;
        case detail::parameter_form::names: static_cast<void>(detail::read_namespace(in_, 0, default_limits)); break;
        }
        p.bytes = from.first(from.size() - left());
    }
    reader in_;
    draft rules_;
    std::uint64_t left_;
    std::uint64_t type_ = 0;
};

/// The first parameter of this type in a list that was decoded.
[[nodiscard]] inline std::optional<typed_parameter> find_parameter(
    const draft& d, const parameter_list& list, std::uint64_t type) noexcept {
    typed_parameter_reader all{d, list.pairs, list.count};
    while (const auto p = all.next())
        if (p->type == type) return p;
    return std::nullopt;
}

namespace detail {

[[nodiscard]] inline parameter_list read_typed(reader& in, const draft& d, std::uint16_t scope) noexcept {
    const auto count = in.varint();
    typed_parameter_reader all{d, in.remaining(), count};
    std::optional<std::uint64_t> before;
    while (const auto p = all.next()) {
        const auto& rule = *rule_of(p->type);
        if ((rule.scope & scope) == 0) in.fail(errc::unexpected_parameter);
        if (before == p->type && !rule.may_repeat) in.fail(errc::duplicate_parameter);
        before = p->type;
    }
    if (all.error() != errc::ok) in.fail(all.error());
    if (in.error() != errc::ok) return {};
    return {static_cast<std::size_t>(count), in.bytes(in.remaining().size() - all.left())};
}

/// Writes the parameters of a message in the order of their types: those that its fields stand for, and of its list
/// the others.
class parameter_writer {
public:
    /// `fields`: the types of which the message's fields decide.
    parameter_writer(const draft& d, std::initializer_list<std::uint64_t> fields) : rules_(d), of_fields_(fields) {}

    void integer(std::uint64_t type, std::uint64_t value) {
        add(type, [&](writer& to) { to.varint(value); });
    }
    void byte(std::uint64_t type, std::uint8_t value) {
        add(type, [&](writer& to) { to.u8(value); });
    }
    void place(std::uint64_t type, const std::optional<location>& where) {
        if (where) add(type, [&](writer& to) { write_location(to, *where); });
    }
    void filter(const location_filter& filter) {
        add(message_parameter::subscription_filter,
            [&](writer& to) { to.prefixed([&] { write_filter_value(to, filter); }); });
    }
    void order(group_order order) {
        if (order != group_order::publishers) byte(message_parameter::group_order, static_cast<std::uint8_t>(order));
    }

    void write(writer& out, const parameter_list& list) {
        typed_parameter_reader all{rules_, list.pairs, list.count};
        while (const auto p = all.next())
            if (std::ranges::find(of_fields_, p->type) == of_fields_.end()) add(*p);
        if (all.error() != errc::ok) out.fail(all.error());
        out.varint(parameters_.size());
        std::uint64_t before = 0;
        for (const auto& p : parameters_) {
            out.varint(p.type - std::exchange(before, p.type));
            out.bytes(p.value);
        }
        if (error_ != errc::ok) out.fail(error_);
    }

private:
    struct entry {
        std::uint64_t type;
        std::vector<std::byte> value; ///< As it is written.
    };
    template <class Write>
    void add(std::uint64_t type, Write write) {
        entry made{type, {}};
        writer to{made.value, rules_.form};
        write(to);
        if (to.error() != errc::ok) error_ = to.error();
        parameters_.insert(std::ranges::upper_bound(parameters_, type, {}, &entry::type), std::move(made));
    }
    void add(const typed_parameter& p) {
        switch (rule_of(p.type)->form) { // It was read by its rule.
        case parameter_form::integer: return integer(p.type, p.value);
        case parameter_form::byte: return byte(p.type, static_cast<std::uint8_t>(p.value));
        case parameter_form::prefixed: return add(p.type, [&](writer& to) { to.string(as_text(p.bytes)); });
        case parameter_form::place:
        case parameter_form::names: return add(p.type, [&](writer& to) { to.bytes(p.bytes); });
        }
    }

    draft rules_;
    std::vector<std::uint64_t> of_fields_;
    std::vector<entry> parameters_; ///< By type.
    errc error_ = errc::ok;
};

/// The parameters that each draft knows in its own way.
[[nodiscard]] inline parameter_list read_parameters(reader& in, const draft& d, std::uint16_t scope) noexcept {
    return d.typed_parameters ? read_typed(in, d, scope) : read_parameters(in, d);
}
[[nodiscard]] inline parameter_list read_parameters(reader& in, const draft& d, parameter_scope scope) noexcept {
    return read_parameters(in, d, static_cast<std::uint16_t>(scope));
}
inline void write_parameters(writer& out, const draft& d, const parameter_list& list) {
    d.typed_parameters ? parameter_writer{d, {}}.write(out, list) : write_parameters(out, list);
}

/// The value of a property that MOQT defines for tracks; others may have any.
[[nodiscard]] constexpr bool is_in_range(const key_value& property) noexcept {
    switch (property.type) {
    case track_property::default_publisher_priority: return property.value <= 255;
    case track_property::default_publisher_group_order: return property.value == 1 || property.value == 2;
    case track_property::dynamic_groups: return property.value <= 1;
    default: return true;
    }
}

/// What the track is like, to the end of the message.
[[nodiscard]] inline byte_view read_properties(reader& in, const draft& d) noexcept {
    if (!d.track_properties) return {};
    const auto pairs = in.rest();
    key_value_reader all{d, pairs};
    while (const auto property = all.next())
        if (!is_in_range(*property)) in.fail(errc::bad_choice);
    if (all.error() != errc::ok) in.fail(all.error());
    return pairs;
}
inline void write_properties(writer& out, const draft& d, byte_view pairs) {
    if (!d.track_properties && !pairs.empty()) return out.fail(errc::unsupported);
    out.bytes(pairs);
}

} // namespace detail

} // namespace moqlite::wire::moqt

// The names of messages and their fields, for tools that show them.
#pragma once

#include <cstdint>
#include <moqlite/wire/moqt/codes.hpp>
#include <moqlite/wire/moqt/inspect.hpp>
#include <optional>
#include <span>
#include <string_view>
#include <variant>

namespace moqlite::wire::moqt {

/// Pairs to show: of parameters or of extensions.
struct pair_list {
    draft rules = draft_14;
    byte_view pairs = {};
    std::optional<std::size_t> typed{}; ///< There are so many typed parameters instead.
};

/// Calls f(type, value) of numbers, and f(type, bytes) of others.
template <class F>
void for_each_pair(const pair_list& list, F f) {
    if (list.typed) {
        typed_parameter_reader all{list.rules, list.pairs, *list.typed};
        while (const auto p = all.next()) p->bytes.empty() ? f(p->type, p->value) : f(p->type, p->bytes);
        return;
    }
    key_value_reader all{list.rules, list.pairs};
    while (const auto p = all.next()) has_bytes(p->type) ? f(p->type, p->bytes) : f(p->type, p->value);
}

namespace detail {

struct message_name {
    std::uint64_t type;
    std::string_view name;
};
inline constexpr message_name message_names[] = {{0x02, "SUBSCRIBE_UPDATE"}, {0x03, "SUBSCRIBE"},
    {0x04, "SUBSCRIBE_OK"}, {0x05, "SUBSCRIBE_ERROR"}, {0x06, "PUBLISH_NAMESPACE"}, {0x07, "PUBLISH_NAMESPACE_OK"},
    {0x08, "PUBLISH_NAMESPACE_ERROR"}, {0x09, "PUBLISH_NAMESPACE_DONE"}, {0x0a, "UNSUBSCRIBE"}, {0x0b, "PUBLISH_DONE"},
    {0x0c, "PUBLISH_NAMESPACE_CANCEL"}, {0x0d, "TRACK_STATUS"}, {0x0e, "TRACK_STATUS_OK"}, {0x0f, "TRACK_STATUS_ERROR"},
    {0x10, "GOAWAY"}, {0x11, "SUBSCRIBE_NAMESPACE"}, {0x12, "SUBSCRIBE_NAMESPACE_OK"},
    {0x13, "SUBSCRIBE_NAMESPACE_ERROR"}, {0x14, "UNSUBSCRIBE_NAMESPACE"}, {0x15, "MAX_REQUEST_ID"}, {0x16, "FETCH"},
    {0x17, "FETCH_CANCEL"}, {0x18, "FETCH_OK"}, {0x19, "FETCH_ERROR"}, {0x1a, "REQUESTS_BLOCKED"}, {0x1d, "PUBLISH"},
    {0x1e, "PUBLISH_OK"}, {0x1f, "PUBLISH_ERROR"}, {0x20, "CLIENT_SETUP"}, {0x21, "SERVER_SETUP"}, {0x22, "SWITCH"}};
/// Where these have other names, or are new.
inline constexpr message_name names_on_streams[] = {{0x02, "REQUEST_UPDATE"}, {0x05, "REQUEST_ERROR"},
    {0x07, "REQUEST_OK"}, {0x08, "NAMESPACE"}, {0x0e, "NAMESPACE_DONE"}, {0x0f, "PUBLISH_BLOCKED"},
    {0x50, "SUBSCRIBE_NAMESPACE"}, {0x51, "SUBSCRIBE_TRACKS"}, {setup::type, "SETUP"}};

/// Passes the fields of a message to `f`, in wire order: numbers, text, bytes (the payload), namespaces, locations,
/// lists of versions and of pairs.
template <class F>
class field_visitor {
public:
    field_visitor(const draft& d, F& f) : draft_(d), f_(f) {}

    void operator()(const any_message& m) { std::visit(*this, m); }
    void operator()(const client_setup& m) {
        f_("versions", m.list());
        parameters(m.parameters);
    }
    void operator()(const server_setup& m) {
        f_("selected_version", m.version);
        parameters(m.parameters);
    }
    void operator()(const goaway& m) {
        f_("new_session_uri", m.uri);
        if (!draft_.request_streams) return;
        f_("timeout", m.timeout);
        if (m.request) f_("request_id", *m.request);
    }
    void operator()(const setup& m) { f_("options", pair_list{draft_, m.options}); }
    void operator()(const request_update& m) {
        f_("request_id", m.request);
        parameters(m.parameters);
    }
    void operator()(const subscribe_tracks& m) {
        f_("request_id", m.request);
        f_("track_namespace_prefix", m.prefix.fields());
        parameters(m.parameters);
    }
    void operator()(const namespace_change& m) { f_("track_namespace_suffix", m.suffix.fields()); }
    void operator()(const publish_blocked& m) {
        f_("track_namespace_suffix", m.suffix.space.fields());
        f_("track_name", m.suffix.name);
    }
    void operator()(const max_request_id& m) { f_("request_id", m.limit); }
    void operator()(const requests_blocked& m) { f_("maximum_request_id", m.limit); }
    void operator()(const subscribe& m) {
        f_("request_id", m.request);
        track(m.track);
        if (draft_.typed_parameters) return parameters(m.parameters);
        f_("subscriber_priority", std::uint64_t{m.priority});
        order(m.order);
        flag("forward", m.forward);
        filter(m.filter);
        parameters(m.parameters);
    }
    void operator()(const subscribe_ok& m) {
        answered(m.request);
        f_("track_alias", m.alias);
        if (draft_.typed_parameters) return parameters(m.parameters), properties(m.properties);
        f_("expires", m.expires);
        order(m.order);
        largest(m.largest);
        parameters(m.parameters);
    }
    void operator()(const subscribe_update& m) {
        f_("request_id", m.request);
        f_("subscription_request_id", m.subscription);
        f_("start_location", m.start);
        f_("end_group_plus_1", m.end_group ? number(*m.end_group) + 1 : 0);
        f_("subscriber_priority", std::uint64_t{m.priority});
        flag("forward", m.forward);
        parameters(m.parameters);
    }
    void operator()(const request_ok& m) {
        answered(m.request);
        if (draft_.request_streams) parameters(m.parameters), properties(m.properties);
    }
    void operator()(const request_error& m) {
        answered(m.request);
        f_("error_code", m.code);
        named("error", draft_.request_streams ? request_error_name(m.code) : error_name(m.of, m.code));
        if (draft_.request_streams) f_("retry_interval", m.retry);
        f_("reason", m.reason);
        if (!draft_.request_streams || m.code != request_error::redirect_code) return;
        f_("connect_uri", m.redirect_uri);
        track(m.redirect);
    }
    void operator()(const request_cancel& m) { f_("request_id", m.request); }
    void operator()(const publish& m) {
        f_("request_id", m.request);
        track(m.track);
        f_("track_alias", m.alias);
        if (draft_.typed_parameters) return parameters(m.parameters), properties(m.properties);
        order(m.order);
        largest(m.largest);
        flag("forward", m.forward);
        parameters(m.parameters);
    }
    void operator()(const publish_ok& m) {
        f_("request_id", m.request);
        flag("forward", m.forward);
        f_("subscriber_priority", std::uint64_t{m.priority});
        order(m.order);
        filter(m.filter);
        parameters(m.parameters);
    }
    void operator()(const publish_done& m) {
        answered(m.request);
        f_("status_code", m.status);
        named("status", draft_.request_streams ? done_status_name_18(m.status) : done_status_name(m.status));
        f_("stream_count", m.streams);
        f_("reason", m.reason);
    }
    void operator()(const fetch& m) {
        f_("request_id", m.request);
        if (!draft_.typed_parameters) {
            f_("subscriber_priority", std::uint64_t{m.priority});
            order(m.order);
        }
        f_("fetch_type", static_cast<std::uint64_t>(m.type));
        if (m.type == fetch_type::standalone) {
            track(m.track);
            f_("start_location", m.start);
            f_("end_location", m.end);
        } else {
            f_("joining_request_id", m.joined);
            f_("joining_start", m.joining_start);
        }
        parameters(m.parameters);
    }
    void operator()(const fetch_ok& m) {
        answered(m.request);
        if (!draft_.typed_parameters) order(m.order);
        flag("end_of_track", m.end_of_track);
        f_("end_location", m.end);
        parameters(m.parameters);
        if (draft_.track_properties) properties(m.properties);
    }
    void operator()(const publish_namespace& m) {
        f_("request_id", m.request);
        f_("track_namespace", m.space.fields());
        parameters(m.parameters);
    }
    void operator()(const publish_namespace_done& m) { f_("track_namespace", m.space.fields()); }
    void operator()(const publish_namespace_cancel& m) {
        f_("track_namespace", m.space.fields());
        f_("error_code", m.code);
        named("error", error_name(request_kind::publish_namespace, m.code));
        f_("reason", m.reason);
    }
    void operator()(const subscribe_namespace& m) {
        f_("request_id", m.request);
        f_("track_namespace_prefix", m.prefix.fields());
        parameters(m.parameters);
    }
    void operator()(const unsubscribe_namespace& m) {
        f_("track_namespace_prefix", m.prefix.fields());
        if (m.request) f_("request_id", *m.request);
    }
    void operator()(const switch_track& m) {
        f_("request_id", m.request);
        track(m.track);
        f_("subscription_request_id", m.subscription);
        parameters(m.parameters);
    }
    void operator()(const subgroup_header& m) {
        f_("track_alias", m.alias);
        f_("group_id", number(m.group));
        if (m.form == subgroup_form::first_object)
            f_("subgroup_id", std::string_view{"first object id"});
        else
            f_("subgroup_id", number(m.subgroup));
        if (m.has_priority) f_("publisher_priority", std::uint64_t{m.priority});
        flag("extensions", m.has_extensions);
        flag("end_of_group", m.ends_group);
        if (m.is_first) flag("first_object", true);
    }
    void operator()(const subgroup_object& m) {
        f_("object_id", number(m.header.object));
        object(m.header.extensions, m.header.status, m.payload);
    }
    void operator()(const fetch_header& m) { f_("request_id", m.request); }
    void operator()(const fetch_object& m) {
        f_("group_id", number(m.header.where.group));
        f_("subgroup_id", number(m.header.subgroup));
        f_("object_id", number(m.header.where.object));
        if (m.header.missing != fetched_object::gap::none)
            return f_("missing",
                std::string_view{m.header.missing == fetched_object::gap::unknown ? "unknown" : "does not exist"});
        if (m.header.is_datagram) flag("datagram", true);
        f_("publisher_priority", std::uint64_t{m.header.priority});
        object(m.header.extensions, m.header.status, m.payload);
    }
    void operator()(const object_datagram& m) {
        f_("track_alias", m.alias);
        f_("group_id", number(m.group));
        f_("object_id", number(m.object));
        if (m.has_priority) f_("publisher_priority", std::uint64_t{m.priority});
        flag("end_of_group", m.ends_group);
        object(m.extensions, m.status, m.payload);
    }

private:
    void flag(std::string_view name, bool value) { f_(name, std::uint64_t{value}); }
    void order(group_order o) { f_("group_order", static_cast<std::uint64_t>(o)); }
    void named(std::string_view field, std::string_view name) {
        if (!name.empty()) f_(field, name);
    }
    void track(const full_track_name& full) {
        f_("track_namespace", full.space.fields());
        f_("track_name", full.name);
    }
    void largest(const std::optional<location>& where) {
        flag("content_exists", where.has_value());
        if (where) f_("largest_location", *where);
    }
    void filter(const location_filter& filter) {
        f_("filter_type", filter.end_group ? absolute_range : static_cast<std::uint64_t>(filter.from));
        if (filter.from == filter_start::absolute) f_("start_location", filter.start);
        if (filter.end_group) f_("end_group", number(*filter.end_group));
    }
    void parameters(const parameter_list& list) {
        pair_list shown{draft_, list.pairs};
        if (draft_.typed_parameters) shown.typed = list.count;
        f_("parameters", shown);
    }
    void properties(byte_view pairs) { f_("properties", pair_list{draft_, pairs}); }
    void answered(std::uint64_t request) {
        if (!draft_.request_streams) f_("request_id", request);
    }
    void object(byte_view extensions, object_status status, byte_view payload) {
        if (!extensions.empty()) f_("extensions", pair_list{draft_, extensions});
        if (payload.empty())
            f_("status", static_cast<std::uint64_t>(status));
        else
            f_("payload", payload);
    }

    draft draft_;
    F& f_;
};

} // namespace detail

/// The draft's name of a message of this type; "" if it has none.
[[nodiscard]] constexpr std::string_view message_name(const draft& d, std::uint64_t type) noexcept {
    for (const auto& row : detail::names_on_streams)
        if (row.type == type && d.request_streams) return row.name;
    for (const auto& row : detail::message_names)
        if (row.type == type) return row.name;
    return {};
}

[[nodiscard]] inline std::string_view name_of(const draft& d, const inspected& found) {
    static constexpr std::string_view names[] = {
        "", "SUBGROUP_HEADER", "OBJECT", "FETCH_HEADER", "OBJECT", "OBJECT_DATAGRAM"};
    if (const auto* message = std::get_if<any_message>(&found.what))
        return std::visit([&](const auto& m) { return message_name(d, message_type(d, m)); }, *message);
    return names[found.what.index()];
}

template <class F>
void for_each_field(const draft& d, const inspected& found, F&& f) {
    std::visit(detail::field_visitor<F>{d, f}, found.what);
}

} // namespace moqlite::wire::moqt

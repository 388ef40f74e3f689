// Any control message.
#pragma once

#include <cstdint>
#include <moqlite/wire/moqt/control.hpp>
#include <moqlite/wire/moqt/fetch.hpp>
#include <moqlite/wire/moqt/namespaces.hpp>
#include <moqlite/wire/moqt/publish.hpp>
#include <moqlite/wire/moqt/setup.hpp>
#include <moqlite/wire/moqt/subscribe.hpp>
#include <variant>

namespace moqlite::wire::moqt {

using any_message = std::variant<client_setup, server_setup, goaway, max_request_id, requests_blocked, subscribe,
    subscribe_ok, subscribe_update, request_ok, request_error, request_cancel, publish, publish_ok, publish_done, fetch,
    fetch_ok, publish_namespace, publish_namespace_done, publish_namespace_cancel, subscribe_namespace,
    unsubscribe_namespace, switch_track, setup, request_update, subscribe_tracks, namespace_change, publish_blocked>;

namespace detail {

/// Where each request has a stream of its own.
template <class As>
[[nodiscard]] result<any_message> decode_on_stream(std::uint64_t type, As as) noexcept {
    using kind = request_kind;
    switch (type) {
    case 0x02: return as(request_update{});
    case 0x03: return as(subscribe{});
    case 0x04: return as(subscribe_ok{});
    case 0x05: return as(request_error{});
    case 0x06: return as(publish_namespace{});
    case 0x07:
    case 0x1e: return as(request_ok{}); // PUBLISH_OK has two numbers.
    case 0x08: return as(namespace_change{});
    case 0x0b: return as(publish_done{});
    case 0x0d: return as(subscribe{.of = kind::track_status});
    case 0x0e: return as(namespace_change{.is_done = true});
    case 0x0f: return as(publish_blocked{});
    case 0x10: return as(goaway{});
    case 0x16: return as(fetch{});
    case 0x18: return as(fetch_ok{});
    case 0x1d: return as(publish{});
    case 0x50: return as(subscribe_namespace{});
    case 0x51: return as(subscribe_tracks{});
    case setup::type: return as(setup{});
    default: return errc::unknown_message_type;
    }
}

} // namespace detail

/// Decodes the body of a message of this type. errc::unknown_message_type: the draft has no such type.
[[nodiscard]] inline result<any_message> decode_message(
    const dialect& d, const typed_framed& message, const limits& bounds = default_limits) noexcept {
    const auto as = [&](auto empty) -> result<any_message> {
        const auto decoded = decode(d, message.body, empty, bounds);
        if (!decoded) return decoded.error();
        return any_message{*decoded};
    };
    if (d.rules.request_streams) return detail::decode_on_stream(message.type, as);
    using kind = request_kind;
    switch (message.type) {
    case 0x02: return as(subscribe_update{});
    case 0x03: return as(subscribe{});
    case 0x04: return as(subscribe_ok{});
    case 0x05: return as(request_error{.of = kind::subscribe});
    case 0x06: return as(publish_namespace{});
    case 0x07: return as(request_ok{.of = kind::publish_namespace});
    case 0x08: return as(request_error{.of = kind::publish_namespace});
    case 0x09: return as(publish_namespace_done{});
    case 0x0a: return as(request_cancel{.of = kind::subscribe});
    case 0x0b: return as(publish_done{});
    case 0x0c: return as(publish_namespace_cancel{});
    case 0x0d: return as(subscribe{.of = kind::track_status});
    case 0x0e: return as(subscribe_ok{.of = kind::track_status});
    case 0x0f: return as(request_error{.of = kind::track_status});
    case 0x10: return as(goaway{});
    case 0x11: return as(subscribe_namespace{});
    case 0x12: return as(request_ok{.of = kind::subscribe_namespace});
    case 0x13: return as(request_error{.of = kind::subscribe_namespace});
    case 0x14: return as(unsubscribe_namespace{});
    case 0x15: return as(max_request_id{});
    case 0x16: return as(fetch{});
    case 0x17: return as(request_cancel{.of = kind::fetch});
    case 0x18: return as(fetch_ok{});
    case 0x19: return as(request_error{.of = kind::fetch});
    case 0x1a: return as(requests_blocked{});
    case 0x1d: return as(publish{});
    case 0x1e: return as(publish_ok{});
    case 0x1f: return as(request_error{.of = kind::publish});
    case 0x20: return as(client_setup{});
    case 0x21: return as(server_setup{});
    case 0x22: return d.reads.moqtail_switch ? as(switch_track{}) : errc::unknown_message_type;
    default: return errc::unknown_message_type;
    }
}

} // namespace moqlite::wire::moqt

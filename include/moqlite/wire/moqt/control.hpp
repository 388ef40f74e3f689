// What concerns the whole session or any request: GOAWAY, limits of requests, answers and ends; draft-14 §9, draft-18
// §10.
#pragma once

#include <cstdint>
#include <moqlite/wire/moqt/codec.hpp>
#include <moqlite/wire/moqt/track_namespace.hpp>
#include <moqlite/wire/moqt/typed_parameters.hpp>
#include <optional>
#include <string_view>

namespace moqlite::wire::moqt {

struct goaway {
    std::string_view uri = {}; ///< Empty: the same address. Only a server may name one.
    // Draft-18:
    std::uint64_t timeout = 0;              ///< Milliseconds until the sender ends what is left; 0: not said.
    std::optional<std::uint64_t> request{}; ///< On a control stream: this request, and later ones, were not served.

    friend bool operator==(const goaway&, const goaway&) = default;
};

/// Ids of the receiver's requests are below this.
struct max_request_id {
    std::uint64_t limit = 0;

    friend bool operator==(const max_request_id&, const max_request_id&) = default;
};

/// The sender would send more, but is at this limit.
struct requests_blocked {
    std::uint64_t limit = 0;

    friend bool operator==(const requests_blocked&, const requests_blocked&) = default;
};

/// PUBLISH_NAMESPACE_OK and SUBSCRIBE_NAMESPACE_OK; or REQUEST_OK, which answers any request but SUBSCRIBE and FETCH.
struct request_ok {
    request_kind of = request_kind::publish_namespace;
    std::uint64_t request = 0;
    // REQUEST_OK:
    parameter_list parameters{};
    byte_view properties = {}; ///< Of the track, where TRACK_STATUS is answered: pairs.

    friend bool operator==(const request_ok& a, const request_ok& b) noexcept {
        return a.of == b.of && a.request == b.request && a.parameters == b.parameters &&
               as_text(a.properties) == as_text(b.properties);
    }
};

/// SUBSCRIBE_ERROR, TRACK_STATUS_ERROR, PUBLISH_ERROR, FETCH_ERROR, PUBLISH_NAMESPACE_ERROR and
/// SUBSCRIBE_NAMESPACE_ERROR; or REQUEST_ERROR, which refuses any request.
struct request_error {
    static constexpr std::uint64_t redirect_code = 0x34; ///< With it there is a `redirect`.

    request_kind of = request_kind::subscribe;
    std::uint64_t request = 0;
    std::uint64_t code = 0; ///< From the list of its kind.
    std::string_view reason = {};
    // REQUEST_ERROR:
    std::uint64_t retry = 0; ///< Milliseconds until the request may be sent again, and 1; 0: it should not be.
    std::string_view redirect_uri = {}; ///< Empty: the present address.
    full_track_name redirect{};         ///< Empty: the same name.

    friend bool operator==(const request_error&, const request_error&) = default;
};

/// UNSUBSCRIBE and FETCH_CANCEL.
struct request_cancel {
    request_kind of = request_kind::subscribe;
    std::uint64_t request = 0;

    friend bool operator==(const request_cancel&, const request_cancel&) = default;
};

namespace detail {

inline constexpr std::size_t longest_reason = 1024;

/// Its text is not checked: a session should not end by what is only shown.
[[nodiscard]] inline std::string_view read_reason(reader& in) noexcept {
    const auto reason = read_bytes(in);
    if (reason.size() > longest_reason) in.fail(errc::name_too_long);
    return reason;
}

/// A longer one is cut, not within a character.
inline void write_reason(writer& out, std::string_view reason) { out.string(utf8_prefix(reason, longest_reason)); }

} // namespace detail

[[nodiscard]] constexpr std::uint64_t message_type(const draft&, const goaway&) noexcept { return 0x10; }
[[nodiscard]] constexpr std::uint64_t message_type(const draft&, const max_request_id&) noexcept { return 0x15; }
[[nodiscard]] constexpr std::uint64_t message_type(const draft&, const requests_blocked&) noexcept { return 0x1a; }
[[nodiscard]] constexpr std::uint64_t message_type(const draft& d, const request_ok& m) noexcept {
    if (d.request_streams) return 0x07;
    return m.of == request_kind::publish_namespace ? 0x07 : 0x12;
}
[[nodiscard]] constexpr std::uint64_t message_type(const draft& d, const request_error& m) noexcept {
    if (d.request_streams) return 0x05;
    switch (m.of) {
    case request_kind::subscribe: return 0x05;
    case request_kind::track_status: return 0x0f;
    case request_kind::publish: return 0x1f;
    case request_kind::fetch: return 0x19;
    case request_kind::publish_namespace: return 0x08;
    case request_kind::subscribe_namespace:
    case request_kind::subscribe_tracks: return 0x13;
    }
    return 0;
}
[[nodiscard]] constexpr std::uint64_t message_type(const draft&, const request_cancel& m) noexcept {
    return m.of == request_kind::fetch ? 0x17 : 0x0a;
}

inline void read(reader& in, const dialect& d, goaway& m, const limits& bounds) noexcept {
    m.uri = detail::read_bytes(in);
    if (m.uri.size() > bounds.uri) in.fail(errc::name_too_long);
    if (!d.rules.request_streams) return;
    m.timeout = in.varint();
    if (!in.remaining().empty()) m.request = in.varint();
}
inline void write(writer& out, const draft& d, const goaway& m) {
    out.string(m.uri);
    if (!d.request_streams) return;
    out.varint(m.timeout);
    if (m.request) out.varint(*m.request);
}

inline void read(reader& in, const dialect&, max_request_id& m, const limits&) noexcept { m.limit = in.varint(); }
inline void write(writer& out, const draft&, const max_request_id& m) { out.varint(m.limit); }

inline void read(reader& in, const dialect&, requests_blocked& m, const limits&) noexcept { m.limit = in.varint(); }
inline void write(writer& out, const draft&, const requests_blocked& m) { out.varint(m.limit); }

inline void read(reader& in, const dialect& d, request_ok& m, const limits&) noexcept {
    m.request = detail::read_answered(in, d);
    if (!d.rules.request_streams) return;
    // The parameters of every request that it may answer.
    using scope = parameter_scope;
    m.parameters = detail::read_parameters(in, d.rules, scope::publish_ok | scope::update_ok | scope::status_ok);
    m.properties = detail::read_properties(in, d.rules);
}
inline void write(writer& out, const draft& d, const request_ok& m) {
    detail::write_answered(out, d, m.request);
    if (!d.request_streams) return;
    detail::write_parameters(out, d, m.parameters);
    detail::write_properties(out, d, m.properties);
}

inline void read(reader& in, const dialect& d, request_error& m, const limits& bounds) noexcept {
    m.request = detail::read_answered(in, d);
    m.code = in.varint();
    if (d.rules.request_streams) m.retry = in.varint();
    m.reason = detail::read_reason(in);
    if (d.rules.request_streams && m.code == request_error::redirect_code) {
        m.redirect_uri = detail::read_bytes(in);
        if (m.redirect_uri.size() > bounds.uri) in.fail(errc::name_too_long);
        m.redirect.space = detail::read_namespace(in, 0, bounds);
        m.redirect.name = detail::read_bytes(in);
    }
    // moqtail-ts ends it with one more integer.
    const bool one_more = d.reads.moqtail_track_status && m.of == request_kind::track_status;
    if (one_more && !in.remaining().empty()) static_cast<void>(in.varint());
}
inline void write(writer& out, const draft& d, const request_error& m) {
    detail::write_answered(out, d, m.request);
    out.varint(m.code);
    if (d.request_streams) out.varint(m.retry);
    detail::write_reason(out, m.reason);
    if (!d.request_streams || m.code != request_error::redirect_code) return;
    out.string(m.redirect_uri);
    detail::write_namespace(out, m.redirect.space, 0);
    out.string(m.redirect.name);
}

inline void read(reader& in, const dialect&, request_cancel& m, const limits&) noexcept { m.request = in.varint(); }
inline void write(writer& out, const draft&, const request_cancel& m) { out.varint(m.request); }

} // namespace moqlite::wire::moqt

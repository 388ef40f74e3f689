// Violations by a peer beneath a WebTransport session, and the codes that answer them.
#pragma once

#include <cstdint>
#include <moqlite/webtransport/error_code.hpp>
#include <string_view>

namespace moqlite::webtransport {

/// Every rule that a peer can break, one name each.
enum class violation : std::uint8_t {
    none,
    // SETTINGS.
    missing_settings,   ///< The control stream does not begin with SETTINGS.
    settings_too_long,  ///< Longer than settings_size_max.
    settings_truncated, ///< SETTINGS end within an entry.
    duplicate_setting,
    bad_setting, ///< A value that is neither 0 nor 1.
    // Stream prefixes.
    empty_request,            ///< A FIN without a single byte.
    prefix_truncated,         ///< A FIN within the type of a bidirectional stream, or within a session id.
    bad_session_id,           ///< Not the id of a stream that can carry a request.
    unexpected_server_stream, ///< A bidirectional stream of a server that is not a WebTransport stream.
    // Streams and their session.
    too_many_early_streams, ///< More than may wait for their session.
    early_stream_too_long,  ///< More bytes than may wait for a session.
    early_stream_timeout,   ///< Its session was not established in time.
    session_rejected,       ///< The session was rejected after the stream had arrived.
    session_gone,           ///< The session has ended, or the named stream never carried one.
    // Capsules.
    bad_close,         ///< CLOSE with an incomplete code, or a reason that is too long.
    bad_close_reason,  ///< Not UTF-8.
    bad_drain,         ///< DRAIN that is not empty.
    capsule_truncated, ///< A FIN within a capsule.
    data_after_close,
    early_body_too_long, ///< More capsules than may wait for the answer to a request.
    // Datagrams.
    bad_datagram,             ///< No quarter stream id, or one above 2^60-1.
    too_many_early_datagrams, ///< More than may wait for their session.
};

/// What a violation ends.
enum class extent : std::uint8_t {
    datagram,   ///< The datagram, which is dropped.
    stream,     ///< The stream on which it occurred.
    session,    ///< The CONNECT stream, and with it the session.
    connection, ///< The whole connection.
};

/// The code that we send to a peer that breaks the rule.
[[nodiscard]] constexpr http3_code wire_code(violation v) noexcept {
    switch (v) {
    case violation::none: return http3_code::no_error;
    case violation::missing_settings: return http3_code::missing_settings;
    case violation::settings_too_long:
    case violation::early_body_too_long: return http3_code::excessive_load;
    case violation::settings_truncated: return http3_code::frame_error;
    case violation::duplicate_setting:
    case violation::bad_setting: return http3_code::settings_error;
    case violation::empty_request: return http3_code::request_incomplete;
    case violation::prefix_truncated: return http3_code::general_protocol_error;
    case violation::bad_session_id: return http3_code::id_error;
    case violation::unexpected_server_stream: return http3_code::stream_creation_error;
    case violation::too_many_early_streams:
    case violation::early_stream_too_long:
    case violation::early_stream_timeout:
    case violation::session_rejected: return http3_code::buffered_stream_rejected;
    case violation::session_gone: return http3_code::session_gone;
    case violation::bad_close:
    case violation::bad_close_reason:
    case violation::bad_drain:
    case violation::capsule_truncated:
    case violation::data_after_close: return http3_code::message_error;
    case violation::bad_datagram:
    case violation::too_many_early_datagrams: return http3_code::datagram_error;
    }
    return http3_code::general_protocol_error;
}

[[nodiscard]] constexpr extent extent_of(violation v) noexcept {
    switch (v) {
    case violation::missing_settings:
    case violation::settings_too_long:
    case violation::settings_truncated:
    case violation::duplicate_setting:
    case violation::bad_setting:
    case violation::bad_session_id:
    case violation::unexpected_server_stream:
    case violation::bad_datagram: return extent::connection;
    case violation::bad_close:
    case violation::bad_close_reason:
    case violation::bad_drain:
    case violation::capsule_truncated:
    case violation::data_after_close:
    case violation::early_body_too_long: return extent::session;
    case violation::too_many_early_datagrams: return extent::datagram;
    case violation::none:
    case violation::empty_request:
    case violation::prefix_truncated:
    case violation::too_many_early_streams:
    case violation::early_stream_too_long:
    case violation::early_stream_timeout:
    case violation::session_rejected:
    case violation::session_gone: return extent::stream;
    }
    return extent::stream;
}

/// A stable lower-case name, for logs.
[[nodiscard]] constexpr std::string_view to_string(violation v) noexcept {
    switch (v) {
    case violation::none: return "none";
    case violation::missing_settings: return "missing_settings";
    case violation::settings_too_long: return "settings_too_long";
    case violation::settings_truncated: return "settings_truncated";
    case violation::duplicate_setting: return "duplicate_setting";
    case violation::bad_setting: return "bad_setting";
    case violation::empty_request: return "empty_request";
    case violation::prefix_truncated: return "prefix_truncated";
    case violation::bad_session_id: return "bad_session_id";
    case violation::unexpected_server_stream: return "unexpected_server_stream";
    case violation::too_many_early_streams: return "too_many_early_streams";
    case violation::early_stream_too_long: return "early_stream_too_long";
    case violation::early_stream_timeout: return "early_stream_timeout";
    case violation::session_rejected: return "session_rejected";
    case violation::session_gone: return "session_gone";
    case violation::bad_close: return "bad_close";
    case violation::bad_close_reason: return "bad_close_reason";
    case violation::bad_drain: return "bad_drain";
    case violation::capsule_truncated: return "capsule_truncated";
    case violation::data_after_close: return "data_after_close";
    case violation::early_body_too_long: return "early_body_too_long";
    case violation::bad_datagram: return "bad_datagram";
    case violation::too_many_early_datagrams: return "too_many_early_datagrams";
    }
    return "unknown";
}

} // namespace moqlite::webtransport

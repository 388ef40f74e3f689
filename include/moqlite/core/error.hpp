// Why something was refused, and the numbers that say so on the wire.
#pragma once

#include <cstdint>
#include <string_view>

namespace moqlite {

/// A code in RESET_STREAM, STOP_SENDING or CONNECTION_CLOSE. The names are what we send
/// (the numbers of moq-net, which the draft leaves open); a peer's code means no more than
/// "0 is cancelled".
enum class app_error : std::uint64_t {
    cancel = 0,
    required_extension = 1,
    old = 2,
    timeout = 3,
    transport = 4,
    decode = 5,
    unauthorized = 6,
    version = 9,
    unexpected_stream = 10,
    bounds_exceeded = 11,
    duplicate = 12,
    not_found = 13,
    wrong_size = 14,
    protocol_violation = 15,
    unexpected_message = 16,
    unsupported = 17,
    dropped = 24,
    closed = 25,
    lagged = 26,
    frame_too_large = 27,
    unroutable = 30,
    evicted = 31,
};

/// Every rule that can be broken, by us or by the peer, one name each.
enum class errc : std::uint8_t {
    ok,
    // Decoding.
    message_too_short,    ///< A message ends before its last field.
    message_too_long,     ///< Bytes are left after a message's last field.
    message_too_large,    ///< Longer than limits.control_message.
    stream_ended_early,   ///< FIN in the middle of a message or frame.
    unknown_message_type, ///< A typed message with a type that the version does not have.
    unknown_stream_type,  ///< The first varint of a stream is none that the version has.
    bad_utf8,
    bad_status, ///< ANNOUNCE status that the version does not have.
    too_many_hops,
    duplicate_hop, ///< A hop id, other than 0, twice in one list.
    too_many_segments,
    name_too_long,
    too_many_parameters,
    duplicate_parameter,
    parameter_size, ///< A varint parameter does not fill its length exactly.
    zero_timescale,
    timestamp_out_of_range, ///< The running timestamp leaves 0 .. 2^62-1.
    frame_too_large,
    value_too_large, ///< To be encoded, but above 2^62-1.
    // The session's rules.
    duplicate_setup,
    setup_from_server, ///< A server's SETUP carries Path or Role.
    setup_timeout,
    stream_timeout, ///< A stream did not say in time what it is for.
    duplicate_announce,
    unknown_announce,   ///< An announce id that was never given, or whose broadcast has ended.
    response_before_ok, ///< Something else than the SUBSCRIBE_OK that must come first (before moq-lite-05).
    unexpected_message, ///< A message that may not stand here, such as a second request.
    unknown_subscription,
    duplicate_subscription,
    duplicate_group, ///< A second stream for a group that is arriving.
    group_out_of_range,
    too_many_streams,
    too_many_requests,
    too_many_announcements,
    control_backlog,   ///< The peer does not read our replies.
    unexpected_stream, ///< A stream of ours that we did not open, or data on one that only we may send on.
    unauthorized,
    same_origin, ///< The peer's own hop is ours: origins must be unique, else all announcements look like loops.
    refused,     ///< The application refused the session.
    lagged,      ///< The peer pins memory, or takes nothing, for too long.
    // Local misuse and the end of things.
    undrained_input,     ///< An input before poll_event() returned nullopt.
    input_inside_output, ///< An input between an output and its answer: from open() or write() of the transport.
    more_than_written,   ///< The transport took, or acknowledged, more than there was.
    closed,
    not_found,
    out_of_scope, ///< The name is not below the session's root.
    already_answered,
    beyond_group_end,   ///< The subscriber has not asked for this group yet.
    before_group_start, ///< The subscriber does not want this group any more.
    group_ended,
    frame_incomplete, ///< The last frame still misses bytes.
    invalid_argument,
    unsupported,         ///< The negotiated version cannot say it.
    out_of_memory_limit, ///< limits.memory is used up.
    peer_closed,
    transport_closed,
};

/// A stable lower-case name, for logs.
[[nodiscard]] std::string_view to_string(errc) noexcept;

/// What we tell the peer when it breaks the rule.
[[nodiscard]] app_error wire_code(errc) noexcept;

/// "protocol_violation (15)"-style names are the logger's affair; this is the bare name, or "".
[[nodiscard]] std::string_view to_string(app_error) noexcept;

inline std::string_view to_string(errc e) noexcept {
    switch (e) {
    case errc::ok: return "ok";
    case errc::message_too_short: return "message_too_short";
    case errc::message_too_long: return "message_too_long";
    case errc::message_too_large: return "message_too_large";
    case errc::stream_ended_early: return "stream_ended_early";
    case errc::unknown_message_type: return "unknown_message_type";
    case errc::unknown_stream_type: return "unknown_stream_type";
    case errc::bad_utf8: return "bad_utf8";
    case errc::bad_status: return "bad_status";
    case errc::too_many_hops: return "too_many_hops";
    case errc::duplicate_hop: return "duplicate_hop";
    case errc::too_many_segments: return "too_many_segments";
    case errc::name_too_long: return "name_too_long";
    case errc::too_many_parameters: return "too_many_parameters";
    case errc::duplicate_parameter: return "duplicate_parameter";
    case errc::parameter_size: return "parameter_size";
    case errc::zero_timescale: return "zero_timescale";
    case errc::timestamp_out_of_range: return "timestamp_out_of_range";
    case errc::frame_too_large: return "frame_too_large";
    case errc::value_too_large: return "value_too_large";
    case errc::duplicate_setup: return "duplicate_setup";
    case errc::setup_from_server: return "setup_from_server";
    case errc::setup_timeout: return "setup_timeout";
    case errc::stream_timeout: return "stream_timeout";
    case errc::duplicate_announce: return "duplicate_announce";
    case errc::unknown_announce: return "unknown_announce";
    case errc::response_before_ok: return "response_before_ok";
    case errc::unexpected_message: return "unexpected_message";
    case errc::unknown_subscription: return "unknown_subscription";
    case errc::duplicate_subscription: return "duplicate_subscription";
    case errc::duplicate_group: return "duplicate_group";
    case errc::group_out_of_range: return "group_out_of_range";
    case errc::too_many_streams: return "too_many_streams";
    case errc::too_many_requests: return "too_many_requests";
    case errc::too_many_announcements: return "too_many_announcements";
    case errc::control_backlog: return "control_backlog";
    case errc::unexpected_stream: return "unexpected_stream";
    case errc::unauthorized: return "unauthorized";
    case errc::same_origin: return "same_origin";
    case errc::refused: return "refused";
    case errc::lagged: return "lagged";
    case errc::undrained_input: return "undrained_input";
    case errc::input_inside_output: return "input_inside_output";
    case errc::more_than_written: return "more_than_written";
    case errc::closed: return "closed";
    case errc::not_found: return "not_found";
    case errc::out_of_scope: return "out_of_scope";
    case errc::already_answered: return "already_answered";
    case errc::beyond_group_end: return "beyond_group_end";
    case errc::before_group_start: return "before_group_start";
    case errc::group_ended: return "group_ended";
    case errc::frame_incomplete: return "frame_incomplete";
    case errc::invalid_argument: return "invalid_argument";
    case errc::unsupported: return "unsupported";
    case errc::out_of_memory_limit: return "out_of_memory_limit";
    case errc::peer_closed: return "peer_closed";
    case errc::transport_closed: return "transport_closed";
    }
    return "unknown";
}

inline app_error wire_code(errc e) noexcept {
    switch (e) {
    case errc::ok: return app_error::cancel;
    case errc::message_too_short:
    case errc::message_too_long:
    case errc::stream_ended_early:
    case errc::bad_utf8:
    case errc::bad_status:
    case errc::duplicate_hop:
    case errc::duplicate_parameter:
    case errc::zero_timescale: return app_error::decode;
    case errc::parameter_size: return app_error::wrong_size;
    case errc::unknown_message_type: return app_error::unexpected_message;
    case errc::unknown_stream_type: return app_error::unsupported;
    case errc::message_too_large:
    case errc::too_many_hops:
    case errc::too_many_segments:
    case errc::name_too_long:
    case errc::timestamp_out_of_range:
    case errc::value_too_large:
    case errc::too_many_streams:
    case errc::too_many_requests:
    case errc::too_many_announcements:
    case errc::out_of_memory_limit: return app_error::bounds_exceeded;
    case errc::too_many_parameters: return app_error::bounds_exceeded;
    case errc::frame_too_large: return app_error::frame_too_large;
    case errc::setup_timeout:
    case errc::stream_timeout: return app_error::timeout;
    case errc::duplicate_subscription:
    case errc::duplicate_group: return app_error::duplicate;
    case errc::unexpected_stream: return app_error::unexpected_stream;
    case errc::unauthorized:
    case errc::refused: return app_error::unauthorized;
    case errc::control_backlog:
    case errc::lagged: return app_error::lagged;
    case errc::unknown_subscription:
    case errc::not_found: return app_error::not_found;
    case errc::unsupported: return app_error::unsupported;
    case errc::unexpected_message: return app_error::unexpected_message;
    case errc::closed:
    case errc::peer_closed: return app_error::closed;
    case errc::transport_closed: return app_error::transport;
    default: return app_error::protocol_violation;
    }
}

inline std::string_view to_string(app_error code) noexcept {
    switch (code) {
    case app_error::cancel: return "cancel";
    case app_error::required_extension: return "required_extension";
    case app_error::old: return "old";
    case app_error::timeout: return "timeout";
    case app_error::transport: return "transport";
    case app_error::decode: return "decode";
    case app_error::unauthorized: return "unauthorized";
    case app_error::version: return "version";
    case app_error::unexpected_stream: return "unexpected_stream";
    case app_error::bounds_exceeded: return "bounds_exceeded";
    case app_error::duplicate: return "duplicate";
    case app_error::not_found: return "not_found";
    case app_error::wrong_size: return "wrong_size";
    case app_error::protocol_violation: return "protocol_violation";
    case app_error::unexpected_message: return "unexpected_message";
    case app_error::unsupported: return "unsupported";
    case app_error::dropped: return "dropped";
    case app_error::closed: return "closed";
    case app_error::lagged: return "lagged";
    case app_error::frame_too_large: return "frame_too_large";
    case app_error::unroutable: return "unroutable";
    case app_error::evicted: return "evicted";
    }
    return {};
}

} // namespace moqlite

// Errors: every rule that can be broken, and the code that reports it to the peer.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <moqlite/core/app_error.hpp>
#include <string_view>

namespace moqlite {

/// Every rule that we or the peer can break, one name each.
enum class errc : std::uint8_t {
    ok,
    // Decoding.
    message_too_short,    ///< A message ends before its last field.
    message_too_long,     ///< Bytes remain after a message's last field.
    message_too_large,    ///< Longer than limits.control_message.
    stream_ended_early,   ///< FIN in the middle of a message or frame.
    unknown_message_type, ///< The version does not define this message type.
    unknown_stream_type,  ///< The version does not define this stream type.
    bad_utf8,
    bad_flag,   ///< A flag that is neither 0 nor 1, where that matters.
    bad_status, ///< The version does not define this ANNOUNCE status.
    bad_choice,        ///< A value that the field does not have (moq-transport: group order, filter or fetch type).
    bad_namespace,     ///< A namespace without fields, or with more than 32.
    bad_parameter,     ///< A known parameter whose value cannot be parsed.
    unexpected_parameter, ///< A parameter that the draft does not know, or not in this message.
    bad_object_status, ///< The draft does not define this object status, or not with extensions.
    object_order,      ///< An object of a FETCH is not after the one before it, in its group.
    too_many_hops,
    duplicate_hop, ///< A hop id, other than 0, twice in one list.
    too_many_segments,
    name_too_long,
    too_many_parameters,
    duplicate_parameter,
    parameter_size, ///< A varint parameter whose size differs from its Length; or one of a size that none may have.
    zero_timescale,
    bad_frame_range,        ///< A range of frames that is reversed, or ends in a group that is not named.
    timestamp_out_of_range, ///< The running timestamp leaves 0 .. 2^62-1.
    frame_too_large,
    value_too_large, ///< Above 2^62-1: cannot be encoded.
    // The session's rules.
    duplicate_setup,
    setup_from_server, ///< A server's SETUP carries Path or Role.
    setup_timeout,
    stream_timeout, ///< A stream brought no stream type or request in time.
    duplicate_announce,
    bad_announce_base,  ///< An announcement keeps more of an earlier one than there is, or than may be.
    base_refused,       ///< An announcement keeps a part of one that was refused.
    end_missing,        ///< A subscription ended without SUBSCRIBE_END.
    unknown_announce,   ///< An announce id that was never assigned, or whose broadcast has ended.
    response_before_ok, ///< Another response before the SUBSCRIBE_OK, which must be first (before moq-lite-05).
    unexpected_message, ///< A message that is not allowed here, such as a second request.
    unknown_subscription,
    duplicate_subscription,
    duplicate_group, ///< A second stream for a group that is arriving.
    group_out_of_range,
    too_many_streams,
    too_many_requests,
    too_many_announcements,
    control_backlog,   ///< The peer does not read our replies.
    unexpected_stream, ///< A stream of ours that we did not open, or data on one that only we send on.
    duplicate_goaway,
    unauthorized,
    same_origin, ///< The peer has our hop id. Origins must be unique, or all announcements look like loops.
    refused,     ///< The application refused the session.
    lagged,      ///< The peer has pinned memory, or read nothing, for too long.
    // Local misuse, and the end of a session or transport.
    undrained_input,     ///< An input before poll_event() has returned nullopt.
    input_inside_output, ///< An input from inside the transport's open() or write(), before the output was answered.
    more_than_written,   ///< The transport accepted or acknowledged more bytes than it was given.
    closed,
    going_away, ///< The peer has sent GOAWAY: it gets no new request.
    not_found,
    unroutable,   ///< No announcement covers the name, or only ones that lead back to the peer that requests it.
    out_of_scope, ///< The name is not below the session's root.
    already_answered,
    beyond_group_end,   ///< The subscriber has not asked for this group yet.
    before_group_start, ///< The subscriber does not want this group any more.
    group_ended,
    frame_incomplete, ///< The last frame still lacks bytes.
    invalid_argument,
    unsupported,         ///< The negotiated version cannot express it.
    out_of_memory_limit, ///< limits.memory is used up.
    peer_closed,
    transport_closed,
};

namespace detail {

struct error_row {
    errc rule;
    std::string_view name;
    app_error::meaning code;
};

inline constexpr std::array error_table{
    error_row{errc::ok, "ok", app_error::cancel},
    error_row{errc::message_too_short, "message_too_short", app_error::decode},
    error_row{errc::message_too_long, "message_too_long", app_error::decode},
    error_row{errc::message_too_large, "message_too_large", app_error::bounds_exceeded},
    error_row{errc::stream_ended_early, "stream_ended_early", app_error::decode},
    error_row{errc::unknown_message_type, "unknown_message_type", app_error::unexpected_message},
    error_row{errc::unknown_stream_type, "unknown_stream_type", app_error::unsupported},
    error_row{errc::bad_utf8, "bad_utf8", app_error::decode},
    error_row{errc::bad_flag, "bad_flag", app_error::decode},
    error_row{errc::bad_status, "bad_status", app_error::decode},
    error_row{errc::bad_choice, "bad_choice", app_error::decode},
    error_row{errc::bad_namespace, "bad_namespace", app_error::decode},
    error_row{errc::bad_parameter, "bad_parameter", app_error::decode},
    error_row{errc::unexpected_parameter, "unexpected_parameter", app_error::decode},
    error_row{errc::bad_object_status, "bad_object_status", app_error::decode},
    error_row{errc::object_order, "object_order", app_error::decode},
    error_row{errc::too_many_hops, "too_many_hops", app_error::bounds_exceeded},
    error_row{errc::duplicate_hop, "duplicate_hop", app_error::decode},
    error_row{errc::too_many_segments, "too_many_segments", app_error::bounds_exceeded},
    error_row{errc::name_too_long, "name_too_long", app_error::bounds_exceeded},
    error_row{errc::too_many_parameters, "too_many_parameters", app_error::bounds_exceeded},
    error_row{errc::duplicate_parameter, "duplicate_parameter", app_error::decode},
    error_row{errc::parameter_size, "parameter_size", app_error::wrong_size},
    error_row{errc::zero_timescale, "zero_timescale", app_error::decode},
    error_row{errc::bad_frame_range, "bad_frame_range", app_error::decode},
    error_row{errc::timestamp_out_of_range, "timestamp_out_of_range", app_error::bounds_exceeded},
    error_row{errc::frame_too_large, "frame_too_large", app_error::frame_too_large},
    error_row{errc::value_too_large, "value_too_large", app_error::bounds_exceeded},
    error_row{errc::duplicate_setup, "duplicate_setup", app_error::protocol_violation},
    error_row{errc::setup_from_server, "setup_from_server", app_error::protocol_violation},
    error_row{errc::setup_timeout, "setup_timeout", app_error::timeout},
    error_row{errc::stream_timeout, "stream_timeout", app_error::timeout},
    error_row{errc::duplicate_announce, "duplicate_announce", app_error::protocol_violation},
    error_row{errc::bad_announce_base, "bad_announce_base", app_error::protocol_violation},
    error_row{errc::base_refused, "base_refused", app_error::decode},
    error_row{errc::end_missing, "end_missing", app_error::protocol_violation},
    error_row{errc::unknown_announce, "unknown_announce", app_error::protocol_violation},
    error_row{errc::response_before_ok, "response_before_ok", app_error::protocol_violation},
    error_row{errc::unexpected_message, "unexpected_message", app_error::unexpected_message},
    error_row{errc::unknown_subscription, "unknown_subscription", app_error::not_found},
    error_row{errc::duplicate_subscription, "duplicate_subscription", app_error::duplicate},
    error_row{errc::duplicate_group, "duplicate_group", app_error::duplicate},
    error_row{errc::group_out_of_range, "group_out_of_range", app_error::protocol_violation},
    error_row{errc::too_many_streams, "too_many_streams", app_error::bounds_exceeded},
    error_row{errc::too_many_requests, "too_many_requests", app_error::bounds_exceeded},
    error_row{errc::too_many_announcements, "too_many_announcements", app_error::bounds_exceeded},
    error_row{errc::control_backlog, "control_backlog", app_error::lagged},
    error_row{errc::unexpected_stream, "unexpected_stream", app_error::unexpected_stream},
    error_row{errc::duplicate_goaway, "duplicate_goaway", app_error::protocol_violation},
    error_row{errc::unauthorized, "unauthorized", app_error::unauthorized},
    error_row{errc::same_origin, "same_origin", app_error::protocol_violation},
    error_row{errc::refused, "refused", app_error::unauthorized},
    error_row{errc::lagged, "lagged", app_error::lagged},
    error_row{errc::undrained_input, "undrained_input", app_error::protocol_violation},
    error_row{errc::input_inside_output, "input_inside_output", app_error::protocol_violation},
    error_row{errc::more_than_written, "more_than_written", app_error::protocol_violation},
    error_row{errc::closed, "closed", app_error::closed},
    error_row{errc::going_away, "going_away", app_error::going_away},
    error_row{errc::not_found, "not_found", app_error::not_found},
    error_row{errc::unroutable, "unroutable", app_error::unroutable},
    error_row{errc::out_of_scope, "out_of_scope", app_error::protocol_violation},
    error_row{errc::already_answered, "already_answered", app_error::protocol_violation},
    error_row{errc::beyond_group_end, "beyond_group_end", app_error::protocol_violation},
    error_row{errc::before_group_start, "before_group_start", app_error::protocol_violation},
    error_row{errc::group_ended, "group_ended", app_error::protocol_violation},
    error_row{errc::frame_incomplete, "frame_incomplete", app_error::protocol_violation},
    error_row{errc::invalid_argument, "invalid_argument", app_error::protocol_violation},
    error_row{errc::unsupported, "unsupported", app_error::unsupported},
    error_row{errc::out_of_memory_limit, "out_of_memory_limit", app_error::bounds_exceeded},
    error_row{errc::peer_closed, "peer_closed", app_error::closed},
    error_row{errc::transport_closed, "transport_closed", app_error::transport},
};

/// Every errc has its row, at the index of its number.
[[nodiscard]] constexpr bool has_all_rows() noexcept {
    for (std::size_t i = 0; i != error_table.size(); ++i)
        if (static_cast<std::size_t>(error_table[i].rule) != i) return false;
    return error_table.back().rule == errc::transport_closed;
}
static_assert(has_all_rows());

} // namespace detail

/// A stable lower-case name, for logs.
[[nodiscard]] constexpr std::string_view to_string(errc e) noexcept {
    const auto row = static_cast<std::size_t>(e);
    return row < detail::error_table.size() ? detail::error_table[row].name : "unknown";
}

/// The code that we send to a peer that breaks the rule; app_error::in() has its number.
[[nodiscard]] constexpr app_error wire_code(errc e) noexcept {
    const auto row = static_cast<std::size_t>(e);
    return row < detail::error_table.size() ? detail::error_table[row].code : app_error::protocol_violation;
}

} // namespace moqlite

// The error codes of an HTTP/3 connection, and the range to which application codes are mapped
// (draft-ietf-webtrans-http3 §4.3).
#pragma once

#include <algorithm>
#include <cstdint>
#include <moqlite/core/error.hpp>
#include <optional>

namespace moqlite::webtransport {

/// A code in RESET_STREAM, STOP_SENDING or CONNECTION_CLOSE in HTTP/3 (RFC 9114 §8.1, RFC 9297 §5.2).
enum class http3_code : std::uint64_t {
    datagram_error = 0x33,
    no_error = 0x100,
    general_protocol_error = 0x101,
    internal_error = 0x102,
    stream_creation_error = 0x103,
    closed_critical_stream = 0x104,
    frame_unexpected = 0x105,
    frame_error = 0x106,
    excessive_load = 0x107,
    id_error = 0x108,
    settings_error = 0x109,
    missing_settings = 0x10a,
    request_rejected = 0x10b,
    request_cancelled = 0x10c,
    request_incomplete = 0x10d,
    message_error = 0x10e,
    // WebTransport's own.
    flow_control_error = 0x045d4487,
    alpn_error = 0x0817b3dd,
    session_gone = 0x170d7b68,
    requirements_not_met = 0x212c0d48,
    buffered_stream_rejected = 0x3994bd84,
    // The range of the application's codes.
    application_first = 0x52e4a40fa8db,
    application_last = 0x52e5ac983162,
};

/// The largest code that WebTransport can carry.
inline constexpr app_error app_error_max{0xffffffff};

/// Maps an application code into HTTP/3's range; one above 32 bits becomes app_error_max.
[[nodiscard]] constexpr http3_code to_http3_code(app_error code) noexcept {
    const auto n = std::min(static_cast<std::uint64_t>(code), static_cast<std::uint64_t>(app_error_max));
    return http3_code{static_cast<std::uint64_t>(http3_code::application_first) + n + n / 0x1e};
}

/// The application code; nullopt: it is one of HTTP/3's own.
[[nodiscard]] constexpr std::optional<app_error> to_app_error(http3_code code) noexcept {
    if (code < http3_code::application_first || code > http3_code::application_last) return std::nullopt;
    const auto wire = static_cast<std::uint64_t>(code);
    // Every 31st number is reserved for greasing (RFC 9114 §8.1) and has no meaning.
    if ((wire - 0x21) % 0x1f == 0) return std::nullopt;
    const auto shifted = wire - static_cast<std::uint64_t>(http3_code::application_first);
    return app_error{shifted - shifted / 0x1f};
}

} // namespace moqlite::webtransport

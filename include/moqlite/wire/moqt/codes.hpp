// The numbers of errors on the wire and their names, draft-14 §13, draft-18 §15.
#pragma once

#include <cstdint>
#include <moqlite/core/error.hpp>
#include <moqlite/wire/moqt/codec.hpp>
#include <string_view>

namespace moqlite::wire::moqt {

enum class session_code : std::uint64_t {
    no_error = 0x0,
    internal_error = 0x1,
    unauthorized = 0x2,
    protocol_violation = 0x3,
    invalid_request_id = 0x4,
    duplicate_track_alias = 0x5,
    key_value_formatting_error = 0x6,
    too_many_requests = 0x7,
    invalid_path = 0x8,
    malformed_path = 0x9,
    goaway_timeout = 0x10,
    control_message_timeout = 0x11,
    data_stream_timeout = 0x12,
    auth_token_cache_overflow = 0x13,
    duplicate_auth_token_alias = 0x14,
    version_negotiation_failed = 0x15,
    malformed_auth_token = 0x16,
    unknown_auth_token_alias = 0x17,
    expired_auth_token = 0x18,
    invalid_authority = 0x19,
    malformed_authority = 0x1a,
};

/// With which code a message that breaks this rule ends the session.
[[nodiscard]] constexpr session_code session_code_of(errc rule) noexcept {
    return rule == errc::bad_parameter ? session_code::key_value_formatting_error : session_code::protocol_violation;
}

namespace detail {

struct code_name {
    std::uint64_t code;
    std::string_view name;
};
template <std::size_t N>
[[nodiscard]] constexpr std::string_view name_in(const code_name (&list)[N], std::uint64_t code) noexcept {
    for (const auto& row : list)
        if (row.code == code) return row.name;
    return {};
}

inline constexpr code_name session_codes[] = {{0x0, "NO_ERROR"}, {0x1, "INTERNAL_ERROR"}, {0x2, "UNAUTHORIZED"},
    {0x3, "PROTOCOL_VIOLATION"}, {0x4, "INVALID_REQUEST_ID"}, {0x5, "DUPLICATE_TRACK_ALIAS"},
    {0x6, "KEY_VALUE_FORMATTING_ERROR"}, {0x7, "TOO_MANY_REQUESTS"}, {0x8, "INVALID_PATH"}, {0x9, "MALFORMED_PATH"},
    {0x10, "GOAWAY_TIMEOUT"}, {0x11, "CONTROL_MESSAGE_TIMEOUT"}, {0x12, "DATA_STREAM_TIMEOUT"},
    {0x13, "AUTH_TOKEN_CACHE_OVERFLOW"}, {0x14, "DUPLICATE_AUTH_TOKEN_ALIAS"}, {0x15, "VERSION_NEGOTIATION_FAILED"},
    {0x16, "MALFORMED_AUTH_TOKEN"}, {0x17, "UNKNOWN_AUTH_TOKEN_ALIAS"}, {0x18, "EXPIRED_AUTH_TOKEN"},
    {0x19, "INVALID_AUTHORITY"}, {0x1a, "MALFORMED_AUTHORITY"}};
/// Of every kind of request.
inline constexpr code_name request_codes[] = {{0x0, "INTERNAL_ERROR"}, {0x1, "UNAUTHORIZED"}, {0x2, "TIMEOUT"},
    {0x3, "NOT_SUPPORTED"}, {0x10, "MALFORMED_AUTH_TOKEN"}, {0x12, "EXPIRED_AUTH_TOKEN"}};
inline constexpr code_name fetch_codes[] = {{0x4, "TRACK_DOES_NOT_EXIST"}, {0x5, "INVALID_RANGE"}, {0x6, "NO_OBJECTS"},
    {0x7, "INVALID_JOINING_REQUEST_ID"}, {0x8, "UNKNOWN_STATUS_IN_RANGE"}, {0x9, "MALFORMED_TRACK"}};
inline constexpr code_name subscribe_codes[] = {{0x4, "TRACK_DOES_NOT_EXIST"}, {0x5, "INVALID_RANGE"}};
inline constexpr code_name publish_codes[] = {{0x4, "UNINTERESTED"}};
inline constexpr code_name prefix_codes[] = {{0x4, "NAMESPACE_PREFIX_UNKNOWN"}, {0x5, "NAMESPACE_PREFIX_OVERLAP"}};
inline constexpr code_name done_codes[] = {{0x0, "INTERNAL_ERROR"}, {0x1, "UNAUTHORIZED"}, {0x2, "TRACK_ENDED"},
    {0x3, "SUBSCRIPTION_ENDED"}, {0x4, "GOING_AWAY"}, {0x5, "EXPIRED"}, {0x6, "TOO_FAR_BEHIND"},
    {0x7, "MALFORMED_TRACK"}};

// Draft-18 §15.11: one list for all requests.
inline constexpr code_name request_codes_18[] = {{0x0, "INTERNAL_ERROR"}, {0x1, "UNAUTHORIZED"}, {0x2, "TIMEOUT"},
    {0x3, "NOT_SUPPORTED"}, {0x4, "MALFORMED_AUTH_TOKEN"}, {0x5, "EXPIRED_AUTH_TOKEN"}, {0x6, "GOING_AWAY"},
    {0x9, "EXCESSIVE_LOAD"}, {0x10, "DOES_NOT_EXIST"}, {0x11, "INVALID_RANGE"}, {0x12, "MALFORMED_TRACK"},
    {0x19, "DUPLICATE_SUBSCRIPTION"}, {0x20, "UNINTERESTED"}, {0x30, "PREFIX_OVERLAP"}, {0x31, "NAMESPACE_TOO_LARGE"},
    {0x32, "INVALID_JOINING_REQUEST_ID"}, {0x33, "UNSUPPORTED_EXTENSION"}, {0x34, "REDIRECT"}};
inline constexpr code_name done_codes_18[] = {{0x0, "INTERNAL_ERROR"}, {0x1, "UNAUTHORIZED"}, {0x2, "TRACK_ENDED"},
    {0x3, "SUBSCRIPTION_ENDED"}, {0x4, "GOING_AWAY"}, {0x5, "TOO_FAR_BEHIND"}, {0x6, "EXPIRED"}, {0x8, "UPDATE_FAILED"},
    {0x9, "EXCESSIVE_LOAD"}, {0x12, "MALFORMED_TRACK"}};

} // namespace detail

// "": it is on no list.
[[nodiscard]] constexpr std::string_view to_string(session_code code) noexcept {
    return detail::name_in(detail::session_codes, static_cast<std::uint64_t>(code));
}
[[nodiscard]] constexpr std::string_view done_status_name(std::uint64_t status) noexcept {
    return detail::name_in(detail::done_codes, status);
}
[[nodiscard]] constexpr std::string_view done_status_name_18(std::uint64_t status) noexcept {
    return detail::name_in(detail::done_codes_18, status);
}
/// Of REQUEST_ERROR.
[[nodiscard]] constexpr std::string_view request_error_name(std::uint64_t code) noexcept {
    return detail::name_in(detail::request_codes_18, code);
}
/// Of the answers that draft-14 has for each kind.
[[nodiscard]] constexpr std::string_view error_name(request_kind of, std::uint64_t code) noexcept {
    if (const auto common = detail::name_in(detail::request_codes, code); !common.empty()) return common;
    switch (of) {
    case request_kind::subscribe:
    case request_kind::track_status: return detail::name_in(detail::subscribe_codes, code);
    case request_kind::fetch: return detail::name_in(detail::fetch_codes, code);
    case request_kind::publish:
    case request_kind::publish_namespace: return detail::name_in(detail::publish_codes, code);
    case request_kind::subscribe_namespace:
    case request_kind::subscribe_tracks: return detail::name_in(detail::prefix_codes, code);
    }
    return {};
}

} // namespace moqlite::wire::moqt

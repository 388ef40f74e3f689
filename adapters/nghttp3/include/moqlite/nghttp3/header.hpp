// Header fields of HTTP/3 requests and responses.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace moqlite::nghttp3 {

/// One line of a header. Received ones are untrusted: the value may hold any bytes but NUL, CR and LF.
struct header_field {
    std::string name; ///< In lower case.
    std::string value;
    bool operator==(const header_field&) const = default;
};

/// In the order of the message, also several of one name; without pseudo headers (":path").
using header_fields = std::vector<header_field>;

/// Most lines in a received header; with more, or with 16 KiB (of names, values, and 32 bytes a line), a request is
/// answered 431, and a response is an error.
inline constexpr std::size_t received_fields_max = 128;
/// Most lines, and bytes of names and values, that is_sendable() accepts.
inline constexpr std::size_t sent_fields_max = 64;
inline constexpr std::size_t sent_fields_size_max = 8 * 1024;

/// The value of the first field with this name, which is given in lower case. nullopt: absent.
[[nodiscard]] std::optional<std::string_view> find_field(const header_fields&, std::string_view name) noexcept;

/// Whether these may be added to a message: names are tokens in lower case, values are visible characters, spaces and
/// tabs in between, or bytes above 0x7f; none is a pseudo header, of the connection ("transfer-encoding"), or one that
/// this library writes itself ("content-length", "origin", "wt-protocol"); within the bounds above.
[[nodiscard]] bool is_sendable(const header_fields&) noexcept;

} // namespace moqlite::nghttp3

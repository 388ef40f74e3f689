// The target of a request, as in a URL: its path and its query (RFC 3986 §3.3, §3.4).
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace moqlite::webtransport {

/// Views into the text that was split.
struct target {
    std::string_view path;
    std::string_view query; ///< Without the '?'.
};

/// Splits at the first '?'. Nothing is decoded: an escaped '?' or '/' separates nothing.
[[nodiscard]] constexpr target split_target(std::string_view text) noexcept {
    const auto ends = std::min(text.find('?'), text.size());
    return {text.substr(0, ends), text.substr(std::min(ends + 1, text.size()))};
}

namespace detail {

[[nodiscard]] constexpr int hex_digit(char c) noexcept {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

} // namespace detail

/// A name or value of a query without its escapes: "%2f" is '/', '+' is a space, as browsers write them. An incomplete
/// escape stays as it is. The result may hold any bytes.
[[nodiscard]] inline std::string decode_query(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const bool is_escape = text[i] == '%' && text.size() - i > 2;
        const int high = is_escape ? detail::hex_digit(text[i + 1]) : -1;
        const int low = is_escape ? detail::hex_digit(text[i + 2]) : -1;
        if (high >= 0 && low >= 0) {
            out.push_back(static_cast<char>(high * 16 + low));
            i += 2;
        } else {
            out.push_back(text[i] == '+' ? ' ' : text[i]);
        }
    }
    return out;
}

/// The value of the first parameter `name` (decoded) in a query such as "token=1&debug": "" if it has none. nullopt:
/// there is no such parameter.
[[nodiscard]] inline std::optional<std::string> query_value(std::string_view query, std::string_view name) {
    while (!query.empty()) {
        const auto ends = std::min(query.find('&'), query.size());
        const auto one = query.substr(0, ends);
        query.remove_prefix(std::min(ends + 1, query.size()));
        const auto equals = std::min(one.find('='), one.size());
        if (one.empty() || decode_query(one.substr(0, equals)) != name) continue;
        return decode_query(one.substr(std::min(equals + 1, one.size())));
    }
    return std::nullopt;
}

/// Whether `path` is `prefix` or below it: "/room" and "/room/a" are below "/room", "/rooms" is not. A slash at the end
/// of `prefix` changes nothing, so that everything is below "/".
[[nodiscard]] constexpr bool is_below(std::string_view path, std::string_view prefix) noexcept {
    if (prefix.ends_with('/')) prefix.remove_suffix(1);
    if (!path.starts_with(prefix)) return false;
    return path.size() == prefix.size() || path[prefix.size()] == '/';
}

} // namespace moqlite::webtransport

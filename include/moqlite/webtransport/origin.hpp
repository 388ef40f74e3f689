// Decides which web pages may open a session, from the browser's Origin header (RFC 6454). Also protects against DNS
// rebinding.
#pragma once

#include <algorithm>
#include <cstdint>
#include <moqlite/webtransport/detail/field_cursor.hpp>
#include <span>
#include <string>
#include <string_view>

namespace moqlite::webtransport {

namespace detail {

constexpr char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
constexpr bool is_letter(char c) noexcept { return lower(c) >= 'a' && lower(c) <= 'z'; }

constexpr bool same_text(std::string_view a, std::string_view b) noexcept {
    return std::ranges::equal(a, b, {}, lower, lower);
}

/// The host in HOST, HOST:PORT, [IPV6] or [IPV6]:PORT, with its brackets.
constexpr std::string_view host_of(std::string_view authority) noexcept {
    const auto ends = authority.starts_with('[') ? authority.find(']') + 1 : authority.find(':');
    return authority.substr(0, ends);
}

constexpr bool is_this_machine(std::string_view host) noexcept {
    return same_text(host, "localhost") || host == "127.0.0.1" || host == "[::1]";
}

/// Digits of a number up to 65535, without leading zeros.
constexpr bool is_port(std::string_view text) noexcept {
    constexpr std::uint32_t largest = 65535;
    if (text.empty() || text.size() > 5 || (text.size() > 1 && text[0] == '0')) return false;
    if (!std::ranges::all_of(text, is_digit)) return false;
    std::uint32_t n = 0;
    for (const char c : text) n = 10 * n + static_cast<std::uint32_t>(c - '0');
    return n <= largest;
}

/// A host name as browsers write it, an IPv4 address, or an IPv6 address in brackets. Empty for schemes without hosts.
constexpr bool is_host(std::string_view text) noexcept {
    const bool in_brackets = text.starts_with('[');
    if (in_brackets && (text.size() < 4 || !text.ends_with(']'))) return false;
    if (in_brackets) text = text.substr(1, text.size() - 2);
    return std::ranges::all_of(text, [=](char c) {
        const bool hex = is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'f');
        if (in_brackets) return hex || c == ':' || c == '.';
        return is_digit(c) || is_letter(c) || c == '-' || c == '.' || c == '_' || c == '~';
    });
}

/// Whether `host`, with its brackets if any, matches `name` as in a certificate: equal, or with "*.example.com" one
/// more label.
constexpr bool is_named(std::string_view host, std::string_view name) noexcept {
    if (host.starts_with('[') && !name.starts_with('[')) host = host.substr(1, host.size() - 2);
    if (host.ends_with('.')) host.remove_suffix(1);
    if (same_text(host, name)) return true;
    if (!name.starts_with("*.")) return false;
    const auto dot = host.find('.');
    return dot != host.npos && dot != 0 && same_text(host.substr(dot), name.substr(1));
}

} // namespace detail

/// Whether `text` is one serialised origin (RFC 6454 §6.2): "null", or exactly SCHEME://HOST[:PORT].
[[nodiscard]] constexpr bool is_origin(std::string_view text) noexcept {
    if (text == "null") return true;
    const auto colon = text.find("://");
    if (colon == text.npos || colon == 0 || !detail::is_letter(text[0])) return false;
    const auto in_scheme = [](char c) {
        return detail::is_letter(c) || detail::is_digit(c) || c == '+' || c == '-' || c == '.';
    };
    if (!std::ranges::all_of(text.substr(0, colon), in_scheme)) return false;
    const auto authority = text.substr(colon + 3);
    const auto host = detail::host_of(authority);
    if (!detail::is_host(host)) return false;
    const auto rest = authority.substr(host.size());
    return rest.empty() || (!host.empty() && rest.starts_with(':') && detail::is_port(rest.substr(1)));
}

/// Whether the page comes from the host that it connects to. Scheme and port are ignored; all names of this machine
/// count as equal.
[[nodiscard]] constexpr bool is_same_host(std::string_view origin, std::string_view authority) noexcept {
    const auto scheme = origin.find("://");
    if (scheme == origin.npos) return false; // "null" has no host.
    const auto page = detail::host_of(origin.substr(scheme + 3));
    const auto here = detail::host_of(authority);
    if (page.empty() || here.empty()) return false;
    return detail::same_text(page, here) || (detail::is_this_machine(page) && detail::is_this_machine(here));
}

/// Whether the host of `authority` (HOST[:PORT]) is one of `names`: DNS names, also "*.example.com", and IP addresses.
/// With `loopback`, for a server that listens there, localhost, 127.0.0.1 and [::1] count as names too.
[[nodiscard]] constexpr bool is_own_host(
    std::string_view authority, std::span<const std::string> names, bool loopback) noexcept {
    const auto host = detail::host_of(authority);
    if (host.empty() || !detail::is_host(host)) return false;
    if (loopback && detail::is_this_machine(host)) return true;
    return std::ranges::any_of(names, [=](const std::string& name) { return detail::is_named(host, name); });
}

/// Whether a page of `origin` is admitted; "" means no page, and is admitted; an invalid origin is not. `allowed`
/// contains whole origins, or "*" for all; if empty, the page's host must be that of `authority`. Precondition:
/// is_own_host(authority), since otherwise a page could supply both by resolving its own name to us (DNS rebinding).
[[nodiscard]] inline bool admits_origin(
    std::span<const std::string> allowed, std::string_view origin, std::string_view authority) noexcept {
    if (origin.empty()) return true;
    if (!is_origin(origin)) return false;
    if (allowed.empty()) return is_same_host(origin, authority);
    return std::ranges::any_of(allowed, [&](const std::string& one) { return one == "*" || one == origin; });
}

} // namespace moqlite::webtransport

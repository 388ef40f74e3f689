// Which pages may open a session: the check of a browser's Origin header (RFC 6454) against DNS rebinding too.
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

/// HOST of HOST, HOST:PORT, [IPV6] and [IPV6]:PORT, with its brackets.
constexpr std::string_view host_of(std::string_view authority) noexcept {
    const auto ends = authority.starts_with('[') ? authority.find(']') + 1 : authority.find(':');
    return authority.substr(0, ends);
}

constexpr bool is_this_machine(std::string_view host) noexcept {
    return same_text(host, "localhost") || host == "127.0.0.1" || host == "[::1]";
}

/// Digits of a number up to 65535, without zeros in front.
constexpr bool is_port(std::string_view text) noexcept {
    constexpr std::uint32_t largest = 65535;
    if (text.empty() || text.size() > 5 || (text.size() > 1 && text[0] == '0')) return false;
    if (!std::ranges::all_of(text, is_digit)) return false;
    std::uint32_t n = 0;
    for (const char c : text) n = 10 * n + static_cast<std::uint32_t>(c - '0');
    return n <= largest;
}

/// A name as browsers write one, an IPv4 address, or an IPv6 address in brackets. Empty: of a scheme without hosts.
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

/// Whether `host`, in its brackets if it has some, is what a certificate or an operator calls `name`: the same, or by
/// "*.example.com" a name with one label more.
constexpr bool is_named(std::string_view host, std::string_view name) noexcept {
    if (host.starts_with('[') && !name.starts_with('[')) host = host.substr(1, host.size() - 2);
    if (host.ends_with('.')) host.remove_suffix(1);
    if (same_text(host, name)) return true;
    if (!name.starts_with("*.")) return false;
    const auto dot = host.find('.');
    return dot != host.npos && dot != 0 && same_text(host.substr(dot), name.substr(1));
}

} // namespace detail

/// Whether `text` is one serialised origin (RFC 6454 §6.2): "null", or SCHEME://HOST[:PORT] and nothing more.
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

/// The page comes from the host that it talks to; scheme and port do not count, nor which name of this machine it is.
[[nodiscard]] constexpr bool is_same_host(std::string_view origin, std::string_view authority) noexcept {
    const auto scheme = origin.find("://");
    if (scheme == origin.npos) return false; // "null" is nobody's host.
    const auto page = detail::host_of(origin.substr(scheme + 3));
    const auto here = detail::host_of(authority);
    if (page.empty() || here.empty()) return false;
    return detail::same_text(page, here) || (detail::is_this_machine(page) && detail::is_this_machine(here));
}

/// Whether the host of `authority` (HOST[:PORT]) is one of `names`: DNS names, also "*.example.com", and IP addresses.
/// With `loopback`, which is for a server that can be reached there, localhost, 127.0.0.1 and [::1] are its names, too.
[[nodiscard]] constexpr bool is_own_host(
    std::string_view authority, std::span<const std::string> names, bool loopback) noexcept {
    const auto host = detail::host_of(authority);
    if (host.empty() || !detail::is_host(host)) return false;
    if (loopback && detail::is_this_machine(host)) return true;
    return std::ranges::any_of(names, [=](const std::string& name) { return detail::is_named(host, name); });
}

/// Whether a page of `origin` may come in; "" is no page, and may. What is no origin may not. `allowed` are whole
/// origins, or "*" for every one; if there are none, the page's host has to be that of `authority`. Precondition: that
/// is_own_host(), for otherwise a page brings both by having its own name lead to us (DNS rebinding).
[[nodiscard]] inline bool admits_origin(
    std::span<const std::string> allowed, std::string_view origin, std::string_view authority) noexcept {
    if (origin.empty()) return true;
    if (!is_origin(origin)) return false;
    if (allowed.empty()) return is_same_host(origin, authority);
    return std::ranges::any_of(allowed, [&](const std::string& one) { return one == "*" || one == origin; });
}

} // namespace moqlite::webtransport

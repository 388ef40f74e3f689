// Which pages may open a session: the check of a browser's Origin header (RFC 6454).
#pragma once

#include <algorithm>
#include <span>
#include <string>
#include <string_view>

namespace moqlite::webtransport {

namespace detail {

constexpr char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

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

} // namespace detail

/// The page comes from the host that it talks to; scheme and port do not count, nor which name of this machine it is.
[[nodiscard]] constexpr bool is_same_host(std::string_view origin, std::string_view authority) noexcept {
    const auto scheme = origin.find("://");
    if (scheme == origin.npos) return false; // "null" is nobody's host.
    const auto page = detail::host_of(origin.substr(scheme + 3));
    const auto here = detail::host_of(authority);
    if (page.empty() || here.empty()) return false;
    return detail::same_text(page, here) || (detail::is_this_machine(page) && detail::is_this_machine(here));
}

/// Whether a page of `origin` may come in; "" is no page, and may. `allowed` are whole origins, or "*" for every one;
/// if there are none, the page's host has to be that of `authority`.
[[nodiscard]] inline bool admits_origin(
    std::span<const std::string> allowed, std::string_view origin, std::string_view authority) noexcept {
    if (origin.empty()) return true;
    if (allowed.empty()) return is_same_host(origin, authority);
    return std::ranges::any_of(allowed, [&](const std::string& one) { return one == "*" || one == origin; });
}

} // namespace moqlite::webtransport

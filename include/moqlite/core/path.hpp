// Broadcast paths: segments separated by '/'. Leading, trailing and repeated slashes are ignored.
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace moqlite::path {

/// Segments of a normalised path; the empty path has none.
[[nodiscard]] constexpr std::size_t segments(std::string_view p) noexcept {
    return p.empty() ? 0 : static_cast<std::size_t>(std::count(p.begin(), p.end(), '/')) + 1;
}

/// The first `n` segments of a normalised path, or all if it has fewer.
[[nodiscard]] constexpr std::string_view first_segments(std::string_view p, std::size_t n) noexcept {
    std::size_t end = 0;
    for (; n != 0 && end < p.size(); --n) end = std::min(p.find('/', end + (end != 0)), p.size());
    return p.substr(0, end);
}

/// True if `p` has no leading, trailing or repeated slash.
[[nodiscard]] constexpr bool is_normal(std::string_view p) noexcept {
    if (p.empty()) return true;
    return p.front() != '/' && p.back() != '/' && p.find("//") == std::string_view::npos;
}

/// Writes the normalised form of `p` to `out`, reusing its memory.
inline void normalise(std::string_view p, std::string& out) {
    out.clear();
    for (char c : p)
        if (c != '/' || (!out.empty() && out.back() != '/')) out.push_back(c);
    if (!out.empty() && out.back() == '/') out.pop_back();
}

[[nodiscard]] inline std::string normalise(std::string_view p) {
    std::string out;
    normalise(p, out);
    return out;
}

/// `p` without `prefix`, if `p` begins with its segments: "a/b" without "a" is "b", while "ab" does not begin with "a".
/// Both are normalised.
[[nodiscard]] constexpr std::optional<std::string_view> strip(std::string_view p, std::string_view prefix) noexcept {
    if (prefix.empty()) return p;
    if (!p.starts_with(prefix)) return std::nullopt;
    p.remove_prefix(prefix.size());
    if (p.empty()) return p;
    if (p.front() != '/') return std::nullopt;
    return p.substr(1);
}

/// Whether a segment begins with '.'. Such a path is hidden from discovery above that segment, but can be requested by
/// name (moq-lite-wire §6.1). `p` is normalised.
[[nodiscard]] constexpr bool is_hidden(std::string_view p) noexcept {
    return p.starts_with('.') || p.find("/.") != std::string_view::npos;
}

/// Whether a whole segment is a wildcard, "*" or "**", which other implementations use in local patterns and refuse in
/// announcements. `p` is normalised.
[[nodiscard]] constexpr bool has_wildcard(std::string_view p) noexcept {
    for (auto at = p.find('*'); at != std::string_view::npos; at = p.find('*', at)) {
        const bool begins = at == 0 || p[at - 1] == '/';
        const auto end = std::min(p.find('/', at), p.size());
        if (begins && end - at <= 2 && p[end - 1] == '*') return true;
        at = end;
    }
    return false;
}

/// Whether it begins with a zero: names within a process, which no peer may use.
[[nodiscard]] constexpr bool is_private(std::string_view p) noexcept { return p.starts_with('\0'); }
/// Sorts after all of those, and before all others.
inline constexpr std::string_view after_private{"\0\xff", 2};
/// The path above the broadcasts that are for one session alone.
[[nodiscard]] inline std::string private_root(std::uint64_t number) { return '\0' + std::to_string(number); }

/// Writes `root` / `name` to `out`; either may be empty. Both are normalised.
inline void join(std::string_view root, std::string_view name, std::string& out) {
    out.assign(root);
    if (!root.empty() && !name.empty()) out.push_back('/');
    out.append(name);
}

[[nodiscard]] inline std::string join(std::string_view root, std::string_view name) {
    std::string out;
    join(root, name, out);
    return out;
}

} // namespace moqlite::path

// Validation of UTF-8, RFC 3629, and text that is safe to log.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>

namespace moqlite::wire {

namespace detail {

/// Bytes of the well-formed character that begins `text`, or 0. Precondition: `text` is not empty.
[[nodiscard]] constexpr std::size_t utf8_character(std::string_view text) noexcept {
    const auto at = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
    const auto first = at(0);
    if (first < 0x80) return 1;
    const std::size_t size = first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
    if (size == 0 || text.size() < size) return 0;

    // The second byte reveals overlong forms, surrogates and code points above U+10FFFF.
    const std::uint8_t low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    const std::uint8_t high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    if (at(1) < low || at(1) > high) return 0;
    for (std::size_t i = 2; i < size; ++i)
        if ((at(i) & 0xc0) != 0x80) return 0;
    return size;
}

} // namespace detail

/// The longest prefix of `text` that is UTF-8 and has at most `size_max` bytes.
[[nodiscard]] constexpr std::string_view utf8_prefix(std::string_view text, std::size_t size_max) noexcept {
    std::size_t size = 0;
    while (size < text.size()) {
        const auto character = detail::utf8_character(text.substr(size));
        if (character == 0 || size + character > size_max) break;
        size += character;
    }
    return text.substr(0, size);
}

[[nodiscard]] constexpr bool is_utf8(std::string_view text) noexcept {
    // Most names are ASCII.
    unsigned all = 0;
    for (const char c : text) all |= static_cast<std::uint8_t>(c);
    return all < 0x80 || utf8_prefix(text, text.size()).size() == text.size();
}

/// Whether a terminal or a log viewer interprets `character`, or displays nothing for it, so that two names look alike:
/// C0 and C1 controls, line and paragraph separators, interlinear annotation, and what Unicode calls default-ignorable
/// (zero-width and bidi characters, soft hyphens, fillers, variation selectors, tags). Precondition: it is one
/// character of UTF-8.
[[nodiscard]] constexpr bool is_invisible(std::string_view character) noexcept {
    std::uint32_t value = static_cast<std::uint8_t>(character[0]);
    if (character.size() > 1) value &= 0x7fu >> character.size();
    for (const char c : character.substr(1)) value = value << 6 | (static_cast<std::uint8_t>(c) & 0x3f);
    constexpr std::pair<std::uint32_t, std::uint32_t> ranges[] = {{0x00, 0x1f}, {0x7f, 0x9f}, {0xad, 0xad},
        {0x34f, 0x34f}, {0x61c, 0x61c}, {0x115f, 0x1160}, {0x17b4, 0x17b5}, {0x180b, 0x180f}, {0x200b, 0x200f},
        {0x2028, 0x202e}, {0x2060, 0x206f}, {0x3164, 0x3164}, {0xfe00, 0xfe0f}, {0xfeff, 0xfeff}, {0xffa0, 0xffa0},
        {0xfff0, 0xfffb}, {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a}, {0xe0000, 0xe0fff}};
    return std::any_of(std::begin(ranges), std::end(ranges),
        [value](const auto& range) { return range.first <= value && value <= range.second; });
}

/// A peer's text, cut to `size_max` bytes, for a log: one line, with '?' for each byte of an invisible character and
/// each byte that is not UTF-8.
[[nodiscard]] inline std::string loggable(std::string_view text, std::size_t size_max) {
    std::string out;
    while (!text.empty()) {
        const auto size = std::max<std::size_t>(detail::utf8_character(text), 1);
        const bool shown = detail::utf8_character(text) != 0 && !is_invisible(text.substr(0, size));
        if (out.size() + size > size_max) break;
        if (shown)
            out += text.substr(0, size);
        else
            out.append(size, '?');
        text.remove_prefix(size);
    }
    return out;
}

} // namespace moqlite::wire

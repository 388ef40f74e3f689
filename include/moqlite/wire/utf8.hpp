// Whether text is UTF-8, RFC 3629.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace moqlite::wire {

namespace detail {

/// Bytes of the well-formed character that begins `text`, or 0. Precondition: `text` is not empty.
[[nodiscard]] constexpr std::size_t utf8_character(std::string_view text) noexcept {
    const auto at = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
    const auto first = at(0);
    if (first < 0x80) return 1;
    const std::size_t size = first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
    if (size == 0 || text.size() < size) return 0;

    // Overlong forms, surrogates and what lies above U+10FFFF show in the second byte.
    const std::uint8_t low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    const std::uint8_t high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    if (at(1) < low || at(1) > high) return 0;
    for (std::size_t i = 2; i < size; ++i)
        if ((at(i) & 0xc0) != 0x80) return 0;
    return size;
}

} // namespace detail

/// The longest beginning of `text` that is UTF-8 and has at most `size_max` bytes.
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
    return utf8_prefix(text, text.size()).size() == text.size();
}

} // namespace moqlite::wire

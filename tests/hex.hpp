// Hexadecimal in tests: bytes written as the drafts write them.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace moqlite::test {

/// The bytes in `text`, two digits each; spaces are ignored. Aborts on anything else.
[[nodiscard]] inline std::vector<std::byte> hex(std::string_view text) {
    const auto digit = [](char c) -> unsigned {
        if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
        if (c >= 'a' && c <= 'f') return static_cast<unsigned>(c - 'a') + 10;
        if (c >= 'A' && c <= 'F') return static_cast<unsigned>(c - 'A') + 10;
        std::abort();
    };
    std::vector<std::byte> out;
    bool half = false;
    for (char c : text) {
        if (c == ' ' || c == '\n') continue;
        const auto value = static_cast<std::byte>(digit(c));
        if (half)
            out.back() = (out.back() << 4) | value;
        else
            out.push_back(value);
        half = !half;
    }
    if (half) std::abort();
    return out;
}

/// `bytes` in lower case, without spaces, as hex() reads them.
[[nodiscard]] inline std::string to_hex(std::span<const std::byte> bytes) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string out;
    for (auto b : bytes) {
        out.push_back(digits[std::to_integer<std::size_t>(b >> 4)]);
        out.push_back(digits[std::to_integer<std::size_t>(b & std::byte{15})]);
    }
    return out;
}

} // namespace moqlite::test

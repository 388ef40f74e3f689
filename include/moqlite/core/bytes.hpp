// Views of bytes, the only form in which payload crosses the library's interface.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace moqlite {

/// A non-owning view of bytes. Each function that returns one documents who owns the bytes, and for how long.
using byte_view = std::span<const std::byte>;

/// The bytes of `text`, without a terminator.
[[nodiscard]] inline byte_view as_bytes(std::string_view text) noexcept {
    return std::as_bytes(std::span{text.data(), text.size()});
}

/// `bytes` read as text; nothing is checked.
[[nodiscard]] inline std::string_view as_text(byte_view bytes) noexcept {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// `n` as a size. Precondition: it fits. A mask, since compilers may warn of a useless cast where both types are one.
[[nodiscard]] constexpr std::size_t as_size(std::uint64_t n) noexcept { return n & SIZE_MAX; }

} // namespace moqlite

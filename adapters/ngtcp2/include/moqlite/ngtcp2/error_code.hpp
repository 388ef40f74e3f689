// Application error codes of streams: raw as we send them, or in the HTTP/3 range as WebTransport
// does and as some peers do on native QUIC too. Both are understood.
#pragma once

#include <cstdint>
#include <moqlite/core/error.hpp>

namespace moqlite::ngtcp2 {

inline constexpr std::uint64_t first_http3_code = 0x52e4a40fa8db;
inline constexpr std::uint64_t last_http3_code = 0x52e5ac983162;

/// Where `n`, a 32-bit code, lies in the HTTP/3 range (draft-ietf-webtrans-http3 §4.3).
[[nodiscard]] constexpr std::uint64_t to_http3_code(std::uint64_t n) noexcept {
    return first_http3_code + n + n / 0x1e;
}

/// The application's code in `wire`, whichever form it has.
[[nodiscard]] constexpr app_error from_wire_code(std::uint64_t wire) noexcept {
    if (wire < first_http3_code || wire > last_http3_code) return app_error{wire};
    // Every 31st number is greasing and stands for nothing; it is left as it is.
    if ((wire - 0x21) % 0x1f == 0) return app_error{wire};
    const std::uint64_t shifted = wire - first_http3_code;
    return app_error{shifted - shifted / 0x1f};
}

} // namespace moqlite::ngtcp2

// Application error codes of streams on native QUIC: raw as we send them, or in the HTTP/3 range as some peers do here
// too. Both are understood.
#pragma once

#include <cstdint>
#include <moqlite/core/error.hpp>
#include <moqlite/webtransport/error_code.hpp>

namespace moqlite::ngtcp2 {

/// The application's code in `wire`, whichever form it has.
[[nodiscard]] constexpr app_error from_wire_code(std::uint64_t wire) noexcept {
    return webtransport::to_app_error(webtransport::http3_code{wire}).value_or(app_error{wire});
}

} // namespace moqlite::ngtcp2

// How long an end may take.
#pragma once

#include <chrono>

namespace moqlite::asio {

/// Until the close has been sent, or times out.
inline constexpr auto farewell_time = std::chrono::milliseconds{500};

} // namespace moqlite::asio

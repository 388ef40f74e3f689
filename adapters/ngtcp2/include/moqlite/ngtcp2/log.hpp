// How the adapters say what an operator should know; the program gives the function.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

namespace moqlite::ngtcp2 {

enum class log_level : std::uint8_t { debug, info, warning, error };

/// One line, without a newline; called on the thread that drives the endpoint.
using log_function = std::function<void(log_level, std::string_view)>;

} // namespace moqlite::ngtcp2

// The adapters' log lines for operators; the program supplies the function.
#pragma once

#include <cstdint>
#include <functional>
#include <moqlite/core/bytes.hpp>
#include <string_view>

namespace moqlite::link {

enum class log_level : std::uint8_t { debug, info, warning, error };

/// One line, without a newline; called on the thread that drives the endpoint.
using log_function = std::function<void(log_level, std::string_view)>;

/// Takes a connection's qlog, a JSON text sequence (RFC 7464), piece by piece.
using qlog_function = std::function<void(byte_view)>;

} // namespace moqlite::link

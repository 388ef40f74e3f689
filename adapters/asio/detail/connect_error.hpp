// Explains a failed connection attempt to the user.
#pragma once

#include <moqlite/asio/url.hpp>
#include <moqlite/link/handler.hpp>
#include <string>
#include <vector>

namespace moqlite::asio {

/// One line. `offered`: the protocols that the client offered.
[[nodiscard]] std::string connect_error(
    const url& where, const std::vector<std::string>& offered, const link::closed& how);

} // namespace moqlite::asio

// Why a connection to a relay did not come about, in words that help whoever reads them.
#pragma once

#include "client_options.hpp"

#include <moqlite/link/handler.hpp>
#include <string>

namespace moqlite::programs {

/// One line. `offered` are the protocols that were.
[[nodiscard]] std::string connect_error(
    const relay_url& where, const std::vector<std::string>& offered, const link::closed& how);

} // namespace moqlite::programs

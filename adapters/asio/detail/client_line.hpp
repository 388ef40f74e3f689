// One connection of a client_link, and the session on it.
#pragma once

#include <moqlite/asio/client_link.hpp>

namespace moqlite::asio {

struct client_link::line {
    std::optional<moqlite::session> active_session; ///< Outlives the connection, which points to it.
    link::connection* connection = nullptr;         ///< Until the session is over.
    std::optional<quic_client> socket;
};

/// Until the close has been sent, or times out.
inline constexpr auto farewell_time = std::chrono::milliseconds{500};

} // namespace moqlite::asio

// How a QUIC stack hands over a new connection.
#pragma once

#include <functional>
#include <memory>
#include <moqlite/core/time.hpp>
#include <moqlite/link/connection.hpp>
#include <moqlite/link/handler.hpp>

namespace moqlite::link {

/// Makes the handler of a connection whose handshake is complete, or which begins with early data
/// (connection::tls().early is then `pending`); null closes the connection.
using accept_function = std::function<std::unique_ptr<handler>(connection&, time_point)>;
/// A connection failed before it had a handler.
using failed_function = std::function<void(const closed&)>;

} // namespace moqlite::link

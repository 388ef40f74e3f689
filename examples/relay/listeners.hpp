// The sockets for --listen: a name means all of its addresses, and two wildcards share a port.
#pragma once

#include <cstdint>
#include <moqlite/link/address.hpp>
#include <optional>
#include <string>
#include <vector>

namespace moqlite::programs {

struct listener {
    std::string where;         ///< HOST:PORT as asio::server::listen() takes it; without HOST every address.
    bool ipv6_only = false;    ///< A wildcard that leaves IPv4 to another listener of the same port.
    bool follows_port = false; ///< Port 0: use the free port of the listener before it.
};

/// HOST:PORT with a numeric host, or ":PORT", for each address of a name; empty: `why`. Addresses that this machine
/// does not have are left out if there are others.
[[nodiscard]] std::vector<std::string> numeric_addresses(
    const std::string& where, std::uint16_t default_port, std::string& why);

/// nullopt: `why` names the one that cannot be resolved.
[[nodiscard]] std::optional<std::vector<listener>> resolve_listeners(
    const std::vector<std::string>& listen, std::uint16_t default_port, std::string& why);

} // namespace moqlite::programs

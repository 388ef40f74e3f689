// "relay.example:4443", "[::1]:4443", ":4443".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace moqlite::asio {

struct host_port {
    std::string host; ///< Without brackets; empty: any address.
    std::uint16_t port = 0;
    bool operator==(const host_port&) const = default;
};

/// HOST, HOST:PORT, :PORT, [IPV6], [IPV6]:PORT or a bare IPv6 address; "*" is any address.
[[nodiscard]] std::optional<host_port> parse_host_port(
    std::string_view text, std::uint16_t default_port, std::string& why);

} // namespace moqlite::asio

// Options of server and client.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <moqlite/ngtcp2/endpoint.hpp>

namespace moqlite::asio {

struct socket_options {
    std::size_t buffer = 4 * 1024 * 1024; ///< Requested for both directions; the actual size is logged.
    bool gso = true;                      ///< UDP_SEGMENT, where the kernel has it.
    bool gro = true;                      ///< UDP_GRO, where the kernel has it.
    bool icmp_errors = false;             ///< Receive them; always on in clients.
    bool ipv6_only = false;               ///< An IPv6 wildcard leaves IPv4 to another socket of its port.
    /// A bound UDP socket of the caller's, used in place of a new one: listen()'s address is ignored. The server or
    /// client that is constructed with it owns it, and closes it in any case; give it to one only. -1: none.
    int native_handle = -1;
};

struct options {
    ngtcp2::endpoint_options quic; ///< Its log is the loop's log too.
    socket_options socket;
    /// Called in each turn after all inputs and before connections are pumped, and once more after
    /// that: the place to wake() connections whose sessions have something to send.
    std::function<void(time_point)> before_pump;
};

/// What a socket has done since it was opened.
struct socket_stats {
    std::uint64_t turns = 0;
    std::uint64_t reads = 0; ///< recvmsg calls that gave something.
    std::uint64_t datagrams_received = 0;
    std::uint64_t bytes_received = 0;
    std::uint64_t writes = 0; ///< sendmsg calls that took something.
    std::uint64_t datagrams_sent = 0;
    std::uint64_t bytes_sent = 0;
    std::uint64_t full = 0;    ///< Times that the socket was full.
    std::uint64_t dropped = 0; ///< Datagrams that the kernel refused permanently.
};

} // namespace moqlite::asio

// Ancillary data of received and sent datagrams.
#pragma once

#include <cstddef>
#include <cstdint>
#include <moqlite/link/address.hpp>
#include <netinet/udp.h>
#include <sys/socket.h>

// Constants that older C libraries lack.
#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif

namespace moqlite::asio::detail {

/// Space for every control message that we receive or send, with some to spare.
inline constexpr std::size_t control_size = 256;

struct arrival {
    link::address local;
    std::uint8_t ecn = 0;
    std::size_t segment = 0; ///< Size of each datagram in a GRO burst; 0: one datagram.
};

/// `bound` is the socket's own address.
[[nodiscard]] arrival parse_control(msghdr&, const link::address& bound) noexcept;

/// The ICMP error in a message of the error queue, as an errno; 0: the message is something else.
[[nodiscard]] int icmp_error(msghdr&) noexcept;

// These append to the message's control bytes, which are zeroed and have room for all of them.

/// The source address; nothing for a wildcard.
void add_source(msghdr&, const link::address& from) noexcept;
void add_ecn(msghdr&, const link::address& to, std::uint8_t ecn) noexcept;
/// UDP_SEGMENT: the bytes are datagrams of this size.
void add_segment(msghdr&, std::uint16_t segment) noexcept;

[[nodiscard]] bool is_wildcard(const link::address&) noexcept;

} // namespace moqlite::asio::detail

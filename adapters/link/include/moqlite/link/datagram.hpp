// UDP datagrams between a socket and a QUIC stack.
#pragma once

#include <cstddef>
#include <cstdint>
#include <moqlite/core/bytes.hpp>
#include <moqlite/link/address.hpp>

namespace moqlite::link {

/// One received UDP datagram. `local` is its destination address.
struct datagram {
    address local;
    address remote;
    std::uint8_t ecn = 0; ///< The two ECN bits of the IP header.
    byte_view bytes;
};

/// Datagrams to one destination, of `segment` bytes each, the last one perhaps shorter: what one
/// sendmsg with UDP_SEGMENT takes. At most 64 segments and 65 000 bytes.
struct burst {
    address local;
    address remote;
    std::uint8_t ecn = 0;
    std::size_t segment = 0;
    byte_view bytes;
};

/// The sink of a QUIC stack's datagrams.
class sink {
public:
    virtual ~sink() = default;
    /// Sends or keeps a copy. False: the socket is full; nothing more is built until writable().
    virtual bool send(const burst&) = 0;
    /// A connection became ready outside of a turn: schedule one.
    virtual void ready() = 0;
};

} // namespace moqlite::link

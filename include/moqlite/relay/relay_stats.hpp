// What a relay holds, and what it has lost.
#pragma once

#include <cstddef>
#include <cstdint>

namespace moqlite {

struct relay_stats {
    std::size_t sessions = 0;
    std::size_t broadcasts = 0;
    std::size_t tracks = 0;
    std::size_t readers = 0;
    std::size_t cached_bytes = 0;       ///< Complete groups in the cache.
    std::size_t memory = 0;             ///< Bytes of slabs in use: cached, arriving, and held by readers.
    std::uint64_t groups_lost = 0;      ///< Groups not delivered to a reader that wanted them.
    std::uint64_t groups_too_old = 0;   ///< Those among them that were older than the reader's Max Age.
    std::uint64_t requests_refused = 0; ///< Beyond a session's share of a publisher, or the publisher's limit.
    std::uint64_t requests_overdue = 0; ///< TRACKs and FETCHes that a publisher did not answer, or continue, in time.
    std::uint64_t datagrams_lost = 0;   ///< Not forwarded: the reader's version has none, or the datagram is too large.
};

} // namespace moqlite

// What an operator may want to know of HTTP/3 connections.
#pragma once

#include <cstdint>

namespace moqlite::nghttp3 {

/// Counts of all connections that were made with the same options.
struct stats {
    std::uint64_t sessions = 0;           ///< That were established.
    std::uint64_t refused_requests = 0;   ///< Answered with a status that is not 200, or not at all.
    std::uint64_t rejected_streams = 0;   ///< Of an unknown session, or too many and too long before theirs came.
    std::uint64_t dropped_datagrams = 0;  ///< The same of datagrams.
    std::uint64_t failed_connections = 0; ///< Ended for what the peer did against HTTP/3 or WebTransport.
};

} // namespace moqlite::nghttp3

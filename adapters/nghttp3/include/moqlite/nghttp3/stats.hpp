// Statistics of HTTP/3 connections.
#pragma once

#include <cstdint>

namespace moqlite::nghttp3 {

/// Totals of all connections made with the same options.
struct stats {
    std::uint64_t sessions = 0;           ///< Established.
    std::uint64_t refused_requests = 0;   ///< Answered with a status other than 200, or not at all.
    std::uint64_t http_requests = 0;      ///< Answered by server_options::http.
    std::uint64_t cut_off_responses = 0;  ///< Of these, not taken in time by the client.
    std::uint64_t rejected_streams = 0;   ///< Of an unknown session, or too many or too early for theirs.
    std::uint64_t dropped_datagrams = 0;  ///< For the same reasons.
    std::uint64_t failed_connections = 0; ///< Closed because the peer violated HTTP/3 or WebTransport.
};

} // namespace moqlite::nghttp3

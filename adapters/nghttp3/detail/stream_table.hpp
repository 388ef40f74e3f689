// The owner of each stream of an HTTP/3 connection.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <moqlite/core/ids.hpp>
#include <unordered_map>

namespace moqlite::nghttp3::detail {

struct stream {
    enum class owner : std::uint8_t {
        nobody,  ///< Refused, or its session is over.
        unknown, ///< Its type has not arrived yet.
        http3,
        early, ///< A session that does not exist yet.
        session
    };
    owner owned_by = owner::unknown;
    // Of the prefix, on a stream that we opened for a session.
    std::uint8_t unwritten = 0;
    std::uint8_t unacked = 0;
    // A stream whose first bytes QUIC has from here, and not from the handler, can be reset reliably.
    std::uint8_t copied = 0;
    bool lends = true; ///< QUIC has, or may get, bytes of the handler.
    std::array<std::byte, 60> first{};
};

/// All that are open, by number. QUIC's limits of streams bound it.
using stream_table = std::unordered_map<std::uint64_t, stream>;

} // namespace moqlite::nghttp3::detail

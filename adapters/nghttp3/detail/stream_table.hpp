// Whose the streams of an HTTP/3 connection are.
#pragma once

#include <cstdint>
#include <moqlite/core/ids.hpp>
#include <unordered_map>

namespace moqlite::nghttp3::detail {

struct stream {
    enum class owner : std::uint8_t {
        nobody,  ///< It was refused, or its session is over.
        unknown, ///< It has not said yet.
        http3,
        early, ///< A session that is not there yet.
        session
    };
    owner whose = owner::unknown;
    // Of the prefix, on a stream that we opened for a session.
    std::uint8_t unwritten = 0;
    std::uint8_t unacked = 0;
};

/// All that are open, by number. QUIC's limits of streams bound it.
using stream_table = std::unordered_map<std::uint64_t, stream>;

} // namespace moqlite::nghttp3::detail

// Bounds on the memory that one peer can occupy.
#include "detail/endpoint_state.hpp"

#include <algorithm>
#include <limits>
#include <moqlite/webtransport/error_code.hpp>

namespace moqlite::ngtcp2::detail {

// Data that arrives out of order is kept in pieces of 8 KiB, and takes at most the connection's window and one piece
// for each stream, with the stream's own state. The rest is for packets in flight and gaps, of some 100 to 400 bytes
// each: 1000 streams of 16 KB on a path with loss and reordering take 0.5 MiB in all. A gap at every other byte takes
// 80 times the bytes that were sent, which only an attacker does.
std::size_t memory_bound_for(const endpoint_options& o) noexcept {
    constexpr std::uint64_t piece = 8 * 1024, stream = 1536, rest = 16 * 1024 * 1024;
    constexpr auto most = std::uint64_t{std::numeric_limits<std::size_t>::max() / 8};
    const auto streams =
        std::min(std::min(o.uni_streams, most) + std::min(o.bidi_streams, most), most / (piece + stream));
    return static_cast<std::size_t>(std::min(o.connection_window, most) + streams * (piece + stream) + rest);
}

void endpoint_state::bound_memory(connection_state& c) {
    if (c.memory.used() <= memory_bound || c.ending) return;
    const auto code = c.protocol == "h3" ? static_cast<std::uint64_t>(webtransport::http3_code::excessive_load)
                                         : c.close_code(app_error::bounds_exceeded);
    end(c, {code, true, false,
               "bounds_exceeded: its fragments take more than " + std::to_string(memory_bound >> 20) + " MiB"});
}

void endpoint_state::stop_unheard(connection_state& c) {
    const auto code = c.protocol == "h3" ? static_cast<std::uint64_t>(webtransport::http3_code::request_cancelled)
                                         : c.stream_code(app_error::timeout);
    while (const auto id = c.unheard.overdue(now)) {
        const auto raw = static_cast<std::int64_t>(number(*id));
        ngtcp2_conn_shutdown_stream_read(c.conn, 0, raw, code);
        if (direction_of(*id) == direction::bidi) ngtcp2_conn_shutdown_stream_write(c.conn, 0, raw, code);
    }
}

} // namespace moqlite::ngtcp2::detail

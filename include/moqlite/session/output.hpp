// Outputs: the requests of a session to its transport.
#pragma once

#include <cstdint>
#include <moqlite/core/bytes.hpp>
#include <moqlite/core/error.hpp>
#include <moqlite/core/ids.hpp>
#include <span>
#include <string_view>
#include <variant>

namespace moqlite {

/// End the connection with an application code, and send nothing else. The last output of a session.
struct close_connection {
    app_error code = app_error::cancel;
    std::string_view reason;
    bool operator==(const close_connection&) const = default;
};

/// RESET_STREAM: nothing more is sent or retransmitted on it.
struct reset_stream {
    stream_id stream{};
    app_error code = app_error::cancel;
    bool operator==(const reset_stream&) const = default;
};

/// STOP_SENDING: we have stopped reading it.
struct stop_sending {
    stream_id stream{};
    app_error code = app_error::cancel;
    bool operator==(const stop_sending&) const = default;
};

/// The peer may send `bytes` more on this stream (MAX_STREAM_DATA grows by them).
struct credit {
    stream_id stream{};
    std::uint64_t bytes = 0;
    bool operator==(const credit&) const = default;
};

/// Open a stream of this kind; answered by session::stream_opened.
struct open_stream {
    direction kind = direction::bidi;
    bool operator==(const open_stream&) const = default;
};

/// Send some prefix of `data`, and after all of it FIN if `fin`; answered by session::stream_written. The accepted
/// bytes are lent: they stay in place, unchanged, whatever happens to their group, request or session, until the
/// session receives stream_acked, stream_closed or connection_closed, or until the transport has executed a
/// reset_stream of the stream or the close_connection, which session::flushed() reports. The span itself is valid only
/// until the answer.
struct write_stream {
    stream_id stream{};
    std::span<const byte_view> data;
    std::size_t size = 0; ///< Sum of the sizes in `data`.
    bool fin = false;
};

/// Send this unreliably, now or never. The bytes are valid until the next poll_output().
struct send_datagram {
    byte_view bytes;
};

using output =
    std::variant<close_connection, reset_stream, stop_sending, credit, open_stream, write_stream, send_datagram>;

} // namespace moqlite

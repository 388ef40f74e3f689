// The user of a connection: a session, or anything that takes the same inputs.
#pragma once

#include <cstdint>
#include <moqlite/core/bytes.hpp>
#include <moqlite/core/error.hpp>
#include <moqlite/core/ids.hpp>
#include <moqlite/core/time.hpp>
#include <moqlite/link/error_code.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace moqlite::link {

class connection;

/// How a connection ended. `reason` is one line and never empty.
struct closed {
    std::uint64_t code = 0;   ///< Application's, or the transport's (RFC 9000 §20.1).
    bool application = false; ///< Which of the two `code` is.
    bool by_peer = false;
    std::string reason;
    int http_status = 0; ///< With which a server refused a WebTransport session; 0: with none.

    /// The server is full or shutting down (CONNECTION_REFUSED): it, or its successor, may accept a moment later.
    [[nodiscard]] bool is_refusal() const noexcept { return !application && by_peer && code == 0x02; }
    /// The application's code; a transport's failure is app_error::transport.
    [[nodiscard]] app_error app_code() const noexcept { return application ? app_error{code} : app_error::transport; }
};

/// The inputs of one connection, after its handshake or from early data on. A handler may use commands of any session
/// and wake() any connection, and credit(); opening, writing, resetting and stopping only in pump(). close() may be
/// called anywhere. It is owned by its connection and destroyed after on_closed().
class handler {
public:
    handler() = default;
    handler(const handler&) = delete;
    handler& operator=(const handler&) = delete;
    virtual ~handler() = default;

    /// `bytes` are valid during the call; connection credit was returned, stream credit was not.
    virtual void stream_received(stream_id, byte_view bytes, bool fin, time_point) = 0;
    virtual void stream_reset(stream_id, app_error, time_point) = 0;
    virtual void stream_stopped(stream_id, app_error, time_point) = 0;
    virtual void stream_writable(stream_id, time_point) = 0;
    virtual void stream_acked(stream_id, std::uint64_t n, time_point) = 0;
    virtual void stream_closed(stream_id, std::optional<app_error>, time_point) = 0;
    virtual void streams_available(direction, time_point) = 0;
    virtual void datagram_received(byte_view, time_point) {}

    /// The one place to send. Called once a turn if the connection had input or was woken, for at most
    /// one send quantum; it is called again when there is room for the rest.
    virtual void pump(connection&, time_point) = 0;

    /// The application's code for a peer's stream code; by default either form is accepted.
    [[nodiscard]] virtual app_error code_of(std::uint64_t wire) const { return from_wire_code(wire); }

    /// The application ends the connection: closes it, by default at once. A handler with a closing
    /// message sends that first.
    virtual void leave(connection& from, app_error, std::string_view reason);

    /// When to call tick(); queried after each turn of the connection.
    [[nodiscard]] virtual std::optional<time_point> deadline() const { return std::nullopt; }
    virtual void tick(time_point) {}

    /// The last call.
    virtual void on_closed(const closed&, time_point) = 0;
};

} // namespace moqlite::link

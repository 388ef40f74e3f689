// The connection that a handler uses: a QUIC connection of an endpoint, or a WebTransport session on one.
#pragma once

#include <cstdint>
#include <memory>
#include <moqlite/link/address.hpp>
#include <moqlite/link/error_code.hpp>
#include <moqlite/link/handler.hpp>
#include <moqlite/link/tls_facts.hpp>
#include <moqlite/session/output.hpp>
#include <moqlite/session/transport.hpp>
#include <optional>
#include <string_view>

namespace moqlite::link {

/// What a connection has measured; sizes in bytes. Nullopt: not measured yet, or not counted by this QUIC library.
struct connection_stats {
    std::optional<duration> rtt; ///< Smoothed.
    std::optional<duration> min_rtt;
    std::optional<std::uint64_t> bitrate; ///< Bits a second that congestion control allows: one window a round trip.
    std::uint64_t congestion_window = 0;
    std::uint64_t in_flight = 0;
    std::optional<std::uint64_t> packets_sent;
    std::optional<std::uint64_t> packets_received;
    std::optional<std::uint64_t> packets_lost;
    std::optional<std::uint64_t> bytes_sent;
    std::optional<std::uint64_t> bytes_received;
    std::optional<std::uint64_t> bytes_lost;
    std::size_t packet_size = 0;    ///< UDP payload that the path carries.
    std::uint64_t bidi_streams = 0; ///< Streams that the peer lets us open at present.
};

/// Satisfies moqlite::transport and datagram_transport. Owned by the stack; a reference is valid
/// until its handler's on_closed() returns. Stream ids are QUIC's own.
class connection {
public:
    // The transport. In handler::pump() only, except credit() and close().

    /// nullopt: no stream credit left; streams_available() follows when there is more.
    [[nodiscard]] virtual std::optional<stream_id> open(direction) = 0;
    /// The tri-state of moqlite::transport; fills as many packets as the quantum allows.
    [[nodiscard]] virtual std::optional<std::size_t> write(const write_stream&) = 0;
    virtual void reset(stream_id, app_error) = 0;
    /// Both stacks have RESET_STREAM_AT. Constant in the life of a handler.
    [[nodiscard]] virtual bool can_reset_reliably() const noexcept { return false; }
    /// reset() that still delivers all bytes written: they stay lent until stream_closed(). Precondition:
    /// can_reset_reliably().
    virtual void reset_reliably(stream_id id, app_error code) { reset(id, code); }
    virtual void stop(stream_id, app_error) = 0;
    virtual void credit(stream_id, std::uint64_t bytes) = 0;
    /// May be called anywhere, once; takes effect at the end of the turn. In pump() lent bytes are not read afterwards.
    virtual void close(app_error, std::string_view reason) = 0;
    virtual void flush() = 0;
    /// False: dropped.
    virtual bool send(byte_view datagram) = 0;

    /// The form in which to write the codes of reset() and stop(), which are the application's own, unless the peer's
    /// codes show the other form. Without this call they are written as given. WebTransport has its own form.
    virtual void application_codes(code_form implied) { static_cast<void>(implied); }

    /// Pump this connection: in this turn if it has not pumped yet, else in the next. O(1).
    virtual void wake() = 0;

    [[nodiscard]] virtual role side() const noexcept = 0;
    /// The negotiated protocol; on WebTransport the sub-protocol, or "".
    [[nodiscard]] virtual std::string_view alpn() const noexcept = 0;
    [[nodiscard]] virtual const address& remote() const noexcept = 0;
    /// Our address on this path; as the socket is bound until the first datagram has arrived.
    [[nodiscard]] virtual const address& local() const noexcept = 0;
    /// On WebTransport of the QUIC connection beneath.
    [[nodiscard]] virtual const tls_facts& tls() const noexcept = 0;
    [[nodiscard]] virtual connection_stats stats() const = 0;
    /// The largest datagram that send() can take at present; 0: the peer takes none.
    [[nodiscard]] virtual std::size_t datagram_size() const = 0;

    connection(const connection&) = delete;
    connection& operator=(const connection&) = delete;

protected:
    connection() = default;
    virtual ~connection() = default; // Never destroyed through this type.
};

static_assert(datagram_transport<connection>);

} // namespace moqlite::link

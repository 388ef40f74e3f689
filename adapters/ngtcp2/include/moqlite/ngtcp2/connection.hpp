// One QUIC connection of an endpoint; satisfies moqlite::transport and datagram_transport.
#pragma once

#include <cstdint>
#include <memory>
#include <moqlite/ngtcp2/address.hpp>
#include <moqlite/ngtcp2/handler.hpp>
#include <moqlite/session/output.hpp>
#include <moqlite/session/transport.hpp>
#include <optional>
#include <string_view>

namespace moqlite::ngtcp2 {

/// What a connection has measured; sizes in bytes.
struct connection_stats {
    duration rtt{}; ///< Smoothed.
    duration min_rtt{};
    std::uint64_t congestion_window = 0;
    std::uint64_t in_flight = 0;
    std::uint64_t packets_sent = 0;
    std::uint64_t packets_received = 0;
    std::uint64_t packets_lost = 0;
    std::uint64_t bytes_sent = 0;
    std::uint64_t bytes_received = 0;
    std::uint64_t bytes_lost = 0;
    std::size_t packet_size = 0; ///< UDP payload that the path carries.
};

/// Owned by its endpoint; a reference is good until its handler's on_closed() returns.
class connection {
public:
    // The transport. In handler::pump() only, except credit() and close().

    /// nullopt: no stream credit left; streams_available() says when there is.
    [[nodiscard]] std::optional<stream_id> open(direction);
    /// The tri-state of moqlite::transport; fills as many packets as the quantum allows.
    [[nodiscard]] std::optional<std::size_t> write(const write_stream&);
    void reset(stream_id, app_error);
    void stop(stream_id, app_error);
    void credit(stream_id, std::uint64_t bytes);
    /// Anywhere, once; done at the end of the turn.
    void close(app_error, std::string_view reason);
    void flush();
    /// False: dropped.
    bool send(byte_view datagram);

    /// Pump this connection: in this turn if it has not pumped yet, else in the next. O(1).
    void wake();

    [[nodiscard]] role side() const noexcept;
    [[nodiscard]] std::string_view alpn() const noexcept;
    [[nodiscard]] const address& remote() const noexcept;
    [[nodiscard]] connection_stats stats() const;
    /// The largest datagram that send() can take at present; 0: the peer takes none.
    [[nodiscard]] std::size_t datagram_size() const;

    connection(const connection&) = delete;
    connection& operator=(const connection&) = delete;

protected:
    connection() = default;
    ~connection() = default; // Never destroyed through this type.
};

static_assert(datagram_transport<connection>);

} // namespace moqlite::ngtcp2

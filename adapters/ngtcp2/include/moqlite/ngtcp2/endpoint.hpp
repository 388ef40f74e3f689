// Many QUIC connections on one UDP socket, without the socket: datagrams in, datagrams out, time is
// a parameter. Belongs to one thread at a time.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <moqlite/core/bytes.hpp>
#include <moqlite/core/time.hpp>
#include <moqlite/link/accept.hpp>
#include <moqlite/link/address.hpp>
#include <moqlite/link/connection.hpp>
#include <moqlite/link/datagram.hpp>
#include <moqlite/link/handler.hpp>
#include <moqlite/link/log.hpp>
#include <moqlite/ngtcp2/tls.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace moqlite::ngtcp2 {

namespace detail {
struct endpoint_state;
} // namespace detail

enum class congestion : std::uint8_t { cubic, bbr };

struct endpoint_options {
    std::uint8_t shard = 0; ///< The first byte of every connection id that we issue.

    duration idle_timeout = std::chrono::seconds{8}; ///< Since the peer was heard. Keep-alive is sent after a quarter.
    duration handshake_timeout = std::chrono::seconds{10};
    duration initial_rtt = std::chrono::milliseconds{100};
    congestion control = congestion::cubic;
    /// The largest UDP payload that path MTU discovery tries, 1201 to 65000. More than Ethernet's is
    /// for networks of jumbo frames (8952): there it halves the cost of a byte.
    std::size_t packet_size = 1452;

    // The peer's initial credit.
    std::uint64_t connection_window = 8 * 1024 * 1024;
    std::uint64_t stream_window = 1024 * 1024;
    std::uint64_t uni_streams = 1024;
    std::uint64_t bidi_streams = 256;

    std::size_t connections = 16384; ///< Those in handshake included; more are refused.
    /// Concurrent incoming handshakes. Beyond it the oldest yields if it has taken half a second.
    std::size_t handshakes = 1024;
    /// Incoming connections from one IPv4 address or IPv6 /64; more are refused. 0: a quarter of
    /// them, at least 64. A quarter of `handshakes`, at least 64, may be one address's, and never more than this.
    std::size_t per_address = 0;

    /// A client without a token must prove its address (Retry) before a handshake begins: always, or only
    /// while more than `unvalidated` handshakes are under way or were begun without a token in a second.
    bool retry = false;
    std::size_t unvalidated = 128;
    /// How long a returning client needs no Retry, from the same IP address.
    duration token_lifetime = std::chrono::hours{24};
    /// The key of stateless resets; empty: random. A restarted server with the same key can reset its previous clients
    /// at once. No two endpoints may share one.
    std::optional<secret> reset_key;

    /// Fills with unpredictable bytes; empty: the TLS library's. A simulation supplies its own.
    std::function<void(std::span<std::byte>)> random;
    link::log_function log;
    /// Returns the sink of a new connection's qlog, or an empty function; `id` is the original
    /// destination connection id in hex. Called for incomplete handshakes, too.
    std::function<link::qlog_function(role, std::string_view id)> qlog;
};

/// How a client resumes an earlier session with the same server. With GnuTLS every handshake is a full one.
enum class resumption : std::uint8_t {
    none,   ///< Not at all. Tickets can link a client's connections.
    resume, ///< With a ticket, if there is one: without the server's certificate, which was verified before.
    /// Also with early data (0-RTT), if the ticket allows it, and its ALPN is not "h3": the handler is made in the
    /// first turn, before the server is known to be there, and what it sends may be replayed. A handshake that fails
    /// then ends in handler::on_closed(). If the server rejects early data, the endpoint sends it again by itself; if
    /// it also chooses another ALPN, the connection ends, and the next one needs no luck.
    early_data
};

/// The target of a connection.
struct target {
    link::address remote;
    link::address local;     ///< Of our socket; the wildcard address will do.
    std::string server_name; ///< DNS name or IP address, as in the certificate.
    std::vector<std::string> alpn;

    resumption resume = resumption::none;
    /// From on_ticket, to the same server, with the same trust; else it is not used. Empty: the newest one that this
    /// endpoint has for server name, port, ALPN and trust. Each is used once.
    std::vector<std::byte> ticket{};
    /// Called for each ticket of the server; with `resume` only. For the caller to keep, as the secret that it is.
    std::function<void(byte_view ticket)> on_ticket{};
};

/// A turn is: receive() each datagram that has arrived, expire() if deadline() has passed, then pump().
class endpoint {
public:
    endpoint(endpoint_options, link::sink&);
    ~endpoint();
    endpoint(const endpoint&) = delete;
    endpoint& operator=(const endpoint&) = delete;

    /// Accepts connections from now on.
    void serve(tls, link::accept_function);
    /// A server's later handshakes use this configuration; existing connections do not change.
    void renew(tls);
    /// Refuses new connections from now on (CONNECTION_REFUSED); existing ones stay.
    void refuse();

    /// Null: too many connections, or `why`; otherwise accept or failed is called, once, from a
    /// later turn. Nothing is sent before the next pump().
    link::connection* connect(
        const tls&, const target&, link::accept_function, link::failed_function, std::string& why, time_point now);

    /// Accepts any bytes; what is not QUIC is dropped.
    void receive(const link::datagram&, time_point now);
    /// Call from within sink::send(): the kernel refused a datagram of `size` bytes of the burst permanently, with
    /// errno `error`. It ends a client's handshake; packets that are too large become smaller.
    void send_failed(std::size_t size, int error);
    /// ICMP reported an undelivered datagram: its beginning, and the error as an errno. It ends a client's handshake,
    /// and is ignored otherwise (RFC 9000 §14.2.1).
    void undeliverable(byte_view quoted, int error, time_point now);
    /// Runs the timers that are due.
    void expire(time_point now);
    /// Lets each ready connection send, once; true: some need another turn at once.
    bool pump(time_point now);
    /// The socket takes datagrams again.
    void writable();

    /// When to call expire() next.
    [[nodiscard]] std::optional<time_point> deadline() const;

    /// Closes every connection: each by its handler::leave(), or as connection::close() does.
    void close_all(app_error, std::string_view reason);

    /// Connections that are neither closing nor closed.
    [[nodiscard]] std::size_t connections() const;
    /// Connections closed less than three PTO ago, which repeat a lost CONNECTION_CLOSE.
    [[nodiscard]] std::size_t closing() const;

private:
    std::unique_ptr<detail::endpoint_state> state_;
};

} // namespace moqlite::ngtcp2

// Outgoing QUIC connections, many on one UDP socket, on your executor, which must run one thing at a
// time.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <moqlite/asio/options.hpp>
#include <moqlite/link/connection.hpp>
#include <moqlite/ngtcp2/endpoint.hpp>
#include <moqlite/ngtcp2/tls.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace moqlite::asio {

/// The target of a connection, and the identity to verify.
struct connect_options {
    std::string host; ///< A DNS name, or an IP address without brackets.
    std::uint16_t port = 0;
    std::string server_name{}; ///< Expected in the certificate; empty: `host`.
    std::vector<std::string> alpn;
    ngtcp2::tls tls;
    /// As in ngtcp2::target, for the first address that is tried. Early data only to an address that has answered
    /// before, or is the only one: it ends the search.
    ngtcp2::resumption resume = ngtcp2::resumption::none;
    std::vector<std::byte> ticket{};
    std::function<void(byte_view ticket)> on_ticket{};
};

/// The destructor, not to be called from its callbacks, ends its connections silently and drops
/// pending connects. Call all members on the executor, on which all callbacks run.
class quic_client {
public:
    explicit quic_client(boost::asio::any_io_executor, options = {});
    ~quic_client();
    quic_client(const quic_client&) = delete;
    quic_client& operator=(const quic_client&) = delete;

    /// Resolves, tries the addresses in order, and calls either `accept`, for the connection's
    /// handler, or `failed`, once, and not from within connect().
    void connect(connect_options, link::accept_function accept, link::failed_function failed);

    /// As server::shutdown(); pending connects fail.
    void shutdown(app_error code, std::string_view reason, duration grace, std::function<void()> done);

    /// Null until the first connect().
    [[nodiscard]] ngtcp2::endpoint* endpoint();
    [[nodiscard]] const socket_stats& stats() const;

private:
    class state;
    std::shared_ptr<state> state_;
};

} // namespace moqlite::asio

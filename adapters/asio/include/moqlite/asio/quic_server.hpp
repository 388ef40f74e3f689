// A QUIC server on your executor, which must run one thing at a time: one thread, or a strand.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <functional>
#include <memory>
#include <moqlite/asio/options.hpp>
#include <moqlite/link/connection.hpp>
#include <moqlite/ngtcp2/endpoint.hpp>
#include <moqlite/ngtcp2/tls.hpp>
#include <string>
#include <string_view>

namespace moqlite::asio {

/// The destructor, not to be called from its callbacks, ends its connections silently; shutdown()
/// closes them. Call all members on the executor, on which all callbacks run.
class quic_server {
public:
    explicit quic_server(boost::asio::any_io_executor, options = {});
    ~quic_server();
    quic_server(const quic_server&) = delete;
    quic_server& operator=(const quic_server&) = delete;

    /// `where` is HOST:PORT with a numeric host or none (any address, IPv4 and IPv6 on one socket);
    /// port 0 takes a free one. `accept` makes the handler of each connection, whose alpn() is known.
    [[nodiscard]] bool listen(std::string_view where, ngtcp2::tls, link::accept_function accept, std::string& why);

    [[nodiscard]] const link::address& local_address() const;

    /// Later handshakes use this configuration; existing connections do not change.
    void renew(ngtcp2::tls);
    /// Refuses new connections.
    void refuse();
    /// Closes every connection with `code`, then calls `done`: when the last closing period is over,
    /// within `grace` at the latest.
    void shutdown(app_error code, std::string_view reason, duration grace, std::function<void()> done);

    /// Call after std::bad_alloc has left the executor: restores waits that may have been lost.
    void resume();

    [[nodiscard]] ngtcp2::endpoint& endpoint();
    [[nodiscard]] const socket_stats& stats() const;

private:
    class state;
    std::shared_ptr<state> state_;
};

} // namespace moqlite::asio

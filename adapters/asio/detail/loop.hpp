// One endpoint, one socket and one timer on an executor: the basis of server and client.
#pragma once

#include "udp_socket.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <functional>
#include <memory>
#include <moqlite/asio/options.hpp>
#include <moqlite/ngtcp2/endpoint.hpp>
#include <string>
#include <vector>

namespace moqlite::asio::detail {

/// Kept alive by its pending operations until stop(), after which it is inert.
class loop : public link::sink, public std::enable_shared_from_this<loop> {
public:
    loop(boost::asio::any_io_executor, options);
    ~loop() override;
    loop(const loop&) = delete;
    loop& operator=(const loop&) = delete;

    [[nodiscard]] bool open(const link::address& local, std::string& why);
    void stop();
    /// Closes all connections, then calls `done`; see server::shutdown().
    void shutdown(app_error, std::string_view reason, duration grace, std::function<void()> done);

    /// Reads, writes, and waits again, also for what has lost its wait.
    void turn();

    [[nodiscard]] ngtcp2::endpoint& endpoint() noexcept { return endpoint_; }
    [[nodiscard]] const link::address& local() const noexcept { return socket_.local(); }
    [[nodiscard]] const socket_stats& stats() const noexcept { return socket_.stats(); }
    [[nodiscard]] const boost::asio::any_io_executor& executor() const noexcept { return executor_; }

    // link::sink
    bool send(const link::burst&) override;
    void ready() override;

private:
    /// The unsent rest of a burst.
    struct kept {
        link::address local, remote;
        std::uint8_t ecn;
        std::size_t segment;
        std::vector<std::byte> bytes;
    };

    [[nodiscard]] bool one_turn(time_point);
    void post_turn();
    void wait_readable();
    void wait_writable();
    void wait_deadline(time_point now);
    void finish_shutdown(time_point now);
    /// False: the socket is still full.
    bool send_kept();

    boost::asio::any_io_executor executor_;
    std::function<void(time_point)> before_pump_;
    bool icmp_errors_;
    udp_socket socket_;
    ngtcp2::endpoint endpoint_;
    boost::asio::posix::stream_descriptor waiter_; ///< Waits on the socket's handle.
    boost::asio::steady_timer timer_;
    boost::asio::steady_timer grace_;

    std::deque<kept> kept_;
    time_point timer_at_{};
    bool timer_set_ = false;
    bool reading_ = false; ///< Waiting until the socket is readable.
    bool writing_ = false; ///< Waiting until it takes more.
    bool posted_ = false;  ///< A turn is queued.
    bool in_turn_ = false;
    bool woken_ = false; ///< A connection became ready.
    bool stopped_ = false;

    std::function<void()> done_; ///< Of shutdown().
    time_point shutdown_by_{};
};

} // namespace moqlite::asio::detail

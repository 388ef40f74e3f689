// A shard: the relay of one executor, with its listeners, connections and timer.
#pragma once

#include "listeners.hpp"
#include "options.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <moqlite/asio/quic_server.hpp>
#include <moqlite/asio/tls.hpp>
#include <moqlite/link/accept.hpp>
#include <moqlite/nghttp3/stats.hpp>
#include <moqlite/relay/relay.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace moqlite::programs {

class shard {
public:
    /// Belongs to the executor, which runs one thing at a time. `when_empty` is called when the last connection has
    /// ended.
    shard(boost::asio::any_io_executor, const relay_program_options&, std::function<void()> when_empty);
    shard(const shard&) = delete;
    shard& operator=(const shard&) = delete;

    /// `own_names`: our host names, which pages may have as origin; called for each request.
    [[nodiscard]] bool listen(const listener&, const asio::certificate&,
        std::function<std::vector<std::string>()> own_names, std::string& why);
    /// The address of each listener.
    [[nodiscard]] std::vector<link::address> addresses() const;
    /// Later handshakes use this configuration.
    void renew(const asio::tls&);
    /// After std::bad_alloc: restores waits that were lost.
    void resume();

    /// Refuses new connections, and sends GOAWAY to existing sessions.
    void drain();
    /// Closes every session with this code, then calls `done`, in bounded time.
    void end_sessions(app_error code, std::function<void()> done);

    [[nodiscard]] std::size_t sessions() const noexcept { return connections_.size(); }
    [[nodiscard]] std::size_t connections() const; ///< Including handshakes.
    [[nodiscard]] relay_stats stats() const { return relay_.stats(); }
    [[nodiscard]] const nghttp3::stats& http3_stats() const noexcept { return *http3_; }
    /// Frees unused memory.
    void trim() { relay_.trim(); }

private:
    struct connection_slot; ///< Registers a connection for its lifetime.
    /// Rate-limits the log of repeated faults of one session.
    struct tally {
        /// True: log it now, and reset `count`; at most `burst` times per interval.
        [[nodiscard]] bool add(time_point now, unsigned burst = 1);
        std::uint64_t count = 0; ///< Since the last line.
        time_point since{};
        unsigned lines = 0; ///< In this interval.
    };

    /// The accept function of a listener; `loopback`: localhost reaches it.
    [[nodiscard]] link::accept_function accept_handler(
        bool loopback, std::function<std::vector<std::string>()> own_names);
    /// `path` is that of the WebTransport request, "" on native QUIC.
    [[nodiscard]] std::unique_ptr<link::handler> accept(link::connection&, time_point now, std::string path);
    void forget(std::uint64_t key) noexcept;
    void turn(time_point now);
    void set_timer();

    // shard_notices.cpp: the relay's notices.
    void handle_notices();
    void on(const admission_wanted&);
    void on(const session_ended&);
    void on(const peer_misbehaved&);
    void on(const peer_leaving&);
    void on(const broadcast_changed&);
    void on(const reader_lost_group&);
    void on(const request_refused&);
    void on(const group_outgrew_cache&);

    boost::asio::any_io_executor on_;
    relay_program_options options_;
    std::function<void()> when_empty_;
    boost::asio::steady_timer timer_;
    std::optional<time_point> timer_at_;
    relay relay_;
    std::function<link::qlog_function(role, std::string_view)> qlog_; ///< For all listeners.
    std::unordered_map<std::uint64_t, link::connection*> connections_;
    std::unordered_map<std::uint64_t, tally> lost_groups_;
    std::unordered_map<std::uint64_t, tally> refused_requests_;
    std::unordered_map<std::uint64_t, tally> broken_rules_;
    std::unordered_map<std::uint64_t, tally> announcements_;
    std::shared_ptr<nghttp3::stats> http3_ = std::make_shared<nghttp3::stats>();
    std::vector<std::unique_ptr<asio::quic_server>> servers_;
};

} // namespace moqlite::programs

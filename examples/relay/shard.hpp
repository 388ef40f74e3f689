// A shard: the relay of one executor, its listeners, its connections, and the timer of its deadlines.
#pragma once

#include "listeners.hpp"
#include "options.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <moqlite/asio/server.hpp>
#include <moqlite/link/accept.hpp>
#include <moqlite/nghttp3/stats.hpp>
#include <moqlite/ngtcp2/certificate_store.hpp>
#include <moqlite/relay/relay.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace moqlite::programs {

class shard {
public:
    /// All of it belongs to the executor, which runs one thing at a time. `when_empty` is called when the last
    /// connection is gone.
    shard(boost::asio::any_io_executor, const relay_program_options&, std::function<void()> when_empty);
    shard(const shard&) = delete;
    shard& operator=(const shard&) = delete;

    /// `own_names`: by which we are reached, for the origins of pages; asked for each request.
    [[nodiscard]] bool listen(const listener&, const ngtcp2::certificate&,
        std::function<std::vector<std::string>()> own_names, std::string& why);
    /// The address of each listener.
    [[nodiscard]] std::vector<link::address> addresses() const;
    /// Handshakes that begin from now on are made with this.
    void renew(const ngtcp2::tls&);
    /// After std::bad_alloc: what waits for nothing any more waits again.
    void resume();

    /// New connections are refused, and the sessions that are here are asked to leave (GOAWAY).
    void drain();
    /// Every session is ended; then `done`, in bounded time.
    void end_sessions(std::function<void()> done);

    [[nodiscard]] std::size_t sessions() const noexcept { return connections_.size(); }
    [[nodiscard]] std::size_t connections() const; ///< Handshakes under way, too.
    [[nodiscard]] relay_stats stats() const { return relay_.stats(); }
    [[nodiscard]] const nghttp3::stats& http3_stats() const noexcept { return *http3_; }
    /// Gives back what memory it can.
    void trim() { relay_.trim(); }

private:
    struct guest; ///< A connection's place here; gone when the connection is.
    /// Counts a repeated fault or loss of one session, so that not every one is logged.
    struct tally {
        /// True: say it now, and count from 0; at most `burst` times in a while.
        [[nodiscard]] bool add(time_point now, unsigned burst = 1);
        std::uint64_t count = 0; ///< Since it was said last.
        time_point since{};
        unsigned lines = 0; ///< Since then.
    };

    /// The accept function of a listener; `loopback`: localhost reaches it.
    [[nodiscard]] link::accept_function door(bool loopback, std::function<std::vector<std::string>()> own_names);
    /// `path` is that of the request by which it came, if it did by one.
    [[nodiscard]] std::unique_ptr<link::handler> accept(link::connection&, time_point now, std::string path);
    void forget(std::uint64_t key) noexcept;
    void turn(time_point now);
    void set_timer();

    // shard_notices.cpp: what the relay has to say.
    void tell();
    void say(const admission_wanted&);
    void say(const session_ended&);
    void say(const peer_misbehaved&);
    void say(const peer_leaving&);
    void say(const broadcast_changed&);
    void say(const reader_lost_group&);
    void say(const request_refused&);
    void say(const group_outgrew_cache&);

    boost::asio::any_io_executor on_;
    relay_program_options options_;
    std::function<void()> when_empty_;
    boost::asio::steady_timer timer_;
    std::optional<time_point> timer_at_;
    relay relay_;
    std::function<link::qlog_function(role, std::string_view)> qlog_; ///< Of all listeners.
    std::unordered_map<std::uint64_t, link::connection*> connections_;
    std::unordered_map<std::uint64_t, tally> lost_groups_;
    std::unordered_map<std::uint64_t, tally> refused_requests_;
    std::unordered_map<std::uint64_t, tally> broken_rules_;
    std::unordered_map<std::uint64_t, tally> announcements_;
    std::shared_ptr<nghttp3::stats> http3_ = std::make_shared<nghttp3::stats>();
    std::vector<std::unique_ptr<asio::server>> servers_;
};

} // namespace moqlite::programs

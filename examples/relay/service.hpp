// The relay, its listeners and its connections.
#pragma once

#include "command_line.hpp"
#include "listeners.hpp"
#include "web_server.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <moqlite/asio/server.hpp>
#include <moqlite/nghttp3/stats.hpp>
#include <moqlite/ngtcp2/certificate_store.hpp>
#include <moqlite/relay/relay.hpp>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace moqlite::programs {

struct relay_program_options {
    std::vector<std::string> listen;
    std::vector<std::string> tls_generate; ///< Empty: `cert` and `key`.
    std::string cert;
    std::string key;
    std::vector<std::string> protocols;
    std::vector<std::string> allow_origin; ///< Of pages; empty: those of our own hosts.
    std::vector<std::string> hosts;        ///< Names of ours that the certificate does not have.
    std::uint64_t cache_bytes = limits{}.cache;
    double cache_age = 30;   ///< Seconds.
    double idle_timeout = 8; ///< Seconds.
    double drain = 0;        ///< Seconds between asking sessions to leave and ending them.
    bool retry = false;
    std::uint64_t per_address = ngtcp2::endpoint_options{}.connections / 4; ///< Connections.
    std::string web; ///< Where to listen for HTTP; empty: nowhere.
    std::string web_root;
    std::string qlog; ///< A directory, or empty.
    std::string log_level = "info";
};

[[nodiscard]] inline ngtcp2::wall_time wall_clock() {
    return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
}

class service {
public:
    explicit service(const relay_program_options&);
    service(const service&) = delete;
    service& operator=(const service&) = delete;

    /// Returns the exit code.
    [[nodiscard]] int run();

private:
    struct guest; ///< A connection's place here; gone when the connection is.
    /// What one session has to answer for, or has missed, often: not every time is logged.
    struct tally {
        /// True: say it now, and count from 0; at most `burst` times in a while.
        [[nodiscard]] bool add(time_point now, unsigned burst = 1);
        std::uint64_t count = 0; ///< Since it was said last.
        time_point since{};
        unsigned lines = 0; ///< Since then.
    };

    [[nodiscard]] bool listen(const listener&, std::string& why);
    [[nodiscard]] bool open_web(std::string& why);
    /// What is asked for over HTTP.
    [[nodiscard]] std::optional<web_page> page(std::string_view path) const;
    [[nodiscard]] web_page health() const;
    [[nodiscard]] bool start(std::string& why);
    /// After std::bad_alloc: what waits for nothing any more waits again. False: there is no memory for that either.
    [[nodiscard]] bool go_on();
    void watch_signals();
    void wait_for_signal();
    void on_signal(int signal);
    void stop(int signal);
    void drain();
    void end_sessions();
    void say_statistics();
    /// Takes the certificate anew.
    void renew();
    /// The listeners are given the new one, if there is.
    void changed(ngtcp2::certificate_store::outcome, const std::string& why);
    /// Warns, once, of a certificate that is not valid yet or has expired.
    void check_dates();
    /// Every now and then: the certificate may have changed, and memory that a crowd has left goes back to the system.
    void tidy();
    void tidy_later();

    /// The accept function of a listener; `loopback`: localhost reaches it.
    [[nodiscard]] link::accept_function door(bool loopback);
    [[nodiscard]] std::vector<std::string> own_names() const;
    /// `path` is that of the request by which it came, if it did by one.
    [[nodiscard]] std::unique_ptr<link::handler> accept(link::connection&, time_point now, std::string path);
    void forget(std::uint64_t key) noexcept;
    void turn(time_point now);
    void tell();
    void set_timer();

    void say(const admission_wanted&);
    void say(const session_ended&);
    void say(const peer_misbehaved&);
    void say(const peer_leaving&);
    void say(const broadcast_changed&);
    void say(const reader_lost_group&);
    void say(const request_refused&);
    void say(const group_outgrew_cache&);

    relay_program_options options_;
    boost::asio::io_context io_{1};
    boost::asio::signal_set signals_{io_};
    boost::asio::steady_timer timer_{io_};
    boost::asio::steady_timer drained_{io_};
    std::optional<time_point> timer_at_;
    boost::asio::steady_timer tidying_{io_};
    std::size_t most_connections_ = 0; ///< Since the last time that memory was given back.
    std::size_t last_connections_ = 0; ///< When they were looked at last.
    ngtcp2::certificate_store certificates_;
    std::string date_warning_; ///< The last one about its dates; empty: it is valid.
    relay relay_;
    std::function<link::qlog_function(role, std::string_view)> qlog_; ///< Of all listeners.
    std::unordered_map<std::uint64_t, link::connection*> connections_;
    std::unordered_map<std::uint64_t, tally> lost_groups_;
    std::unordered_map<std::uint64_t, tally> refused_requests_;
    std::unordered_map<std::uint64_t, tally> broken_rules_;
    std::unordered_map<std::uint64_t, tally> announcements_;
    std::vector<std::unique_ptr<asio::server>> servers_;
    std::shared_ptr<nghttp3::stats> http3_ = std::make_shared<nghttp3::stats>();
    std::optional<web_server> web_;
    std::size_t stopping_ = 0; ///< Listeners that are still saying goodbye.
    bool stopped_ = false;
    bool waits_for_signal_ = false;
};

} // namespace moqlite::programs

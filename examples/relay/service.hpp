// The relay program around its shard: signals, certificates, the web page, sums.
#pragma once

#include "options.hpp"
#include "shard.hpp"
#include "web_server.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <moqlite/ngtcp2/certificate_store.hpp>
#include <optional>
#include <string>
#include <vector>

namespace moqlite::programs {

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

    [[nodiscard]] std::vector<std::string> own_names() const;

    relay_program_options options_;
    boost::asio::io_context io_{1};
    boost::asio::signal_set signals_{io_};
    boost::asio::steady_timer drained_{io_};
    boost::asio::steady_timer tidying_{io_};
    std::size_t most_connections_ = 0; ///< Since the last time that memory was given back.
    std::size_t last_connections_ = 0; ///< When they were looked at last.
    ngtcp2::certificate_store certificates_;
    std::string date_warning_; ///< The last one about its dates; empty: it is valid.
    std::optional<web_server> web_;
    bool stopped_ = false;
    shard shard_; ///< Its end may say that it is empty.
    bool waits_for_signal_ = false;
};

} // namespace moqlite::programs

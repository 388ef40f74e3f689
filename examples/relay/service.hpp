// The relay program around its shard: signals, certificates, web page, statistics.
#pragma once

#include "options.hpp"
#include "shard.hpp"
#include "web_server.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <moqlite/asio/tls.hpp>
#include <optional>
#include <string>
#include <vector>

namespace moqlite::programs {

[[nodiscard]] inline asio::wall_time wall_clock() {
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
    /// The answer to an HTTP request.
    [[nodiscard]] std::optional<web_page> page(std::string_view path) const;
    [[nodiscard]] web_page health() const;
    [[nodiscard]] bool start(std::string& why);
    /// After std::bad_alloc: restores waits that were lost. False: out of memory again.
    [[nodiscard]] bool recover();
    void watch_signals();
    void wait_for_signal();
    void on_signal(int signal);
    void stop(int signal);
    void drain();
    void end_sessions(app_error code);
    void log_statistics();
    /// Reloads or regenerates it.
    void reload_certificate();
    /// Passes a new certificate to the listeners, and logs the outcome.
    void certificate_changed(asio::certificate_store::outcome, const std::string& why);
    /// Warns once of a certificate that is not valid yet or has expired.
    void check_dates();
    /// Periodically: checks the certificate, and returns memory to the system after many connections have ended.
    void housekeeping();
    void schedule_housekeeping();

    [[nodiscard]] std::vector<std::string> own_names() const;

    relay_program_options options_;
    boost::asio::io_context io_{1};
    boost::asio::signal_set signals_{io_};
    boost::asio::steady_timer drain_timer_{io_};
    boost::asio::steady_timer housekeeping_timer_{io_};
    std::size_t peak_connections_ = 0; ///< Since memory was last returned.
    std::size_t last_connections_ = 0; ///< At the last check.
    asio::certificate_store certificates_;
    std::string date_warning_; ///< The last warning; empty: it is valid.
    std::optional<web_server> web_;
    bool stopped_ = false;
    shard shard_; ///< Declared late: its destructor may call when_empty.
    bool waits_for_signal_ = false;
};

} // namespace moqlite::programs

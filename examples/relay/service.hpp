// The relay program around its server: signals, web page, statistics, memory.
#pragma once

#include "options.hpp"
#include "web_server.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <moqlite/asio/origin.hpp>
#include <moqlite/asio/server.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace moqlite::programs {

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
    void end_sessions();
    void log_statistics();
    /// Periodically: returns memory to the system after many connections have ended.
    void housekeeping();
    void schedule_housekeeping();

    relay_program_options options_;
    boost::asio::io_context io_{1};
    boost::asio::signal_set signals_{io_};
    boost::asio::steady_timer housekeeping_timer_{io_};
    std::size_t peak_connections_ = 0; ///< Since memory was last returned.
    std::size_t last_connections_ = 0; ///< At the last check.
    asio::origin origin_;
    asio::server server_;
    std::optional<web_server> web_;
    bool stopped_ = false;
    bool drains_ = false; ///< Until the end of the sessions is commanded.
    bool waits_for_signal_ = false;
};

} // namespace moqlite::programs

// The frame of a client program: one session of the application API, signals, log lines and exit code.
#pragma once

#include "client_options.hpp"
#include "exit_code.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <moqlite/asio/client.hpp>
#include <optional>
#include <string>

namespace moqlite::programs {

class client_program {
public:
    /// `listens`: see asio::connect_request.
    explicit client_program(const client_options&, const limits& bounds = {}, bool listens = true);
    client_program(const client_program&) = delete;
    client_program& operator=(const client_program&) = delete;
    virtual ~client_program() = default;

    /// Connects, and returns the exit code when the program has ended.
    [[nodiscard]] int run();

protected:
    /// The program's part, with a session that follows GOAWAY. An exception ends the program.
    virtual boost::asio::awaitable<void> work() = 0;
    /// The session is over, and no other follows.
    virtual void over(const asio::session_end& how) { finish(exit_failure, how.text); }
    /// The program ends, because of `why` unless that is empty; the session is closed afterwards.
    virtual void ending(int code, const std::string& why) = 0;

    /// Closes the session and ends the program. The first call counts.
    void finish(int code, const std::string& why = {});
    [[nodiscard]] bool finishing() const noexcept { return code_.has_value(); }
    [[nodiscard]] boost::asio::io_context& io() noexcept { return io_; }
    [[nodiscard]] const asio::origin& origin() const noexcept { return client_.origin(); }
    /// Empty until there is one.
    [[nodiscard]] asio::session& session() noexcept { return session_; }

private:
    boost::asio::awaitable<void> connect();
    void watch_signals();
    void watch_session();

    client_options options_;
    bool listens_;
    boost::asio::io_context io_{1};
    boost::asio::signal_set signals_{io_};
    asio::client client_;
    asio::session session_;
    std::optional<int> code_;
};

} // namespace moqlite::programs

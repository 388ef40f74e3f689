// A client program's one session over one connection, from connecting to the exit code.
#pragma once

#include "client_options.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <moqlite/asio/client.hpp>
#include <moqlite/session/session.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace moqlite::programs {

/// What a program does with its session.
class client_user {
public:
    client_user() = default;
    client_user(const client_user&) = delete;
    client_user& operator=(const client_user&) = delete;
    virtual ~client_user() = default;

    virtual void connected() = 0;
    virtual void on_event(const event&, time_point now) = 0;
    /// Once a turn of the loop, after all that arrived was fed to the session, before it sends.
    virtual void turn(time_point now) = 0;
    /// The program ends, for `why` unless that is empty; said before the connection is closed.
    virtual void ending(int code, const std::string& why) = 0;
};

class client_link {
public:
    /// `user` must outlive the run.
    client_link(const client_options&, session_options, client_user& user);
    client_link(const client_link&) = delete;
    client_link& operator=(const client_link&) = delete;

    /// Connects, and returns the exit code when the program has ended.
    [[nodiscard]] int run();

    [[nodiscard]] boost::asio::io_context& io() noexcept { return io_; }
    /// Precondition: connected.
    [[nodiscard]] session& get() noexcept { return *session_; }
    /// Commands were given outside of a turn: have them sent.
    void wake();

    /// Closes the connection cleanly and ends the program. The first call counts.
    void finish(int code, const std::string& why = {});
    [[nodiscard]] bool finishing() const noexcept { return code_.has_value(); }

private:
    [[nodiscard]] bool connect();
    void watch_signals();
    void limit_handshake();
    [[nodiscard]] std::unique_ptr<ngtcp2::handler> start_session(ngtcp2::connection&, time_point now);
    void on_event(const event&);

    client_options options_;
    session_options session_options_;
    client_user& user_;
    boost::asio::io_context io_{1};
    boost::asio::signal_set signals_{io_};
    boost::asio::steady_timer handshake_{io_};
    std::optional<session> session_;
    ngtcp2::connection* connection_ = nullptr;
    std::optional<asio::client> client_;
    std::optional<int> code_;
};

} // namespace moqlite::programs

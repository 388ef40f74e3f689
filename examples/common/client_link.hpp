// The frame of a client program: session, signals, log lines and exit code.
#pragma once

#include "client_options.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <moqlite/asio/client_link.hpp>
#include <moqlite/session/session.hpp>
#include <optional>
#include <string>

namespace moqlite::programs {

/// The program's part, called by client_link.
class client_user {
public:
    client_user() = default;
    client_user(const client_user&) = delete;
    client_user& operator=(const client_user&) = delete;
    virtual ~client_user() = default;

    /// A session exists; called again for each successor.
    virtual void connected() = 0;
    /// The session is over and another will follow: do not call get() until connected().
    virtual void parted() = 0;
    virtual void on_event(const event&, time_point now) = 0;
    /// Once a turn of the loop, after the session's inputs and before it sends.
    virtual void turn(time_point now) = 0;
    /// The program is ending, because of `why` unless that is empty; called before the connection is closed.
    virtual void ending(int code, const std::string& why) = 0;
};

class client_link final : asio::client_user {
public:
    /// `user` must outlive the run.
    client_link(const client_options&, session_options, programs::client_user& user);

    /// Connects, and returns the exit code when the program has ended.
    [[nodiscard]] int run();

    [[nodiscard]] boost::asio::io_context& io() noexcept { return io_; }
    /// Precondition: between connected() and parted().
    [[nodiscard]] session& get() noexcept { return link_->get(); }
    /// Sends the effects of commands given outside of a turn.
    void wake() { link_->wake(); }
    /// After GOAWAY: the session goes on until the relay's successor answers.
    [[nodiscard]] bool moving() const noexcept { return link_->moving(); }

    /// Closes the connection cleanly and ends the program. The first call counts.
    void finish(int code, const std::string& why = {});
    [[nodiscard]] bool finishing() const noexcept { return code_.has_value(); }

private:
    void connected(const link::connection&) override;
    void parted(const session_closed*) override;
    void on_event(const event&, time_point now) override;
    void turn(time_point now) override { user_.turn(now); }
    void failed(const std::string& why) override;
    void watch_signals();

    client_options options_;
    session_options session_options_;
    programs::client_user& user_;
    boost::asio::io_context io_{1};
    boost::asio::signal_set signals_{io_};
    std::optional<asio::client_link> link_; ///< Made by run().
    std::optional<int> code_;
};

} // namespace moqlite::programs

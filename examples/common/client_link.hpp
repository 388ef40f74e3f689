// A client program's session, from connecting to the exit code, and its successors where the relay asks to be left.
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
#include <vector>

namespace moqlite::programs {

/// What a program does with its session.
class client_user {
public:
    client_user() = default;
    client_user(const client_user&) = delete;
    client_user& operator=(const client_user&) = delete;
    virtual ~client_user() = default;

    /// There is a session; once more for each that follows.
    virtual void connected() = 0;
    /// The session is over, and another is to follow: get() is not for use until connected().
    virtual void parted() = 0;
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
    ~client_link();
    client_link(const client_link&) = delete;
    client_link& operator=(const client_link&) = delete;

    /// Connects, and returns the exit code when the program has ended.
    [[nodiscard]] int run();

    [[nodiscard]] boost::asio::io_context& io() noexcept { return io_; }
    /// Precondition: connected, and not parted.
    [[nodiscard]] session& get() noexcept;
    /// Commands were given outside of a turn: have them sent.
    void wake();
    /// The relay asked to be left (GOAWAY): its successor is looked for, and the session goes on until that answers.
    [[nodiscard]] bool moving() const noexcept { return moving_; }

    /// Closes the connection cleanly and ends the program. The first call counts.
    void finish(int code, const std::string& why = {});
    [[nodiscard]] bool finishing() const noexcept { return code_.has_value(); }

private:
    struct line; ///< One connection, and the session on it.

    void dial(line&);
    void watch_signals();
    void limit_handshake();
    [[nodiscard]] std::unique_ptr<link::handler> start_session(line&, link::connection&, time_point now);
    void on_event(line&, const event&);
    void failed(line&, const link::closed&);

    // client_move.cpp: from one relay to the next.
    void move_to(std::string_view uri);
    void dial_next();
    void try_again(const std::string& why);
    void part(const std::string& why);
    void take_next();
    /// Destroys it later: it may be what is calling.
    void discard(std::unique_ptr<line>);

    client_options options_;
    session_options session_options_;
    client_user& user_;
    boost::asio::io_context io_{1};
    boost::asio::signal_set signals_{io_};
    boost::asio::steady_timer handshake_{io_}; ///< Until a connection must be there.
    boost::asio::steady_timer again_{io_};     ///< Until the next attempt.
    std::optional<ngtcp2::tls> tls_;
    relay_url where_;
    std::unique_ptr<line> line_;                  ///< In use.
    std::unique_ptr<line> next_;                  ///< To the successor.
    std::vector<std::unique_ptr<line>> farewell_; ///< Saying goodbye.
    duration pause_{};                            ///< Between two attempts.
    time_point moved_{};                          ///< When a successor was taken last.
    std::optional<time_point> give_up_at_;        ///< Set when the session was over before its successor answered.
    bool moving_ = false;
    bool parted_ = false;
    std::optional<int> code_;
};

} // namespace moqlite::programs

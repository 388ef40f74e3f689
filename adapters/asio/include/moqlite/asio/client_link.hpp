// A client's session, from connecting to its end, with reconnection on GOAWAY.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <moqlite/asio/quic_client.hpp>
#include <moqlite/asio/url.hpp>
#include <moqlite/session/session.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace moqlite::asio {

/// The application on a client_link's sessions.
class client_user {
public:
    client_user() = default;
    client_user(const client_user&) = delete;
    client_user& operator=(const client_user&) = delete;
    virtual ~client_user() = default;

    /// A session exists, on `c`; called again for each successor.
    virtual void connected(const link::connection& c) = 0;
    /// The session is over, or is replaced by its successor, which has answered (null). Do not call get() until
    /// connected().
    virtual void parted(const session_closed* how) = 0;
    /// session_closed is the last one; while a successor is being sought, parted() is called instead.
    virtual void on_event(const event&, time_point now) = 0;
    /// Once a turn of the loop, after the session's inputs and before it sends.
    virtual void turn(time_point now) = 0;
    /// No session could be established, or no successor in time. One line; the last call.
    virtual void failed(const std::string& why) = 0;
};

struct client_link_options {
    url where;
    std::vector<std::string> protocols; ///< Offered, preferred first. On WebTransport these are sub-protocols.
    ngtcp2::tls tls;
    options transport{};                                 ///< For each connection. before_pump is not used.
    session_options session{};                           ///< For each session. Its path is the URL's.
    duration connect_timeout = std::chrono::seconds{10}; ///< For the first session, name resolution included.
    /// How long to try to reach a successor after the session has ended (GOAWAY). 0: do not reconnect.
    duration reconnect = std::chrono::seconds{10};
};

/// Follows GOAWAY: connects to the successor while the session goes on, and replaces it when the successor answers.
/// Belongs to the executor, which runs one thing at a time. The destructor, not to be called from the user's members,
/// ends its connections silently, and makes no calls.
class client_link {
public:
    /// `user` outlives it.
    client_link(boost::asio::any_io_executor, client_link_options, client_user& user);
    ~client_link();
    client_link(const client_link&) = delete;
    client_link& operator=(const client_link&) = delete;

    void connect();
    /// Precondition: between connected() and parted().
    [[nodiscard]] moqlite::session& get() noexcept;
    /// Sends the effects of commands given outside of a turn.
    void wake();
    /// After GOAWAY: a successor is being sought.
    [[nodiscard]] bool moving() const noexcept { return moving_; }

    /// Ends the session with `code`; then calls `done`, within half a second. Nothing else is reported afterwards.
    /// Call once.
    void close(app_error code, std::string_view reason, std::function<void()> done);

private:
    struct line; ///< One connection, and the session on it.

    void dial(line&);
    [[nodiscard]] std::unique_ptr<link::handler> start_session(line&, link::connection&, time_point now);
    void on_event(line&, const event&);
    void failed(line&, const link::closed&);
    void log(link::log_level, const std::string& text) const;

    // client_move.cpp: reconnection.
    void move_to(std::string_view uri);
    void dial_next();
    void try_again(const std::string& why);
    void part(const session_closed* how);
    void take_next();
    /// Destroys it later: it may be the caller.
    void discard(std::unique_ptr<line>);

    void give_up(const std::string& why);
    /// Wraps `what` to do nothing once this is destroyed: a queued handler cannot be cancelled.
    template <class F>
    [[nodiscard]] auto while_here(F what) const {
        return [here = std::weak_ptr<const bool>{here_}, what = std::move(what)](const auto&... facts) {
            if (!here.expired()) what(facts...);
        };
    }

    boost::asio::any_io_executor on_;
    client_link_options options_;
    client_user& user_;
    boost::asio::steady_timer handshake_; ///< Time limit of a connection attempt.
    boost::asio::steady_timer again_;     ///< Until the next attempt.
    url where_;
    std::unique_ptr<line> line_;                       ///< Current.
    std::unique_ptr<line> next_;                       ///< The attempt to reach the successor.
    std::vector<std::unique_ptr<line>> closing_lines_; ///< Being closed.
    duration pause_{};                                 ///< Between two attempts.
    time_point moved_{};                               ///< When the last successor took over.
    std::optional<time_point> give_up_at_;             ///< Set when the session was over before its successor answered.
    bool moving_ = false;
    bool parted_ = false;
    bool closing_ = false; ///< By close(), or failed: nothing is reported any more.
    std::shared_ptr<const bool> here_ = std::make_shared<const bool>(true);
};

} // namespace moqlite::asio

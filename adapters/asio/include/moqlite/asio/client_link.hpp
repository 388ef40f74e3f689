// A client's session, from connecting to its end, and its successors where the server asks its clients to leave.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <moqlite/asio/client.hpp>
#include <moqlite/asio/url.hpp>
#include <moqlite/session/session.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace moqlite::asio {

/// The user of a client_link: does something with each of its sessions.
class client_user {
public:
    client_user() = default;
    client_user(const client_user&) = delete;
    client_user& operator=(const client_user&) = delete;
    virtual ~client_user() = default;

    /// There is a session, on `c`; once more for each successor.
    virtual void connected(const link::connection& c) = 0;
    /// The session is over, or it is left for its successor, which has answered (null). get() is not for use until
    /// connected().
    virtual void parted(const session_closed* how) = 0;
    /// session_closed is the last one, unless a successor is looked for: then parted() is called in its place.
    virtual void on_event(const event&, time_point now) = 0;
    /// Once a turn of the loop, after all that arrived was given to the session, before it sends.
    virtual void turn(time_point now) = 0;
    /// No session came about, or no successor in time. One line; nothing is reported after it.
    virtual void failed(const std::string& why) = 0;
};

struct client_link_options {
    url where;
    std::vector<std::string> protocols; ///< Those offered, best first. Over WebTransport they are sub-protocols.
    ngtcp2::tls tls;
    options transport{};                                 ///< Of each connection. Its before_pump is not used.
    session_options session{};                           ///< Of each session. Its path is the URL's.
    duration connect_timeout = std::chrono::seconds{10}; ///< For the first session; to resolve the name counts.
    /// How long a successor is looked for after the session has ended (GOAWAY). 0: none is.
    duration reconnect = std::chrono::seconds{10};
};

/// Follows GOAWAY: the successor is connected to while the session goes on, and takes its place when it answers.
/// Belongs to the executor, which runs one thing at a time. To destroy it, which is not for its user's members, ends
/// its connections without another word, and nobody is called any more.
class client_link {
public:
    /// `user` outlives it.
    client_link(boost::asio::any_io_executor, client_link_options, client_user& user);
    ~client_link();
    client_link(const client_link&) = delete;
    client_link& operator=(const client_link&) = delete;

    void connect();
    /// Precondition: connected, and not parted.
    [[nodiscard]] session& get() noexcept;
    /// Commands were given outside of a turn: have them sent.
    void wake();
    /// The server asked its clients to leave, and a successor is looked for.
    [[nodiscard]] bool moving() const noexcept { return moving_; }

    /// Ends the session with `code`; then `done`, half a second later at the latest. Nothing else is reported any
    /// more. To be called once.
    void close(app_error code, std::string_view reason, std::function<void()> done);

private:
    struct line; ///< One connection, and the session on it.

    void dial(line&);
    [[nodiscard]] std::unique_ptr<link::handler> start_session(line&, link::connection&, time_point now);
    void on_event(line&, const event&);
    void failed(line&, const link::closed&);
    void log(link::log_level, const std::string& text) const;

    // client_move.cpp: from one server to the next.
    void move_to(std::string_view uri);
    void dial_next();
    void try_again(const std::string& why);
    void part(const session_closed* how);
    void take_next();
    /// Destroys it later: it may be what is calling.
    void discard(std::unique_ptr<line>);

    void give_up(const std::string& why);
    /// `what`, unless this is gone by then: a handler that is queued already cannot be cancelled.
    template <class F>
    [[nodiscard]] auto while_here(F what) const {
        return [here = std::weak_ptr<const bool>{here_}, what = std::move(what)](const auto&... facts) {
            if (!here.expired()) what(facts...);
        };
    }

    boost::asio::any_io_executor on_;
    client_link_options options_;
    client_user& user_;
    boost::asio::steady_timer handshake_; ///< Until a connection must be there.
    boost::asio::steady_timer again_;     ///< Until the next attempt.
    url where_;
    std::unique_ptr<line> line_;                  ///< In use.
    std::unique_ptr<line> next_;                  ///< To the successor.
    std::vector<std::unique_ptr<line>> farewell_; ///< Saying goodbye.
    duration pause_{};                            ///< Between two attempts.
    time_point moved_{};                          ///< When a successor was taken last.
    std::optional<time_point> give_up_at_;        ///< Set when the session was over before its successor answered.
    bool moving_ = false;
    bool parted_ = false;
    bool closing_ = false; ///< By close(), or failed: nothing is reported any more.
    std::shared_ptr<const bool> here_ = std::make_shared<const bool>(true);
};

} // namespace moqlite::asio

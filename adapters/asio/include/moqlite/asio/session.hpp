// One session with a peer.
#pragma once

#include <cstdint>
#include <memory>
#include <moqlite/asio/completion.hpp>
#include <moqlite/asio/fwd.hpp>
#include <moqlite/asio/origin.hpp>
#include <moqlite/asio/probe.hpp>
#include <moqlite/core/error.hpp>
#include <moqlite/link/connection.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace moqlite::asio {

namespace detail {
class session_state;
} // namespace detail

/// What is known of the path to the peer; all empty once the connection is gone.
using session_stats = link::connection_stats;

/// How a session ended, or why it could not be made.
struct session_end {
    app_error code{};     ///< app_error::transport: the connection was lost, or could not be made.
    bool by_peer = false; ///< The peer has sent the code and the reason.
    std::string reason{};
    /// One line that says it all: "session closed by the peer with unauthorized (6): no such root".
    std::string text{};
};

/// A session of our client, which ends with this handle; or one of our server's, which does not.
class session {
public:
    session() = default;
    session(std::shared_ptr<detail::session_state> state, bool owner) noexcept
        : state_(std::move(state)), owner_(owner) {}
    session(session&& other) noexcept : state_(std::move(other.state_)), owner_(std::exchange(other.owner_, false)) {}
    session& operator=(session&& other) noexcept;
    ~session();

    /// False: it is empty. Then operations complete with errc::closed, and facts are empty.
    [[nodiscard]] explicit operator bool() const noexcept { return state_ != nullptr; }

    /// What is published at it is announced to the peer; what the peer announces can be read from it.
    [[nodiscard]] asio::origin origin() const;

    /// As origin::publish(), but announced to this peer alone, for which it takes the place of one of the same path.
    [[nodiscard]] broadcast publish(std::string_view path);

    // As at its origin; an operation that waits ends with the session, and one that waits for a broadcast when the peer
    // refuses to announce any.

    template <class Token = boost::asio::deferred_t>
    auto async_subscribe(track_name track, const subscribe_request& how, Token&& token = {}) {
        return detail::initiate<track_reader>(
            std::forward<Token>(token), state_, [track = std::move(track), how](const auto& state, auto handler) {
                subscribe(state, track, how, std::move(handler));
            });
    }
    template <class Token = boost::asio::deferred_t>
        requires(!std::convertible_to<Token, subscribe_request>)
    auto async_subscribe(track_name track, Token&& token = {}) {
        return async_subscribe(std::move(track), subscribe_request{}, std::forward<Token>(token));
    }
    template <class Token = boost::asio::deferred_t>
    auto async_fetch(track_name track, std::uint64_t group, Token&& token = {}) {
        return detail::initiate<group_reader>(
            std::forward<Token>(token), state_, [track = std::move(track), group](const auto& state, auto handler) {
                fetch(state, track, group_sequence{group}, std::move(handler));
            });
    }
    [[nodiscard]] asio::announcements announcements(std::string_view prefix = {}) const;

    /// Asks the peer for its measurements of the path to us; a `target` (bits a second) tells it how much we would
    /// like: the largest of all probes that live. Publishers by moq-rs end a probe that has a target.
    [[nodiscard]] asio::probe probe(std::optional<std::uint64_t> target = {});
    /// void(error_code, std::uint64_t): the peer's latest target that was not read yet. Nothing is padded towards it.
    template <class Token = boost::asio::deferred_t>
    auto async_wanted_bitrate(Token&& token = {}) {
        return detail::initiate<std::uint64_t>(std::forward<Token>(token), state_,
            [](const auto& state, auto handler) { wanted_bitrate(state, std::move(handler)); });
    }

    /// void(error_code, app_error): the peer has refused an announcement of ours with that code, and is told of no
    /// others until it asks again: the latest refusal that was not read yet. None is reported while another session is
    /// to replace this one. One at a time: errc::too_many_requests.
    template <class Token = boost::asio::deferred_t>
    auto async_announcement_refused(Token&& token = {}) {
        return detail::initiate<app_error>(std::forward<Token>(token), state_,
            [](const auto& state, auto handler) { refused(state, std::move(handler)); });
    }

    /// Ends the session; the peer sees the code and the reason.
    void close(app_error code = app_error::cancel, std::string_view reason = {});
    /// void(error_code): completes when the session is over: with success if it ended without an error.
    template <class Token = boost::asio::deferred_t>
    auto async_closed(Token&& token = {}) {
        return detail::initiate<>(std::forward<Token>(token), state_,
            [](const auto& state, auto handler) { closed(state, std::move(handler)); });
    }
    /// void(error_code, std::string): the peer asks us to reconnect, to this URI, or if empty to the same address. Like
    /// async_closed(), several may wait.
    template <class Token = boost::asio::deferred_t>
    auto async_goaway(Token&& token = {}) {
        return detail::initiate<std::string>(std::forward<Token>(token), state_,
            [](const auto& state, auto handler) { goaway(state, std::move(handler)); });
    }

    /// void(error_code): another connection has taken the place of the present one (connect_request); errc::closed:
    /// none will. Several may wait.
    template <class Token = boost::asio::deferred_t>
    auto async_reconnected(Token&& token = {}) {
        return detail::initiate<>(std::forward<Token>(token), state_,
            [](const auto& state, auto handler) { reconnected(state, std::move(handler)); });
    }

    [[nodiscard]] bool is_open() const noexcept;
    /// nullopt: it is open, or empty.
    [[nodiscard]] std::optional<session_end> ended() const;
    /// Its name in notices and in the log, from 1; another one after a reconnection. 0: it is empty, or not connected.
    [[nodiscard]] std::uint64_t number() const noexcept;
    [[nodiscard]] session_stats stats() const;
    /// "moq-lite-06".
    [[nodiscard]] const std::string& protocol() const noexcept;
    [[nodiscard]] bool is_webtransport() const noexcept;
    /// "192.0.2.1:4443".
    [[nodiscard]] const std::string& remote() const noexcept;
    [[nodiscard]] const std::string& local() const noexcept;
    /// TLS version, cipher, server name, and the peer's certificate.
    [[nodiscard]] const link::tls_facts& tls() const noexcept;
    /// Path and query that the client asked for.
    [[nodiscard]] const std::string& path() const noexcept;

private:
    friend class server;
    friend class peers;
    static void subscribe(const std::shared_ptr<detail::session_state>&, const track_name&, const subscribe_request&,
        detail::completion<track_reader>::handler);
    static void fetch(const std::shared_ptr<detail::session_state>&, const track_name&, group_sequence,
        detail::completion<group_reader>::handler);
    static void wanted_bitrate(
        const std::shared_ptr<detail::session_state>&, detail::completion<std::uint64_t>::handler);
    static void refused(const std::shared_ptr<detail::session_state>&, detail::completion<app_error>::handler);
    static void closed(const std::shared_ptr<detail::session_state>&, detail::completion<>::handler);
    static void reconnected(const std::shared_ptr<detail::session_state>&, detail::completion<>::handler);
    static void goaway(const std::shared_ptr<detail::session_state>&, detail::completion<std::string>::handler);
    std::shared_ptr<detail::session_state> state_;
    bool owner_ = false;
};

} // namespace moqlite::asio

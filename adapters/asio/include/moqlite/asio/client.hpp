// Connects to servers, by native QUIC (moqt://) or WebTransport (https://).
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <moqlite/asio/completion.hpp>
#include <moqlite/asio/http.hpp>
#include <moqlite/asio/options.hpp>
#include <moqlite/asio/origin.hpp>
#include <moqlite/asio/session.hpp>
#include <moqlite/asio/tls.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace moqlite::asio {

namespace detail {
class client_state;
} // namespace detail

struct client_options {
    trust trusted = trust::system_roots(); ///< Which servers to trust.
    std::optional<identity> who{};         ///< Our certificate, for a server that asks.
    std::vector<std::string> protocols{};  ///< Offered, preferred first; empty: all stable versions.
    options transport{};                   ///< Of the socket. before_pump is not used.
};

struct connect_request {
    duration timeout = std::chrono::seconds{10}; ///< Name resolution included.
    http_headers headers{};                      ///< Sent with a WebTransport request, besides its own.
    /// Prefixes of the broadcasts to hear of, which alone can be read; empty: all. Where a server has more of them than
    /// a viewer should be told of, or may hold (limits.announced_bytes), name some.
    std::vector<std::string> interests{};
    bool listens = true; ///< False: hear of no broadcasts, for a program that only publishes.
    /// Resume an earlier session with the server; by native QUIC with early data (0-RTT), which saves a round trip:
    /// what is sent first may then be replayed by an attacker, and the session may end where it would not have begun.
    bool early_data = false;
    /// How long to try to connect again, with growing, random pauses, after the session was lost; 0: it ends then. The
    /// handle stays: what is published is announced again, and readers of the session wait for their broadcasts as at
    /// first (subscribe_request::timeout); those that read completely continue where they are, within a group, as long
    /// as the new peer has it; others with the newest group.
    duration reconnect{};
    /// Whether to follow GOAWAY, to `uri` or, if empty, to the same address; unset: session::async_goaway() reports it.
    /// The session goes on until its successor answers.
    std::function<bool(const std::string& uri)> follow_goaway{};
    duration follow_for = std::chrono::seconds{10};        ///< How long to try that after the session has ended.
    duration first_pause = std::chrono::milliseconds{100}; ///< Between two attempts to connect again; then twice that,
    duration longest_pause = std::chrono::seconds{5};      ///< up to this; less, by up to half of it, at random.
};

/// Its sessions share one socket and one origin. Destroying it ends them silently; until then, or until
/// async_shutdown(), its socket keeps the context running. Operations of one that was moved
/// from complete with errc::closed.
class client {
public:
    /// With an origin of its own.
    explicit client(boost::asio::any_io_executor on, client_options o = {})
        : client(asio::origin{std::move(on)}, std::move(o)) {}
    explicit client(asio::origin origin, client_options o = {});
    client(client&&) noexcept = default;
    client& operator=(client&&) noexcept;
    ~client();

    [[nodiscard]] const asio::origin& origin() const noexcept { return origin_; }

    /// void(error_code, session). All addresses of a host are tried, IPv6 and IPv4 in turns. Where that fails, the
    /// session's ended() says why.
    template <class Token = boost::asio::deferred_t>
    auto async_connect(std::string url, const connect_request& how, Token&& token = {}) {
        return detail::initiate<session>(
            std::forward<Token>(token), state_, [url = std::move(url), how](const auto& state, auto handler) {
                connect(state, url, how, std::move(handler));
            });
    }
    template <class Token = boost::asio::deferred_t>
        requires(!std::convertible_to<Token, connect_request>)
    auto async_connect(std::string url, Token&& token = {}) {
        return async_connect(std::move(url), connect_request{}, std::forward<Token>(token));
    }

    /// void(error_code): ends its sessions, so that the peers know at once; within half a second. It connects no more.
    template <class Token = boost::asio::deferred_t>
    auto async_shutdown(Token&& token = {}) {
        return detail::initiate<>(std::forward<Token>(token), state_,
            [](const auto& state, auto handler) { shutdown(state, std::move(handler)); });
    }

private:
    static void shutdown(const std::shared_ptr<detail::client_state>&, detail::completion<>::handler);
    static void connect(const std::shared_ptr<detail::client_state>&, const std::string& url, const connect_request&,
        detail::completion<session>::handler);
    asio::origin origin_;
    std::shared_ptr<detail::client_state> state_;
};

} // namespace moqlite::asio

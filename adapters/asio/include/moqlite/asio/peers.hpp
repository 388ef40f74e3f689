// Peers: processes that dial each other, and know each other by their certificates.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <chrono>
#include <compare>
#include <cstdint>
#include <memory>
#include <moqlite/asio/client.hpp>
#include <moqlite/asio/completion.hpp>
#include <moqlite/asio/options.hpp>
#include <moqlite/asio/origin.hpp>
#include <moqlite/asio/server.hpp>
#include <moqlite/asio/session.hpp>
#include <moqlite/asio/tls.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace moqlite::asio {

namespace detail {
class peers_state;
class incoming_state;
struct peer_arrival;
} // namespace detail

/// The name of a peer: the SHA-256 of its certificate, whose key it has proved to have; or the address of one that has
/// none.
class peer_key {
public:
    peer_key() = default;
    /// 64 hex digits of either case, colons allowed; or "192.0.2.1:4443".
    explicit peer_key(std::string_view text);

    [[nodiscard]] explicit operator bool() const noexcept { return !text_.empty(); }
    /// Lower case, without colons between the digits.
    [[nodiscard]] const std::string& text() const noexcept { return text_; }
    auto operator<=>(const peer_key&) const = default;

private:
    std::string text_;
};

/// A second connection of the same two peers was closed with this code: they keep the other one.
inline constexpr app_error connection_superseded{0x64};

struct peers_options {
    std::optional<identity> who{};        ///< Our certificate; unset: one is generated for our lifetime.
    bool certificates_required = false;   ///< Refuse peers that dial us and show no certificate.
    std::vector<std::string> protocols{}; ///< Spoken, preferred first; empty: all stable versions.
    options transport{};                  ///< Of both sockets. before_pump is not used.
    origin_options node{};
};

struct peer_request {
    /// No aggregate: g++ 12 destroys one that is initialised within a co_await expression twice.
    peer_request() = default;
    peer_request(duration most) noexcept : timeout(most) {}
    peer_request(peer_key expected, duration most = std::chrono::seconds{10})
        : key(std::move(expected)), timeout(most) {}
    std::optional<peer_key> key{};               ///< Expected at the address; another one is errc::unauthorized.
    duration timeout = std::chrono::seconds{10}; ///< Of this caller, whoever dials.
};

/// A peer that has dialled us. It is told nothing before it is accepted. The first answer counts, by whichever copy; a
/// peer is rejected when no copy and no incoming_peers holds it any more, or after limits.handshake_timeout.
class incoming_peer {
public:
    incoming_peer() = default;
    explicit incoming_peer(std::shared_ptr<detail::peer_arrival> state) noexcept : state_(std::move(state)) {}

    [[nodiscard]] const peer_key& key() const;
    [[nodiscard]] const std::string& remote() const;
    /// With the query, as the peer asked for it; names do not depend on it.
    [[nodiscard]] const std::string& path() const;
    [[nodiscard]] const link::tls_facts& tls() const;
    /// We were dialling this peer, too, or another listener has accepted it.
    [[nodiscard]] bool is_accepted() const noexcept;

    /// Its session; an empty one if it has left, or was rejected.
    session accept();
    /// Closes its connection with code 1, "rejected", unless it was accepted.
    void reject();

private:
    std::shared_ptr<detail::peer_arrival> state_;
};

/// The peers that dial us from now on. While there is none of these objects, every peer is accepted.
class incoming_peers {
public:
    incoming_peers() = default;
    explicit incoming_peers(std::shared_ptr<detail::incoming_state> state) noexcept : state_(std::move(state)) {}
    incoming_peers(incoming_peers&&) noexcept = default;
    incoming_peers& operator=(incoming_peers&& other) noexcept;
    ~incoming_peers() { leave(); }

    /// void(error_code, std::optional<incoming_peer>); nothing: the peers object is gone, or was shut down. One at a
    /// time: errc::too_many_requests.
    template <class Token = boost::asio::deferred_t>
    auto async_next(Token&& token = {}) {
        return detail::initiate<std::optional<incoming_peer>>(std::forward<Token>(token), state_,
            [](const auto& state, auto handler) { next(state, std::move(handler)); });
    }
    /// Peers that were skipped here since the last call: limits.undecided_peers waited already. The oldest of the
    /// address that has most of them goes first.
    [[nodiscard]] std::uint64_t skipped() noexcept;

private:
    static void next(
        const std::shared_ptr<detail::incoming_state>&, detail::completion<std::optional<incoming_peer>>::handler);
    void leave() noexcept;
    std::shared_ptr<detail::incoming_state> state_;
};

/// One session with each peer, whoever dials. A peer sees what is published here, and nothing of other peers; what it
/// publishes is read from its session. Copies share it; with the last one all sessions end silently.
class peers {
public:
    explicit peers(boost::asio::any_io_executor on, peers_options o = {});

    /// Our own name; empty: the certificate cannot be used.
    [[nodiscard]] const peer_key& key() const noexcept;
    /// Listens on HOST:PORT, as server::listen().
    [[nodiscard]] error_code listen(std::string_view where);
    [[nodiscard]] std::vector<std::string> addresses() const;

    /// void(error_code, session): the session with the peer at HOST:PORT or a URL: the one that there is, or a new one.
    /// A peer is dialled once, however many ask, and not at all if it dials us meanwhile. All get the same session, or
    /// the same error. If both dial at once, one of the two connections is kept, at both ends the same; the session
    /// does not notice.
    template <class Token = boost::asio::deferred_t>
    auto async_connect(std::string address, const peer_request& how, Token&& token = {}) {
        return detail::initiate<session>(
            std::forward<Token>(token), state_, [address = std::move(address), how](const auto& state, auto handler) {
                connect(*state, address, how, std::move(handler));
            });
    }
    template <class Token = boost::asio::deferred_t>
        requires(!std::convertible_to<Token, peer_request>)
    auto async_connect(std::string address, Token&& token = {}) {
        return async_connect(std::move(address), peer_request{}, std::forward<Token>(token));
    }
    /// The session with a peer; an empty one: there is none.
    [[nodiscard]] session find(const peer_key& peer) const;
    [[nodiscard]] std::vector<peer_key> connected() const;
    /// The peer of a session that was made here.
    [[nodiscard]] static peer_key key_of(const session&);
    [[nodiscard]] incoming_peers incoming();

    /// Announced to every peer, now and later, while the handle lives; throws as origin::publish().
    [[nodiscard]] broadcast publish(std::string_view path);
    [[nodiscard]] std::vector<std::string> published() const;

    /// void(error_code, track_reader): as session::async_subscribe(); errc::not_found: there is no session with `from`.
    template <class Token = boost::asio::deferred_t>
    auto async_subscribe(peer_key from, track_name track, const subscribe_request& how, Token&& token = {}) {
        return detail::initiate<track_reader>(std::forward<Token>(token), state_,
            [from = std::move(from), track = std::move(track), how](
                const auto& state, auto handler) { subscribe(*state, from, track, how, std::move(handler)); });
    }
    template <class Token = boost::asio::deferred_t>
        requires(!std::convertible_to<Token, subscribe_request>)
    auto async_subscribe(peer_key from, track_name track, Token&& token = {}) {
        return async_subscribe(std::move(from), std::move(track), subscribe_request{}, std::forward<Token>(token));
    }

    /// void(error_code): closes every session with code 0, "cancelled", and completes when that has been sent, within
    /// half a second. Later sessions are refused, and connects are errc::closed. It may be called again.
    template <class Token = boost::asio::deferred_t>
    auto async_shutdown(Token&& token = {}) {
        return detail::initiate<>(std::forward<Token>(token), state_,
            [](const auto& state, auto handler) { shutdown(*state, std::move(handler)); });
    }
    /// Our broadcasts are below "here" in it, and each peer's broadcasts are below its key.
    [[nodiscard]] asio::origin origin() const;

private:
    struct handle; ///< Shared by all copies.
    static void connect(handle&, const std::string& address, const peer_request&, detail::completion<session>::handler);
    static void subscribe(handle&, const peer_key&, const track_name&, const subscribe_request&,
        detail::completion<track_reader>::handler);
    static void shutdown(handle&, detail::completion<>::handler);
    std::shared_ptr<handle> state_;
};

} // namespace moqlite::asio

// Serves sessions by native QUIC and WebTransport, on one port.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <moqlite/asio/completion.hpp>
#include <moqlite/asio/http.hpp>
#include <moqlite/asio/options.hpp>
#include <moqlite/asio/origin.hpp>
#include <moqlite/asio/session.hpp>
#include <moqlite/asio/tls.hpp>
#include <moqlite/session/scope.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace moqlite::asio {

namespace detail {
class server_state;
} // namespace detail

/// Where a server's certificate comes from.
class server_identity {
public:
    /// PEM files: the chain, leaf first, and its key; read again when they change.
    [[nodiscard]] static server_identity files(std::string chain, std::string key);
    /// Self-signed, for these names, and renewed in time: for development. Clients pin server::fingerprint().
    [[nodiscard]] static server_identity generated(std::vector<std::string> names = {"localhost", "127.0.0.1", "::1"});

    /// A certificate in memory, which is not renewed.
    [[nodiscard]] static server_identity of(identity who);

    [[nodiscard]] certificate_store open(std::vector<std::string> alpn) const;

private:
    std::string chain_, key_;
    std::optional<identity> fixed_;
    std::vector<std::string> names_;
};

struct server_options {
    server_identity tls = server_identity::generated();
    std::optional<client_authentication> clients{}; ///< Ask clients for a certificate (mutual TLS).
    std::vector<std::string> protocols{};           ///< Accepted; empty: all stable versions.
    bool webtransport = true;                       ///< Accept them also by WebTransport.
    /// Clients resume their sessions with tickets under these keys; unset: none does. Not with `clients`.
    std::optional<ticket_keys> tickets{};
    /// With a ticket, take a client's first requests by native QUIC before its handshake is complete (0-RTT): they may
    /// be a replay, or come from a forged address. See tls_server_options.
    bool early_data = false;
    /// Origins of pages that may connect by WebTransport, "*" for all; empty: pages of our own hosts, which are the
    /// certificate's names, `hosts`, and localhost where it is listened on.
    std::vector<std::string> allow_origin{};
    std::vector<std::string> hosts{}; ///< Our names besides those of the certificate.
    http_function http{}; ///< Answers HTTP/3 requests that are not for sessions; null: 404, and 405 for other methods.
    options transport{};  ///< Of each socket. before_pump is not used.
    /// For the peers to be told that their sessions are closed, at the end; less where they have been.
    std::chrono::milliseconds farewell{500};
};

/// Of one address of a server.
struct listen_options {
    bool ipv6_only = false; ///< An IPv6 wildcard leaves IPv4 to another address with its port.
};

/// The answer to a peer that asks to be admitted.
struct admission_answer {
    bool is_admitted = false;
    scope allowed{}; ///< Where is_admitted: its root is the path that the peer asked for, unless set.
    app_error code = app_error::unauthorized;
    std::string reason{};
};

/// A peer asks to be admitted.
class admission {
public:
    admission(std::string path, std::string remote, bool webtransport, http_headers headers, link::tls_facts tls)
        : path_(std::move(path)),
          remote_(std::move(remote)),
          headers_(std::move(headers)),
          tls_(std::move(tls)),
          webtransport_(webtransport) {}
    /// Of the URL, without the query: "/demo".
    [[nodiscard]] std::string_view path() const noexcept;
    /// The value of a name in the URL's query, decoded; "": there is none.
    [[nodiscard]] std::string query(std::string_view name) const;
    [[nodiscard]] const std::string& remote() const noexcept { return remote_; }
    [[nodiscard]] bool is_webtransport() const noexcept { return webtransport_; }
    /// Of the WebTransport request.
    [[nodiscard]] const http_headers& headers() const noexcept { return headers_; }
    /// With the peer's certificate, where the transport's TLS asks for one.
    [[nodiscard]] const link::tls_facts& tls() const noexcept { return tls_; }

    /// Admits it to what is below its path.
    [[nodiscard]] admission_answer accept() const {
        return {.is_admitted = true, .allowed = {.root = std::string(path())}};
    }
    [[nodiscard]] static admission_answer accept(scope allowed) {
        return {.is_admitted = true, .allowed = std::move(allowed)};
    }
    [[nodiscard]] static admission_answer refuse(app_error code = app_error::unauthorized, std::string reason = {}) {
        return {.code = code, .reason = std::move(reason)};
    }

private:
    std::string path_;
    std::string remote_;
    http_headers headers_;
    link::tls_facts tls_;
    bool webtransport_;
};

/// A server's counters since it began.
struct server_stats {
    socket_stats sockets;                     ///< Of all addresses.
    std::size_t connections = 0;              ///< Now, with those that have no session yet.
    std::uint64_t admitted = 0;               ///< Sessions.
    std::uint64_t refused = 0;                ///< Sessions that on_admission() refused.
    std::uint64_t http_requests = 0;          ///< Others than WebTransport's that server_options::http answered.
    std::uint64_t http_refused = 0;           ///< Requests with another status than 200, or no answer.
    std::uint64_t http_violations = 0;        ///< Connections that were closed since the peer violated HTTP/3.
    std::uint64_t webtransport_sessions = 0;  ///< Established.
    std::uint64_t webtransport_streams = 0;   ///< Rejected: of an unknown session, or too many or too early for theirs.
    std::uint64_t webtransport_datagrams = 0; ///< Dropped, for the same reasons.
};

/// Destroying it ends its sessions silently. Operations of one that was moved from complete with errc::closed.
class server {
public:
    explicit server(asio::origin origin, server_options o = {});
    server(server&&) noexcept = default;
    server& operator=(server&&) noexcept;
    ~server();

    [[nodiscard]] const asio::origin& origin() const noexcept { return origin_; }

    /// Decides about each peer; without it, all are admitted to what is below their path. If `decide` throws, the peer
    /// is refused.
    void on_admission(std::function<admission_answer(const admission&)> decide);
    /// Called with each session that was admitted; an exception that leaves it closes the session, and is logged.
    void on_session(std::function<void(session)> f);
    /// The same for sessions whose path is `path` or below it, on both transports; the longest such path has them.
    void on_session(std::string_view path, std::function<void(session)> f);
    /// The same with a coroutine.
    template <class F>
        requires std::same_as<std::invoke_result_t<F&, session>, boost::asio::awaitable<void>>
    void on_session(std::string_view path, F f) {
        on_session(path, started(std::move(f)));
    }
    template <class F>
        requires std::same_as<std::invoke_result_t<F&, session>, boost::asio::awaitable<void>>
    void on_session(F f) {
        on_session(std::function<void(session)>{started(std::move(f))});
    }

private:
    template <class F>
    [[nodiscard]] std::function<void(session)> started(F f) const {
        return std::function<void(session)>{[on = origin_.get_executor(), f](session s) {
            auto guarded = guard(s);
            boost::asio::co_spawn(on, [f, s = std::move(s)]() mutable { return f(std::move(s)); }, std::move(guarded));
        }};
    }

public:
    /// Listens on HOST:PORT, a numeric address or none (any); port 0 takes a free one. Call it for each address. Why it
    /// fails is logged. With another port than 0, clients of an earlier server there with the same certificate are
    /// reset at once (stateless resets), where endpoint_options::reset_key has no other key.
    [[nodiscard]] error_code listen(std::string_view where, const listen_options& = {});
    /// The addresses: "127.0.0.1:4443".
    [[nodiscard]] std::vector<std::string> addresses() const;
    /// SHA-256 of the certificate, in hex; "" before listen().
    [[nodiscard]] std::string fingerprint() const;
    /// For clients that pin: that one, then its predecessor's while that is valid.
    [[nodiscard]] std::vector<std::string> fingerprints() const;
    [[nodiscard]] validity certificate_validity() const;
    /// Reads the certificate's files again, or generates another, now. It is also renewed in time by itself; both are
    /// logged, and connections stay. If that fails, the old one stays.
    void reload_certificate();
    /// After std::bad_alloc has left the executor's run(): restores waits that were lost. It may throw it again.
    void resume();
    [[nodiscard]] std::size_t sessions() const noexcept;
    [[nodiscard]] server_stats stats() const;

    /// void(error_code): listens, and completes when the server has been shut down, or cannot listen.
    template <class Token = boost::asio::deferred_t>
    auto async_serve(std::string where, Token&& token = {}) {
        return detail::initiate<>(std::forward<Token>(token), state_,
            [where = std::move(where)](const auto& state, auto handler) { serve(state, where, std::move(handler)); });
    }
    /// void(error_code): refuses new connections, asks the peers to reconnect, to `uri` or the same address, and waits
    /// until they have left; closes the others after `grace` with goaway_timeout. Ends within `grace` and
    /// server_options::farewell. After close() it completes when that is done.
    template <class Token = boost::asio::deferred_t>
    auto async_shutdown(duration grace, std::string uri, Token&& token = {}) {
        return detail::initiate<>(
            std::forward<Token>(token), state_, [grace, uri = std::move(uri)](const auto& state, auto handler) {
                shutdown(state, grace, uri, std::move(handler));
            });
    }
    /// Ends every session at once; the peers hear why, also where the server is destroyed right afterwards.
    void close(app_error code = app_error::cancel, std::string_view reason = {});

private:
    /// Logs an exception that left its handler, and closes the session.
    [[nodiscard]] static std::function<void(std::exception_ptr)> guard(const session&);
    static void serve(
        const std::shared_ptr<detail::server_state>&, const std::string& where, detail::completion<>::handler);
    static void shutdown(const std::shared_ptr<detail::server_state>&, duration grace, const std::string& uri,
        detail::completion<>::handler);
    asio::origin origin_;
    std::shared_ptr<detail::server_state> state_;
};

} // namespace moqlite::asio

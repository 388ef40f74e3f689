// A QUIC connection whose ALPN is "h3": dispatches between the WebTransport session and HTTP/3. Client and server
// derive from it, and establish the session.
#pragma once

#include "exchange.hpp"
#include "http3.hpp"
#include "session.hpp"
#include "stream_table.hpp"

#include <memory>
#include <moqlite/link/accept.hpp>
#include <moqlite/link/handler.hpp>
#include <moqlite/link/log.hpp>
#include <moqlite/nghttp3/stats.hpp>
#include <moqlite/webtransport/arrivals.hpp>
#include <moqlite/webtransport/error.hpp>
#include <moqlite/webtransport/session.hpp>
#include <moqlite/webtransport/stream_prefix.hpp>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace moqlite::nghttp3::detail {

using webtransport::violation;

/// A stream with too few bytes to tell its type.
struct peek {
    webtransport::stream_peek first;
    std::optional<app_error> stopped{}; ///< As code_of() has it.
};

class http3_connection : public link::handler, private http3::listener {
public:
    http3_connection(link::connection&, link::log_function, std::shared_ptr<stats>, time_point now);
    ~http3_connection() override;

    void stream_received(stream_id, byte_view, bool fin, time_point) final;
    void stream_reset(stream_id, app_error, time_point) final;
    void stream_stopped(stream_id, app_error, time_point) final;
    void stream_writable(stream_id, time_point) final;
    void stream_acked(stream_id, std::uint64_t n, time_point) final;
    void stream_closed(stream_id, std::optional<app_error>, time_point) final;
    void streams_available(direction, time_point) final;
    void datagram_received(byte_view, time_point) final;
    [[nodiscard]] app_error code_of(std::uint64_t wire) const final { return app_error{wire}; }
    void leave(link::connection&, app_error, std::string_view reason) final;
    void pump(link::connection&, time_point) final;
    [[nodiscard]] std::optional<time_point> deadline() const final;
    void tick(time_point) final;
    void on_closed(const link::closed&, time_point) final;

protected:
    /// The next step of establishing a session; in every pump, once the streams of HTTP/3 are open.
    virtual void negotiate(time_point) = 0;
    /// There will be no session.
    virtual void come_to_nothing(const link::closed&) = 0;
    /// The stream of a request was cut off, or closed, and has no session.
    virtual void request_over(stream_id) = 0;
    /// A request without a session.
    virtual void message_refused(stream_id) override;
    /// Takes a piece of the body of a request that is not for a session. False: it belongs to the session.
    [[nodiscard]] virtual bool take_body(exchange&, byte_view) { return false; }
    /// When to pump for the sake of requests.
    [[nodiscard]] virtual std::optional<time_point> requests_due() const { return std::nullopt; }
    /// Until when a connection without a session is kept, from now on; nullopt: no longer.
    [[nodiscard]] virtual std::optional<time_point> keep_until(time_point) const { return std::nullopt; }

    [[nodiscard]] link::connection& quic() const noexcept { return quic_; }
    [[nodiscard]] http3& http() noexcept { return http_; }
    [[nodiscard]] std::vector<exchange>& exchanges() noexcept { return exchanges_; }
    [[nodiscard]] const std::vector<exchange>& exchanges() const noexcept { return exchanges_; }
    [[nodiscard]] stats& counts() noexcept { return *counts_; }
    /// A session exists or has existed.
    [[nodiscard]] bool has_session() const noexcept { return session_ != nullptr; }
    /// Calls `accept` with a new session. False: rejected.
    [[nodiscard]] bool make_session(exchange&, std::string protocol, const link::accept_function& accept, time_point);
    /// The peer knows of the session: early streams and datagrams go to its handler.
    void begin_session(time_point);
    /// No session with this id will follow.
    void refuse_session(stream_id, time_point);
    void open_request_stream(stream_id id) { streams_.get(id).owned_by = stream::owner::http3; }
    void log(link::log_level, const std::string& line) const;

private:
    // http3::listener.
    void message_received(stream_id, message&&, bool fin, time_point) final;
    void body_received(stream_id, byte_view, time_point) final;
    void message_ended(stream_id, time_point) final;

    void identify(stream_id, byte_view, bool fin, time_point);
    void associate(stream_id, stream_id session, byte_view payload, bool fin, time_point);
    void deliver(stream_id, byte_view, bool fin, time_point);
    void reject(stream_id, violation);
    void drop(stream_id, http3_code);
    void answer_reset(stream_id);
    void request_aborted(stream_id, http3_code, time_point);
    void settle(time_point);
    void abort_streams(time_point);
    void sort_early(time_point);
    [[nodiscard]] exchange* find_exchange(stream_id) noexcept;
    /// The session of the CONNECT on this stream, answered or not; nullptr: none.
    [[nodiscard]] webtransport::session* session_of(stream_id) noexcept;
    [[nodiscard]] link::handler* active_handler() const noexcept {
        return session_ ? session_->active_handler() : nullptr;
    }
    [[nodiscard]] bool is_connect(stream_id id) const noexcept { return session_ && session_->id() == id; }

    static constexpr std::size_t exchanges_max = 32;
    static constexpr duration setup_timeout = std::chrono::seconds{10};

    link::connection& quic_;
    link::log_function log_;
    std::shared_ptr<stats> counts_;
    stream_table streams_;
    std::unordered_map<std::uint64_t, peek> peeks_;
    webtransport::arrivals arrivals_;
    std::vector<exchange> exchanges_;
    std::unique_ptr<session> session_;
    std::optional<time_point> setup_by_;
    http3 http_; ///< Last: it calls back into this object.
};

} // namespace moqlite::nghttp3::detail

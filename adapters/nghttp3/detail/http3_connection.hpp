// A QUIC connection whose ALPN is "h3": what is WebTransport's goes to the session, the rest to HTTP/3. How a session
// comes about is for the two ends to say.
#pragma once

#include "http3.hpp"
#include "session.hpp"
#include "stream_table.hpp"

#include <memory>
#include <moqlite/nghttp3/stats.hpp>
#include <moqlite/ngtcp2/endpoint.hpp>
#include <moqlite/ngtcp2/handler.hpp>
#include <moqlite/ngtcp2/log.hpp>
#include <moqlite/webtransport/capsule.hpp>
#include <moqlite/webtransport/early_arrivals.hpp>
#include <moqlite/webtransport/error.hpp>
#include <moqlite/webtransport/stream_prefix.hpp>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace moqlite::nghttp3::detail {

using webtransport::violation;

/// A header that has arrived and waits for the next pump, and what followed it.
struct arrival {
    stream_id id{};
    message header;
    std::vector<std::byte> body{}; ///< The beginning of it.
    bool ended = false;
    bool too_long = false;
};

class http3_connection : public ngtcp2::handler, private http3::listener {
public:
    http3_connection(ngtcp2::connection&, ngtcp2::log_function, std::shared_ptr<stats>, time_point now);
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
    void leave(ngtcp2::connection&, app_error, std::string_view reason) final;
    void pump(ngtcp2::connection&, time_point) final;
    [[nodiscard]] std::optional<time_point> deadline() const final;
    void tick(time_point) final;
    void on_closed(const ngtcp2::closed&, time_point) final;

protected:
    /// What is to be said and done next; in every pump, from when the streams of HTTP/3 are open.
    virtual void negotiate(time_point) = 0;
    /// There will be no session.
    virtual void come_to_nothing(const ngtcp2::closed&) {}

    /// A request that gets its stream and no session.
    virtual void message_refused(stream_id) override;

    [[nodiscard]] ngtcp2::connection& quic() noexcept { return quic_; }
    [[nodiscard]] http3& http() noexcept { return http_; }
    [[nodiscard]] std::vector<arrival>& arrivals() noexcept { return arrivals_; }
    /// There is one, or there was.
    [[nodiscard]] bool has_session() const noexcept { return session_ != nullptr; }
    /// Calls `accept` with a new session. False: it does not want it.
    [[nodiscard]] bool make_session(
        stream_id, std::string protocol, const ngtcp2::accept_function& accept, time_point now);
    /// The other end knows of it: what came before it goes to its handler.
    void begin_session(const arrival&, time_point);
    /// There will be none of this id.
    void refuse_session(stream_id);
    void open_request_stream(stream_id id) { streams_[number(id)].whose = stream::owner::http3; }
    [[nodiscard]] stats& counts() noexcept { return *counts_; }
    void log(ngtcp2::log_level, const std::string& line) const;

private:
    // The listener of HTTP/3.
    void message_received(stream_id, message&&, bool fin) final;
    void body_received(stream_id, byte_view) final;
    void message_ended(stream_id) final;

    void identify(stream_id, byte_view, bool fin, time_point);
    void associate(stream_id, stream_id session, byte_view payload, bool fin, time_point);
    void deliver(stream_id, byte_view, bool fin, time_point);
    void reject(stream_id, violation);
    void reject(const webtransport::early_stream&, violation);
    void drop(stream_id, http3_code);
    void punish(violation);
    void read_capsules(byte_view);
    void lose_session(std::string_view why);
    void end_session(time_point);
    void adopt_early(time_point);
    [[nodiscard]] ngtcp2::closed as_session_sees(const ngtcp2::closed&) const;
    [[nodiscard]] ngtcp2::handler* upper() const noexcept { return session_ ? session_->upper() : nullptr; }
    [[nodiscard]] bool is_connect(stream_id id) const noexcept { return session_ && session_->id() == id; }

    static constexpr std::size_t arrivals_max = 32;
    static constexpr std::size_t body_max = 1024;
    static constexpr duration setup_timeout = std::chrono::seconds{10};
    static constexpr duration farewell_timeout = std::chrono::milliseconds{500};

    ngtcp2::connection& quic_;
    ngtcp2::log_function log_;
    std::shared_ptr<stats> counts_;
    stream_table streams_;
    std::unordered_map<std::uint64_t, webtransport::stream_peek> peeks_; ///< Streams of which too little has come.
    webtransport::early_arrivals early_;
    std::vector<arrival> arrivals_;
    std::unique_ptr<session> session_;
    webtransport::capsule_reader capsules_;
    std::optional<http3_code> broken_; ///< How the stream of the CONNECT is to end, if not well.
    std::optional<time_point> setup_by_;
    std::optional<time_point> leave_by_; ///< When the farewell has been said.
    http3 http_;                         ///< Last: it calls us.
};

} // namespace moqlite::nghttp3::detail

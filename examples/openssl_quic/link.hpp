// A connection of OpenSSL's own QUIC as the transport of a session: the model of how to bind another stack. This one
// copies what is written, moves packets in SSL_handle_events() only, and has no events: each turn asks every stream.
#pragma once

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <moqlite/session/session.hpp>
#include <moqlite/session/transport.hpp>
#include <moqlite/webtransport/error_code.hpp>
#include <openssl/ssl.h>
#include <random>
#include <set>
#include <stdexcept>

namespace moqlite::openssl {
using ssl_ptr = std::unique_ptr<SSL, std::integral_constant<decltype(&SSL_free), &SSL_free>>;

/// `User` gives commands in on_event(session&, const event&, time_point), and once a turn in act(session&, time_point),
/// which returns when the next turn is due at the latest.
template <class User>
class link {
public:
    explicit link(ssl_ptr connection, const auto&... for_user) : user{for_user...}, quic_{std::move(connection)} {
        SSL_set_blocking_mode(quic_.get(), 0);
        SSL_set_event_handling_mode(quic_.get(), SSL_VALUE_EVENT_HANDLING_MODE_EXPLICIT);
        SSL_set_default_stream_mode(quic_.get(), SSL_DEFAULT_STREAM_MODE_NONE);
        SSL_set_mode(quic_.get(), SSL_MODE_ENABLE_PARTIAL_WRITE);
    }
    ~link() { close(app_error::cancel, "done"); }

    User user;
    std::optional<session> active; ///< From the end of the handshake on, which negotiates the version.

    /// Inputs, each followed by its events; then commands; then outputs. Returns when the next turn is due unless
    /// something arrives; `now`: after SSL_handle_events(), which has work. Throws if the handshake has failed.
    time_point turn(time_point now) {
        progress_ = false;
        if (!active && !start(now)) return time_point::max();
        while (ssl_ptr s{streams_.size() < max_streams ? SSL_accept_stream(quic_.get(), 0) : nullptr})
            add(std::move(s));
        for (auto& [id, s] : streams_) {
            if (s.receiving) read(id, s, now);
            if (s.sending) check_sending(id, s, now);
            if (!s.receiving && !s.sending) active->stream_closed(id, s.cut, now), drain(now), s.over = true;
        }
        for (const auto kind : std::exchange(refused_, {})) active->streams_available(kind, now), drain(now);
        if (const auto end = closed()) active->connection_closed(*end, now), drain(now);
        if (const auto due = active->deadline(); due && *due <= now) active->tick(now), drain(now);
        const auto next = user.act(*active, now);
        pump(*active, *this);
        drain(now); // Of commands and outputs: they may have ended the session.
        progress_ |= std::erase_if(streams_, [](const auto& entry) { return entry.second.over; }) != 0;
        return progress_ ? now : std::min(next, active->deadline().value_or(next));
    }

    // The members that moqlite::transport requires, for pump().
    std::optional<stream_id> open(direction kind) {
        const std::uint64_t uni = kind == direction::uni ? SSL_STREAM_FLAG_UNI : 0;
        if (ssl_ptr s{SSL_new_stream(quic_.get(), uni | SSL_STREAM_FLAG_NO_BLOCK)}) return add(std::move(s));
        return refused_.insert(kind), std::nullopt;
    }
    /// The stack sends in an order of its own: it gets no more than a window, so that urgent data can overtake the
    /// rest.
    std::optional<std::size_t> write(const write_stream& w) {
        if (in_flight_ >= window) return std::nullopt;
        auto& s = streams_.at(w.stream);
        std::size_t taken = 0; // Of the first range; the session offers the rest again.
        if (w.size != 0) SSL_write_ex(s.ssl.get(), w.data[0].data(), w.data[0].size(), &taken);
        // SSL_WRITE_FLAG_CONCLUDE would not send a FIN without data.
        if (w.fin && taken == w.size) s.concluded = SSL_stream_conclude(s.ssl.get(), 0) == 1;
        s.blocked = taken == 0 && w.size != 0; // Or the peer has stopped it: the next turn reports that.
        progress_ |= !s.blocked;
        s.in_flight += taken;
        in_flight_ += taken;
        return taken;
    }
    /// After a FIN the stack refuses and delivers everything: harmless, as it sends from its own copy.
    void reset(stream_id id, app_error code) {
        auto& s = streams_.at(id);
        const SSL_STREAM_RESET_ARGS args{static_cast<std::uint64_t>(webtransport::to_http3_code(code))};
        SSL_stream_reset(s.ssl.get(), &args, sizeof args);
        in_flight_ -= std::exchange(s.in_flight, 0);
        s.sending = false;
        s.cut = code;
        progress_ = true;
    }
    /// The stack sends STOP_SENDING, with code 0, when the stream is freed: once its other direction has ended.
    void stop(stream_id id, app_error code) {
        streams_.at(id).receiving = false;
        streams_.at(id).cut = code;
        progress_ = true;
    }
    /// The stack grants the peer what we read: we read no more than the session has granted.
    void credit(stream_id id, std::uint64_t n) { streams_.at(id).granted += n, progress_ = true; }
    void close(app_error code, std::string_view reason) {
        const std::string text{reason};
        const SSL_SHUTDOWN_EX_ARGS args{static_cast<std::uint64_t>(code), text.c_str()};
        SSL_shutdown_ex(quic_.get(), SSL_SHUTDOWN_FLAG_RAPID | SSL_SHUTDOWN_FLAG_NO_STREAM_FLUSH, &args, sizeof args);
        SSL_handle_events(quic_.get());
    }
    void flush() {} // There is no open packet.

private:
    static constexpr std::size_t max_streams = 4096;     ///< The stack grants the peer one more for each it accepts.
    static constexpr std::uint64_t window = 1024 * 1024; ///< Unacknowledged bytes of all streams.
    struct stream {
        ssl_ptr ssl;
        bool receiving, sending; ///< Until the session knows the end of this direction.
        bool concluded = false, blocked = false, over = false;
        std::size_t granted = 512 * 1024, in_flight = 0; ///< At first, what the stack grants.
        std::optional<app_error> cut{};                  ///< The code with which a direction was reset or stopped.
    };
    void drain(time_point now) {
        while (const auto e = active->poll_event()) user.on_event(*active, *e, now);
    }
    stream_id add(ssl_ptr s) {
        const stream_id id{SSL_get_stream_id(s.get())};
        const auto type = static_cast<unsigned>(SSL_get_stream_type(s.get()));
        streams_[id] = {std::move(s), (type & SSL_STREAM_TYPE_READ) != 0, (type & SSL_STREAM_TYPE_WRITE) != 0};
        progress_ = true;
        return id;
    }
    /// Most peers map codes into HTTP/3's range on native QUIC, too (for the others: session::reads_raw_codes()).
    static app_error app_code(std::uint64_t wire) {
        return webtransport::to_app_error(webtransport::http3_code{wire}).value_or(app_error{wire});
    }
    std::optional<closed_by> closed() const {
        SSL_CONN_CLOSE_INFO i{};
        if (SSL_get_conn_close_info(quic_.get(), &i, sizeof i) != 1) return std::nullopt;
        const auto code = i.flags & SSL_CONN_CLOSE_FLAG_TRANSPORT ? app_error::transport : app_code(i.error_code);
        return closed_by{code, (i.flags & SSL_CONN_CLOSE_FLAG_LOCAL) == 0, {i.reason, i.reason_len}};
    }
    bool start(time_point now) {
        if (SSL_do_handshake(quic_.get()) != 1) {
            const auto end = closed();
            if (!end) return false;
            const auto trust = SSL_get_verify_result(quic_.get());
            const auto why = trust != X509_V_OK ? X509_verify_cert_error_string(trust) : end->reason;
            throw std::runtime_error{"cannot connect: " + std::string{why.empty() ? "no answer" : why}};
        }
        const unsigned char* name = nullptr;
        unsigned size = 0;
        SSL_get0_alpn_selected(quic_.get(), &name, &size);
        const auto spoken = version_from_alpn({reinterpret_cast<const char*>(name), size}); // TLS makes sure of one.
        static const hop_id origin{1 + std::uint64_t{std::random_device{}()}};
        const auto side = SSL_is_server(quic_.get()) != 0 ? role::server : role::client;
        active.emplace(side, spoken.value(), session_options{.origin = origin}, now);
        return drain(now), true;
    }
    void read(stream_id id, stream& s, time_point now) {
        for (std::size_t n = 0; s.granted != 0; s.granted -= n, progress_ = true) {
            if (SSL_read_ex(s.ssl.get(), buffer_.data(), std::min(s.granted, buffer_.size()), &n) != 1) break;
            active->stream_received(id, byte_view{buffer_}.first(n), false, now), drain(now);
        }
        if (SSL_get_error(s.ssl.get(), 0) == SSL_ERROR_ZERO_RETURN) {
            s.receiving = false;
            active->stream_received(id, {}, true, now), drain(now);
        } else if (SSL_get_stream_read_state(s.ssl.get()) == SSL_STREAM_STATE_RESET_REMOTE) {
            std::uint64_t code = 0;
            SSL_get_stream_read_error_code(s.ssl.get(), &code);
            s.receiving = false;
            s.cut = app_code(code);
            active->stream_reset(id, *s.cut, now), drain(now);
        }
    }
    void check_sending(stream_id id, stream& s, time_point now) {
        std::uint64_t code = 0, unacked = 0, buffer = 0;
        const int state = SSL_get_stream_write_state(s.ssl.get());
        if (state == SSL_STREAM_STATE_RESET_LOCAL || state == SSL_STREAM_STATE_RESET_REMOTE) {
            SSL_get_stream_write_error_code(s.ssl.get(), &code); // Of the STOP_SENDING that the stack has answered.
            reset(id, app_code(code));
            return active->stream_stopped(id, *s.cut, now), drain(now);
        }
        // The stack does not report acknowledgements, but how much it holds for retransmission.
        SSL_get_stream_write_buf_used(s.ssl.get(), &unacked);
        if (const auto acked = std::exchange(s.in_flight, unacked) - unacked; acked != 0) {
            in_flight_ -= acked;
            progress_ = true;
            active->stream_acked(id, acked, now), drain(now);
        }
        // SSL_STREAM_STATE_FINISHED means that FIN was written; when it is acknowledged the stack frees the buffer.
        SSL_get_stream_write_buf_size(s.ssl.get(), &buffer);
        if (s.concluded && buffer == 0) s.sending = false;
        if (s.blocked) active->stream_writable(id, now), drain(now); // Perhaps: only the next write can tell.
    }
    ssl_ptr quic_;
    std::map<stream_id, stream> streams_; ///< Freed before the connection.
    std::set<direction> refused_;         ///< What open() could not have: the next turn has it asked for again.
    std::size_t in_flight_ = 0;           ///< Of all streams.
    bool progress_ = false;
    std::array<std::byte, 65536> buffer_;
};

} // namespace moqlite::openssl

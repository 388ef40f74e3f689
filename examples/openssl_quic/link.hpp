// A connection of OpenSSL's own QUIC as the transport of a session: the model of how to bind another stack. This one
// copies what is written, moves packets in SSL_handle_events() only, and reports nothing by stream: each turn asks all.
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
#include <utility>

namespace moqlite::openssl {

struct ssl_free {
    void operator()(SSL* s) const noexcept { SSL_free(s); }
};
using ssl_ptr = std::unique_ptr<SSL, ssl_free>;

/// `User` commands the session in on_event(session&, const event&, time_point), and once a turn in act(session&,
/// time_point), which returns when the next turn is due at the latest.
template <class User>
class link {
public:
    template <class... A>
    explicit link(ssl_ptr connection, const A&... of_user) : user{of_user...}, quic_{std::move(connection)} {
        SSL_set_blocking_mode(quic_.get(), 0);
        SSL_set_event_handling_mode(quic_.get(), SSL_VALUE_EVENT_HANDLING_MODE_EXPLICIT);
        SSL_set_default_stream_mode(quic_.get(), SSL_DEFAULT_STREAM_MODE_NONE);
        SSL_set_mode(quic_.get(), SSL_MODE_ENABLE_PARTIAL_WRITE);
    }
    ~link() { close(app_error::cancel, "done"); }

    User user;
    std::optional<session> active; ///< Once the handshake is complete, and with it the version known.

    /// Inputs, each followed by its events; then commands; then outputs. Returns when the next turn is due if nothing
    /// arrives; `now`: SSL_handle_events() has something to send, or may bring more. Throws if the handshake has
    /// failed.
    time_point turn(time_point now) {
        progress_ = false;
        if (!active && !start(now)) return time_point::max();
        while (ssl_ptr s{streams_.size() < most_streams ? SSL_accept_stream(quic_.get(), 0) : nullptr})
            add(std::move(s));
        for (auto& [id, s] : streams_) {
            if (s.receiving) read(id, s, now);
            if (s.sending) check_sending(id, s, now);
            if (!s.receiving && !s.sending) s.over = input(now, &session::stream_closed, id, s.cut);
        }
        std::erase_if(refused_, [&](direction kind) {
            const bool uni = kind == direction::uni;
            const auto left = uni ? SSL_VALUE_QUIC_STREAM_UNI_LOCAL_AVAIL : SSL_VALUE_QUIC_STREAM_BIDI_LOCAL_AVAIL;
            return value(quic_, left) != 0 && input(now, &session::streams_available, kind);
        });
        if (const auto end = closed()) input(now, &session::connection_closed, *end);
        if (const auto due = active->deadline(); due && *due <= now) input(now, &session::tick);
        const auto next = user.act(*active, now);
        pump(*active, *this);
        drain(now); // Commands and outputs may have ended the session.
        if (std::erase_if(streams_, [](const auto& entry) { return entry.second.over; }) != 0) progress_ = true;
        return progress_ ? now : std::min(next, active->deadline().value_or(next));
    }

    // The members that moqlite::transport requires; called by pump() only.

    std::optional<stream_id> open(direction kind) {
        const std::uint64_t uni = kind == direction::uni ? SSL_STREAM_FLAG_UNI : 0;
        if (ssl_ptr s{SSL_new_stream(quic_.get(), uni | SSL_STREAM_FLAG_NO_BLOCK)}) return add(std::move(s));
        refused_.insert(kind);
        return std::nullopt;
    }
    /// The stack sends what it has taken in an order of its own: it gets no more than a window, so that urgent data
    /// can overtake what still waits in the session.
    std::optional<std::size_t> write(const write_stream& w) {
        if (in_flight_ >= window) return std::nullopt;
        auto& s = streams_.at(w.stream);
        std::size_t taken = 0; // Of the first range; the session offers the others again.
        if (w.size != 0) SSL_write_ex(s.ssl.get(), w.data[0].data(), w.data[0].size(), &taken);
        // With SSL_WRITE_FLAG_CONCLUDE a FIN without data would not be sent until there is some.
        if (w.fin && taken == w.size) s.concluded = SSL_stream_conclude(s.ssl.get(), 0) == 1;
        s.blocked = taken == 0 && w.size != 0; // Or the peer has stopped it, as the next turn reports.
        progress_ |= !s.blocked;
        s.in_flight += taken;
        in_flight_ += taken;
        return taken;
    }
    /// After a FIN the stack refuses, and the peer gets everything: harmless, as it is sent from the stack's copy.
    void reset(stream_id id, app_error code) {
        auto& s = streams_.at(id);
        const SSL_STREAM_RESET_ARGS args{static_cast<std::uint64_t>(webtransport::to_http3_code(code))};
        SSL_stream_reset(s.ssl.get(), &args, sizeof args);
        in_flight_ -= std::exchange(s.in_flight, 0);
        s.sending = false;
        s.cut = code;
        progress_ = true;
    }
    /// The stack sends STOP_SENDING, with code 0, when the stream is freed: once the other direction has ended, too.
    void stop(stream_id id, app_error code) {
        streams_.at(id).receiving = false;
        streams_.at(id).cut = code;
        progress_ = true;
    }
    /// The stack grants the peer what we have read: no more is read than the session has granted.
    void credit(stream_id id, std::uint64_t n) {
        streams_.at(id).granted += n;
        progress_ = true;
    }
    void close(app_error code, std::string_view reason) {
        const std::string text{reason};
        const SSL_SHUTDOWN_EX_ARGS args{static_cast<std::uint64_t>(code), text.c_str()};
        const auto at_once = SSL_SHUTDOWN_FLAG_RAPID | SSL_SHUTDOWN_FLAG_NO_STREAM_FLUSH;
        SSL_shutdown_ex(quic_.get(), at_once, &args, sizeof args);
        SSL_handle_events(quic_.get());
    }
    void flush() {} // There is no open packet.

private:
    static constexpr std::size_t most_streams = 4096;    ///< The stack grants the peer one more for each it accepts.
    static constexpr std::uint64_t window = 1024 * 1024; ///< Unacknowledged bytes of all streams.
    struct stream {
        ssl_ptr ssl;
        bool receiving, sending; ///< Until it has ended, as far as the session is told.
        bool concluded = false, blocked = false, over = false;
        std::uint64_t granted = 512 * 1024, in_flight = 0; ///< As much as the stack grants at first.
        std::optional<app_error> cut{};                    ///< With what a direction was reset or stopped.
    };

    template <class... P, class... A>
    bool input(time_point now, void (session::*what)(P...), const A&... facts) {
        ((*active).*what)(facts..., now);
        return drain(now);
    }
    bool drain(time_point now) {
        while (const auto e = active->poll_event()) user.on_event(*active, *e, now);
        return true;
    }
    stream_id add(ssl_ptr s) {
        const stream_id id{SSL_get_stream_id(s.get())};
        const auto type = static_cast<unsigned>(SSL_get_stream_type(s.get()));
        streams_[id] = {std::move(s), (type & SSL_STREAM_TYPE_READ) != 0, (type & SSL_STREAM_TYPE_WRITE) != 0};
        progress_ = true;
        return id;
    }
    static std::uint64_t value(const ssl_ptr& s, int which) {
        std::uint64_t v = 0;
        SSL_get_generic_value_uint(s.get(), static_cast<std::uint32_t>(which), &v);
        return v;
    }
    /// Most peers write codes as HTTP/3 maps them, on native QUIC, too (for others: session::reads_raw_codes()).
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
            const auto verified = SSL_get_verify_result(quic_.get());
            if (verified != X509_V_OK) throw std::runtime_error{X509_verify_cert_error_string(verified)};
            throw std::runtime_error{"cannot connect: " + std::string{end->reason.empty() ? "no answer" : end->reason}};
        }
        const unsigned char* name = nullptr;
        unsigned size = 0;
        SSL_get0_alpn_selected(quic_.get(), &name, &size);
        const auto spoken = version_from_alpn({reinterpret_cast<const char*>(name), size}); // TLS ends those without.
        static const hop_id origin{1 + std::uint64_t{std::random_device{}()}};
        const auto side = SSL_is_server(quic_.get()) != 0 ? role::server : role::client;
        active.emplace(side, spoken.value(), session_options{.origin = origin}, now);
        return drain(now);
    }
    void read(stream_id id, stream& s, time_point now) {
        for (std::size_t n = 0; s.granted != 0; s.granted -= n, progress_ = true) {
            if (SSL_read_ex(s.ssl.get(), buffer_.data(), std::min<std::size_t>(s.granted, buffer_.size()), &n) != 1)
                break;
            input(now, &session::stream_received, id, byte_view{buffer_}.first(n), false);
        }
        if (SSL_get_error(s.ssl.get(), 0) == SSL_ERROR_ZERO_RETURN) {
            s.receiving = false;
            input(now, &session::stream_received, id, byte_view{}, true);
        } else if (SSL_get_stream_read_state(s.ssl.get()) == SSL_STREAM_STATE_RESET_REMOTE) {
            std::uint64_t code = 0;
            SSL_get_stream_read_error_code(s.ssl.get(), &code);
            s.receiving = false;
            s.cut = app_code(code);
            input(now, &session::stream_reset, id, *s.cut);
        }
    }
    void check_sending(stream_id id, stream& s, time_point now) {
        const int state = SSL_get_stream_write_state(s.ssl.get());
        if (state == SSL_STREAM_STATE_RESET_LOCAL || state == SSL_STREAM_STATE_RESET_REMOTE) {
            std::uint64_t code = 0;
            SSL_get_stream_write_error_code(s.ssl.get(), &code); // Of the STOP_SENDING that the stack has answered.
            reset(id, app_code(code));
            return void(input(now, &session::stream_stopped, id, *s.cut));
        }
        // Acknowledgements are not reported, but what is held for retransmission.
        if (const auto acked = s.in_flight - value(s.ssl, SSL_VALUE_STREAM_WRITE_BUF_USED); acked != 0) {
            s.in_flight -= acked;
            in_flight_ -= acked;
            progress_ = input(now, &session::stream_acked, id, acked);
        }
        // SSL_STREAM_STATE_FINISHED says that FIN was written. Once that is acknowledged the buffer is freed.
        if (s.concluded && value(s.ssl, SSL_VALUE_STREAM_WRITE_BUF_SIZE) == 0) s.sending = false;
        if (s.blocked) input(now, &session::stream_writable, id); // Perhaps: only the next write can tell.
    }

    ssl_ptr quic_;
    std::map<stream_id, stream> streams_; ///< Freed before the connection.
    std::set<direction> refused_;         ///< open() was refused.
    std::uint64_t in_flight_ = 0;         ///< Of all streams.
    bool progress_ = false;
    std::array<std::byte, 65536> buffer_;
};

} // namespace moqlite::openssl

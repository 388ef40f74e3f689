// Binds a session, of any kind that has its inputs, to a connection.
#pragma once

#include <chrono>
#include <moqlite/link/connection.hpp>
#include <moqlite/link/handler.hpp>
#include <moqlite/session/transport.hpp>
#include <utility>

namespace moqlite::link {

/// `Session` points to a session (a raw or smart pointer); `on_event(event)` is called for every
/// event, within the input that caused it. It may command any session, and wake() their connections.
template <class Session, class OnEvent>
class session_handler final : public handler {
public:
    session_handler(Session session, OnEvent on_event) : session_{std::move(session)}, on_event_{std::move(on_event)} {}

    void stream_received(stream_id id, byte_view bytes, bool fin, time_point now) override {
        session_->stream_received(id, bytes, fin, now);
        drain();
    }
    void stream_reset(stream_id id, app_error code, time_point now) override {
        session_->stream_reset(id, code, now);
        drain();
    }
    void stream_stopped(stream_id id, app_error code, time_point now) override {
        session_->stream_stopped(id, code, now);
        drain();
    }
    void stream_writable(stream_id id, time_point now) override {
        session_->stream_writable(id, now);
        drain();
    }
    void stream_acked(stream_id id, std::uint64_t n, time_point now) override {
        session_->stream_acked(id, n, now);
        drain();
    }
    void stream_closed(stream_id id, std::optional<app_error> code, time_point now) override {
        session_->stream_closed(id, code, now);
        drain();
    }
    void streams_available(direction kind, time_point now) override {
        session_->streams_available(kind, now);
        measured_ = {}; // Measured again by the next pump.
        drain();
    }
    void datagram_received(byte_view bytes, time_point now) override {
        session_->datagram_received(bytes, now);
        drain();
    }

    void pump(connection& to, time_point now) override {
        if (now >= measured_ + between_measurements) {
            measured_ = now;
            session_->path_measured(facts(to), now);
            drain();
        }
        if constexpr (requires { session_->reads_raw_codes(); })
            to.application_codes(session_->reads_raw_codes() ? code_form::raw : code_form::mapped);
        moqlite::pump(*session_, to);
        drain();
    }
    void leave(connection& from, app_error code, std::string_view reason) override {
        // A session that is closing says why.
        if constexpr (requires { session_->is_closed(); })
            if (session_->is_closed())
                while (const auto next = session_->poll_output())
                    if (const auto* end = std::get_if<close_connection>(&*next))
                        return from.close(end->code, end->reason);
        if constexpr (requires { session_->close_code(code); }) code = session_->close_code(code);
        from.close(code, reason);
    }
    std::optional<time_point> deadline() const override { return session_->deadline(); }
    void tick(time_point now) override {
        session_->tick(now);
        drain();
    }
    void on_closed(const closed& how, time_point now) override {
        const auto code = how.application ? from_wire_code(how.code) : how.app_code();
        session_->connection_closed({code, how.by_peer, how.reason}, now);
        drain();
    }

private:
    static path_facts facts(const connection& of) {
        const auto stats = of.stats();
        return {.rtt = stats.rtt.value_or(duration{}),
            .rate = stats.bitrate.value_or(0),
            .datagram_size = of.datagram_size(),
            .bidi_streams = stats.bidi_streams};
    }
    void drain() {
        while (auto e = session_->poll_event()) on_event_(*std::move(e));
    }

    static constexpr auto between_measurements = std::chrono::milliseconds{100};
    Session session_;
    OnEvent on_event_;
    time_point measured_{};
};

} // namespace moqlite::link

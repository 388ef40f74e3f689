// The life and end of a WebTransport session on its CONNECT stream (draft-ietf-webtrans-http3 §6).
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <moqlite/core/bytes.hpp>
#include <moqlite/core/error.hpp>
#include <moqlite/core/time.hpp>
#include <moqlite/webtransport/capsule.hpp>
#include <moqlite/webtransport/error.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace moqlite::webtransport {

struct session_limits {
    std::size_t early_body = 1024; ///< Bytes that may arrive before a request is answered.
    /// Time for our CLOSE to reach the peer before the connection is closed.
    duration close_delay = std::chrono::milliseconds{500};
    /// Time that the peer's CLOSE or FIN may follow the reset of its streams.
    duration missing_end = std::chrono::seconds{3};
};

/// The session has ended; the last event.
struct session_ended {
    enum class cause : std::uint8_t {
        closed,         ///< By us.
        closed_by_peer, ///< With this code and reason.
        lost,           ///< The stream or connection was cut off without CLOSE.
        violated,       ///< The peer broke this rule.
    };
    cause how = cause::closed;
    app_error code = app_error::cancel;
    std::string reason{};
    violation broken = violation::none;
    bool operator==(const session_ended&) const = default;
};

/// Events for the application.
using session_event = std::variant<drain_session, session_ended>;

/// Abort both halves of every stream of the session with http3_code::session_gone.
struct abort_streams {
    bool operator==(const abort_streams&) const = default;
};
/// Send these bytes, if any, on the CONNECT stream, in a DATA frame of their own; then, if `fin`, end it.
struct send_body {
    std::vector<std::byte> bytes;
    bool fin = false;
    bool operator==(const send_body&) const = default;
};
/// Abort both halves of the CONNECT stream.
struct abort_request {
    http3_code code = http3_code::no_error;
    bool operator==(const abort_request&) const = default;
};
/// Close the connection, which has no further use. A browser would leave it to the idle timeout. Until all of our CLOSE
/// is acknowledged, the connection's own end carries its code and reason as well: an endpoint that does not know such a
/// code takes it for http3_code::no_error (RFC 9114 §8.1).
struct leave_connection {
    http3_code code = http3_code::no_error;
    std::string reason{};
    bool operator==(const leave_connection&) const = default;
};

/// Actions for the HTTP/3 stack.
using session_output = std::variant<abort_streams, send_body, abort_request, leave_connection>;

/// A session from its CONNECT on, on either end. After an input poll events, then outputs, until there are none. It
/// ends with one session_ended, followed by one leave_connection unless the connection closes first.
class session {
public:
    explicit session(session_limits bounds = {}) noexcept : bounds_(bounds) {}

    // Inputs.

    /// The answer was received or sent. Any end that the peer signals before takes effect only then.
    void established(time_point now) {
        if (phase_ != phase::requested) return;
        phase_ = phase::established;
        read(std::exchange(early_, {}), now);
        if (fin_) body_finished(now);
        if (stopped_) stream_gone(now);
    }
    /// Bytes of DATA frames on the CONNECT stream.
    void body_received(byte_view bytes, time_point now) {
        if (phase_ != phase::requested) return read(bytes, now);
        if (bytes.size() > bounds_.early_body - early_.size()) return violated(violation::early_body_too_long, now);
        early_.insert(early_.end(), bytes.begin(), bytes.end());
    }
    /// The peer has ended its half.
    void body_finished(time_point now) {
        fin_ = true;
        if (phase_ == phase::requested) return;
        if (const auto error = capsules_.finish(); error != violation::none) return violated(error, now);
        end({.how = session_ended::cause::closed_by_peer}, now);
    }
    /// The peer has reset the CONNECT stream. http3_code::no_error is an end like a FIN.
    void request_aborted(time_point now, http3_code code = http3_code::request_cancelled) {
        if (end(aborted_with(code), now)) abort_ = http3_code::request_cancelled;
    }
    /// The peer has sent STOP_SENDING for the CONNECT stream: it has stopped reading, but its reason for the end may
    /// still follow, even in the same packet.
    void request_stopped(time_point now, http3_code code) noexcept {
        stopped_ = code;
        stream_gone(now);
    }
    /// All our bytes on it are acknowledged and the peer's half has ended; or it was cut off with `code`.
    void request_closed(time_point now, std::optional<http3_code> code = std::nullopt) {
        end(aborted_with(code.value_or(http3_code::request_cancelled)), now);
        if (!code) unconfirmed_.reset();
        body_.reset();
        leave_by_ = now;
        tick(now);
    }
    /// The peer has cut off a stream with http3_code::session_gone. The end of the session should follow: a session
    /// that continued would never learn what became of its streams.
    void stream_gone(time_point now) noexcept {
        if (phase_ == phase::established && !end_by_) end_by_ = now + bounds_.missing_end;
    }
    /// The peer may close the connection with an application code instead of a capsule.
    void connection_closed(http3_code code, std::string_view reason, time_point now) {
        const auto said = code == http3_code::no_error ? app_error::cancel : to_app_error(code);
        if (said)
            end({.how = session_ended::cause::closed_by_peer, .code = *said, .reason = std::string{reason}}, now);
        else
            end({.how = session_ended::cause::lost, .reason = std::string{reason}}, now);
        phase_ = phase::over;
    }
    void tick(time_point now) {
        if (is_ending() && *end_by_ <= now) request_aborted(now, stopped_.value_or(http3_code::request_cancelled));
        if (phase_ == phase::ended && leave_by_ <= now) phase_ = phase::leaving;
    }

    // Events.

    [[nodiscard]] std::optional<session_event> poll_event() {
        if (std::exchange(draining_, false)) return drain_session{};
        if (auto out = std::exchange(ended_, std::nullopt)) return std::move(*out);
        return std::nullopt;
    }

    // Outputs, in order of execution.

    [[nodiscard]] std::optional<session_output> poll_output() {
        if (phase_ == phase::over) return std::nullopt;
        if (std::exchange(abort_streams_, false)) return abort_streams{};
        if (abort_) {
            body_.reset();
            return abort_request{*std::exchange(abort_, std::nullopt)};
        }
        if (auto out = std::exchange(body_, std::nullopt)) return std::move(*out);
        if (phase_ != phase::leaving) return std::nullopt;
        phase_ = phase::over;
        return std::exchange(unconfirmed_, std::nullopt).value_or(leave_connection{});
    }
    [[nodiscard]] std::optional<time_point> deadline() const noexcept {
        if (is_ending()) return end_by_;
        return phase_ == phase::ended ? std::optional{leave_by_} : std::nullopt;
    }

    // Commands.

    /// Ends the session. Bytes that have not arrived by then may be lost.
    void close(app_error code, std::string_view reason, time_point now) {
        const bool there = phase_ == phase::established;
        if (!end({.how = session_ended::cause::closed, .code = code, .reason = std::string{reason}}, now)) return;
        if (!there) abort_ = http3_code::request_cancelled;
        if (!there) return;
        write_close(code, reason, body_->bytes);
        unconfirmed_ = leave_connection{to_http3_code(code), std::string{reason}};
    }
    /// Asks the peer to end the session soon.
    void drain() {
        if (phase_ != phase::established) return;
        if (!body_) body_.emplace();
        if (body_->bytes.empty()) write_drain(body_->bytes);
    }

    [[nodiscard]] bool is_established() const noexcept { return phase_ == phase::established; }
    /// The peer's resets show that it has ended the session, but its CLOSE or FIN is missing.
    [[nodiscard]] bool is_ending() const noexcept { return is_established() && end_by_.has_value(); }

private:
    enum class phase : std::uint8_t { requested, established, ended, leaving, over };

    void read(byte_view in, time_point now) {
        while (const auto c = capsules_.read(in)) {
            if (const auto* close = std::get_if<close_session>(&*c))
                end({.how = session_ended::cause::closed_by_peer, .code = close->code, .reason = close->reason}, now);
            else
                draining_ = draining_ || phase_ == phase::established;
        }
        if (capsules_.error() != violation::none) violated(capsules_.error(), now);
    }

    void violated(violation v, time_point now) {
        if (std::exchange(broken_, true)) return;
        end({.how = session_ended::cause::violated, .broken = v}, now);
        abort_ = wire_code(v);
    }

    [[nodiscard]] static session_ended aborted_with(http3_code code) noexcept {
        return {
            .how = code == http3_code::no_error ? session_ended::cause::closed_by_peer : session_ended::cause::lost};
    }

    /// False: it had already ended.
    bool end(session_ended how, time_point now) {
        if (phase_ > phase::established) return false;
        phase_ = phase::ended;
        leave_by_ = now + bounds_.close_delay;
        ended_ = std::move(how);
        abort_streams_ = true;
        body_ = send_body{.bytes = {}, .fin = true};
        return true;
    }

    session_limits bounds_;
    capsule_reader capsules_;
    std::vector<std::byte> early_; ///< Body bytes received before the answer.
    std::optional<session_ended> ended_;
    std::optional<send_body> body_;
    std::optional<http3_code> abort_;
    std::optional<leave_connection> unconfirmed_; ///< The peer may not have our CLOSE.
    std::optional<http3_code> stopped_;           ///< The code of a STOP_SENDING for the CONNECT stream.
    std::optional<time_point> end_by_;
    time_point leave_by_{};
    phase phase_ = phase::requested;
    bool fin_ = false;
    bool broken_ = false;
    bool draining_ = false;
    bool abort_streams_ = false;
};

} // namespace moqlite::webtransport

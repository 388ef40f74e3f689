// Which of the streams and datagrams of a peer belong to a WebTransport session, and those that came before it
// (draft-ietf-webtrans-http3 §4.5).
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <moqlite/core/bytes.hpp>
#include <moqlite/core/error.hpp>
#include <moqlite/core/ids.hpp>
#include <moqlite/core/time.hpp>
#include <moqlite/webtransport/datagram.hpp>
#include <moqlite/webtransport/error.hpp>
#include <optional>
#include <utility>
#include <vector>

namespace moqlite::webtransport {

/// How much may wait on one connection.
struct arrival_limits {
    std::size_t streams = 16;
    std::size_t stream_bytes = 64 * 1024; ///< Of each.
    std::size_t datagrams = 32;
    std::size_t rejected = 16; ///< Requests of which it is remembered that they came to nothing.
    duration timeout = std::chrono::seconds{5};
};

/// What becomes of a stream, or of a datagram.
struct fate {
    enum class kind : std::uint8_t {
        deliver, ///< It belongs to the session.
        wait,    ///< It is kept until that can be said.
        refuse,
    };
    kind what = kind::deliver;
    violation why = violation::none; ///< Of what is refused.
    bool operator==(const fate&) const = default;
};

/// A stream that has waited, as far as it has come. If `refused`, abort it with that; else it is the session's.
struct early_stream {
    stream_id id{};
    std::vector<std::byte> bytes{};
    bool fin = false;
    std::optional<app_error> stopped{}; ///< The peer does not want our half.
    bool closed = false;                ///< QUIC has done with it.
    violation refused = violation::none;
};

/// Sorts them on a connection that carries at most one session. A request may be overtaken by what follows it, and so
/// may its answer: at both ends streams wait for them, in the order in which they came.
class arrivals {
public:
    explicit arrivals(arrival_limits bounds = {}) noexcept : bounds_(bounds) {}

    // Inputs: the session. After each of them poll.

    /// Both ends know of it: the answer came, or was sent.
    void session_established(stream_id session) noexcept {
        session_ = session;
        phase_ = phase::established;
    }
    /// A request came to no session.
    void session_rejected(stream_id session) {
        if (rejected_.size() >= bounds_.rejected) rejected_.erase(rejected_.begin());
        rejected_.push_back(session);
    }
    /// For good: there will be no other on this connection.
    void session_ended() noexcept { phase_ = phase::ended; }

    // Inputs: streams that the peer opened.

    /// The prefix of a stream has come, and with it `payload`.
    [[nodiscard]] fate stream_begun(stream_id id, stream_id session, byte_view payload, bool fin, time_point now) {
        const auto out = fate_of(session);
        if (out.what != fate::kind::wait) return out;
        if (streams_.size() >= bounds_.streams) return refused(violation::too_many_early_streams);
        streams_.push_back({.what = {.id = id}, .session = session, .until = now + bounds_.timeout});
        const auto error = stream_received(id, payload, fin);
        return error == violation::none ? out : refused(error);
    }
    /// More of one that waits. After a violation it waits no longer.
    [[nodiscard]] violation stream_received(stream_id id, byte_view bytes, bool fin) {
        const auto s = find(id);
        if (s == streams_.end()) return violation::none;
        if (bytes.size() > bounds_.stream_bytes - s->what.bytes.size()) {
            streams_.erase(s);
            return violation::early_stream_too_long;
        }
        s->what.bytes.insert(s->what.bytes.end(), bytes.begin(), bytes.end());
        s->what.fin = s->what.fin || fin;
        return violation::none;
    }
    /// One that waits was cut off: nobody has seen it, and nobody will.
    void stream_reset(stream_id id) {
        if (const auto s = find(id); s != streams_.end()) streams_.erase(s);
    }
    void stream_stopped(stream_id id, app_error code) {
        if (const auto s = find(id); s != streams_.end()) s->what.stopped = code;
    }
    /// QUIC may have done with a short stream before anybody has read it.
    void stream_closed(stream_id id) {
        if (const auto s = find(id); s != streams_.end()) s->what.closed = true;
    }

    // Inputs: datagrams.

    [[nodiscard]] fate datagram_received(const datagram& d, time_point now) {
        const auto out = fate_of(d.session);
        if (out.what != fate::kind::wait) return out;
        if (datagrams_.size() >= bounds_.datagrams) return refused(violation::too_many_early_datagrams);
        datagrams_.push_back({{d.payload.begin(), d.payload.end()}, d.session, now + bounds_.timeout});
        return out;
    }

    // Outputs.

    /// The next stream that need not wait any longer.
    [[nodiscard]] std::optional<early_stream> poll_stream(time_point now) {
        for (auto s = streams_.begin(); s != streams_.end(); ++s) {
            const auto fate = fate_of_waiting(*s, now);
            if (fate.what == fate::kind::wait) continue;
            std::optional<early_stream> out{std::move(s->what)};
            streams_.erase(s);
            out->refused = fate.why;
            return out;
        }
        return std::nullopt;
    }
    /// The next datagram of the session. Those that nobody will want are dropped.
    [[nodiscard]] std::optional<std::vector<std::byte>> poll_datagram(time_point now) {
        while (true) {
            const auto d = std::find_if(datagrams_.begin(), datagrams_.end(),
                [&](const auto& w) { return fate_of_waiting(w, now).what != fate::kind::wait; });
            if (d == datagrams_.end()) return std::nullopt;
            const auto fate = fate_of_waiting(*d, now);
            std::optional<std::vector<std::byte>> out{std::move(d->what)};
            datagrams_.erase(d);
            if (fate.what == fate::kind::deliver) return out;
        }
    }
    /// When something will have waited for too long; poll then.
    [[nodiscard]] std::optional<time_point> deadline() const noexcept {
        // The first of each has waited longest.
        std::optional<time_point> first;
        if (!streams_.empty()) first = streams_.front().until;
        if (!datagrams_.empty()) first = first ? std::min(*first, datagrams_.front().until) : datagrams_.front().until;
        return first;
    }

private:
    enum class phase : std::uint8_t { none, established, ended };

    template <class What>
    struct waiting {
        What what{};
        stream_id session{};
        time_point until{};
    };
    using waiting_streams = std::vector<waiting<early_stream>>;

    [[nodiscard]] static fate refused(violation why) noexcept { return {fate::kind::refuse, why}; }

    [[nodiscard]] bool was_rejected(stream_id session) const noexcept {
        return std::find(rejected_.begin(), rejected_.end(), session) != rejected_.end();
    }

    [[nodiscard]] fate fate_of(stream_id session) const noexcept {
        if (phase_ == phase::established && session == session_) return {};
        // With a session there, no other can come.
        if (phase_ != phase::none || was_rejected(session)) return refused(violation::session_gone);
        return {fate::kind::wait};
    }

    template <class What>
    [[nodiscard]] fate fate_of_waiting(const waiting<What>& w, time_point now) const noexcept {
        const auto out = fate_of(w.session);
        if (out.what == fate::kind::wait && w.until <= now) return refused(violation::early_stream_timeout);
        if (out.what == fate::kind::refuse && was_rejected(w.session)) return refused(violation::session_rejected);
        return out;
    }

    [[nodiscard]] waiting_streams::iterator find(stream_id id) noexcept {
        return std::find_if(streams_.begin(), streams_.end(), [id](const auto& s) { return s.what.id == id; });
    }

    arrival_limits bounds_;
    waiting_streams streams_;
    std::vector<waiting<std::vector<std::byte>>> datagrams_;
    std::vector<stream_id> rejected_;
    stream_id session_{};
    phase phase_ = phase::none;
};

} // namespace moqlite::webtransport

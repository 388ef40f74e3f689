// Which of the streams and datagrams of a peer belong to a WebTransport session.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <moqlite/core/bytes.hpp>
#include <moqlite/core/error.hpp>
#include <moqlite/core/ids.hpp>
#include <moqlite/core/time.hpp>
#include <moqlite/webtransport/datagram.hpp>
#include <moqlite/webtransport/early_arrivals.hpp>
#include <moqlite/webtransport/error.hpp>
#include <optional>
#include <utility>
#include <vector>

namespace moqlite::webtransport {

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

/// A stream that need not wait any longer. If `refused`, abort it with that; else it is the session's.
struct ready_stream {
    early_stream stream{};
    violation refused = violation::none;
};

/// Sorts them on a connection that carries at most one session. What comes before it is kept.
class arrivals {
public:
    explicit arrivals(early_limits bounds = {}) noexcept : early_(bounds) {}

    // Inputs: the session. After each of them poll.

    /// Both ends know of it: the answer came, or was sent.
    void session_established(stream_id session) noexcept {
        session_ = session;
        phase_ = phase::established;
    }
    /// A request came to no session.
    void session_rejected(stream_id session) {
        if (rejected_.size() == rejected_max) rejected_.erase(rejected_.begin());
        rejected_.push_back(session);
    }
    /// For good: there will be no other on this connection.
    void session_ended() noexcept { phase_ = phase::ended; }

    // Inputs: streams that the peer opened.

    /// The prefix of a stream has come, and with it `payload`.
    [[nodiscard]] fate stream_begun(stream_id id, stream_id session, byte_view payload, bool fin, time_point now) {
        const auto out = fate_of(session);
        if (out.what != fate::kind::wait) return out;
        return kept(early_.stream_begun(id, session, payload, fin, now));
    }
    /// More of one that waits. After a violation it waits no longer.
    [[nodiscard]] violation stream_received(stream_id id, byte_view bytes, bool fin) {
        return early_.stream_received(id, bytes, fin);
    }
    /// One that waits was cut off: nobody has seen it, and nobody will.
    void stream_reset(stream_id id) { early_.stream_reset(id); }
    void stream_stopped(stream_id id, app_error code) { early_.stream_stopped(id, code); }
    void stream_closed(stream_id id) { early_.stream_closed(id); }

    // Inputs: datagrams.

    [[nodiscard]] fate datagram_received(const datagram& d, time_point now) {
        const auto out = fate_of(d.session);
        if (out.what != fate::kind::wait) return out;
        return kept(early_.datagram_received(d, now));
    }

    // Outputs.

    [[nodiscard]] std::optional<ready_stream> poll_stream(time_point now) {
        if (phase_ == phase::established)
            if (auto s = early_.take_stream(session_)) return ready_stream{*std::move(s), violation::none};
        for (const auto id : rejected_)
            if (auto s = early_.take_stream(id)) return ready_stream{*std::move(s), violation::session_rejected};
        if (phase_ != phase::none)
            if (auto s = early_.take_late_stream(time_point::max()))
                return ready_stream{*std::move(s), violation::session_gone};
        if (auto s = early_.take_late_stream(now)) return ready_stream{*std::move(s), violation::early_stream_timeout};
        return std::nullopt;
    }
    /// The next datagram of the session. Those that nobody will want are dropped.
    [[nodiscard]] std::optional<std::vector<std::byte>> poll_datagram(time_point now) {
        if (phase_ == phase::established)
            if (auto d = early_.take_datagram(session_)) return d;
        for (const auto id : rejected_)
            while (early_.take_datagram(id)) {
            }
        while (early_.take_late_datagram(phase_ == phase::none ? now : time_point::max())) {
        }
        return std::nullopt;
    }
    /// When something will have waited for too long; poll then.
    [[nodiscard]] std::optional<time_point> deadline() const noexcept { return early_.deadline(); }

private:
    enum class phase : std::uint8_t { none, established, ended };

    /// Requests of which it is remembered that they came to nothing.
    static constexpr std::size_t rejected_max = 16;

    [[nodiscard]] static fate refused(violation why) noexcept { return {fate::kind::refuse, why}; }
    [[nodiscard]] static fate kept(violation error) noexcept {
        return error == violation::none ? fate{fate::kind::wait, violation::none} : refused(error);
    }

    [[nodiscard]] fate fate_of(stream_id session) const noexcept {
        if (phase_ == phase::established && session == session_) return {};
        // With a session there, no other can come.
        if (phase_ != phase::none) return refused(violation::session_gone);
        const bool rejected = std::find(rejected_.begin(), rejected_.end(), session) != rejected_.end();
        return rejected ? refused(violation::session_gone) : fate{fate::kind::wait, violation::none};
    }

    early_arrivals early_;
    std::vector<stream_id> rejected_;
    stream_id session_{};
    phase phase_ = phase::none;
};

} // namespace moqlite::webtransport

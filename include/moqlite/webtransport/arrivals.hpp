// Assigns a peer's streams and datagrams to a WebTransport session.
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

/// The decision on a stream or datagram.
struct fate {
    enum class kind : std::uint8_t {
        deliver, ///< It belongs to the session.
        wait,    ///< It is kept until that is known.
        refuse,
    };
    kind what = kind::deliver;
    violation why = violation::none; ///< Why it is refused.
    bool operator==(const fate&) const = default;
};

/// A stream that no longer waits. If `refused` is set, abort it with that; otherwise it belongs to the session.
struct ready_stream {
    early_stream stream{};
    violation refused = violation::none;
};

/// Assigns arrivals on a connection that carries at most one session. Those that precede the session are kept.
class arrivals {
public:
    explicit arrivals(early_limits bounds = {}) noexcept : early_(bounds) {}

    // Inputs: the session. Poll after each of them.

    /// The answer to the request was received or sent.
    void session_established(stream_id session) noexcept {
        session_ = session;
        phase_ = phase::established;
    }
    /// A request was rejected.
    void session_rejected(stream_id session) {
        if (rejected_.size() == rejected_max) rejected_.erase(rejected_.begin());
        rejected_.push_back(session);
    }
    /// Final: the connection carries no other session.
    void session_ended() noexcept { phase_ = phase::ended; }

    // Inputs: streams that the peer opened.

    /// The prefix of a stream has arrived, followed by `payload`.
    [[nodiscard]] fate stream_begun(stream_id id, stream_id session, byte_view payload, bool fin, time_point now) {
        const auto out = fate_of(session);
        if (out.what != fate::kind::wait) return out;
        return kept(early_.stream_begun(id, session, payload, fin, now));
    }
    /// More bytes of a waiting stream. After a violation it is no longer kept.
    [[nodiscard]] violation stream_received(stream_id id, byte_view bytes, bool fin) {
        return early_.stream_received(id, bytes, fin);
    }
    /// A waiting stream was reset: it is dropped unseen.
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
    /// The next datagram of the session. Drops those that no session can receive.
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
    /// When the first wait expires; poll then.
    [[nodiscard]] std::optional<time_point> deadline() const noexcept { return early_.deadline(); }

private:
    enum class phase : std::uint8_t { none, established, ended };

    /// How many rejected requests are remembered.
    static constexpr std::size_t rejected_max = 16;

    [[nodiscard]] static fate refused(violation why) noexcept { return {fate::kind::refuse, why}; }
    [[nodiscard]] static fate kept(violation error) noexcept {
        return error == violation::none ? fate{fate::kind::wait, violation::none} : refused(error);
    }

    [[nodiscard]] fate fate_of(stream_id session) const noexcept {
        if (phase_ == phase::established && session == session_) return {};
        // A connection carries one session only.
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

// Decides when a peer that accepts next to nothing has stalled the session.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <moqlite/containers/indexed_heap.hpp>
#include <moqlite/containers/list.hpp>
#include <moqlite/core/limits.hpp>
#include <moqlite/core/time.hpp>
#include <optional>
#include <utility>

namespace moqlite::detail {

struct unacked_tag;
struct undated_tag;
struct resetting_tag;

/// A stream that we send on, as stall_clock sees it: call forget() before destroying it. It may wait for its reset to
/// be executed: until then its lent bytes stay in memory.
struct sending : list_hook<unacked_tag>, list_hook<undated_tag>, list_hook<resetting_tag> {
    std::uint64_t reset_number = 0; ///< While it is resetting: the number of its reset in outgoing.
    time_point unacked_since{};   ///< Start of the flight clock: the last acknowledgement, or the first byte in flight.
    time_point blocked_until{};   ///< When the credit clock expires, while `place` is set.
    duration patience{};          ///< Time left on the credit clock, while `measured`.
    std::uint64_t moved = 0;      ///< Bytes written since `measured` was set.
    bool measured = false;        ///< It was blocked, and has not made enough progress since.
    bool flight_undated = false;  ///< `unacked_since` is only the time of the previous input, or
    bool credit_undated = false;  ///< `blocked_until` is based on it.
    std::size_t place = SIZE_MAX; ///< Position in the heap of blocked streams.

    /// It waits for stream credit: between blocked() and unblocked().
    [[nodiscard]] bool is_blocked() const noexcept { return place != SIZE_MAX; }
};

/// A session ends with errc::lagged when one of three clocks has run for limits.stall_timeout:
///   flight      per stream: none of its bytes in flight has been acknowledged. Runs for every stream, capped or not,
///               and for at least three round trips.
///   credit      per stream: the total time that it was blocked, counted until it has written limits.stall_progress
///               bytes or all that it had. A trickle of credit does not stop it. Runs for control streams and uncapped
///               groups: a capped reader may hold back stream credit for ever.
///   connection  the connection accepted no more in any pump although a control stream or an uncapped group had bytes,
///               and fewer than limits.stall_progress bytes were acknowledged.
/// Groups and requests without a stream run no clock. Commands and outputs carry no time: a clock that they start is
/// dated by the next input, and cannot expire before its start is known.
class stall_clock {
public:
    explicit stall_clock(const limits& bounds) noexcept
        : timeout_(bounds.stall_timeout), progress_(bounds.stall_progress) {}

    /// An input has brought the current time.
    void note_time(time_point now) noexcept {
        now_ = now;
        while (sending* s = undated_.pop_front()) {
            if (std::exchange(s->flight_undated, false)) s->unacked_since = now;
            if (!std::exchange(s->credit_undated, false) || s->place == npos) continue;
            s->blocked_until = now + s->patience;
            blocked_.fix(*s);
        }
        if (full_ && !full_dated_) full_since_ = now;
        full_dated_ = true;
    }
    /// `n` > 0 bytes were written on it; `all`: it has no more to write.
    void wrote(sending& s, std::uint64_t n, bool all) noexcept {
        s.moved += n;
        if (all || s.moved >= progress_) s.measured = false;
        if (s.list_hook<unacked_tag>::linked()) return;
        s.unacked_since = now_;
        unacked_.push_back(s);
        s.flight_undated = true;
        date_later(s);
    }
    /// `n` of its bytes have just been acknowledged; `all`: none is left in flight.
    void acked(sending& s, std::uint64_t n, bool all) noexcept {
        s.list_hook<unacked_tag>::unlink();
        s.unacked_since = now_;
        if (!all) unacked_.push_back(s);
        acked_ += n;
        if (acked_ >= progress_) begin_full();
    }
    /// It has bytes, but no stream credit.
    void blocked(sending& s) {
        if (s.place != npos) return;
        if (!std::exchange(s.measured, true)) {
            s.patience = timeout_;
            s.moved = 0;
        }
        s.blocked_until = now_ + s.patience;
        blocked_.push(s);
        s.credit_undated = true;
        date_later(s);
    }
    /// It has just received credit, or needs none.
    void unblocked(sending& s) noexcept {
        if (s.place == npos) return;
        s.patience = s.blocked_until - now_;
        blocked_.erase(s);
    }
    void forget(sending& s) noexcept {
        if (s.place != npos) blocked_.erase(s);
        s.measured = s.flight_undated = s.credit_undated = false;
        s.list_hook<unacked_tag>::unlink();
        s.list_hook<undated_tag>::unlink();
    }
    /// At the end of a pump: whether a control stream or an uncapped group had bytes that the connection did not
    /// accept.
    void connection_full(bool yes) noexcept {
        if (yes == full_) return;
        full_ = yes;
        begin_full();
        full_dated_ = false;
    }
    /// When the first clock expires, or when a tick is needed to date one.
    [[nodiscard]] std::optional<time_point> deadline(duration rtt) const noexcept {
        std::optional<time_point> at;
        const auto consider = [&](time_point t) { at = at ? std::min(*at, t) : t; };
        if (!unacked_.empty())
            consider(unacked_.front().unacked_since + std::max(timeout_, 3 * std::min(rtt, timeout_)));
        if (const auto* s = blocked_.top()) consider(s->blocked_until);
        if (full_) consider(full_since_ + timeout_);
        // With nothing else in flight a tick dates it at once; otherwise acknowledgements probably do.
        const bool alone = unacked_.empty() || unacked_.front().flight_undated;
        if (!undated_.empty() || !full_dated_) consider(alone ? now_ : now_ + timeout_ / 8);
        return at;
    }

    /// Whether a clock has expired. Precondition: all are dated.
    [[nodiscard]] bool expired(duration rtt) const noexcept {
        const auto at = deadline(rtt);
        return at && *at <= now_;
    }

private:
    struct before {
        bool operator()(const sending& a, const sending& b) const noexcept { return a.blocked_until < b.blocked_until; }
    };
    struct position {
        std::size_t& operator()(sending& s) const noexcept { return s.place; }
    };
    using heap = indexed_heap<sending, before, position>;
    static constexpr std::size_t npos = heap::npos;

    void date_later(sending& s) noexcept {
        if (!s.list_hook<undated_tag>::linked()) undated_.push_back(s);
    }
    void begin_full() noexcept {
        full_since_ = now_;
        acked_ = 0;
    }

    duration timeout_;
    std::uint64_t progress_;
    time_point now_{};
    list<sending, undated_tag> undated_; ///< Streams whose clocks started after the last input.
    list<sending, unacked_tag> unacked_; ///< Streams with bytes in flight, longest without an acknowledgement first.
    heap blocked_;
    bool full_ = false;
    bool full_dated_ = true;
    time_point full_since_{};
    std::uint64_t acked_ = 0; ///< Bytes acknowledged since full_since_.
};

} // namespace moqlite::detail

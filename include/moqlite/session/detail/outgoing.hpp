// Outgoing control bytes, resets and credit, and the clocks of a stalled peer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <moqlite/containers/list.hpp>
#include <moqlite/containers/ring.hpp>
#include <moqlite/core/bytes.hpp>
#include <moqlite/core/error.hpp>
#include <moqlite/core/ids.hpp>
#include <moqlite/core/limits.hpp>
#include <moqlite/session/detail/code_lists.hpp>
#include <moqlite/session/detail/control_stream.hpp>
#include <moqlite/session/detail/stall_clock.hpp>
#include <moqlite/session/output.hpp>
#include <moqlite/session/ready.hpp>
#include <optional>
#include <utility>

namespace moqlite::detail {

/// What the transport still has to do for the session. States only advance in this order.
enum class connection_state : std::uint8_t {
    open,
    close_due,    ///< We are closing: a close_connection is waiting to be polled.
    close_polled, ///< It was polled, and is executed when the pump has flushed.
    gone,         ///< The transport has executed it, or reported its own end: it sends nothing more.
};

/// Names the alternative, which a compiler would be slow to find.
template <class O>
[[nodiscard]] std::optional<output> as_output(const O& what) noexcept {
    return std::optional<output>{std::in_place, std::in_place_type<O>, what};
}

class outgoing {
public:
    outgoing(role side, const limits& bounds, ready_entry& ready, const code_lists& codes) noexcept
        : stall(bounds), side_(side), bounds_(bounds), ready_(ready), codes_(codes) {}

    stall_clock stall;
    connection_state connection = connection_state::open;

    [[nodiscard]] bool is_gone() const noexcept { return connection == connection_state::gone; }

    // Control bytes.

    /// The backlog of replies is small enough to write more.
    [[nodiscard]] bool has_room() const noexcept { return unsent_ < bounds_.control_unsent; }
    [[nodiscard]] std::size_t unsent() const noexcept { return unsent_; }
    /// One more request of ours may wait for a stream.
    [[nodiscard]] bool may_open() const noexcept {
        return opening_count_ < bounds_.waiting_requests && opening_bytes_ < bounds_.partial_messages;
    }
    /// Requests of ours that wait for a stream.
    [[nodiscard]] std::size_t opening() const noexcept { return opening_count_; }
    /// Queues a new stream, with bytes in its buffer, for an id.
    void open(control_stream& s) noexcept {
        opening_bytes_ += as_size(s.out.unsent());
        opening_.push_back(s);
        ++opening_count_;
        ready_.mark();
    }
    /// The one that has waited longest. Precondition: there is one.
    control_stream& take_opening() noexcept {
        --opening_count_;
        return opening_.take_front();
    }
    /// A request of ours that waits for a stream; nullptr: none does.
    [[nodiscard]] control_stream* waiting_request() noexcept {
        return opening_.find_first(opening_count_, [](auto& s) { return s.kind != control_kind::goaway_out; });
    }
    /// Removes a stream that ends before it gets an id.
    void forget_opening(control_stream& s) noexcept {
        s.list_hook<opening_tag>::unlink();
        --opening_count_;
    }
    /// From now on, bytes appended before the stream had an id count as unsent to the peer.
    void bind(control_stream& s, stream_id id) noexcept {
        s.id = id;
        opening_bytes_ -= as_size(s.out.unsent());
        unsent_ += as_size(s.out.unsent());
    }
    /// Queues `s` for writing if it has something to send.
    void touch(control_stream& s) noexcept {
        if (!s.is_bound() || s.is_blocked() || !s.to_send() || s.list_hook<send_tag>::linked()) return;
        sendable_.push_back(s);
        ready_.mark();
    }
    /// False: the peer's backlog is beyond its bound. This also bounds messages that are not coalesced.
    [[nodiscard]] bool append(control_stream& s, byte_view bytes) {
        if (s.writing != write_state::open || bytes.empty()) return true;
        s.out.append(bytes);
        (s.is_bound() ? unsent_ : opening_bytes_) += bytes.size();
        touch(s);
        return unsent_ <= bounds_.control_unsent + bounds_.control_unsent_slack;
    }
    /// Sends FIN after the appended bytes.
    void finish(control_stream& s) noexcept {
        if (s.writing != write_state::open) return;
        s.writing = write_state::finishing;
        touch(s);
    }
    /// Abandons the send side, with a reset if the stream has an id. Lent bytes stay until the reset has been executed.
    void abandon(control_stream& s, app_error code) {
        const bool acknowledged = s.writing == write_state::finished && s.out.unacked() == 0;
        if (s.writing == write_state::closed || acknowledged) return;
        withdraw(s);
        s.writing = write_state::closed;
        const bool ours = direction_of(s.id) == direction::bidi || initiator_of(s.id) == side_;
        if (s.is_bound() && ours) push({s.id, code.in(codes_.of(s)), true});
        if (!s.out.is_lent() || !await_reset(s, resetting_)) s.out.clear();
    }
    /// Its unsent bytes no longer count in any bound.
    void withdraw(control_stream& s) noexcept {
        if (s.writing == write_state::closed) return;
        (s.is_bound() ? unsent_ : opening_bytes_) -= as_size(s.out.unsent());
        s.list_hook<send_tag>::unlink();
        stall.forget(s);
    }

    /// The next stream to write; nullptr: none.
    [[nodiscard]] control_stream* next() noexcept { return sendable_.empty() ? nullptr : &sendable_.front(); }
    /// The transport accepted nothing: the stream waits for credit.
    void blocked(control_stream& s) {
        stall.blocked(s);
        s.list_hook<send_tag>::unlink();
    }
    void unblocked(control_stream& s) noexcept {
        stall.unblocked(s);
        touch(s);
    }
    /// The transport accepted `n` bytes, and its FIN if `fin`. Call settle() after appending what follows.
    void wrote(control_stream& s, std::size_t n, bool fin) {
        s.out.wrote(n);
        unsent_ -= n;
        if (fin) s.writing = write_state::finished;
        if (n != 0) stall.wrote(s, n, s.out.unsent() == 0);
    }
    void settle(control_stream& s) noexcept {
        if (!s.to_send()) s.list_hook<send_tag>::unlink();
    }
    /// False: more bytes than are in flight.
    [[nodiscard]] bool acked(control_stream& s, std::uint64_t n) noexcept {
        if (s.writing == write_state::closed || s.out.unacked() == 0) return true;
        if (n > s.out.in_flight()) return false;
        s.out.acked(n);
        stall.acked(s, n, s.out.unacked() == s.out.unsent());
        return true;
    }

    // Resets and stops.

    /// Both of a group's own stream.
    void reset(stream_id id, app_error code) { push({id, code.in(codes_.of_group()), true}); }
    void stop(stream_id id, app_error code) { push({id, code.in(codes_.of_group()), false}); }
    void stop(const control_stream& s, app_error code) { push({s.id, code.in(codes_.of(s)), false}); }
    /// After this the next `n` of them do not allocate.
    void make_room(std::size_t n) { stops_.make_room(n); }
    [[nodiscard]] std::optional<output> next_stop() {
        if (stops_.empty()) return std::nullopt;
        const auto next = stops_.pop();
        return next.is_reset ? as_output(reset_stream{next.id, next.code})
                             : as_output(stop_sending{next.id, next.code});
    }
    /// Puts `s`, whose reset is queued, on `waiting` until the transport has executed it. False: it has.
    template <class S>
    [[nodiscard]] bool await_reset(S& s, list<S, resetting_tag>& waiting) {
        if (s.list_hook<resetting_tag>::linked()) return true;
        const bool all_executed = stops_queued_ == stops_executed_ && connection == connection_state::open;
        if (is_gone() || all_executed) return false;
        s.reset_number = stops_queued_;
        waiting.push_back(s);
        return true;
    }
    /// The next stream on `waiting` that the transport has reset; nullptr: none.
    template <class S>
    [[nodiscard]] S* next_reset(list<S, resetting_tag>& waiting) noexcept {
        if (waiting.empty() || (!is_gone() && waiting.front().reset_number > stops_executed_)) return nullptr;
        return waiting.pop_front();
    }
    /// A pump has ended: the outputs that it polled have been executed.
    void executed() noexcept {
        stops_executed_ = stops_queued_ - stops_.size();
        while (control_stream* s = next_reset(resetting_)) s->out.clear();
    }

    // Stream credit.

    void give_credit(receiving& r, std::uint64_t n) noexcept {
        if (n == 0) return;
        r.credit_due += n;
        if (r.list_hook<credit_tag>::linked()) return;
        credits_.push_back(r);
        ready_.mark();
    }
    [[nodiscard]] std::optional<output> next_credit() noexcept {
        receiving* r = credits_.pop_front();
        if (r == nullptr) return std::nullopt;
        return as_output(credit{r->id, std::exchange(r->credit_due, 0)});
    }

private:
    struct stop_or_reset {
        stream_id id{};
        app_error code = app_error::cancel;
        bool is_reset = false;
    };

    void push(stop_or_reset what) {
        stops_.push(what);
        ++stops_queued_;
        ready_.mark();
    }

    role side_;
    const limits& bounds_;
    ready_entry& ready_;
    const code_lists& codes_;
    list<control_stream, send_tag> sendable_;
    list<control_stream, opening_tag> opening_;
    std::size_t unsent_ = 0; ///< Bytes of control streams that have an id.
    /// Bytes of control streams without an id: the peer has granted no stream, so they do not count as stalled.
    std::size_t opening_bytes_ = 0;
    std::size_t opening_count_ = 0;
    list<receiving, credit_tag> credits_;
    ring<stop_or_reset> stops_;
    std::uint64_t stops_queued_ = 0;   ///< Total over the session.
    std::uint64_t stops_executed_ = 0; ///< Those executed by the transport: polled, and followed by flushed().
    list<control_stream, resetting_tag> resetting_;
};

} // namespace moqlite::detail

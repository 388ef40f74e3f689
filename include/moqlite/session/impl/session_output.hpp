// Session outputs and timers. Part of session.hpp.
#pragma once

#include <moqlite/session/session.hpp>

namespace moqlite {

inline std::optional<output> session::poll_output() {
    const detail::entry_mark mark{inside_};
    if (!open()) {
        if (c_.out.connection != detail::connection_state::close_due || writing_)
            return std::nullopt; // Not after a write: in the next pump.
        c_.out.connection = detail::connection_state::close_polled;
        return detail::as_output(close_connection{c_.closing->code, c_.closing_reason});
    }
    publishing_.take_woken();
    publishing_.end_excess_drops();
    if (!writing_) {
        publishing_.write_drops();
        // Some peers lose the end of a track whose retraction overtakes its END: in a pump that may write both, END
        // goes first.
        announcements_wait_ = publishing_.owes_end() && !announcements_waited_;
        if (!announcements_wait_) announcing_.write();
        subscribing_.write_updates();
    }
    if (auto next = c_.out.next_stop()) return next;
    if (!writing_) {
        if (auto next = c_.out.next_credit()) return next;
        if (auto next = next_open()) return next;
        if (const auto bytes = publishing_.next_datagram()) return detail::as_output(send_datagram{*bytes});
    }
    if (auto next = next_write()) return next;
    if (!std::exchange(announcements_wait_, false)) return std::nullopt;
    announcing_.write();
    return next_write();
}

inline std::optional<output> session::next_open() {
    // Requests with a stream count as unsent bytes: open no more than the peer is expected to read.
    const bool room = c_.out.has_room();
    const bool bidi = !bidi_blocked_ && room && c_.out.opening() != 0;
    const auto wanted =
        std::min(c_.bounds.streams_in_hand, publishing_.unbound()) + (handshake_.needs_stream() ? 1 : 0);
    if (!bidi && (uni_blocked_ || ids_.size() >= wanted)) return std::nullopt;
    unanswered_ = true;
    return detail::as_output(open_stream{bidi ? direction::bidi : direction::uni});
}

inline void session::stream_opened(direction kind, std::optional<stream_id> id) {
    unanswered_ = false;
    if (!open()) return; // Nothing waits for it any more.
    if (!id) {
        (kind == direction::uni ? uni_blocked_ : bidi_blocked_) = true;
        return;
    }
    detail::control_stream* s = nullptr;
    if (kind == direction::bidi && c_.path.bidi_streams.value_or(0) != 0) --*c_.path.bidi_streams;
    if (kind == direction::bidi)
        s = &c_.out.take_opening();
    else if ((s = handshake_.take_stream()) == nullptr)
        return ids_.push(*id);
    c_.out.bind(*s, *id);
    if (s->fetching != nullptr) s->fetching->id = *id;
    c_.streams.insert(*id, *s);
    c_.out.touch(*s);
}

inline std::optional<output> session::next_write() {
    write_ = {};
    if (auto* next = c_.out.next()) {
        auto& s = *next;
        const auto count = s.out.lend(ranges_, write_.size);
        write_.control = &s;
        write_.due = true;
        write_.fin = s.writing == detail::write_state::finishing && write_.size == s.out.unsent();
        write_.stream = s.id;
        unanswered_ = writing_ = true;
        return detail::as_output(write_stream{s.id, {ranges_.data(), count}, write_.size, write_.fin});
    }
    while (auto* s = publishing_.next(ids_)) {
        const auto w = publishing_.lend(*s, ranges_);
        if (w.size == 0 && !w.fin) {
            publishing_.lent_nothing(*s);
            continue;
        }
        write_.group = s;
        write_.due = !s->request->options.end;
        write_.size = w.size;
        write_.fin = w.fin;
        write_.stream = w.stream;
        unanswered_ = writing_ = true;
        return detail::as_output(w);
    }
    // Ids are requested only at the start of a pump: groups that still wait for one need another pump.
    if (publishing_.unbound() != 0 && !uni_blocked_) c_.ready.mark();
    return std::nullopt;
}

inline void session::stream_written(stream_id, std::size_t taken) {
    unanswered_ = false;
    if (taken > write_.size) { // write_ is empty if the session has ended since.
        if (open()) c_.fail(errc::more_than_written);
        return end_write();
    }
    if (write_.control != nullptr)
        control_written(*write_.control, taken);
    else if (write_.group != nullptr)
        publishing_.written(*write_.group, write_.size, taken, write_.fin);
    end_write();
}

inline void session::control_written(detail::control_stream& s, std::size_t n) {
    if (n == 0 && write_.size != 0) return c_.out.blocked(s);
    c_.out.wrote(s, n, write_.fin && n == write_.size);
    publishing_.control_written(s);
    c_.out.settle(s);
    if (s.out.unsent() == 0) handled(s, [&](auto h) { h.sent(s); });
    // The peer reads our replies again: announcements and requests may have waited for that.
    const bool room = c_.out.has_room();
    if (room && (announcing_.is_behind() || !c_.streams.parked.empty() || c_.out.opening() != 0)) c_.ready.mark();
}

inline void session::tick(time_point now) {
    const detail::entry_mark mark{inside_};
    if (!begin_input(now)) return;
    if (const auto due = handshake_.deadline(); due && now >= *due) return c_.fail(errc::setup_timeout);
    while (!c_.streams.silent.empty() && now >= c_.streams.silent.front().since + c_.bounds.handshake_timeout)
        end_silent(c_.streams.silent.take_front());
    subscribing_.end_quiet();
    publishing_.lose_old();
    probing_.report();
    check_stall();
}

inline void session::end_silent(detail::receiving& r) {
    auto* found = c_.streams.find(r.id);
    if (found == nullptr) return;
    if (auto* g = found->incoming()) return subscribing_.groups().timed_out(*g);
    auto* s = found->control();
    if (s == nullptr) return;
    const bool done = handled(*s, [&](auto h) { return h.timed_out(*s); });
    if (!done) control_failed(*s, errc::stream_timeout);
}

/// Ends the session of a peer that gives neither acknowledgements nor credit.
inline void session::check_stall() {
    c_.out.stall.note_time(c_.now); // Clocks started by this input start now.
    if (c_.out.stall.expired(c_.path.rtt)) c_.fail(errc::lagged);
}

inline void session::flushed() noexcept {
    writing_ = unanswered_ = false;
    if (c_.out.connection == detail::connection_state::close_polled) return release_lent();
    if (c_.views.is_large()) c_.forget_views();
    // A write that was not answered found the connection full.
    c_.out.stall.connection_full(write_.due);
    end_write();
    announcing_.pump_ended();
    announcements_waited_ = std::exchange(announcements_wait_, false);
    if (announcements_waited_) c_.ready.mark();
    c_.out.executed();
    publishing_.executed();
}

/// The transport has released all lent bytes.
inline void session::release_lent() noexcept {
    write_ = {};
    if (c_.out.is_gone()) return;
    c_.release_lent();
    publishing_.release_lent();
}

inline std::optional<time_point> session::deadline() const noexcept {
    if (c_.closing) return std::nullopt;
    auto at = handshake_.deadline();
    if (!c_.streams.silent.empty()) {
        const auto due = c_.streams.silent.front().since + c_.bounds.handshake_timeout;
        at = at ? std::min(*at, due) : due;
    }
    if (!c_.streams.undated.empty()) at = c_.now; // A tick dates them at once.
    if (const auto report = probing_.deadline()) at = at ? std::min(*at, *report) : report;
    if (const auto held = announcing_.deadline()) at = at ? std::min(*at, *held) : held;
    if (const auto quiet = subscribing_.quiet_until()) at = at ? std::min(*at, *quiet) : quiet;
    if (const auto old = publishing_.deadline()) at = at ? std::min(*at, *old) : old;
    if (const auto stalled = c_.out.stall.deadline(c_.path.rtt)) at = at ? std::min(*at, *stalled) : stalled;
    return at;
}

} // namespace moqlite

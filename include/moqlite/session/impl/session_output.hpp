// How a session tells its transport what to do, and when it wants to be woken. Part of session.hpp.
#pragma once

#include <moqlite/session/session.hpp>

namespace moqlite {

inline std::optional<output> session::poll_output() {
    const detail::entry_mark mark{inside_};
    if (!open()) {
        if (!c_.close_wanted || close_told_ || writing_) return std::nullopt; // Not behind a write: in the next pump.
        close_told_ = true;
        return close_connection{c_.closing->code, c_.closing_reason};
    }
    publishing_.take_woken();
    publishing_.end_overdropped();
    if (!writing_) {
        publishing_.write_drops();
        announcing_.write();
        subscribing_.write_updates();
    }
    if (!c_.stops.empty()) {
        const auto next = c_.stops.pop();
        if (const auto* r = std::get_if<reset_stream>(&next)) return *r;
        return std::get<stop_sending>(next);
    }
    if (!writing_) {
        if (auto* r = c_.credits.pop_front()) return credit{r->id, std::exchange(r->credit_due, 0)};
        if (auto next = next_open()) return next;
        if (const auto bytes = publishing_.next_datagram()) return send_datagram{*bytes};
    }
    return next_write();
}

inline std::optional<output> session::next_open() {
    // Requests that have a stream are owed to the peer: it is given no more at once than it is expected to take.
    const bool room = c_.control_unsent < c_.bounds.control_unsent;
    const bool bidi = !bidi_blocked_ && room && !c_.opening.empty();
    const auto wanted = std::min(c_.bounds.streams_in_hand, publishing_.unbound()) + (setup_ != nullptr ? 1 : 0);
    if (!bidi && (uni_blocked_ || ids_.size() >= wanted)) return std::nullopt;
    unanswered_ = true;
    return open_stream{bidi ? direction::bidi : direction::uni};
}

inline void session::stream_opened(direction kind, std::optional<stream_id> id) {
    unanswered_ = false;
    if (!id) {
        (kind == direction::uni ? uni_blocked_ : bidi_blocked_) = true;
        return;
    }
    detail::control_stream* s = nullptr;
    if (kind == direction::bidi && c_.path.bidi_streams.value_or(0) != 0) --*c_.path.bidi_streams;
    if (kind == direction::bidi)
        s = c_.opening.pop_front(), --c_.opening_count;
    else if (setup_ != nullptr)
        s = std::exchange(setup_, nullptr);
    else
        return ids_.push(*id);
    assert(s != nullptr);
    c_.bind(*s, *id);
    s->read_ended = kind == direction::uni;
    if (s->fetching != nullptr) s->fetching->id = *id;
    c_.streams.insert(number(*id), s);
    c_.touch(*s);
}

inline std::optional<output> session::next_write() {
    write_ = {};
    if (!c_.sendable.empty()) {
        auto& s = c_.sendable.front();
        const auto count = s.out.lend(ranges_, write_.size);
        write_.control = &s;
        write_.due = true;
        write_.fin = s.fin_wanted && write_.size == s.out.unsent();
        write_.stream = s.id;
        unanswered_ = writing_ = true;
        return write_stream{s.id, std::span{ranges_}.first(count), write_.size, write_.fin};
    }
    auto* s = publishing_.next(ids_);
    if (s == nullptr) {
        // Ids are asked for at the start of a pump only: groups that still wait for one need another.
        if (publishing_.unbound() != 0 && !uni_blocked_) c_.ready.mark();
        return std::nullopt;
    }
    const auto w = publishing_.lend(*s, ranges_);
    write_.group = s;
    write_.due = !s->request->options.end;
    write_.size = w.size;
    write_.fin = w.fin;
    write_.stream = w.stream;
    unanswered_ = writing_ = true;
    return w;
}

inline void session::stream_written(stream_id, std::size_t taken) {
    unanswered_ = false;
    if (taken > write_.size) { // Of nothing, where the session has ended meanwhile.
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
    if (n == 0 && write_.size != 0) {
        s.stuck = true;
        c_.stall.blocked(s);
        s.detail::list_hook<detail::send_tag>::unlink();
        return;
    }
    s.out.wrote(n);
    c_.control_unsent -= n;
    if (write_.fin && n == write_.size) s.fin_written = true;
    if (n != 0) c_.stall.wrote(s, n, s.out.unsent() == 0);
    publishing_.control_written(s);
    if (!s.to_send()) s.detail::list_hook<detail::send_tag>::unlink();
    if (s.kind == detail::control_kind::subscribe_out && s.out.unsent() == 0) subscribing_.request_sent(s);
    // The peer takes our replies again: there may be more to tell, and requests that waited.
    const bool room = c_.control_unsent < c_.bounds.control_unsent;
    if (room && (announcing_.is_behind() || !c_.parked.empty() || !c_.opening.empty())) c_.ready.mark();
}

inline void session::tick(time_point now) {
    const detail::entry_mark mark{inside_};
    if (!begin_input(now)) return;
    if (has_setup(c_.dialect) && !setup_seen_ && now >= created_ + c_.bounds.handshake_timeout)
        return c_.fail(errc::setup_timeout);
    while (!c_.silent.empty() && now >= c_.silent.front().since + c_.bounds.handshake_timeout)
        end_silent(*c_.silent.pop_front());
    subscribing_.end_quiet();
    probing_.report();
    check_stall();
}

inline void session::end_silent(detail::receiving& r) {
    auto* found = c_.streams.find(number(r.id));
    if (found == nullptr) return;
    if (auto* const* g = std::get_if<detail::incoming_group*>(found)) return subscribing_.groups().timed_out(**g);
    auto* const* s = std::get_if<detail::control_stream*>(found);
    if (s == nullptr) return;
    const bool fetched = (*s)->kind == detail::control_kind::fetch_in && (*s)->request_read;
    fetched ? publishing_.fetch_overdue(**s) : control_broke(**s, errc::stream_timeout);
}

/// A peer that gives neither acknowledgements nor credit is let go.
inline void session::check_stall() {
    c_.stall.note_time(c_.now); // What this input itself has begun begins now.
    if (c_.stall.expired(c_.path.rtt)) c_.fail(errc::lagged);
}

inline void session::flushed() noexcept {
    writing_ = false;
    if (close_told_) return let_go();
    unanswered_ = false;
    if (c_.names.is_large()) c_.forget_names();
    // The connection had no room for the last write that it was offered.
    c_.stall.connection_full(write_.due);
    end_write();
    announcing_.turn_over();
    c_.executed();
    publishing_.executed();
}

/// The transport has let go of all lent bytes.
inline void session::let_go() noexcept {
    write_ = {};
    if (c_.transport_ended) return;
    c_.let_go();
    publishing_.let_go();
}

inline std::optional<time_point> session::deadline() const noexcept {
    if (c_.closing) return std::nullopt;
    std::optional<time_point> at;
    if (has_setup(c_.dialect) && !setup_seen_) at = created_ + c_.bounds.handshake_timeout;
    if (!c_.silent.empty()) {
        const auto due = c_.silent.front().since + c_.bounds.handshake_timeout;
        at = at ? std::min(*at, due) : due;
    }
    if (!c_.undated.empty()) at = c_.now; // A tick dates it at once.
    if (const auto report = probing_.deadline()) at = at ? std::min(*at, *report) : report;
    if (const auto quiet = subscribing_.quiet_until()) at = at ? std::min(*at, *quiet) : quiet;
    if (const auto stalled = c_.stall.deadline(c_.path.rtt)) at = at ? std::min(*at, *stalled) : stalled;
    return at;
}

} // namespace moqlite

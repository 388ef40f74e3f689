// The peer's requests and the commands that answer them. Part of publishing.hpp.
#pragma once

#include <moqlite/session/detail/publishing.hpp>

namespace moqlite::detail {

inline result<void> publishing::accept(
    request_id id, std::optional<group_sequence> start, moqlite::priority publisher) {
    incoming_request* r = subscriber(id);
    if (r == nullptr) return errc::not_found;
    if (r->ok_written) return errc::already_answered;
    r->accepted = true;
    r->publisher = publisher;
    rank(*r);
    if (!start)
        r->groups.for_each([&](served_group& s) { start = std::min(start.value_or(s.sequence()), s.sequence()); });
    if (start || has_options_in_ok(c_.dialect)) write_ok(*r, start);
    return {};
}

inline result<void> publishing::answer_track(request_id id, const track_info& info) {
    incoming_request* r = find(id);
    if (r == nullptr || r->kind != request_kind::track) return errc::not_found;
    if (const auto why = c_.send(*r->stream, wire::lite::track_info{info}); why != errc::ok) return why;
    c_.out.finish(*r->stream);
    forget(*r);
    return {};
}

inline result<void> publishing::reject(request_id id, app_error code) {
    incoming_request* r = find(id);
    if (r == nullptr) return errc::not_found;
    c_.out.make_room(r->group_count + 2); // Allocates first: a half-ended request would be found again.
    c_.abandon_reading(*r->stream, code);
    c_.out.abandon(*r->stream, code);
    lose_all(*r, code);
    forget(*r);
    return {};
}

inline result<void> publishing::serve(request_id id, group_ref g) {
    incoming_request* r = find(id);
    if (r == nullptr || r->kind == request_kind::track || !g) return errc::not_found;
    if (r->finishing) return errc::already_answered;
    if (const auto why = servable(*r, *g); why != errc::ok) return why;
    if (exceeds_share() && !r->waiting.empty()) lose(*r->waiting.top(), app_error::lagged, true);
    if (exceeds_share() || served_.size() >= c_.bounds.served_groups || !c_.pool.charge(sizeof(served_group)))
        return errc::out_of_memory_limit;
    const auto sequence = g->sequence();
    auto& s = served_.make(*r, sequence);
    if (r->kind == request_kind::fetch) s.stream = r->stream->id;
    s.attach(std::move(g), c_.wake, c_.frames, frames_wanted(r->options, sequence));
    if (const auto why = start(s); why != errc::ok && why != errc::frame_incomplete) return free(s), why;
    r->groups.push_back(s);
    ++r->group_count;
    r->unbound += !s.stream;
    r->beyond = std::max(r->beyond, moqlite::next(sequence));
    r->growing.push_back(s);
    ++r->growing_count;
    r->finishing = r->kind == request_kind::fetch;
    enter_order(s);
    begin(s);
    if (r->accepted && !r->ok_written) write_ok(*r, sequence);
    bound_backlog(*r);
    return {};
}

inline result<void> publishing::serve_datagram(
    request_id id, group_sequence sequence, timestamp time, byte_view payload) {
    incoming_request* r = subscriber(id);
    if (r == nullptr) return errc::not_found;
    if (r->finishing) return errc::already_answered;
    auto why = r->end && *r->end <= sequence ? errc::group_ended : wanted(*r, sequence);
    if (why == errc::ok) why = datagrams_.push({r->wire_id, sequence, time, payload});
    if (why == errc::ok) r->beyond = std::max(r->beyond, moqlite::next(sequence));
    return why == errc::ok ? result<void>{} : why;
}

inline result<void> publishing::drop(request_id id, group_sequence first, group_sequence last, app_error code) {
    incoming_request* r = subscriber(id);
    if (r == nullptr) return errc::not_found;
    if (last < first) return errc::invalid_argument;
    if (number(last) > wire::varint_max) return errc::value_too_large;
    write_drop(*r, first, last, code);
    return {};
}

inline result<void> publishing::end_track(request_id id, group_sequence end) {
    incoming_request* r = subscriber(id);
    if (r == nullptr) return errc::not_found;
    if (r->end) return errc::already_answered;
    if (number(end) > wire::varint_max) return errc::value_too_large;
    if (must_send_end(c_.dialect) && end < r->beyond) return errc::invalid_argument;
    write_end(*r, end);
    r->end = end;
    return {};
}

/// Writes SUBSCRIBE_END, once it is known: with the number of streams only after the last has been opened.
inline void publishing::write_end(incoming_request& r, std::optional<group_sequence> end) {
    if (!end || r.end_written) return;
    if (has_stream_count(c_.dialect) && (!r.finishing || r.unbound != 0)) return;
    if (has_subscribe_end(c_.dialect))
        static_cast<void>(c_.send(*r.stream, wire::lite::subscribe_end{*end, r.streams}));
    r.end_written = true;
    if (std::exchange(r.end_owed, false)) --ends_owed_;
}

inline result<void> publishing::finish(request_id id) {
    incoming_request* r = subscriber(id);
    if (r == nullptr) return errc::not_found;
    // An ended track without groups needs no OK, except in versions where OK must come first.
    if (has_options_in_ok(c_.dialect) && !r->ok_written) write_ok(*r, std::nullopt);
    // Some subscribers treat a FIN without END as a failure. But the track may continue after a Group End: an END there
    // would be wrong, so that where a FIN requires one, the subscription waits for its subscriber.
    const auto beyond = std::max({r->beyond, r->start_sent, r->options.start.value_or(group_sequence{})});
    const bool at_cap = r->options.end && *r->options.end < beyond;
    r->at_cap = at_cap && !r->end && must_send_end(c_.dialect);
    if (r->at_cap) return {};
    if (!r->end && !at_cap) static_cast<void>(end_track(id, beyond));
    r->finishing = true;
    write_end(*r, r->end);
    if (r->end && !r->end_written && !std::exchange(r->end_owed, true)) ++ends_owed_;
    finish_if_delivered(*r);
    return {};
}

inline std::uint64_t publishing::unsent(request_id id) {
    incoming_request* r = find(id);
    if (r == nullptr) return 0;
    std::uint64_t sum = r->unsent;
    r->growing.for_each([&](served_group& g) { sum += (g.lost ? 0 : g.unsent()) - g.counted; });
    return sum;
}

inline errc publishing::subscribe_arrived(control_stream& stream, byte_view body) {
    const auto m = wire::lite::decode<wire::lite::subscribe>(c_.dialect, body, c_.bounds);
    if (!m) return m.error();
    if (!c_.names.fits_path(m->broadcast) || !c_.names.fits(m->track)) return errc::name_too_long;
    c_.names.saw_path(m->broadcast);
    c_.codes.saw_subscribe(m->broadcast, number(m->id));
    if (by_wire_id_.find(m->id) != nullptr) return errc::duplicate_subscription;
    if (!may_read(m->broadcast)) return errc::unauthorized;
    auto& r = make(stream, request_kind::subscribe);
    r.wire_id = m->id;
    r.options = m->options;
    infer_order(r.options);
    r.capped = r.options.end.has_value();
    by_wire_id_.insert(r.wire_id, r);
    rank(r);
    c_.emit(subscribe_requested{r.id, c_.kept(m->broadcast, m->track), r.options});
    c_.emit(groups_wanted{r.id, m->options.end});
    return errc::ok;
}

inline errc publishing::update_arrived(control_stream& stream, byte_view body) {
    const auto m = wire::lite::decode<wire::lite::subscribe_update>(c_.dialect, body, c_.bounds);
    if (!m) return m.error();
    incoming_request* r = find(request_id{stream.owner});
    if (r == nullptr) return errc::ok;
    watched_.make_room();
    const auto before = r->options.end;
    const auto last_before = r->options.frame_end;
    // Before moq-lite-06 an update without a start leaves it; since then it removes the floor.
    const bool keeps_start = !m->options.start && r->options.start && !has_start_by_age(c_.dialect);
    const auto start = keeps_start ? r->options.start : m->options.start;
    const auto ends = served_end{r->capped, before, last_before}.raised_to(m->options);
    const auto [capped, raised, raised_frame] = ends;
    if (ends.is_before(start, m->options.frame_start)) return errc::bad_frame_range;
    r->options = m->options;
    infer_order(r->options);
    r->options.start = start;
    r->options.end = raised;
    r->options.frame_end = raised_frame;
    r->capped = capped;
    rank(*r);
    if (before.has_value() != raised.has_value()) recount(*r);
    if (last_before && (raised != before || raised_frame != last_before)) raise_last(*r, *before);
    watch_ages(*r, true);
    c_.emit(subscribe_updated{r->id, r->options});
    r->at_cap = r->at_cap && before == raised;
    if (before != raised) c_.emit(groups_wanted{r->id, r->options.end});
    return errc::ok;
}

/// More frames are wanted of the group that was the last.
inline void publishing::raise_last(incoming_request& r, group_sequence sequence) {
    const auto last = frames_wanted(r.options, sequence).last;
    r.groups.for_each([&](served_group& s) {
        if (s.sequence() != sequence || s.lost || s.fin_written || !s.raise_last(last)) return;
        if (s.source()->ended() == group::state::aborted && !s.is_final())
            lose(s, s.source()->abort_code(), true); // It was to end before that.
        else
            begin(s);
    });
}

inline errc publishing::track_arrived(control_stream& stream, byte_view body) {
    const auto m = wire::lite::decode<wire::lite::track>(c_.dialect, body, c_.bounds);
    if (!m) return m.error();
    if (!c_.names.fits_path(m->broadcast) || !c_.names.fits(m->name)) return errc::name_too_long;
    if (!may_read(m->broadcast)) return errc::unauthorized;
    auto& r = make(stream, request_kind::track);
    c_.emit(track_requested{r.id, c_.kept(m->broadcast, m->name)});
    return errc::ok;
}

inline errc publishing::fetch_arrived(control_stream& stream, byte_view body) {
    const auto m = wire::lite::decode<wire::lite::fetch>(c_.dialect, body, c_.bounds);
    if (!m) return m.error();
    if (!c_.names.fits_path(m->broadcast) || !c_.names.fits(m->track)) return errc::name_too_long;
    if (!may_read(m->broadcast)) return errc::unauthorized;
    c_.names.saw_path(m->broadcast);
    auto& r = make(stream, request_kind::fetch);
    r.options = {.priority = m->priority,
        .start = m->group,
        .end = m->group,
        .frame_start = m->frame_start,
        .frame_end = m->frame_end};
    rank(r);
    const frame_range frames{m->frame_start, m->frame_end};
    c_.emit(fetch_requested{r.id, c_.kept(m->broadcast, m->track), m->group, m->priority, frames});
    return errc::ok;
}

/// The subscriber has ended its side, or cut it off with a code: it wants nothing more.
inline void publishing::peer_left(control_stream& stream, const std::optional<app_error>& code) {
    incoming_request* r = find(request_id{stream.owner});
    if (r == nullptr) return;
    // Our FIN is in flight and may still arrive, unless the stream was abandoned.
    if (r->finishing && r->group_count == 0 && stream.reading != read_state::abandoned) return;
    const bool delivered = r->at_cap && r->group_count == 0;
    lose_all(*r, app_error::cancel);
    c_.out.finish(stream);
    end(*r, delivered ? std::nullopt : code, delivered);
}

/// Both sides of a request stream have ended; with a code if one of them was cut off.
inline void publishing::stream_gone(control_stream& stream, const std::optional<app_error>& code) {
    incoming_request* r = find(request_id{stream.owner});
    if (r == nullptr) return;
    // Some peers reset their side of a FETCH once they have the whole group.
    const bool fetched = fetched_whole(*r) && (!code || !r->groups.front().is_lent());
    const bool delivered = fetched || (!code && r->finishing && r->group_count == 0);
    if (delivered && r->group_count != 0) {
        r->groups.front().source()->note_delivered();
        c_.emit(group_delivered{r->id, r->groups.front().sequence()});
    }
    lose_all(*r, app_error::cancel);
    end(*r, delivered ? std::nullopt : code, delivered);
}

/// The peer has cut off the stream of its FETCH.
inline void publishing::fetch_cut_off(control_stream& stream, app_error code) {
    incoming_request* r = find(request_id{stream.owner});
    if (r == nullptr) return;
    // Our FIN is in flight: a peer that has read everything may end its side in any way.
    if (stream.writing != write_state::closed && fetched_whole(*r)) return;
    end_fetch(*r, code);
}

/// The fetched group has arrived, but the peer has not ended its side in time.
inline void publishing::fetch_overdue(control_stream& stream) {
    c_.abandon_reading(stream, app_error::cancel);
    stream_gone(stream, std::nullopt);
}

/// The group being sent on a request's own stream; nullptr: none.
inline served_group* publishing::on_stream(const control_stream& stream) noexcept {
    if (stream.kind != control_kind::fetch_in) return nullptr;
    incoming_request* r = find(request_id{stream.owner});
    return r == nullptr || r->groups.empty() ? nullptr : &r->groups.front();
}

/// Why a group cannot be sent for a request; errc::ok: it can.
inline errc publishing::servable(const incoming_request& r, const group& g) const noexcept {
    const auto sequence = g.sequence();
    if (const auto why = wanted(r, sequence); why != errc::ok) return why;
    if (r.end && *r.end <= sequence) return errc::group_ended;
    if (!can_become(g.format(), c_.frames) || g.subgroup() != subgroup_id{}) return errc::unsupported;
    const auto frames = frames_wanted(r.options, sequence);
    if (!group_reader::can_read(g, c_.frames, frames)) return errc::not_found;
    const bool is_here = frames.last && g.has_up_to(*frames.last);
    if (g.ended() == group::state::aborted && !is_here) return errc::group_ended;
    return number(sequence) > wire::varint_max ? errc::value_too_large : errc::ok;
}

inline void publishing::write_ok(incoming_request& r, std::optional<group_sequence> first) {
    r.start_sent = first.value_or(r.start_sent);
    auto options = r.options;
    options.priority = r.publisher;
    options.start = first;
    static_cast<void>(c_.send(*r.stream, wire::lite::subscribe_ok{first.value_or(group_sequence{}), options}));
    r.ok_written = true;
    // Some subscribers ignore the start in OK, since it may be an echo of the request.
    const bool later = has_options_in_ok(c_.dialect) && first && r.options.start && *r.options.start < *first;
    if (later) write_drop(r, *r.options.start, group_sequence{number(*first) - 1}, app_error::not_found);
}

} // namespace moqlite::detail

// Session inputs, parsing and events. Part of session.hpp.
#pragma once

#include <moqlite/session/session.hpp>

namespace moqlite {

/// Stamps the time; false: the session has ended and ignores inputs.
inline bool session::stamp(time_point now) {
    assert(now >= c_.now && "time goes backwards");
    c_.now = std::max(c_.now, now);
    if (!open()) return false;
    if (input_.active || viewing_) c_.fail(errc::undrained_input);
    if (!c_.views.empty()) c_.forget_views();
    c_.note_time();
    announcing_.note_time();
    return open();
}

/// The same for an input that may end the stream being opened or written.
inline bool session::begin_input(time_point now) {
    if (unanswered_ && open()) c_.fail(errc::input_inside_output);
    return stamp(now);
}

inline void session::stream_received(stream_id id, byte_view data, bool fin, time_point now) {
    const detail::entry_mark mark{inside_};
    if (!begin_peer_input(now)) return;
    detail::any_stream* found = find_or_accept(id);
    if (found == nullptr) return;
    input_ = {.active = true, .fin = fin, .rest = data};
    if (auto* g = found->incoming()) {
        input_.group = g;
    } else if (auto* s = found->control()) {
        if (s->fetching != nullptr) {
            input_.group = s->fetching;
        } else {
            input_.control = s;
            s->uncredited += data.size();
        }
    } else {
        input_ = {};
        c_.fail(errc::unexpected_stream); // Data on a stream that only we send on.
    }
}

inline detail::any_stream* session::find_or_accept(stream_id id) {
    if (auto* found = c_.streams.find(id)) return found;
    if (initiator_of(id) == c_.side) return nullptr; // A stream of ours that has closed.
    if (direction_of(id) == direction::uni) {
        if (subscribing_.groups().size() >= c_.bounds.incoming_groups) return c_.fail(errc::too_many_streams), nullptr;
        auto& g = subscribing_.groups().open(id);
        c_.expect_message(g);
        c_.streams.insert(id, g);
    } else {
        if (c_.streams.peer_requests >= c_.bounds.requests) return c_.fail(errc::too_many_requests), nullptr;
        auto& s = c_.streams.controls.make();
        ++c_.streams.peer_requests;
        s.id = id;
        c_.expect_message(s);
        c_.streams.insert(id, s);
    }
    return c_.streams.find(id);
}

inline void session::stream_reset(stream_id id, app_error code, time_point now) {
    const detail::entry_mark mark{inside_};
    if (!begin_peer_input(now)) return;
    auto* found = find_or_accept(id); // It may be the first input of the stream.
    if (found == nullptr) return;
    if (auto* g = found->incoming()) return subscribing_.groups().was_reset(*g, code.received(c_.codes.of_group()));
    auto* s = found->control();
    if (s == nullptr || !s->is_read()) return;
    s->read_ended();
    c_.streams.unpark(*s);
    handled(*s, [&](auto h) { h.cut_off(*s, code.received(c_.codes.of(*s))); });
}

inline void session::stream_stopped(stream_id id, app_error code, time_point now) {
    const detail::entry_mark mark{inside_};
    if (!begin_peer_input(now)) return;
    // For a request it may be the first input.
    auto* found = direction_of(id) == direction::bidi ? find_or_accept(id) : c_.streams.find(id);
    if (found == nullptr) return;
    if (auto* g = found->served()) return publishing_.stopped(*g, code.received(c_.codes.of_group()));
    auto* s = found->control();
    if (s == nullptr) return;
    code = code.received(c_.codes.of(*s));
    c_.out.abandon(*s, code);
    if (s->reading == detail::read_state::abandoned) return;
    // A peer that reads no answer has cancelled its request.
    handled(*s, [&](auto h) {
        if (h.is_cancelled_by_stop) h.cut_off(*s, code);
    });
}

/// The group that is sent on a stream: a stream of its own, or that of a FETCH.
inline detail::served_group* session::served_on(const detail::any_stream& stream) noexcept {
    if (auto* g = stream.served()) return g;
    auto* s = stream.control();
    return s != nullptr ? publishing_.on_stream(*s) : nullptr;
}

inline void session::stream_writable(stream_id id, time_point now) {
    const detail::entry_mark mark{inside_};
    if (!begin_peer_input(now)) return;
    auto* found = c_.streams.find(id);
    if (found == nullptr) return;
    if (auto* g = served_on(*found)) return publishing_.writable(*g);
    if (auto* s = found->control()) c_.out.unblocked(*s);
}

inline void session::stream_acked(stream_id id, std::uint64_t n, time_point now) {
    const detail::entry_mark mark{inside_};
    ++peer_inputs_;
    if (!stamp(now)) return;
    if (id == write_.stream)
        write_.acked +=
            n; // A transport that copies is still inside write(): nothing counts as written before the answer.
    else
        acked(id, n);
}

inline void session::acked(stream_id id, std::uint64_t n) {
    auto* found = c_.streams.find(id);
    if (found == nullptr) return;
    auto* s = found->control();
    if (auto* g = served_on(*found)) {
        if (!publishing_.acked(*g, n)) c_.fail(errc::more_than_written);
    } else if (s != nullptr && !c_.out.acked(*s, n)) {
        c_.fail(errc::more_than_written);
    }
}

inline void session::stream_closed(stream_id id, std::optional<app_error> code, time_point now) {
    const detail::entry_mark mark{inside_};
    if (!begin_peer_input(now)) return;
    auto* found = c_.streams.find(id);
    if (found == nullptr) return forget_unbound(id);
    const auto stream = *found;
    c_.streams.erase(id);
    if (auto* served = stream.served()) {
        publishing_.closed(*served, code ? std::optional{code->received(c_.codes.of_group())} : std::nullopt);
    } else if (auto* g = stream.incoming()) {
        subscribing_.groups().destroy(*g);
    } else if (auto* s = stream.control()) {
        control_closed(*s, code ? std::optional{code->received(c_.codes.of(*s))} : std::nullopt);
    }
}

/// The peer may stop a stream that no group is bound to yet: it can no longer be used.
inline void session::forget_unbound(stream_id id) {
    for (auto left = ids_.size(); left != 0; --left)
        if (const auto next = ids_.pop(); next != id) ids_.push(next);
}

inline void session::streams_available(direction kind, time_point now) {
    const detail::entry_mark mark{inside_};
    if (!begin_peer_input(now)) return;
    (kind == direction::uni ? uni_blocked_ : bidi_blocked_) = false;
    // At least one more; the next measurement reports how many.
    if (kind == direction::bidi && c_.path.bidi_streams) ++*c_.path.bidi_streams;
    c_.ready.mark();
}

inline void session::path_measured(const path_facts& path, time_point now) {
    const detail::entry_mark mark{inside_};
    if (!begin_input(now)) return;
    c_.path = path;
    probing_.report();
}

inline void session::datagram_received(byte_view bytes, time_point now) {
    const detail::entry_mark mark{inside_};
    if (!begin_peer_input(now)) return;
    // Datagrams that are not a wanted group are ignored: they may be late, or not for us.
    const auto m = wire::lite::decode<wire::lite::datagram>(c_.dialect, bytes, c_.bounds);
    if (!m || !subscribing_.wants(subscribe_id{m->subscription}, m->sequence)) return;
    c_.emit(group_datagram{subscribe_id{m->subscription}, m->sequence, m->timestamp, m->payload});
    viewing_ = true;
}

inline void session::connection_closed(const closed_by& how, time_point now) {
    const detail::entry_mark mark{inside_};
    c_.now = std::max(c_.now, now);
    c_.forget_views();
    release_lent();
    unanswered_ = false; // A pending open or write is void.
    if (!open()) return;
    const auto code = how.code.received(c_.codes.of_session());
    c_.end({code, how.by_peer ? errc::peer_closed : errc::transport_closed, how.by_peer, how.reason});
}

inline std::optional<event> session::poll_event() {
    const detail::entry_mark mark{inside_};
    if (unanswered_) return std::nullopt; // Commands in answer to an event may end the stream being opened or written.
    if (const auto none = handshake_.unreported()) return *none;
    while (!ended_) {
        if (!c_.events.empty()) return c_.events.pop();
        viewing_ = false;
        if (!open()) {
            input_ = {};
            write_ = {};
            if (!end_one()) {
                ended_ = true;
                return *c_.closing;
            }
        } else if (input_.group != nullptr) {
            viewing_ = true;
            parse_group();
        } else if (input_.control != nullptr) {
            viewing_ = true;
            parse_control();
        } else if (!end_unsent() && !watching_.end_one() && !unpark_one()) {
            // Commands issued while draining count as at the input's time.
            if (std::exchange(c_.now_is_current, false)) c_.out.stall.note_time(c_.now);
            return std::nullopt;
        }
    }
    return std::nullopt;
}

/// After the peer's GOAWAY: ends a request of ours that has no stream, and gets none. False: there is none.
inline bool session::end_unsent() {
    auto* s = c_.peer_leaves ? c_.out.waiting_request() : nullptr;
    if (s == nullptr) return false;
    c_.events.make_room(2); // Allocates first: the stream must not be left on no list.
    c_.out.forget_opening(*s);
    handled(*s, [&](auto h) { h.cut_off(*s, wire_code(errc::going_away)); });
    control_closed(*s, wire_code(errc::going_away));
    return true;
}

/// Reports one more request that ended with the session; false: all have been reported.
inline bool session::end_one() {
    const auto code = c_.closing->code;
    announcing_.clear();
    watching_.end_all(code);
    return subscribing_.end_one(code) || querying_.end_one(code) || probing_.end(code) || publishing_.end_one() ||
           watching_.end_one();
}

inline void session::parse_group() {
    auto& g = *input_.group;
    if (subscribing_.groups().parse(g, input_.rest)) return become_setup(g);
    if (!c_.events.empty() || !open() || !input_.rest.empty()) return;
    const bool fin = input_.fin;
    input_ = {};
    if (fin) subscribing_.groups().finished(g);
}

/// A stream that was taken for a group's carries the peer's SETUP.
inline void session::become_setup(detail::incoming_group& g) {
    if (!handshake_.arrives()) return c_.fail(errc::duplicate_setup);
    auto& s = c_.streams.controls.make();
    s.id = g.id;
    s.kind = detail::control_kind::setup_in;
    s.writing = detail::write_state::closed;
    const auto credit = g.credit_due;
    if (auto* found = c_.streams.find(s.id)) *found = s;
    g.at = detail::incoming_group::stage::ended;
    subscribing_.groups().destroy(g);
    c_.out.give_credit(s, credit + input_.rest.size());
    input_.group = nullptr;
    input_.control = &s;
}

/// Requests wait until the peer is admitted, and while it does not read our replies.
inline bool session::must_wait(const detail::control_stream& s) noexcept {
    const bool waits = handled(s, [](auto h) { return h.waits_for_admission; });
    return waits && s.reading != detail::read_state::abandoned &&
           (!c_.admitted || c_.out.unsent() > c_.bounds.control_unsent);
}

inline void session::park(detail::control_stream& s) {
    s.in.insert(s.in.end(), input_.rest.begin(), input_.rest.end());
    s.in_ends = s.in_ends || input_.fin;
    input_ = {};
    s.detail::list_hook<detail::silent_tag>::unlink(); // From here on we keep it waiting.
    if (!s.detail::list_hook<detail::parked_tag>::linked()) {
        const bool full = c_.streams.parked_count >= c_.bounds.parked_streams && !c_.admitted;
        if (full) return control_failed(s, errc::too_many_requests);
        c_.streams.park(s);
    }
    if (s.in.size() > 2 * c_.bounds.control_message) return control_failed(s, errc::control_backlog);
    if (!c_.streams.keep_partial(s)) c_.fail(errc::control_backlog);
}

inline bool session::unpark_one() {
    if (c_.streams.parked.empty() || must_wait(c_.streams.parked.front())) return false;
    auto& s = c_.streams.parked.front();
    c_.streams.unpark(s);
    if (s.reading == detail::read_state::first) c_.expect_message(s);
    input_ = {.active = true, .fin = s.in_ends, .joined = true, .control = &s, .rest = s.in};
    return true;
}

inline void session::parse_control() {
    auto& s = *input_.control;
    const auto dropped = [&] { return s.reading == detail::read_state::abandoned; };
    if (dropped()) input_.rest = {};
    if (!input_.joined && must_wait(s)) return park(s);
    if (!dropped()) c_.out.give_credit(s, std::exchange(s.uncredited, 0));
    if (!input_.joined && !s.in.empty()) {
        s.in.insert(s.in.end(), input_.rest.begin(), input_.rest.end());
        input_.rest = s.in;
        input_.joined = true;
    }
    while (!input_.rest.empty()) {
        const auto used = handled(s, [&](auto h) { return h.parse(s, input_.rest); });
        if (used.status == wire::progress::error) {
            input_ = {};
            return control_failed(s, used.error);
        }
        if (!used) break;
        input_.rest = input_.rest.subspan(*used);
        if (dropped()) input_.rest = {};
        if (!c_.events.empty() || !open()) return;
    }
    // The rest is the beginning of a message.
    if (input_.joined)
        s.in.erase(s.in.begin(), s.in.end() - static_cast<std::ptrdiff_t>(input_.rest.size()));
    else
        s.in.assign(input_.rest.begin(), input_.rest.end());
    if (!c_.streams.keep_partial(s)) return c_.fail(errc::control_backlog);
    const bool fin = input_.fin;
    input_ = {};
    if (fin) control_finished(s);
}

/// The peer broke a rule on a control stream: ends the stream, or the session if its handler says so.
inline void session::control_failed(detail::control_stream& s, errc why) {
    if (handled(s, [&](auto h) { return h.ends_session(why); })) return c_.fail(why);
    c_.reject(s, why);
    handled(s, [&](auto h) { h.cut_off(s, wire_code(why)); });
}

inline void session::control_finished(detail::control_stream& s) {
    if (s.reading == detail::read_state::abandoned) return;
    const bool half = !s.in.empty() || s.reading == detail::read_state::first;
    s.read_ended();
    if (half) return control_failed(s, errc::stream_ended_early);
    handled(s, [&](auto h) { h.finished(s); });
}

inline void session::control_closed(detail::control_stream& s, const std::optional<app_error>& code) {
    handled(s, [&](auto h) { h.closed(s, code); });
    c_.streams.unpark(s);
    c_.streams.forget_partial(s);
    if (initiator_of(s.id) != c_.side && direction_of(s.id) == direction::bidi) --c_.streams.peer_requests;
    c_.destroy(s);
}

} // namespace moqlite

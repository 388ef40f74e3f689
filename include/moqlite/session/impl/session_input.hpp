// How a session takes facts from its transport, and bytes apart. Part of session.hpp.
#pragma once

#include <moqlite/session/session.hpp>

namespace moqlite {

/// Stamps the time; false: the session has ended and takes nothing in.
inline bool session::stamp(time_point now) {
    assert(now >= c_.now && "time goes backwards");
    c_.now = std::max(c_.now, now);
    if (!open()) return false;
    if (input_.active || viewing_) c_.fail(errc::undrained_input);
    if (!c_.names.empty()) c_.forget_names();
    c_.note_time();
    return open();
}

/// The same for an input that may end what is being opened or written.
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
    if (auto* const* g = std::get_if<detail::incoming_group*>(found)) {
        input_.group = *g;
    } else if (auto* const* s = std::get_if<detail::control_stream*>(found)) {
        if ((*s)->fetching != nullptr) {
            input_.group = (*s)->fetching;
        } else {
            input_.control = *s;
            (*s)->uncredited += data.size();
        }
    } else {
        input_ = {};
        c_.fail(errc::unexpected_stream); // Data on a stream that only we may send on.
    }
}

inline detail::any_stream* session::find_or_accept(stream_id id) {
    if (auto* found = c_.streams.find(number(id))) return found;
    if (initiator_of(id) == c_.side) return nullptr; // One of ours that is over.
    if (direction_of(id) == direction::uni) {
        if (subscribing_.groups().size() >= c_.bounds.incoming_groups) return c_.fail(errc::too_many_streams), nullptr;
        auto& g = subscribing_.groups().open(id);
        c_.expect_message(g);
        c_.streams.insert(number(id), &g);
    } else {
        if (c_.peer_requests >= c_.bounds.requests) return c_.fail(errc::too_many_requests), nullptr;
        auto& s = c_.controls.make();
        ++c_.peer_requests;
        s.id = id;
        s.bound = true;
        c_.expect_message(s);
        c_.streams.insert(number(id), &s);
    }
    return c_.streams.find(number(id));
}

inline void session::stream_reset(stream_id id, app_error code, time_point now) {
    const detail::entry_mark mark{inside_};
    if (!begin_peer_input(now)) return;
    auto* found = find_or_accept(id); // It may be the first that we hear of it.
    if (found == nullptr) return;
    if (auto* const* g = std::get_if<detail::incoming_group*>(found)) return subscribing_.groups().was_reset(**g, code);
    auto* const* s = std::get_if<detail::control_stream*>(found);
    if (s == nullptr || (*s)->read_ended) return;
    (*s)->read_ended = true;
    (*s)->detail::list_hook<detail::silent_tag>::unlink();
    c_.unpark(**s);
    control_ended(**s, (*s)->kind, false, code);
}

inline void session::stream_stopped(stream_id id, app_error code, time_point now) {
    const detail::entry_mark mark{inside_};
    if (!begin_peer_input(now)) return;
    // Of a request it may be the first that we hear.
    auto* found = direction_of(id) == direction::bidi ? find_or_accept(id) : c_.streams.find(number(id));
    if (found == nullptr) return;
    if (auto* const* g = std::get_if<detail::served_group*>(found)) return publishing_.stopped(**g, code);
    auto* const* s = std::get_if<detail::control_stream*>(found);
    if (s == nullptr) return;
    const auto kind = (*s)->kind;
    c_.abandon_writing(**s, code);
    // Who does not read our answers has no request any more.
    if (is_request(kind) || kind == detail::control_kind::probe_in) control_ended(**s, kind, false, code);
}

/// The group that is sent on a stream: a stream of its own, or that of a FETCH.
inline detail::served_group* session::served_on(const detail::any_stream& stream) noexcept {
    if (auto* const* g = std::get_if<detail::served_group*>(&stream)) return *g;
    auto* const* s = std::get_if<detail::control_stream*>(&stream);
    return s != nullptr ? publishing_.on_stream(**s) : nullptr;
}

inline void session::stream_writable(stream_id id, time_point now) {
    const detail::entry_mark mark{inside_};
    if (!begin_peer_input(now)) return;
    auto* found = c_.streams.find(number(id));
    if (found == nullptr) return;
    if (auto* g = served_on(*found)) return publishing_.writable(*g);
    if (auto* const* s = std::get_if<detail::control_stream*>(found)) {
        (*s)->stuck = false;
        c_.stall.unblocked(**s);
        c_.touch(**s);
    }
}

inline void session::stream_acked(stream_id id, std::uint64_t n, time_point now) {
    const detail::entry_mark mark{inside_};
    ++peer_inputs_;
    if (!stamp(now)) return;
    if (id == write_.stream)
        write_.acked += n; // A transport that copies is inside write(): nothing counts as written before the answer.
    else
        acked(id, n);
}

inline void session::acked(stream_id id, std::uint64_t n) {
    auto* found = c_.streams.find(number(id));
    if (found == nullptr) return;
    if (auto* g = served_on(*found)) {
        if (!publishing_.acked(*g, n)) c_.fail(errc::more_than_written);
        return;
    }
    auto* const* s = std::get_if<detail::control_stream*>(found);
    if (s == nullptr || (*s)->write_ended || (*s)->out.unacked() == 0) return;
    if (n > (*s)->out.in_flight()) return c_.fail(errc::more_than_written);
    (*s)->out.acked(n);
    c_.stall.acked(**s, n, (*s)->out.unacked() == (*s)->out.unsent());
}

inline void session::stream_closed(stream_id id, std::optional<app_error> code, time_point now) {
    const detail::entry_mark mark{inside_};
    if (!begin_peer_input(now)) return;
    auto* found = c_.streams.find(number(id));
    if (found == nullptr) return;
    const auto stream = *found;
    c_.streams.erase(number(id));
    if (auto* const* served = std::get_if<detail::served_group*>(&stream)) {
        publishing_.closed(**served, code);
    } else if (auto* const* g = std::get_if<detail::incoming_group*>(&stream)) {
        subscribing_.groups().destroy(**g);
    } else if (auto* const* s = std::get_if<detail::control_stream*>(&stream)) {
        control_gone(**s, !code);
    }
}

inline void session::streams_available(direction kind, time_point now) {
    const detail::entry_mark mark{inside_};
    if (!begin_peer_input(now)) return;
    (kind == direction::uni ? uni_blocked_ : bidi_blocked_) = false;
    // By one at least; by how many, the next measurement tells.
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
    // Nobody is told of one that is not a group: datagrams may be late, or not for us.
    const auto m = wire::lite::decode<wire::lite::datagram>(c_.dialect, bytes, c_.bounds);
    if (!m || !subscribing_.wants(subscribe_id{m->subscription}, m->sequence)) return;
    c_.emit(group_datagram{subscribe_id{m->subscription}, m->sequence, m->timestamp, m->payload});
    viewing_ = true;
}

inline void session::connection_closed(const closed_by& how, time_point now) {
    const detail::entry_mark mark{inside_};
    c_.now = std::max(c_.now, now);
    c_.forget_names();
    let_go();
    c_.close_wanted = false;
    if (!open()) return;
    c_.closing_reason = how.reason;
    c_.closing = session_closed{
        how.code, how.by_peer ? errc::peer_closed : errc::transport_closed, how.by_peer, c_.closing_reason};
}

inline std::optional<event> session::poll_event() {
    const detail::entry_mark mark{inside_};
    if (std::exchange(setup_due_, false)) return setup_received{requested_, std::nullopt, hop_id{}};
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
        } else if (!watching_.end_one() && !unpark_one()) {
            // What was done about the events was done when the input came.
            if (std::exchange(c_.in_time, false)) c_.stall.note_time(c_.now);
            return std::nullopt;
        }
    }
    return std::nullopt;
}

/// One more thing that ended with the session; false: all have been told.
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

/// The stream that looked like a group's carries the peer's SETUP.
inline void session::become_setup(detail::incoming_group& g) {
    if (std::exchange(setup_stream_, true)) return c_.fail(errc::duplicate_setup);
    auto& s = c_.controls.make();
    s.id = g.id;
    s.bound = true;
    s.kind = detail::control_kind::setup_in;
    s.write_ended = true;
    const auto credit = g.credit_due;
    *c_.streams.find(number(s.id)) = &s;
    g.at = detail::incoming_group::stage::ended;
    subscribing_.groups().destroy(g);
    c_.give_credit(s, credit + input_.rest.size());
    input_.group = nullptr;
    input_.control = &s;
}

/// Requests wait until the peer is let in, and while it does not read our replies.
inline bool session::must_wait(const detail::control_stream& s) const noexcept {
    const bool request = s.kind == detail::control_kind::unread || is_request(s.kind);
    return request && (!c_.admitted || c_.control_unsent > c_.bounds.control_unsent);
}

inline void session::park(detail::control_stream& s) {
    s.in.insert(s.in.end(), input_.rest.begin(), input_.rest.end());
    s.fin_arrived = s.fin_arrived || input_.fin;
    input_ = {};
    s.detail::list_hook<detail::silent_tag>::unlink(); // Now it is we who keep it waiting.
    if (!s.detail::list_hook<detail::parked_tag>::linked()) {
        const bool full = c_.parked_count >= c_.bounds.parked_streams && !c_.admitted;
        if (full) return control_broke(s, errc::too_many_requests);
        c_.parked.push_back(s);
        ++c_.parked_count;
    }
    if (s.in.size() > 2 * c_.bounds.control_message) return control_broke(s, errc::control_backlog);
    if (!c_.keep_partial(s)) c_.fail(errc::control_backlog);
}

inline bool session::unpark_one() {
    if (c_.parked.empty() || must_wait(c_.parked.front())) return false;
    auto& s = c_.parked.front();
    c_.unpark(s);
    if (!s.request_read) c_.expect_message(s);
    input_ = {.active = true, .fin = s.fin_arrived, .joined = true, .control = &s, .rest = s.in};
    return true;
}

inline void session::parse_control() {
    auto& s = *input_.control;
    if (s.kind == detail::control_kind::ignored) input_.rest = {};
    if (!input_.joined && must_wait(s)) return park(s);
    if (s.kind != detail::control_kind::ignored) c_.give_credit(s, std::exchange(s.uncredited, 0));
    if (!input_.joined && !s.in.empty()) {
        s.in.insert(s.in.end(), input_.rest.begin(), input_.rest.end());
        input_.rest = s.in;
        input_.joined = true;
    }
    while (!input_.rest.empty()) {
        const auto used = parse_one(s, input_.rest);
        if (used.status == wire::progress::error) {
            input_ = {};
            return control_broke(s, used.error);
        }
        if (!used) break;
        input_.rest = input_.rest.subspan(*used);
        if (s.kind == detail::control_kind::ignored) input_.rest = {};
        if (!c_.events.empty() || !open()) return;
    }
    // What is left is the beginning of a message.
    if (input_.joined)
        s.in.erase(s.in.begin(), s.in.end() - static_cast<std::ptrdiff_t>(input_.rest.size()));
    else
        s.in.assign(input_.rest.begin(), input_.rest.end());
    if (!c_.keep_partial(s)) return c_.fail(errc::control_backlog);
    const bool fin = input_.fin;
    input_ = {};
    if (fin) control_finished(s);
}

/// Takes one message, or stream type, off the front of `in`.
inline wire::taken<std::size_t> session::parse_one(detail::control_stream& s, byte_view in) {
    using detail::control_kind;
    switch (s.kind) {
    case control_kind::unread: return parse_type(s, in);
    case control_kind::setup_in: return parse_setup(in);
    case control_kind::announce_in:
    case control_kind::subscribe_in:
    case control_kind::track_in:
    case control_kind::fetch_in: return parse_request(s, in);
    case control_kind::announce_out: return watching_.parse(s, in);
    case control_kind::subscribe_out: {
        const auto message =
            wire::take_typed_message(in, c_.bounds.control_message, wire::lite::subscribe_response_types(c_.dialect));
        if (message.status == wire::progress::error) return message.error;
        if (!message) return {};
        if (const auto why = subscribing_.response(s, *message); why != errc::ok) return why;
        return message->size;
    }
    case control_kind::track_out: {
        const auto message = wire::take_message(in, c_.bounds.control_message);
        if (message.status == wire::progress::error) return message.error;
        if (!message) return {};
        if (const auto why = querying_.answered(s, message->body); why != errc::ok) return why;
        return message->size;
    }
    case control_kind::probe_out: return probing_.report_arrived(in);
    case control_kind::goaway_in: return parse_goaway(s, in);
    case control_kind::probe_in: // What its sender aims at, which nobody else sends, changes nothing.
    case control_kind::goaway_out:
    case control_kind::fetch_out:
    case control_kind::setup_out:
    case control_kind::ignored: break;
    }
    return in.size();
}

inline wire::taken<std::size_t> session::parse_goaway(detail::control_stream& s, byte_view in) {
    if (s.request_read) return errc::unexpected_message;
    const auto message = wire::take_message(in, c_.bounds.control_message);
    if (message.status == wire::progress::error) return message.error;
    if (!message) return {};
    const auto m = wire::lite::decode<wire::lite::goaway>(c_.dialect, message->body, c_.bounds);
    if (!m) return m.error();
    s.request_read = true;
    s.detail::list_hook<detail::silent_tag>::unlink();
    c_.emit(goaway_received{c_.names.keep(m->uri)});
    return message->size;
}

inline wire::taken<std::size_t> session::parse_type(detail::control_stream& s, byte_view in) {
    const auto type = wire::lite::take_bidi_type(c_.dialect, in);
    if (type.status == wire::progress::error) return type.error;
    if (!type) return {};
    switch (type->type) {
    case wire::lite::bidi_type::announce: s.kind = detail::control_kind::announce_in; break;
    case wire::lite::bidi_type::subscribe: s.kind = detail::control_kind::subscribe_in; break;
    case wire::lite::bidi_type::track: s.kind = detail::control_kind::track_in; break;
    case wire::lite::bidi_type::fetch:
        if (!has_fetch(c_.dialect)) return errc::unsupported;
        s.kind = detail::control_kind::fetch_in;
        break;
    case wire::lite::bidi_type::probe: probing_.asked(s); break;
    case wire::lite::bidi_type::goaway: s.kind = detail::control_kind::goaway_in; break;
    }
    return type->size;
}

inline wire::taken<std::size_t> session::parse_request(detail::control_stream& s, byte_view in) {
    // After these requests nothing may follow; do not wait for the end of what follows.
    if (s.request_read && s.kind != detail::control_kind::subscribe_in) return errc::unexpected_message;
    // Nobody would read an answer.
    if (!s.request_read && s.write_ended) return c_.abandon_reading(s, app_error::cancel), in.size();
    const auto message = wire::take_message(in, c_.bounds.control_message);
    if (message.status == wire::progress::error) return message.error;
    if (!message) return {};
    errc why = errc::ok;
    if (s.kind == detail::control_kind::announce_in)
        why = announcing_.request_arrived(s, message->body);
    else if (s.kind == detail::control_kind::track_in)
        why = publishing_.track_arrived(s, message->body);
    else if (s.kind == detail::control_kind::fetch_in)
        why = publishing_.fetch_arrived(s, message->body);
    else if (s.request_read)
        why = publishing_.update_arrived(s, message->body);
    else
        why = publishing_.subscribe_arrived(s, message->body);
    if (why != errc::ok) return why;
    s.request_read = true;
    s.detail::list_hook<detail::silent_tag>::unlink();
    return message->size;
}

inline wire::taken<std::size_t> session::parse_setup(byte_view in) {
    if (setup_seen_) return errc::duplicate_setup; // Whatever more comes: what it is may not depend on how it is split.
    const auto message = wire::take_message(in, c_.bounds.control_message);
    if (message.status == wire::progress::error) return message.error;
    if (!message) return {};
    const auto m = wire::lite::decode<wire::lite::setup>(c_.dialect, message->body, c_.bounds);
    if (!m) return m.error();
    const bool says_client = m->path.has_value() || m->role != wire::lite::peer_role::both;
    if (c_.side == role::client && says_client) return errc::setup_from_server;
    setup_seen_ = true;
    c_.peer_origin = m->origin;
    c_.peer_price = m->cost;
    std::optional<std::uint64_t> hint;
    if (m->role != wire::lite::peer_role::both) hint = static_cast<std::uint64_t>(m->role);
    // Where the transport had a request, its path is the one that others checked.
    const auto path = requested_.empty() ? c_.names.keep(m->path.value_or("")) : std::string_view{requested_};
    c_.emit(setup_received{path, hint, m->origin});
    c_.peer_hop(input_.control->id, m->origin);
    probing_.peer_said(m->probe);
    return message->size;
}

/// The peer broke a rule on a control stream: ends the stream, or the session where that is the rule.
inline void session::control_broke(detail::control_stream& s, errc why) {
    const auto kind = s.kind;
    // An announcement is refused alone where it can be; else the others could not be kept up to date.
    const bool announcements = kind == detail::control_kind::announce_out && why != errc::stream_ended_early;
    if (kind == detail::control_kind::setup_in || announcements) return c_.fail(why);
    c_.reject(s, why);
    control_ended(s, kind, false, wire_code(why));
}

inline void session::control_finished(detail::control_stream& s) {
    using detail::control_kind;
    s.read_ended = true;
    s.detail::list_hook<detail::silent_tag>::unlink();
    if (s.kind == control_kind::ignored) return;
    const bool request = is_request(s.kind) || s.kind == control_kind::goaway_in;
    const bool half = !s.in.empty() || s.kind == control_kind::unread || (request && !s.request_read) ||
                      (s.kind == control_kind::setup_in && !setup_seen_);
    if (half) return control_broke(s, errc::stream_ended_early);
    control_ended(s, s.kind, true, app_error::cancel);
}

/// The peer has ended its side of a control stream.
inline void session::control_ended(
    detail::control_stream& s, detail::control_kind kind, bool finished, app_error code) {
    using detail::control_kind;
    switch (kind) {
    case control_kind::announce_in: return announcing_.peer_left(s, finished, code);
    case control_kind::subscribe_in: return publishing_.peer_left(s);
    case control_kind::track_in: return finished ? void() : publishing_.stream_gone(s, false);
    case control_kind::announce_out: return watching_.stream_ended(s, code);
    case control_kind::subscribe_out: return subscribing_.stream_ended(s, finished, code);
    case control_kind::track_out: return querying_.ended(s, code);
    case control_kind::fetch_in: return finished ? void() : publishing_.fetch_left(s, code);
    case control_kind::fetch_out: return subscribing_.groups().was_reset(*s.fetching, code);
    case control_kind::probe_in: return finished ? void() : probing_.peer_left(s);
    case control_kind::probe_out: return probing_.ended(s, code);
    case control_kind::goaway_in: return c_.finish(s);
    case control_kind::unread: return c_.abandon_writing(s, app_error::cancel);
    case control_kind::setup_in: return finished || setup_seen_ ? void() : c_.fail(errc::stream_ended_early);
    case control_kind::setup_out:
    case control_kind::goaway_out:
    case control_kind::ignored: return;
    }
}

inline void session::control_gone(detail::control_stream& s, bool clean) {
    using detail::control_kind;
    switch (s.kind) {
    case control_kind::announce_in: announcing_.peer_left(s, clean, app_error::cancel); break;
    case control_kind::subscribe_in:
    case control_kind::fetch_in:
    case control_kind::track_in: publishing_.stream_gone(s, clean); break;
    case control_kind::announce_out: watching_.stream_ended(s, app_error::cancel); break;
    case control_kind::subscribe_out: subscribing_.stream_gone(s); break;
    case control_kind::track_out: querying_.ended(s, app_error::cancel); break;
    case control_kind::probe_in: probing_.peer_left(s); break;
    case control_kind::probe_out: probing_.ended(s, app_error::cancel); break;
    default: break;
    }
    if (s.fetching != nullptr) subscribing_.groups().destroy(*s.fetching);
    c_.unpark(s);
    c_.forget_partial(s);
    if (initiator_of(s.id) != c_.side && direction_of(s.id) == direction::bidi) --c_.peer_requests;
    c_.destroy(s);
}

} // namespace moqlite

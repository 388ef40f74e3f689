// The life of a control stream: one handler for each kind, from its first message to the end of both sides.
#pragma once

#include <moqlite/session/detail/announcing.hpp>
#include <moqlite/session/detail/context.hpp>
#include <moqlite/session/detail/control_stream.hpp>
#include <moqlite/session/detail/handshake.hpp>
#include <moqlite/session/detail/probing.hpp>
#include <moqlite/session/detail/publishing.hpp>
#include <moqlite/session/detail/querying.hpp>
#include <moqlite/session/detail/subscribing.hpp>
#include <moqlite/session/detail/take.hpp>
#include <moqlite/session/detail/watching.hpp>
#include <moqlite/wire/lite/goaway.hpp>

namespace moqlite::detail {

/// The parts of a session to which handlers pass what arrives.
struct session_parts {
    context& c;
    handshake& setup;
    watching& watches;
    announcing& announces;
    subscribing& subscriptions;
    querying& queries;
    probing& probes;
    publishing& requests;
};

using parsed = wire::taken<std::size_t>;

/// The default handler, from which those of all kinds derive.
struct stream_handler : session_parts {
    /// It waits until the peer is admitted, and while the peer does not read our replies.
    static constexpr bool waits_for_admission = false;
    /// STOP_SENDING for our answers cancels it.
    static constexpr bool is_cancelled_by_stop = false;
    /// A broken rule ends the session, not the stream alone.
    static constexpr bool ends_session(errc) noexcept { return false; }

    /// Parses one message, or the stream type, from the front of `in`.
    parsed parse(control_stream&, byte_view in) { return in.size(); }
    /// Their FIN has arrived.
    void finished(control_stream&) {}
    /// The peer has reset it, or broken a rule on it.
    void cut_off(control_stream&, app_error) {}
    /// All queued bytes have been written.
    void sent(control_stream&) {}
    /// Both sides have ended; with a code if one of them was cut off.
    void closed(control_stream&, const std::optional<app_error>& /*code*/) {}
    /// Its timeout has expired. False: that is an error.
    bool timed_out(control_stream&) { return false; }
};

/// A stream of the peer whose type has not arrived.
struct unread_stream : stream_handler {
    static constexpr bool waits_for_admission = true;

    parsed parse(control_stream& s, byte_view in) {
        using wire::lite::bidi_type;
        const auto type = wire::lite::take_bidi_type(c.dialect, in);
        if (type.status == wire::progress::error) return type.error;
        if (!type) return {};
        switch (type->type) {
        case bidi_type::announce: s.kind = control_kind::announce_in; break;
        case bidi_type::subscribe: s.kind = control_kind::subscribe_in; break;
        case bidi_type::track: s.kind = control_kind::track_in; break;
        case bidi_type::fetch: s.kind = control_kind::fetch_in; break;
        case bidi_type::probe: probes.request_arrived(s); break;
        case bidi_type::goaway: s.kind = control_kind::goaway_in; break;
        }
        return type->size;
    }
    void cut_off(control_stream& s, app_error) { c.out.abandon(s, app_error::cancel); }
};

struct setup_in : stream_handler {
    static constexpr bool ends_session(errc) noexcept { return true; }

    parsed parse(control_stream& s, byte_view in) { return setup.parse(s, in); }
    void cut_off(control_stream&, app_error) {
        if (setup.is_awaited()) c.fail(errc::stream_ended_early);
    }
};

// Requests of the peer.

struct peer_request : stream_handler {
    static constexpr bool waits_for_admission = true;
    static constexpr bool is_cancelled_by_stop = true;

    template <class F>
    parsed parse_request(control_stream& s, byte_view in, F&& arrived) {
        const bool unanswerable = s.reading == read_state::first && s.writing == write_state::closed;
        if (unanswerable)
            return c.abandon_reading(s, app_error::cancel), in.size(); // The peer would not read an answer.
        return take_first(c, s, in, arrived);
    }
};

struct announce_in : peer_request {
    parsed parse(control_stream& s, byte_view in) {
        return parse_request(s, in, [&](byte_view body) { return announces.request_arrived(s, body); });
    }
    void finished(control_stream& s) { announces.peer_left(s, true, app_error::cancel); }
    void cut_off(control_stream& s, app_error code) { announces.peer_left(s, false, code); }
    void closed(control_stream& s, const std::optional<app_error>& code) {
        announces.peer_left(s, !code, app_error::cancel);
    }
};

struct subscribe_in : peer_request {
    parsed parse(control_stream& s, byte_view in) {
        if (s.reading != read_state::first)
            return take_one(c, in, [&](byte_view body) { return requests.update_arrived(s, body); });
        return parse_request(s, in, [&](byte_view body) { return requests.subscribe_arrived(s, body); });
    }
    void finished(control_stream& s) { requests.peer_left(s, std::nullopt); }
    void cut_off(control_stream& s, app_error code) { requests.peer_left(s, code); }
    void closed(control_stream& s, const std::optional<app_error>& code) { requests.stream_gone(s, code); }
};

struct track_in : peer_request {
    parsed parse(control_stream& s, byte_view in) {
        return parse_request(s, in, [&](byte_view body) { return requests.track_arrived(s, body); });
    }
    void cut_off(control_stream& s, app_error code) { requests.stream_gone(s, code); }
    void closed(control_stream& s, const std::optional<app_error>& code) { requests.stream_gone(s, code); }
};

struct fetch_in : peer_request {
    parsed parse(control_stream& s, byte_view in) {
        return parse_request(s, in, [&](byte_view body) { return requests.fetch_arrived(s, body); });
    }
    void cut_off(control_stream& s, app_error code) { requests.fetch_cut_off(s, code); }
    void closed(control_stream& s, const std::optional<app_error>& code) { requests.stream_gone(s, code); }
    bool timed_out(control_stream& s) {
        if (s.reading != read_state::open) return false;
        return requests.fetch_overdue(s), true;
    }
};

struct probe_in : stream_handler {
    static constexpr bool is_cancelled_by_stop = true;

    parsed parse(control_stream&, byte_view in) { return probes.target_arrived(in); }
    void cut_off(control_stream& s, app_error) { probes.peer_left(s); }
    void closed(control_stream& s, const std::optional<app_error>&) { probes.peer_left(s); }
};

struct goaway_in : stream_handler {
    static constexpr bool ends_session(errc why) noexcept { return why == errc::duplicate_goaway; }

    parsed parse(control_stream& s, byte_view in) {
        return take_first(c, s, in, [&](byte_view body) {
            const auto m = wire::lite::decode<wire::lite::goaway>(c.dialect, body, c.bounds);
            if (!m) return m.error();
            if (c.peer_leaves) return errc::duplicate_goaway;
            c.emit(goaway_received{c.views.keep(m->uri)});
            c.peer_leaves = true;
            return errc::ok;
        });
    }
    void finished(control_stream& s) { c.out.finish(s); }
    void cut_off(control_stream& s, app_error) { c.out.finish(s); }
};

// Requests of ours.

struct announce_out : stream_handler {
    /// An announcement is refused alone where possible. Other errors end the session: the remaining broadcasts could
    /// not be kept up to date.
    static constexpr bool ends_session(errc why) noexcept { return why != errc::stream_ended_early; }

    parsed parse(control_stream& s, byte_view in) { return watches.parse(s, in); }
    void finished(control_stream& s) { watches.stream_ended(s, app_error::cancel); }
    void cut_off(control_stream& s, app_error code) { watches.stream_ended(s, code); }
    void closed(control_stream& s, const std::optional<app_error>&) { watches.stream_ended(s, app_error::cancel); }
};

struct subscribe_out : stream_handler {
    parsed parse(control_stream& s, byte_view in) { return subscriptions.parse(s, in); }
    void finished(control_stream& s) { subscriptions.stream_ended(s, true, app_error::cancel); }
    void cut_off(control_stream& s, app_error code) { subscriptions.stream_ended(s, false, code); }
    void sent(control_stream& s) { subscriptions.request_sent(s); }
    void closed(control_stream& s, const std::optional<app_error>&) { subscriptions.stream_gone(s); }
};

struct track_out : stream_handler {
    parsed parse(control_stream& s, byte_view in) {
        return take_one(c, in, [&](byte_view body) { return queries.answered(s, body); });
    }
    void finished(control_stream& s) { queries.ended(s, app_error::cancel); }
    void cut_off(control_stream& s, app_error code) { queries.ended(s, code); }
    void closed(control_stream& s, const std::optional<app_error>&) { queries.ended(s, app_error::cancel); }
};

/// It carries a group, and is parsed as one.
struct fetch_out : stream_handler {
    void cut_off(control_stream& s, app_error code) { subscriptions.groups().was_reset(*s.fetching, code); }
    void closed(control_stream& s, const std::optional<app_error>&) { subscriptions.groups().destroy(*s.fetching); }
};

struct probe_out : stream_handler {
    parsed parse(control_stream&, byte_view in) {
        return take_one(c, in, [&](byte_view body) { return probes.report_arrived(body); });
    }
    void finished(control_stream& s) { probes.ended(s, app_error::cancel); }
    void cut_off(control_stream& s, app_error code) { probes.ended(s, code); }
    void closed(control_stream& s, const std::optional<app_error>&) { probes.ended(s, app_error::cancel); }
};

/// Calls f with the handler of a kind.
template <class F>
decltype(auto) with_handler(control_kind kind, const session_parts& parts, F&& f) {
    switch (kind) {
    case control_kind::unread: return f(unread_stream{{parts}});
    case control_kind::setup_in: return f(setup_in{{parts}});
    case control_kind::announce_in: return f(announce_in{{{parts}}});
    case control_kind::announce_out: return f(announce_out{{parts}});
    case control_kind::subscribe_in: return f(subscribe_in{{{parts}}});
    case control_kind::subscribe_out: return f(subscribe_out{{parts}});
    case control_kind::track_in: return f(track_in{{{parts}}});
    case control_kind::track_out: return f(track_out{{parts}});
    case control_kind::fetch_in: return f(fetch_in{{{parts}}});
    case control_kind::fetch_out: return f(fetch_out{{parts}});
    case control_kind::probe_in: return f(probe_in{{parts}});
    case control_kind::probe_out: return f(probe_out{{parts}});
    case control_kind::goaway_in: return f(goaway_in{{parts}});
    case control_kind::setup_out:
    case control_kind::goaway_out: break;
    }
    return f(stream_handler{parts}); // They receive nothing.
}

} // namespace moqlite::detail

// Dispatches streams and datagrams to the session or to HTTP/3, and rejects the others.
#include "detail/http3_connection.hpp"

#include <algorithm>
#include <moqlite/webtransport/datagram.hpp>

namespace moqlite::nghttp3::detail {

namespace {

/// The stream was cut off because the peer has ended its session, whose own end follows with the reason.
bool is_of_the_end(app_error wire) noexcept { return wire == to_code(http3_code::session_gone); }

/// A code that is not the application's becomes `cancel`.
app_error app_code(app_error wire) noexcept {
    return webtransport::to_app_error(http3_code{static_cast<std::uint64_t>(wire)}).value_or(app_error::cancel);
}

} // namespace

void http3_connection::stream_received(stream_id id, byte_view bytes, bool fin, time_point now) {
    if (http_.has_failed()) return;
    switch (streams_.get(id).owned_by) {
    case stream::owner::session: return deliver(id, bytes, fin, now);
    case stream::owner::http3: return http_.receive(id, bytes, fin, now);
    case stream::owner::unknown: return identify(id, bytes, fin, now);
    case stream::owner::early:
        if (const auto v = arrivals_.stream_received(id, bytes, fin); v != violation::none) reject(id, v);
        return;
    case stream::owner::nobody: return;
    }
}

void http3_connection::identify(stream_id id, byte_view bytes, bool fin, time_point now) {
    auto& p = peeks_.try_emplace(number(id), peek{webtransport::stream_peek{id}}).first->second;
    const auto before = p.first.held();
    const auto what = p.first.receive(bytes, fin);
    if (std::holds_alternative<webtransport::undecided_stream>(what)) return;
    if (const auto* of = std::get_if<webtransport::session_stream>(&what)) {
        // We have consumed the prefix: return its credit.
        quic_.credit(id, before + bytes.size() - of->payload.size());
        associate(id, of->session, of->payload, fin, now);
    } else if (const auto* h = std::get_if<webtransport::http3_stream>(&what)) {
        streams_.get(id).owned_by = stream::owner::http3;
        if (direction_of(id) == direction::uni && h->type == webtransport::control_stream_type)
            http_.control_stream_is(id);
        if (!h->held.empty()) http_.receive(id, h->held, false, now);
        http_.receive(id, bytes, fin, now);
    } else if (const auto* v = std::get_if<violation>(&what)) {
        if (webtransport::extent_of(*v) == webtransport::extent::connection)
            http_.fail(webtransport::wire_code(*v), "WebTransport: " + std::string{webtransport::to_string(*v)});
        else
            reject(id, *v);
    } else {
        streams_.get(id).owned_by = stream::owner::nobody;
    }
    const auto stopped = p.stopped;
    peeks_.erase(number(id));
    if (stopped) stream_stopped(id, *stopped, now);
}

void http3_connection::associate(stream_id id, stream_id session, byte_view payload, bool fin, time_point now) {
    const auto fate = arrivals_.stream_begun(id, session, payload, fin, now);
    switch (fate.what) {
    case webtransport::fate::kind::deliver:
        // There is no handler to report its end to.
        if (session_->state().is_ending()) return reject(id, violation::session_gone);
        streams_.get(id).owned_by = stream::owner::session;
        return deliver(id, payload, fin, now);
    case webtransport::fate::kind::wait: streams_.get(id).owned_by = stream::owner::early; return;
    case webtransport::fate::kind::refuse: return reject(id, fate.why);
    }
}

void http3_connection::deliver(stream_id id, byte_view bytes, bool fin, time_point now) {
    auto* h = active_handler();
    if (h != nullptr && (fin || !bytes.empty())) h->stream_received(id, bytes, fin, now);
}

void http3_connection::reject(stream_id id, violation v) {
    streams_.get(id).owned_by = stream::owner::nobody;
    ++counts_->rejected_streams;
    drop(id, webtransport::wire_code(v));
}

/// Aborts the halves that the stream has.
void http3_connection::drop(stream_id id, http3_code code) {
    const bool ours = initiator_of(id) == quic_.side();
    const bool both = direction_of(id) == direction::bidi;
    if (both || ours) quic_.reset(id, to_code(code));
    if (both || !ours) quic_.stop(id, to_code(code));
}

/// The peer has reset its half: reset ours only. To stop a stream that was reset is an error in ngtcp2 1.11.
void http3_connection::answer_reset(stream_id id) {
    if (direction_of(id) == direction::bidi) quic_.reset(id, to_code(http3_code::request_cancelled));
}

void http3_connection::stream_reset(stream_id id, app_error code, time_point now) {
    auto& s = streams_.get(id);
    switch (s.owned_by) {
    case stream::owner::session:
        if (is_of_the_end(code)) return session_->state().stream_gone(now);
        if (auto* h = active_handler()) h->stream_reset(id, app_code(code), now);
        return;
    case stream::owner::http3:
        http_.reset(id);
        request_aborted(id, http3_code{number(code)}, now);
        return answer_reset(id);
    case stream::owner::unknown: // Ended before its type was known, which is not unusual.
    case stream::owner::early:
        peeks_.erase(number(id));
        arrivals_.stream_reset(id);
        s.owned_by = stream::owner::nobody;
        return answer_reset(id);
    case stream::owner::nobody: return;
    }
}

void http3_connection::stream_stopped(stream_id id, app_error code, time_point now) {
    // May arrive before the stream's first byte.
    const auto* found = initiator_of(id) != quic_.side() ? &streams_.get(id) : streams_.find(id);
    if (found == nullptr) return;
    if (found->owned_by == stream::owner::unknown) {
        peeks_.try_emplace(number(id), peek{webtransport::stream_peek{id}}).first->second.stopped = code;
    } else if (found->owned_by == stream::owner::session) {
        if (is_of_the_end(code)) return session_->state().stream_gone(now);
        if (auto* h = active_handler()) h->stream_stopped(id, app_code(code), now);
    } else if (found->owned_by == stream::owner::http3) {
        http_.stopped(id);
        if (auto* s = session_of(id)) s->request_stopped(now, http3_code{number(code)});
    } else if (found->owned_by == stream::owner::early) {
        arrivals_.stream_stopped(id, app_code(code));
    }
}

void http3_connection::request_aborted(stream_id id, http3_code code, time_point now) {
    if (auto* s = session_of(id)) s->request_aborted(now, code);
    if (!is_connect(id)) request_over(id);
}

void http3_connection::stream_writable(stream_id id, time_point now) {
    auto* found = streams_.find(id);
    if (found == nullptr || found->owned_by == stream::owner::http3) return http_.writable(id);
    if (found->owned_by != stream::owner::session) return;
    if (auto* h = active_handler()) h->stream_writable(id, now);
}

void http3_connection::stream_acked(stream_id id, std::uint64_t n, time_point now) {
    auto* found = streams_.find(id);
    if (found == nullptr || found->owned_by == stream::owner::http3) return http_.acked(id, n);
    if (found->owned_by == stream::owner::session) session_->acked(id, *found, n, now);
}

void http3_connection::stream_closed(stream_id id, std::optional<app_error> code, time_point now) {
    const auto* found = streams_.find(id);
    const auto owner = found == nullptr ? stream::owner::http3 : found->owned_by;
    if (owner == stream::owner::early) return arrivals_.stream_closed(id);
    streams_.erase(id);
    if (!peeks_.empty()) peeks_.erase(number(id));
    // A PRIORITY_UPDATE may have made this id known to nghttp3 though it is no request.
    const bool known = owner == stream::owner::http3 || webtransport::can_be_session(id);
    const auto why = code ? std::optional{http3_code{number(*code)}} : std::nullopt;
    if (known) http_.closed(id, why.value_or(http3_code::no_error));
    if (owner == stream::owner::session) {
        if (code && is_of_the_end(*code)) return session_->state().stream_gone(now);
        if (auto* h = active_handler()) h->stream_closed(id, code ? std::optional{app_code(*code)} : std::nullopt, now);
        return;
    }
    if (auto* s = session_of(id)) s->request_closed(now, why);
    if (owner == stream::owner::http3 && !is_connect(id)) request_over(id);
}

void http3_connection::streams_available(direction kind, time_point now) {
    if (auto* h = active_handler()) h->streams_available(kind, now);
}

void http3_connection::datagram_received(byte_view bytes, time_point now) {
    if (http_.has_failed()) return;
    const auto d = webtransport::read_datagram(bytes);
    if (!d) return http_.fail(http3_code::datagram_error, "a datagram without a session");
    const auto fate = arrivals_.datagram_received(*d, now);
    if (fate.what == webtransport::fate::kind::refuse) ++counts_->dropped_datagrams;
    if (fate.what != webtransport::fate::kind::deliver) return;
    if (auto* h = active_handler()) h->datagram_received(d->payload, now);
}

exchange* http3_connection::find_exchange(stream_id id) noexcept {
    const auto found = std::ranges::find(exchanges_, id, &exchange::id);
    return found == exchanges_.end() ? nullptr : &*found;
}

webtransport::session* http3_connection::session_of(stream_id id) noexcept {
    if (is_connect(id)) return &session_->state();
    auto* e = find_exchange(id);
    return e != nullptr ? &e->state : nullptr;
}

void http3_connection::message_received(stream_id id, message&& header, bool fin, time_point now) {
    if (exchanges_.size() < exchanges_max) {
        exchanges_.push_back({.id = id, .header = std::move(header), .since = now, .ended = fin});
    } else {
        drop(id, http3_code::request_rejected);
        message_refused(id);
    }
}

void http3_connection::message_refused(stream_id) { ++counts_->refused_requests; }

void http3_connection::body_received(stream_id id, byte_view bytes, time_point now) {
    if (auto* e = find_exchange(id); e != nullptr && take_body(*e, bytes)) return;
    if (auto* s = session_of(id)) s->body_received(bytes, now);
}

void http3_connection::message_ended(stream_id id, time_point now) {
    if (auto* e = find_exchange(id)) e->ended = true;
    if (auto* s = session_of(id)) s->body_finished(now);
}

} // namespace moqlite::nghttp3::detail

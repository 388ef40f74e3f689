// Begin and end of a session, and its timers.
#include "detail/http3_connection.hpp"

#include <algorithm>
#include <memory>

namespace moqlite::nghttp3::detail {

namespace {

void earlier(std::optional<time_point>& a, std::optional<time_point> b) {
    if (b && (!a || *b < *a)) a = b;
}

} // namespace

http3_connection::http3_connection(
    link::connection& quic, link::log_function log, std::shared_ptr<stats> counts, time_point now)
    : quic_{quic},
      log_{std::move(log)},
      counts_{counts ? std::move(counts) : std::make_shared<stats>()},
      setup_by_{now + setup_timeout},
      http_{quic, *this} {}

http3_connection::~http3_connection() = default;

void http3_connection::log(link::log_level level, const std::string& line) const {
    if (log_) log_(level, line);
}

void http3_connection::pump(link::connection&, time_point now) {
    if (http_.has_failed() || (!http_.is_open() && !http_.open_streams())) return;
    negotiate(now);
    settle(now);
    // This may retransmit bytes that the handler is about to reset: they stay valid until its pump is over.
    http_.write();
    if (active_handler() != nullptr) session_->pump(now);
    quic_.flush();
    http_.flushed();
}

bool http3_connection::make_session(
    exchange& e, std::string protocol, const link::accept_function& accept, time_point now) {
    session_ = std::make_unique<session>(quic_, streams_, e.id, std::move(protocol), std::move(e.state));
    auto made = accept ? accept(*session_, now) : nullptr;
    if (made)
        session_->handler(std::move(made));
    else
        session_.reset();
    return session_ != nullptr;
}

void http3_connection::begin_session(time_point now) {
    setup_by_.reset();
    ++counts_->sessions;
    arrivals_.session_established(session_->id());
    session_->state().established(now);
    sort_early(now);
}

void http3_connection::refuse_session(stream_id id, time_point now) {
    arrivals_.session_rejected(id);
    sort_early(now);
}

/// Delivers or rejects early streams and datagrams that need not wait any longer.
void http3_connection::sort_early(time_point now) {
    while (const auto s = arrivals_.poll_stream(now)) {
        const auto& e = s->stream;
        if (s->refused != violation::none) {
            reject(e.id, s->refused);
            if (e.closed) streams_.erase(e.id);
            continue;
        }
        streams_.get(e.id).owned_by = stream::owner::session;
        deliver(e.id, e.bytes, e.fin, now);
        if (e.stopped && active_handler() != nullptr) active_handler()->stream_stopped(e.id, *e.stopped, now);
        if (e.closed) stream_closed(e.id, std::nullopt, now);
    }
    while (const auto d = arrivals_.poll_datagram(now))
        if (active_handler() != nullptr) active_handler()->datagram_received(*d, now);
}

void http3_connection::settle(time_point now) {
    if (!session_) return;
    session_->settle(now);
    while (const auto o = session_->state().poll_output()) {
        if (std::holds_alternative<webtransport::abort_streams>(*o))
            abort_streams(now);
        else if (const auto* body = std::get_if<webtransport::send_body>(&*o))
            http_.send_body(session_->id(), body->bytes, body->fin);
        else if (const auto* abort = std::get_if<webtransport::abort_request>(&*o))
            drop(session_->id(), abort->code);
        else if (const auto* leave = std::get_if<webtransport::leave_connection>(&*o))
            http_.fail(leave->code, leave->reason.empty() ? "the session is over" : leave->reason);
    }
}

/// Both halves of each, before anything is sent again: the bytes that the handler had lent are gone.
void http3_connection::abort_streams(time_point now) {
    streams_.for_each([this](stream_id id, stream& s) {
        if (s.owned_by != stream::owner::session) return;
        s.owned_by = stream::owner::nobody;
        drop(id, http3_code::session_gone);
    });
    arrivals_.session_ended();
    sort_early(now);
}

void http3_connection::leave(link::connection& from, app_error code, std::string_view reason) {
    if (auto* h = active_handler())
        h->leave(*session_, code, reason);
    else if (!session_)
        from.close(to_code(http3_code::no_error), reason);
}

std::optional<time_point> http3_connection::deadline() const {
    std::optional<time_point> first = setup_by_;
    earlier(first, arrivals_.deadline());
    earlier(first, http_.deadline());
    earlier(first, requests_due());
    if (session_) earlier(first, session_->state().deadline());
    if (const auto* h = active_handler()) earlier(first, h->deadline());
    return first;
}

void http3_connection::tick(time_point now) {
    if (const auto due = requests_due(); due && *due <= now) quic_.wake();
    if (setup_by_ && *setup_by_ <= now) {
        setup_by_ = keep_until(now);
        if (!setup_by_) http_.fail(http3_code::no_error, "no WebTransport session in time");
    }
    sort_early(now);
    http_.tick(now);
    if (session_) session_->state().tick(now);
    auto* h = active_handler();
    if (h == nullptr) return;
    if (const auto theirs = h->deadline(); theirs && *theirs <= now) h->tick(now);
}

void http3_connection::on_closed(const link::closed& how, time_point now) {
    const auto code = http3_code{how.code};
    const bool in_peace = code == http3_code::no_error || webtransport::to_app_error(code);
    if (how.application && !how.by_peer && !in_peace) ++counts_->failed_connections;
    if (session_)
        session_->connection_closed(how, now);
    else
        come_to_nothing(how);
}

} // namespace moqlite::nghttp3::detail

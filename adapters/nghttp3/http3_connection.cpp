// How a session begins and ends, and when.
#include "detail/http3_connection.hpp"

#include <algorithm>

namespace moqlite::nghttp3::detail {

namespace {

/// What a peer writes goes into logs: one line.
std::string one_line(std::string text) {
    for (auto& c : text)
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
    return text;
}

void earlier(std::optional<time_point>& a, std::optional<time_point> b) {
    if (b && (!a || *b < *a)) a = b;
}

} // namespace

http3_connection::http3_connection(
    ngtcp2::connection& quic, ngtcp2::log_function log, std::shared_ptr<stats> counts, time_point now)
    : quic_{quic},
      log_{std::move(log)},
      counts_{counts ? std::move(counts) : std::make_shared<stats>()},
      setup_by_{now + setup_timeout},
      http_{quic, *this} {}

http3_connection::~http3_connection() = default;

void http3_connection::log(ngtcp2::log_level level, const std::string& line) const {
    if (log_) log_(level, line);
}

void http3_connection::pump(ngtcp2::connection&, time_point now) {
    if (http_.has_failed() || (!http_.is_open() && !http_.open_streams())) return;
    negotiate(now);
    if (session_ && session_->is_ending()) end_session(now);
    if (!http_.write()) return;
    if (upper() != nullptr) session_->pump(now);
    quic_.flush();
}

bool http3_connection::make_session(
    stream_id id, std::string protocol, const ngtcp2::accept_function& accept, time_point now) {
    session_ = std::make_unique<session>(quic_, streams_, id, std::move(protocol));
    auto made = accept ? accept(*session_, now) : nullptr;
    if (made)
        session_->begin(std::move(made));
    else
        session_.reset();
    return session_ != nullptr;
}

void http3_connection::begin_session(const arrival& a, time_point now) {
    setup_by_.reset();
    ++counts_->sessions;
    if (!a.body.empty()) read_capsules(a.body);
    if (a.ended) message_ended(a.id);
    adopt_early(now);
}

void http3_connection::adopt_early(time_point now) {
    while (const auto e = early_.take_stream(session_->id())) {
        auto& s = streams_[number(e->id)];
        s.whose = stream::owner::session;
        const bool closed = s.closed;
        deliver(e->id, e->bytes, e->fin, now);
        if (closed) stream_closed(e->id, std::nullopt, now);
    }
    while (const auto d = early_.take_datagram(session_->id()))
        if (upper() != nullptr) upper()->datagram_received(*d, now);
}

void http3_connection::refuse_session(stream_id id) {
    while (const auto e = early_.take_stream(id)) reject(*e, violation::session_rejected);
    while (early_.take_datagram(id)) ++counts_->dropped_datagrams;
}

void http3_connection::read_capsules(byte_view in) {
    if (broken_) return;
    while (const auto c = capsules_.read(in)) {
        const auto* close = std::get_if<webtransport::close_session>(&*c);
        if (close == nullptr) continue;
        const auto code = static_cast<std::uint64_t>(close->code);
        session_->end({code, true, true,
            close->reason.empty() ? "closed by the peer with code " + std::to_string(code) : one_line(close->reason)});
    }
    punish(capsules_.error());
}

void http3_connection::message_ended(stream_id id) {
    if (!is_connect(id)) {
        for (auto& a : arrivals_)
            if (a.id == id) a.ended = true;
        return;
    }
    punish(capsules_.finish());
    session_->end({0, true, true, "closed by the peer"});
}

void http3_connection::lose_session(std::string_view why) {
    broken_ = broken_.value_or(http3_code::request_cancelled);
    session_->end({0, false, true, std::string{why}});
}

void http3_connection::end_session(time_point now) {
    // The streams first: in them lies what the handler has lent.
    for (auto& [id, s] : streams_) {
        if (s.whose != stream::owner::session) continue;
        s.whose = stream::owner::nobody;
        drop(stream_id{id}, http3_code::session_gone);
    }
    if (broken_)
        drop(session_->id(), *broken_);
    else
        http_.finish(session_->id(), session_->farewell());
    leave_by_ = now + farewell_timeout;
    session_->finish(now);
}

void http3_connection::leave(ngtcp2::connection& from, app_error code, std::string_view reason) {
    if (upper() != nullptr)
        session_->close(code, reason);
    else if (!session_)
        from.close(app_error{static_cast<std::uint64_t>(http3_code::no_error)}, reason);
}

void http3_connection::punish(violation v) {
    if (v == violation::none || http_.has_failed()) return;
    const std::string text{webtransport::to_string(v)};
    if (webtransport::extent_of(v) == webtransport::extent::connection)
        return http_.fail(webtransport::wire_code(v), "WebTransport: " + text);
    broken_ = webtransport::wire_code(v);
    // After the session's end as well.
    if (!session_->is_ending() && upper() == nullptr) return drop(session_->id(), *broken_);
    session_->end({static_cast<std::uint64_t>(*broken_), false, true, "WebTransport: " + text});
}

std::optional<time_point> http3_connection::deadline() const {
    std::optional<time_point> first = setup_by_;
    earlier(first, leave_by_);
    earlier(first, early_.deadline());
    earlier(first, http_.deadline());
    if (const auto* h = upper()) earlier(first, h->deadline());
    return first;
}

void http3_connection::tick(time_point now) {
    if (setup_by_ && *setup_by_ <= now) {
        setup_by_.reset();
        http_.fail(http3_code::no_error, "no WebTransport session in time");
    }
    if (leave_by_ && *leave_by_ <= now) {
        leave_by_.reset();
        http_.fail(http3_code::no_error, "the session is over");
    }
    while (const auto e = early_.take_late_stream(now)) reject(*e, violation::early_stream_timeout);
    while (early_.take_late_datagram(now)) ++counts_->dropped_datagrams;
    http_.tick(now);
    auto* h = upper();
    if (h == nullptr) return;
    if (const auto theirs = h->deadline(); theirs && *theirs <= now) h->tick(now);
}

void http3_connection::on_closed(const ngtcp2::closed& how, time_point now) {
    const bool failed = http_.has_failed() && !how.by_peer && http3_code{how.code} != http3_code::no_error;
    counts_->failed_connections += failed || broken_ ? 1 : 0;
    if (!session_) return come_to_nothing(how);
    if (upper() != nullptr) session_->end(as_session_sees(how));
    if (session_->is_ending()) session_->finish(now);
}

/// A CONNECTION_CLOSE may carry the application's code, too.
ngtcp2::closed http3_connection::as_session_sees(const ngtcp2::closed& how) const {
    auto seen = how;
    if (!how.application) return seen;
    const http3_code code{how.code};
    const auto ours = webtransport::to_app_error(code);
    seen.application = ours || code == http3_code::no_error;
    if (seen.application) seen.code = ours ? static_cast<std::uint64_t>(*ours) : 0;
    return seen;
}

} // namespace moqlite::nghttp3::detail

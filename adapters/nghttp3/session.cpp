#include "detail/session.hpp"

#include <algorithm>
#include <memory>
#include <moqlite/webtransport/datagram.hpp>
#include <moqlite/webtransport/error_code.hpp>
#include <moqlite/wire/utf8.hpp>
#include <utility>

namespace moqlite::nghttp3::detail {

namespace {

app_error on_the_wire(app_error code) noexcept {
    return app_error{static_cast<std::uint64_t>(webtransport::to_http3_code(code))};
}

std::size_t index_of(direction kind) noexcept { return kind == direction::uni ? 1 : 0; }

/// A peer's reason, sanitised for logs.
std::string one_line(std::string_view text) {
    constexpr std::size_t longest = 1024; // Of a CLOSE capsule's reason.
    return wire::loggable(text, longest);
}

link::closed to_closed(const webtransport::session_ended& e) {
    using cause = webtransport::session_ended::cause;
    const auto code = static_cast<std::uint64_t>(e.code);
    switch (e.how) {
    case cause::closed: return {code, true, false, e.reason};
    case cause::closed_by_peer:
        return {code, true, true,
            e.reason.empty() ? "closed by the peer with code " + std::to_string(code) : one_line(e.reason)};
    case cause::violated:
        return {static_cast<std::uint64_t>(webtransport::wire_code(e.broken)), false, true,
            "WebTransport: " + std::string{webtransport::to_string(e.broken)}};
    case cause::lost: break;
    }
    return {0, false, true, e.reason.empty() ? "the peer cut off the stream of the session" : one_line(e.reason)};
}

} // namespace

session::session(
    link::connection& quic, stream_table& streams, stream_id id, std::string protocol, webtransport::session&& state)
    : quic_{quic},
      streams_{streams},
      id_{id},
      protocol_{std::move(protocol)},
      resets_reliably_{quic.can_reset_reliably()},
      state_{std::move(state)} {
    for (const auto kind : {direction::bidi, direction::uni}) {
        auto& p = prefixes_[index_of(kind)];
        p.size = webtransport::write_stream_prefix(kind, id, p.bytes);
    }
}

std::optional<stream_id> session::open(direction kind) {
    const auto made = quic_.open(kind);
    if (!made) return std::nullopt;
    const auto size = static_cast<std::uint8_t>(prefixes_[index_of(kind)].size);
    streams_.get(*made) = {
        .owned_by = stream::owner::session, .unwritten = size, .unacked = size, .lends = !resets_reliably_};
    return made;
}

byte_view session::rest_of_prefix(stream_id id, const stream& s) const noexcept {
    const auto& p = prefixes_[index_of(direction_of(id))];
    return byte_view{p.bytes}.first(p.size).last(s.unwritten);
}

/// In the stream's own room, behind the bytes that QUIC has from there. Precondition: they fit.
byte_view session::copy_of(const write_stream& w, const stream& s) {
    const auto room = std::span{streams_.room_of(w.stream)}.subspan(s.copied, w.size);
    auto at = room.begin();
    for (const auto piece : w.data) at = std::ranges::copy(piece, at).out;
    return room;
}

std::optional<std::size_t> session::write(const write_stream& w) {
    auto* const found = streams_.find(w.stream);
    if (found == nullptr || (found->unwritten == 0 && found->lends)) return quic_.write(w);
    if (w.size == 0 && !w.fin) return 0;
    auto& s = *found;
    // The prefix is sent with the first byte.
    const auto rest = rest_of_prefix(w.stream, s);
    pieces_.assign(1, rest);
    const bool copies = !s.lends && w.size <= std::tuple_size_v<stream_table::room> - s.copied;
    if (copies)
        pieces_.push_back(copy_of(w, s));
    else
        pieces_.insert(pieces_.end(), w.data.begin(), w.data.end());
    const auto taken = quic_.write({w.stream, pieces_, rest.size() + w.size, w.fin});
    if (!taken) return std::nullopt;
    const auto ours = std::min(*taken, rest.size());
    s.unwritten = static_cast<std::uint8_t>(rest.size() - ours);
    if (copies)
        s.copied = static_cast<std::uint8_t>(s.copied + *taken - ours);
    else if (*taken > ours)
        s.lends = true;
    // The handler takes 0 of 0 bytes as a written FIN; we write it with the rest of the prefix.
    if (w.size == 0 && ours < rest.size()) pending_fins_.push_back(w.stream);
    return *taken - ours;
}

void session::flush_pending_fins() {
    while (!pending_fins_.empty()) {
        const auto id = pending_fins_.back();
        auto* const found = streams_.find(id);
        if (found != nullptr && found->unwritten != 0) {
            const auto rest = rest_of_prefix(id, *found);
            const auto taken = quic_.write({id, {&rest, 1}, rest.size(), true});
            if (!taken) return;
            found->unwritten = static_cast<std::uint8_t>(rest.size() - *taken);
            if (*taken < rest.size()) return; // Blocked by the peer.
        }
        pending_fins_.pop_back();
    }
}

void session::pump(time_point now) {
    flush_pending_fins();
    pumping_ = true;
    handler_->pump(*this, now); // Its resets and credits are sent in any case.
    pumping_ = false;
}

void session::acked(stream_id id, stream& s, std::uint64_t n, time_point now) {
    const auto ours = std::min<std::uint64_t>(n, s.unacked);
    s.unacked = static_cast<std::uint8_t>(s.unacked - ours);
    if (n > ours && active_handler() != nullptr) handler_->stream_acked(id, n - ours, now);
}

// Reliably, so that the prefix arrives, only while QUIC has no bytes of the handler, which frees them once this pump is
// over: the stack delivers all that was written, and not the prefix alone. Otherwise the prefix may be lost, and the
// peer drops the stream.
void session::reset(stream_id id, app_error code) {
    std::erase(pending_fins_, id);
    const auto* found = streams_.find(id);
    if (found != nullptr && !found->lends)
        quic_.reset_reliably(id, on_the_wire(code));
    else
        quic_.reset(id, on_the_wire(code));
}

void session::stop(stream_id id, app_error code) { quic_.stop(id, on_the_wire(code)); }

bool session::send(byte_view bytes) {
    const auto size = webtransport::datagram_prefix_size(id_);
    datagram_.resize(size);
    webtransport::write_datagram_prefix(id_, datagram_);
    datagram_.insert(datagram_.end(), bytes.begin(), bytes.end());
    return quic_.send(datagram_);
}

std::size_t session::datagram_size() const {
    const auto all = quic_.datagram_size();
    const auto ours = webtransport::datagram_prefix_size(id_);
    return all > ours ? all - ours : 0;
}

/// From here on QUIC retransmits none of the handler's bytes, which are not lent any more. The streams' other halves
/// and the end of the CONNECT stream follow in http3_connection::settle().
void session::reset_streams() {
    pending_fins_.clear();
    streams_.for_each([this](stream_id id, const stream& s) {
        const bool writes = direction_of(id) == direction::bidi || initiator_of(id) == side();
        if (s.owned_by == stream::owner::session && writes)
            quic_.reset(id, app_error{static_cast<std::uint64_t>(webtransport::http3_code::session_gone)});
    });
}

// Executed in the next pump, which has the time; but a handler that closes in its own pump frees its lent bytes when
// that is over.
void session::close(app_error code, std::string_view reason) {
    if (closing_) return;
    const auto n = std::min(static_cast<std::uint64_t>(code), static_cast<std::uint64_t>(webtransport::app_error_max));
    closing_ =
        std::make_unique<link::closed>(link::closed{n, true, false, std::string{reason.empty() ? "closed" : reason}});
    if (pumping_) reset_streams();
    quic_.wake();
}

void session::settle(time_point now) {
    if (closing_ && handler_) state_.close(app_error{closing_->code}, closing_->reason, now);
    while (const auto e = state_.poll_event()) {
        const auto* end = std::get_if<webtransport::session_ended>(&*e);
        if (end == nullptr) continue;
        reset_streams();
        finish(to_closed(*end), now);
    }
}

void session::connection_closed(const link::closed& how, time_point now) {
    settle(now); // The session's own end, perhaps in the same packet, is more specific.
    if (closing_) return finish(*closing_, now);
    if (!how.application) return finish(how, now);
    if (how.by_peer)
        state_.connection_closed(webtransport::http3_code{how.code}, how.reason, now);
    else
        finish({how.code, false, false, how.reason}, now); // An HTTP/3 error, not an application's code.
    settle(now);
}

void session::finish(const link::closed& how, time_point now) {
    if (!handler_) return;
    const auto ending = std::move(handler_);
    ending->on_closed(how, now);
}

} // namespace moqlite::nghttp3::detail

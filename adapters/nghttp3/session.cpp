#include "detail/session.hpp"

#include <algorithm>
#include <moqlite/webtransport/capsule.hpp>
#include <moqlite/webtransport/datagram.hpp>
#include <moqlite/webtransport/error_code.hpp>
#include <utility>

namespace moqlite::nghttp3::detail {

namespace {

app_error on_the_wire(app_error code) noexcept {
    return app_error{static_cast<std::uint64_t>(webtransport::to_http3_code(code))};
}

} // namespace

session::session(ngtcp2::connection& quic, stream_table& streams, stream_id id, std::string protocol)
    : quic_{quic}, streams_{streams}, id_{id}, protocol_{std::move(protocol)} {
    for (const auto kind : {direction::bidi, direction::uni}) {
        auto& p = prefixes_[kind == direction::uni ? 1 : 0];
        p.size = webtransport::write_stream_prefix(kind, id, p.bytes);
    }
}

std::optional<stream_id> session::open(direction kind) {
    const auto made = quic_.open(kind);
    if (!made) return std::nullopt;
    const auto size = static_cast<std::uint8_t>(prefix_of(*made).size);
    streams_[number(*made)] = {.whose = stream::owner::session, .unwritten = size, .unacked = size};
    return made;
}

std::optional<std::size_t> session::write(const write_stream& w) {
    const auto found = streams_.find(number(w.stream));
    if (found == streams_.end() || found->second.unwritten == 0) return quic_.write(w);
    if (w.size == 0 && !w.fin) return 0;
    // The prefix goes with the first byte.
    auto& left = found->second.unwritten;
    const auto& p = prefix_of(w.stream);
    const auto rest = byte_view{p.bytes}.first(p.size).last(left);
    pieces_.assign(1, rest);
    pieces_.insert(pieces_.end(), w.data.begin(), w.data.end());
    const auto taken = quic_.write({w.stream, pieces_, rest.size() + w.size, w.fin});
    if (!taken) return std::nullopt;
    const auto ours = std::min(*taken, rest.size());
    left = static_cast<std::uint8_t>(left - ours);
    // To the handler its FIN is written: 0 says so where there are no bytes.
    if (w.size == 0 && left != 0) owed_.push_back(w.stream);
    return *taken - ours;
}

/// False: the connection takes no more.
bool session::pay() {
    while (!owed_.empty()) {
        const auto id = owed_.back();
        const auto found = streams_.find(number(id));
        if (found != streams_.end() && found->second.unwritten != 0) {
            const auto& p = prefix_of(id);
            const auto rest = byte_view{p.bytes}.first(p.size).last(found->second.unwritten);
            const auto taken = quic_.write({id, {&rest, 1}, rest.size(), true});
            if (!taken) return false;
            found->second.unwritten = static_cast<std::uint8_t>(found->second.unwritten - *taken);
            if (found->second.unwritten != 0) return true; // Until the peer lets us.
        }
        owed_.pop_back();
    }
    return true;
}

void session::pump(time_point now) {
    if (pay()) upper_->pump(*this, now);
}

void session::acked(stream_id id, stream& s, std::uint64_t n, time_point now) {
    const auto ours = std::min<std::uint64_t>(n, s.unacked);
    s.unacked = static_cast<std::uint8_t>(s.unacked - ours);
    if (n > ours && upper() != nullptr) upper_->stream_acked(id, n - ours, now);
}

// At once, though the prefix may be lost with it: the peer drops a stream that is reset before it said whose it is. To
// wait until the prefix has arrived would send again what the handler does not lend any more.
void session::reset(stream_id id, app_error code) {
    std::erase(owed_, id);
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

void session::close(app_error code, std::string_view reason) {
    code = std::min(code, webtransport::app_error_max);
    end({static_cast<std::uint64_t>(code), true, false, std::string{reason.empty() ? "closed" : reason}});
}

void session::end(ngtcp2::closed how) {
    if (ending_) return;
    ending_ = std::make_unique<ngtcp2::closed>(std::move(how));
    quic_.wake();
}

std::vector<std::byte> session::farewell() const {
    std::vector<std::byte> out;
    if (!ending_->by_peer && ending_->application)
        webtransport::write_close(app_error{ending_->code}, ending_->reason, out);
    return out;
}

void session::finish(time_point now) {
    upper_->on_closed(*ending_, now);
    upper_.reset();
}

} // namespace moqlite::nghttp3::detail

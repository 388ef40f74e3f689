// Delivery of bytes. Part of connection.hpp.
#pragma once

#include "connection.hpp"

namespace moqlite::sim {

template <class F>
void side::tell_peer(duration d, F what) {
    const auto grid = link_.grid.count();
    const auto when = (std::max(world_.now(), down_until_) + d).time_since_epoch().count();
    world_.at(time_point{duration{(when + grid - 1) / grid * grid}}, [this, what = std::move(what)] {
        if (!*dead_ && !peer_->ended_) what(*peer_);
    });
}

// The transport.

inline std::optional<stream_id> side::open(direction kind) {
    must(!ended_, "no output after close");
    must(!writing_, "nothing but write, reset and stop follows a write before flush");
    const auto i = index(kind);
    world_.said.add(i);
    trace(open_stream{kind});
    if (opened_[i] == stream_limit_[i]) {
        opening_blocked_[i] = true;
        return std::nullopt;
    }
    const auto id = opened_[i]++ * 4 + (i != 0 ? 2u : 0u) + (role_ == role::server ? 1u : 0u);
    auto& s = streams_[id];
    s.has_send = true;
    s.has_receive = kind == direction::bidi;
    s.limit = peer_->link_.stream_credit;
    s.granted = link_.stream_credit;
    return stream_id{id};
}

inline side::stream& side::writable_stream(stream_id id) {
    stream* s = find(id);
    must(s != nullptr, "only streams that are there are written");
    must(s->has_send, "only streams that we may send on are written");
    must(!s->fin, "nothing follows FIN");
    must(!s->was_reset, "nothing follows a reset");
    return *s;
}

inline std::uint64_t side::room() const noexcept {
    const auto left = in_flight_ < link_.window ? link_.window - in_flight_ : 0;
    const auto window = link_.full_segments && left < link_.segment ? 0 : left;
    return std::min(window, connection_limit_ - connection_sent_);
}

inline std::optional<std::size_t> side::write(const write_stream& w) {
    must(!ended_, "no output after close");
    send_again();
    writing_ = true;
    stream& s = writable_stream(w.stream);
    std::size_t sum = 0;
    for (auto part : w.data) sum += part.size();
    must(sum == w.size, "a write's size is the sum of its parts");
    must(w.size != 0 || w.fin, "a write says something");
    must(!s.blocked, "a blocked stream is not written before it is writable");

    const auto left = room();
    trace(w);
    world_.trace([&] {
        return "   room " + std::to_string(left) + " of the connection, " + std::to_string(s.limit - s.written) +
               " of the stream";
    });
    if (left == 0 && (w.size != 0 || in_flight_ >= link_.window)) {
        starved_ = true;
        return std::nullopt;
    }
    const auto n = static_cast<std::size_t>(std::min<std::uint64_t>({w.size, s.limit - s.written, left, link_.packet}));
    if (n == 0 && w.size != 0) {
        s.blocked = true;
        return 0;
    }
    world_.said.add(number(w.stream) * 4 + (w.fin ? 2u : 0u) + 1u);
    if (on_write) on_write(w.stream, n);
    send(w.stream, s, w, n);
    return n;
}

inline void side::send(stream_id id, stream& s, const write_stream& w, std::size_t n) {
    bytes_written_ += n;
    connection_sent_ += n;
    const bool fin = w.fin && n == w.size;
    s.fin = fin;
    auto left = n;
    std::vector<shared_segment> pieces;
    for (auto part : w.data) {
        part = part.first(std::min(part.size(), left));
        left -= part.size();
        while (!part.empty()) {
            const auto size = std::min<std::size_t>(part.size(),
                static_cast<std::size_t>(link_.full_segments ? link_.segment : world_.dice.between(1, link_.segment)));
            auto piece = std::make_shared<segment>();
            piece->offset = s.written;
            piece->bytes.assign(part.begin(), part.begin() + static_cast<std::ptrdiff_t>(size));
            piece->lent = part.data();
            world_.said.add(piece->bytes);
            s.written += size;
            part = part.subspan(size);
            pieces.push_back(std::move(piece));
        }
    }
    // FIN travels with the last bytes, or alone.
    if (fin && (pieces.empty() || world_.dice.coin())) {
        pieces.push_back(std::make_shared<segment>());
        pieces.back()->offset = s.written;
    }
    if (fin) pieces.back()->fin = true;
    for (const auto& piece : pieces) {
        s.unacked.push_back(piece);
        in_flight_ += piece->bytes.size();
        send_segment(id, piece);
    }
}

inline void side::send_segment(stream_id id, const shared_segment& piece) {
    if (world_.now() < down_until_) return send_after_failure(id, piece);
    if (link_.rate != 0) {
        const auto takes =
            duration{static_cast<duration::rep>((piece->bytes.size() + 20) * 1'000'000'000 / link_.rate)};
        line_free_ = std::max(line_free_, world_.now()) + takes;
    }
    auto late = std::max(line_free_, world_.now()) - world_.now() + trip();
    while (world_.dice.in_a_thousand(link_.loss)) {
        const auto resend = late + 2 * link_.latency + 5ms;
        lost_.push_back(piece);
        world_.after(resend, [this, id, piece] {
            lost_.erase(std::find(lost_.begin(), lost_.end(), piece));
            if (is_lent(id, *piece)) piece->compare();
        });
        late = resend + trip();
    }
    tell_peer(late, [this, id, piece](side& peer) {
        if (world_.now() < down_until_) return send_after_failure(id, piece);
        peer.on_segment(id, piece);
    });
}

inline void side::send_after_failure(stream_id id, const shared_segment& piece) {
    world_.at(down_until_, [this, id, piece] {
        if (is_lent(id, *piece)) return send_segment(id, piece);
        in_flight_ -= piece->bytes.size();
        if (std::exchange(starved_, false) && to != nullptr) to->writable();
    });
}

inline bool side::is_lent(stream_id id, const segment& piece) {
    const stream* s = find(id);
    return !ended_ && !piece.acked && s != nullptr && !s->was_reset;
}

inline void side::send_again() const {
    for (const auto& piece : lost_)
        if (!ended_ && !piece->acked && !piece->given_up) piece->compare();
}

/// The stream is not retransmitted any more; the session may rely on that only after the flush.
inline void side::let_go_of(stream& s) {
    for (const auto& piece : s.unacked) {
        piece->compare();
        piece->given_up = true;
        given_up_.push_back(piece);
    }
    s.unacked.clear();
}

inline void side::flush() {
    writing_ = false;
    for (const auto& piece : given_up_) piece->compare();
    given_up_.clear();
}

inline void side::reset(stream_id id, app_error code) {
    must(!ended_, "no output after close");
    world_.said.add(number(id) * 4 + 2);
    trace(reset_stream{id, code});
    stream* s = find(id);
    if (s == nullptr || !s->has_send || s->was_reset || s->send_done()) return;
    s->was_reset = true;
    s->cut = code;
    let_go_of(*s);
    const auto final_size = s->written;
    const auto queued = std::max(line_free_, world_.now()) - world_.now();
    tell_peer(queued + trip(), [id, code, final_size](side& peer) {
        peer.on_reset(id, code, final_size);
        peer.tell_peer(peer.trip(), [id](side& back) {
            if (stream* own = back.find(id)) {
                own->reset_acked = true;
                back.close_if_done(id);
            }
        });
    });
}

inline void side::stop(stream_id id, app_error code) {
    must(!ended_, "no output after close");
    world_.said.add(number(id) * 4 + 3);
    trace(stop_sending{id, code});
    stream* s = find(id);
    if (s == nullptr || !s->has_receive || s->stopped || s->receive_done()) return;
    s->stopped = true;
    s->cut = code;
    tell_peer(trip(), [id, code](side& peer) { peer.on_stop(id, code); });
}

inline void side::credit(stream_id id, std::uint64_t n) {
    must(!ended_, "no output after close");
    must(!writing_, "nothing but write, reset and stop follows a write before flush");
    must(n != 0, "credit gives something");
    world_.said.add(number(id) * 4 + n * 1024);
    trace(moqlite::credit{id, n});
    stream* s = find(id);
    if (s == nullptr || !s->has_receive) return;
    s->credited += n;
    must(s->credited <= s->delivered, "credit is given once for each byte");
    s->granted += n;
    tell_peer(trip(), [id, limit = s->granted](side& peer) { peer.on_stream_limit(id, limit); });
}

inline void side::close(app_error code, std::string_view reason) {
    must(!ended_, "a session closes once");
    must(!writing_, "nothing but write, reset and stop follows a write before flush");
    world_.said.add(static_cast<std::uint64_t>(code));
    tell_peer(trip(), [code, text = std::string(reason)](
                          side& peer) { peer.on_end({.code = code, .by_peer = true, .reason = text}); });
    for (auto& [id, s] : streams_) let_go_of(s);
    ended_ = true;
}

// Receiving.

inline side::stream* side::find_or_accept(stream_id id) {
    if (stream* s = find(id)) return s;
    if (mine(id)) return nullptr;
    const auto kind = direction_of(id);
    const auto n = number(id) / 4;
    auto& accepted = accepted_[index(kind)];
    if (n < accepted) return nullptr; // It is over. (Streams in between open with it, as in QUIC.)
    for (; accepted <= n; ++accepted) {
        auto& s = streams_[accepted * 4 + (number(id) & 3)];
        s.has_receive = true;
        s.has_send = kind == direction::bidi;
        s.limit = peer_->link_.stream_credit;
        s.granted = link_.stream_credit;
    }
    return find(id);
}

inline void side::on_segment(stream_id id, const shared_segment& piece) {
    stream* s = find_or_accept(id);
    tell_peer(link_.ack_delay + trip(), [id, piece](side& peer) { peer.on_ack(id, piece); });
    if (s == nullptr || s->reset_told) return;
    must(piece->offset + piece->bytes.size() <= s->granted, "stream credit is respected");
    s->arrived.emplace(piece->offset * 2 + (piece->bytes.empty() ? 1 : 0), piece);
    deliver(id);
}

inline void side::deliver(stream_id id) {
    for (stream* s = find(id); s != nullptr && !s->arrived.empty(); s = find(id)) {
        const auto piece = s->arrived.begin()->second;
        if (piece->offset != s->delivered || s->fin_told) return;
        s->arrived.erase(s->arrived.begin());
        s->delivered += piece->bytes.size();
        s->fin_told = piece->fin;
        received(piece->bytes.size());
        if (!s->stopped && to != nullptr) to->stream_received(id, piece->bytes, piece->fin);
        if (ended_) return;
        close_if_done(id);
    }
}

/// Connection credit is returned as soon as bytes are read, in steps.
inline void side::received(std::uint64_t n) {
    connection_read_ += n;
    const auto window = link_.connection_credit;
    if (connection_read_ - connection_granted_ < window / 4 + 1) return;
    connection_granted_ = connection_read_;
    tell_peer(trip(), [limit = connection_read_ + window](side& peer) {
        peer.connection_limit_ = std::max(peer.connection_limit_, limit);
        if (std::exchange(peer.starved_, false) && peer.to != nullptr) peer.to->writable();
    });
}

inline void side::on_ack(stream_id id, const shared_segment& piece) {
    in_flight_ -= piece->bytes.size();
    if (is_lent(id, *piece)) piece->compare();
    piece->acked = true;
    if (starved_ && room() != 0) {
        starved_ = false;
        if (to != nullptr) to->writable();
    }
    stream* s = find(id);
    if (s == nullptr || s->was_reset) return;
    std::uint64_t n = 0;
    while (!s->unacked.empty() && s->unacked.front()->acked) {
        n += s->unacked.front()->bytes.size();
        s->fin_acked = s->fin_acked || s->unacked.front()->fin;
        s->unacked.pop_front();
    }
    if (n != 0 && to != nullptr) to->stream_acked(id, n);
    if (!ended_) close_if_done(id);
}

inline void side::on_reset(stream_id id, app_error code, std::uint64_t final_size) {
    stream* s = find_or_accept(id);
    if (s == nullptr || s->receive_done()) return;
    s->reset_told = true;
    if (!s->cut) s->cut = code;
    s->arrived.clear();
    received(final_size - s->delivered);
    if (to != nullptr && (!s->stopped || world_.dice.coin())) to->stream_reset(id, code);
    if (!ended_) close_if_done(id);
}

inline void side::on_stop(stream_id id, app_error code) {
    stream* s = find_or_accept(id);
    if (s == nullptr || s->stop_told || s->was_reset || s->send_done()) return;
    s->stop_told = true;
    if (!s->cut) s->cut = code;
    if (to != nullptr) to->stream_stopped(id, code);
}

inline void side::on_stream_limit(stream_id id, std::uint64_t limit) {
    stream* s = find(id);
    if (s == nullptr || limit <= s->limit) return;
    s->limit = limit;
    if (std::exchange(s->blocked, false) && to != nullptr) to->stream_writable(id);
}

inline void side::on_end(const closed_by& how) {
    if (std::exchange(ended_, true) || to == nullptr) return;
    to->connection_closed(how);
}

inline void side::close_if_done(stream_id id) {
    stream* s = find(id);
    if (s == nullptr || !s->send_done() || !s->receive_done()) return;
    const auto cut = s->cut;
    streams_.erase(number(id));
    if (!mine(id)) {
        const auto i = index(direction_of(id));
        tell_peer(trip(), [i](side& peer) {
            ++peer.stream_limit_[i];
            if (std::exchange(peer.opening_blocked_[i], false) && peer.to != nullptr)
                peer.to->streams_available(i != 0 ? direction::uni : direction::bidi);
        });
    }
    if (to != nullptr) to->stream_closed(id, cut);
}

inline std::size_t side::open_streams() const {
    return static_cast<std::size_t>(
        std::count_if(streams_.begin(), streams_.end(), [](const auto& s) { return s.second.used(); }));
}
inline std::size_t side::ids_in_hand() const {
    return static_cast<std::size_t>(std::count_if(streams_.begin(), streams_.end(), [&](const auto& s) {
        return mine(stream_id{s.first}) && s.second.written == 0 && !s.second.fin && !s.second.was_reset;
    }));
}

} // namespace moqlite::sim

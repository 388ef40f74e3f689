// A connection in memory: two sessions joined without a network.
//
//     memory_link link;
//     pump(a, link.client), pump(b, link.server);                  // Outputs go in,
//     link.client.deliver(a, now, drain_a);                        // facts come out, until neither end has any.
//     link.server.deliver(b, now, drain_b);
//
// Bytes are lent, not copied: the receiving session reads them in the memory of the sending one, and they are
// acknowledged once read. Windows bound the waiting bytes, so that a slow reader slows its writer as over QUIC; the
// bytes written first, the most urgent, arrive first. There is no clock and no loss. Both ends and both sessions belong
// to one thread; between two threads the waiting pieces would have to be copied, and acknowledged in write().
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <moqlite/containers/id_table.hpp>
#include <moqlite/containers/list.hpp>
#include <moqlite/containers/object_pool.hpp>
#include <moqlite/containers/ring.hpp>
#include <moqlite/core/bytes.hpp>
#include <moqlite/core/ids.hpp>
#include <moqlite/core/time.hpp>
#include <moqlite/session/ready.hpp>
#include <moqlite/session/session.hpp>
#include <moqlite/session/transport.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace moqlite {

/// Limits that each end grants the other; sizes in bytes.
struct memory_link_options {
    std::uint64_t stream_window = 256 * 1024;      ///< Per stream, beyond the credit that its reader has returned.
    std::uint64_t connection_window = 1024 * 1024; ///< Over all streams: written and not delivered.
    std::uint64_t bidi_streams = 100;              ///< Streams open at once.
    std::uint64_t uni_streams = 100;
    std::size_t pieces = 4096;  ///< Waiting ranges of bytes; a small one takes more memory than its bytes.
    std::size_t datagrams = 64; ///< Waiting datagrams; further ones are dropped.
};

/// Where an end reports that it has facts to deliver, or accepts bytes again: then call deliver() and pump() for its
/// session.
struct memory_wake {
    ready_list* list = nullptr;
    std::uint64_t key = 0;
};

/// One end: a session's transport, and the source of its facts.
class memory_transport {
public:
    memory_transport(role side, const memory_link_options& options, memory_wake wake, memory_transport& far)
        : far_(far), side_(side), options_(options), ready_(wake.list, wake.key) {
        limit_ = {options.bidi_streams, options.uni_streams};
    }
    memory_transport(const memory_transport&) = delete;
    memory_transport& operator=(const memory_transport&) = delete;

    // The transport.

    std::optional<stream_id> open(direction kind) {
        const auto i = index(kind);
        if (opened_[i] == limit_[i]) {
            opening_blocked_[i] = true;
            return std::nullopt;
        }
        const auto n = opened_[i]++;
        const stream_id id{4 * n + (kind == direction::uni ? 2u : 0u) + (side_ == role::server ? 1u : 0u)};
        make(id, true, kind == direction::bidi);
        return id;
    }
    std::optional<std::size_t> write(const write_stream& w);
    void reset(stream_id id, app_error code);
    void stop(stream_id id, app_error code);
    void credit(stream_id id, std::uint64_t n);
    void close(app_error code, std::string_view reason) {
        end();
        far_.set_end(code, true, reason);
    }
    void flush() noexcept {}
    bool send(byte_view datagram) {
        if (ended_ || datagrams_.size() >= options_.datagrams) return false;
        datagrams_.push({datagram.begin(), datagram.end()});
        far_.ready_.mark();
        return true;
    }

    // The facts.

    /// Gives the session of this end all waiting facts, and calls `drain()`, which polls its events, after each. False:
    /// there were none.
    template <class Session, class Drain>
    bool deliver(Session& s, time_point now, Drain&& drain) {
        bool any = false;
        while (!ended_ && deliver_one(s, now, drain)) any = true;
        return any;
    }

private:
    friend class memory_link;
    struct pending_tag;
    /// A stream, from this end's view.
    struct stream : detail::list_hook<detail::owned_tag>, detail::list_hook<pending_tag> {
        stream_id id{};
        bool sends = false;
        bool receives = false;
        // Ours.
        std::uint64_t written = 0;
        std::uint64_t limit = 0; ///< Limit of `written` that the far end has granted.
        bool blocked = false;
        bool fin_arrived = false;
        bool reset = false;
        bool reset_arrived = false;
        // Theirs.
        bool ended = false; ///< Their FIN or reset was reported.
        bool stopped = false;
        // To be reported.
        bool writable = false;
        std::uint64_t acked = 0;
        std::optional<app_error> stop_code{};
        std::optional<app_error> reset_code{};
        std::optional<app_error> cut{}; ///< The code, if it did not end cleanly.

        [[nodiscard]] bool has_closed() const noexcept {
            return (!sends || fin_arrived || reset_arrived) && (!receives || ended);
        }
    };
    /// Lent bytes in flight. Those of a stream that has been reset since are never read.
    struct piece {
        stream_id id{};
        byte_view bytes{};
        bool fin = false;
    };

    static std::size_t index(direction kind) noexcept { return kind == direction::uni ? 1 : 0; }
    [[nodiscard]] stream* find(stream_id id) noexcept {
        auto* const* found = by_id_.find(number(id));
        return found != nullptr ? *found : nullptr;
    }
    stream& make(stream_id id, bool sends, bool receives) {
        auto& s = streams_.make();
        s.id = id;
        s.sends = sends;
        s.receives = receives;
        s.limit = options_.stream_window;
        by_id_.insert(number(id), &s);
        return s;
    }
    /// nullptr: it was ours, and has closed.
    stream* find_or_accept(stream_id id) {
        if (stream* s = find(id)) return s;
        if (initiator_of(id) == side_) return nullptr;
        return &make(id, direction_of(id) == direction::bidi, true);
    }
    void queue_facts(stream& s) {
        if (!static_cast<detail::list_hook<pending_tag>&>(s).linked()) pending_.push_back(s);
        ready_.mark();
    }
    [[nodiscard]] std::uint64_t room() const noexcept {
        return options_.connection_window - std::min(options_.connection_window, waiting_);
    }
    /// Nothing more is sent or reported at this end.
    void end() {
        ended_ = true;
        pieces_.clear();
        datagrams_.clear();
        waiting_ = 0;
    }
    void set_end(app_error code, bool by_peer, std::string_view reason) {
        if (ended_ || end_) return;
        end_ = closed_by{code, by_peer, {}};
        reason_ = reason;
        ready_.mark();
    }

    template <class Session, class Drain>
    bool deliver_one(Session& s, time_point now, Drain&& drain) {
        if (stream* t = pending_.pop_front()) return deliver_pending(*t, s, now, drain), true;
        for (const auto kind : {direction::bidi, direction::uni}) {
            if (!std::exchange(available_[index(kind)], false)) continue;
            s.streams_available(kind, now);
            return drain(), true;
        }
        if (end_) {
            end();
            s.connection_closed({end_->code, end_->by_peer, reason_}, now);
            return drain(), true;
        }
        if (!far_.datagrams_.empty()) {
            const auto datagram = far_.datagrams_.pop();
            s.datagram_received(datagram, now);
            return drain(), true;
        }
        if (far_.pieces_.empty()) return false;
        deliver_piece(far_.take_piece(), s, now, drain);
        return true;
    }
    template <class Session, class Drain>
    void deliver_pending(stream& t, Session& s, time_point now, Drain&& drain) {
        const auto id = t.id;
        if (std::exchange(t.writable, false)) s.stream_writable(id, now), drain();
        if (const auto code = std::exchange(t.stop_code, {})) s.stream_stopped(id, *code, now), drain();
        if (const auto n = std::exchange(t.acked, 0)) s.stream_acked(id, n, now), drain();
        if (const auto code = std::exchange(t.reset_code, {})) {
            t.ended = true;
            s.stream_reset(id, *code, now);
            drain();
            if (stream* theirs = far_.find(id)) theirs->reset_arrived = true, far_.queue_facts(*theirs);
        }
        if (!t.has_closed()) return;
        const auto cut = t.cut;
        by_id_.erase(number(id));
        streams_.destroy(t);
        s.stream_closed(id, cut, now);
        drain();
        if (initiator_of(id) != side_) far_.grant(direction_of(id));
    }
    template <class Session, class Drain>
    void deliver_piece(const piece& p, Session& s, time_point now, Drain&& drain) {
        if (stream* theirs = far_.find(p.id); theirs == nullptr || theirs->reset) return;
        stream* t = find_or_accept(p.id);
        if (t == nullptr) return;
        t->ended = p.fin;
        if (!t->stopped) s.stream_received(p.id, p.bytes, p.fin, now), drain();
        if (t->has_closed()) queue_facts(*t);
        stream* theirs = far_.find(p.id);
        if (theirs == nullptr) return;
        theirs->acked += p.bytes.size();
        theirs->fin_arrived = p.fin;
        if (theirs->acked != 0 || theirs->has_closed()) far_.queue_facts(*theirs);
    }
    piece take_piece() {
        const auto p = pieces_.pop();
        waiting_ -= p.bytes.size();
        if (std::exchange(starved_, false)) ready_.mark();
        return p;
    }
    /// This end may open one more stream.
    void grant(direction kind) {
        const auto i = index(kind);
        ++limit_[i];
        if (!std::exchange(opening_blocked_[i], false)) return;
        available_[i] = true;
        ready_.mark();
    }

    memory_transport& far_;
    role side_;
    memory_link_options options_;
    ready_entry ready_;
    detail::object_pool<stream> streams_;
    detail::id_table<stream*> by_id_;
    detail::list<stream, pending_tag> pending_; ///< Streams with facts to report.
    detail::ring<piece> pieces_;                ///< In flight to the far end.
    std::uint64_t waiting_ = 0;                 ///< Total bytes of the pieces.
    detail::ring<std::vector<std::byte>> datagrams_;
    std::array<std::uint64_t, 2> opened_{};
    std::array<std::uint64_t, 2> limit_{};
    std::array<bool, 2> opening_blocked_{};
    std::array<bool, 2> available_{};
    bool starved_ = false; ///< A write was refused because the connection was full.
    bool ended_ = false;
    std::optional<closed_by> end_; ///< To be reported.
    std::string reason_;
};

static_assert(datagram_transport<memory_transport>);

/// The two ends of a connection. It must outlive both sessions.
class memory_link {
public:
    explicit memory_link(
        const memory_link_options& options = {}, memory_wake at_client = {}, memory_wake at_server = {})
        : client(role::client, options, at_client, server), server(role::server, options, at_server, client) {}
    /// The connection is lost: reported to both sessions.
    void cut(std::string_view reason) {
        for (auto* end : {&client, &server}) end->set_end(app_error::transport, false, reason);
    }
    memory_transport client;
    memory_transport server;
};

inline std::optional<std::size_t> memory_transport::write(const write_stream& w) {
    stream* s = find(w.stream);
    if (s == nullptr) return w.size; // It has closed, which will be reported to the session.
    const auto left = room();
    const bool full = (left == 0 && w.size != 0) || pieces_.size() + w.data.size() >= options_.pieces;
    if (full || ended_ || far_.ended_) {
        starved_ = true;
        return std::nullopt;
    }
    const auto n = as_size(std::min<std::uint64_t>({w.size, left, s->limit - s->written}));
    if (n == 0 && w.size != 0) {
        s->blocked = true;
        return 0;
    }
    const bool fin = w.fin && n == w.size;
    auto rest = n;
    for (const auto part : w.data) {
        const auto here = std::min(rest, part.size());
        rest -= here;
        if (here != 0) pieces_.push({w.stream, part.first(here), fin && rest == 0});
    }
    if (w.size == 0) pieces_.push({w.stream, {}, fin});
    s->written += n;
    waiting_ += n;
    far_.ready_.mark();
    return n;
}

inline void memory_transport::reset(stream_id id, app_error code) {
    stream* s = find(id);
    if (s == nullptr || !s->sends || s->reset || s->fin_arrived) return;
    s->reset = true;
    s->cut = code;
    stream* theirs = far_.find_or_accept(id);
    if (theirs == nullptr) return s->reset_arrived = true, queue_facts(*s);
    theirs->reset_code = code;
    if (!theirs->cut) theirs->cut = code;
    far_.queue_facts(*theirs);
}

inline void memory_transport::stop(stream_id id, app_error code) {
    stream* s = find(id);
    if (s == nullptr || !s->receives || s->stopped || s->ended) return;
    s->stopped = true;
    s->cut = code;
    stream* theirs = far_.find(id);
    if (theirs == nullptr || theirs->reset) return;
    theirs->stop_code = code;
    if (!theirs->cut) theirs->cut = code;
    far_.queue_facts(*theirs);
}

inline void memory_transport::credit(stream_id id, std::uint64_t n) {
    stream* theirs = far_.find(id);
    if (theirs == nullptr) return;
    theirs->limit += n;
    if (!std::exchange(theirs->blocked, false)) return;
    theirs->writable = true;
    far_.queue_facts(*theirs);
}

} // namespace moqlite

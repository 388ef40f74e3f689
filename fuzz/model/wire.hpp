// A scripted connection: bytes, acknowledgements, resets and credit are delivered only on command, in any
// order.
#pragma once

#include <algorithm>
#include <array>
#include <deque>
#include <functional>
#include <lent.hpp>
#include <map>
#include <moqlite/session/session.hpp>
#include <moqlite/session/transport.hpp>
#include <must.hpp>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace moqlite::fuzz {

using sim::must;

/// An input of a session.
struct fact {
    enum class kind : std::uint8_t { received, reset, stopped, writable, acked, closed, streams, datagram, ended };
    kind what = kind::received;
    stream_id id{};
    byte_view bytes{};
    bool fin = false;
    std::uint64_t n = 0;
    std::optional<app_error> code{};
    direction streams = direction::bidi;
};

template <class Session>
void tell(Session& s, const fact& f, time_point now) {
    switch (f.what) {
    case fact::kind::received: return s.stream_received(f.id, f.bytes, f.fin, now);
    case fact::kind::reset: return s.stream_reset(f.id, *f.code, now);
    case fact::kind::stopped: return s.stream_stopped(f.id, *f.code, now);
    case fact::kind::writable: return s.stream_writable(f.id, now);
    case fact::kind::acked: return s.stream_acked(f.id, f.n, now);
    case fact::kind::closed: return s.stream_closed(f.id, f.code, now);
    case fact::kind::streams: return s.streams_available(f.streams, now);
    case fact::kind::datagram: return s.datagram_received(f.bytes, now);
    case fact::kind::ended: return s.connection_closed({*f.code, true, ""}, now);
    }
}

/// One end: the transport of a session, and the data in flight from it.
class wire_end {
public:
    explicit wire_end(role side) : side_(side) {}
    wire_end(const wire_end&) = delete;
    wire_end& operator=(const wire_end&) = delete;

    wire_end* far = nullptr;
    std::function<void(const fact&)> hear; ///< Empty: no session here.

    // Controls.

    std::uint64_t budget = UINT64_MAX;                ///< Bytes that the connection still takes.
    std::array<std::uint64_t, 2> stream_limit{16, 8}; ///< Of bidirectional and unidirectional streams, in all.

    // The transport.

    std::optional<stream_id> open(direction kind) {
        ++said;
        must(!closed_, "no output after close");
        const auto i = index(kind);
        if (opened_[i] >= stream_limit[i]) {
            opening_blocked_[i] = true;
            return std::nullopt;
        }
        const auto id = 4 * opened_[i]++ + (i != 0 ? 2u : 0u) + (side_ == role::server ? 1u : 0u);
        streams_[id] = {.sends = true, .receives = kind == direction::bidi};
        return stream_id{id};
    }
    std::optional<std::size_t> write(const write_stream& w);
    void reset(stream_id id, app_error code) {
        ++said;
        must(!closed_, "no output after close");
        stream* s = find(id);
        lent_.reset(id);
        if (s == nullptr || !s->sends || s->reset || s->send_done()) return;
        s->reset = s->cut = code;
    }
    void stop(stream_id id, app_error code) {
        ++said;
        must(!closed_, "no output after close");
        stream* s = find(id);
        if (s == nullptr || !s->receives || s->stop || s->over) return;
        s->stop = s->cut = code;
    }
    void credit(stream_id id, std::uint64_t n) {
        ++said;
        must(!closed_, "no output after close");
        must(n != 0, "credit gives something");
        stream* s = find(id);
        if (s == nullptr || !s->receives) return;
        s->credited += n;
        must(s->credited <= s->received, "credit is given once for each byte");
    }
    void close(app_error code, std::string_view) {
        ++said;
        must(!closed_, "the connection is closed once");
        closed_ = code;
        lent_.close();
    }
    void flush() { lent_.executed(); }
    bool send(byte_view datagram) {
        ++said;
        must(!closed_, "no output after close");
        must(datagram.size() <= 1200, "a datagram is no larger than every path carries");
        if (datagrams_.size() == most_datagrams) return false;
        datagrams_.emplace_back(datagram.begin(), datagram.end());
        return true;
    }

    // Deliveries. Each does one thing for the k-th stream with something to do; false: there is none.

    bool deliver(std::size_t k, std::size_t most); ///< Bytes, and FIN after the last.
    bool deliver_control(std::size_t k);           ///< A reset, a STOP_SENDING, credit; or the end of the connection.
    bool acknowledge(std::size_t k, std::size_t most);
    /// The k-th datagram in flight arrives, and may be duplicated; or it is lost.
    void deliver_datagram(std::size_t k, bool arrives, bool again) {
        if (datagrams_.empty()) return;
        const auto at = datagrams_.begin() + static_cast<std::ptrdiff_t>(k % datagrams_.size());
        const auto bytes = again ? *at : std::move(*at);
        if (!again) datagrams_.erase(at);
        if (arrives) far->say({.what = fact::kind::datagram, .bytes = bytes});
    }
    void allow_streams(direction kind, std::uint64_t n) {
        stream_limit[index(kind)] += n;
        if (std::exchange(opening_blocked_[index(kind)], false)) say({.what = fact::kind::streams, .streams = kind});
    }
    /// Everything in flight from here arrives; true: there was something.
    bool deliver_all() {
        bool any = false;
        while (deliver(0, SIZE_MAX) || deliver_control(0) || acknowledge(0, SIZE_MAX)) any = true;
        return any;
    }
    /// A write has found the connection full since the last call.
    bool starved() { return std::exchange(starved_, false); }
    [[nodiscard]] bool over() const noexcept { return over_ || closed_; }
    /// The connection is lost.
    void cut() {
        over_ = true;
        lent_.over();
        hear = nullptr;
    }

    std::uint64_t said = 0; ///< Outputs so far.

private:
    struct stream {
        bool sends = false;
        bool receives = false;
        // Ours.
        std::vector<std::byte> sent{};
        std::size_t arrived = 0;
        std::size_t acked = 0;
        std::uint64_t limit = window;
        bool blocked = false;
        bool fin = false;
        bool fin_arrived = false;
        bool fin_acked = false;
        std::optional<app_error> reset{};
        bool reset_arrived = false;
        bool reset_acked = false;
        bool stop_told = false;
        // Theirs.
        std::uint64_t received = 0;
        std::uint64_t credited = 0;
        std::uint64_t granted = 0;
        std::optional<app_error> stop{};
        bool stop_arrived = false;
        bool over = false; ///< Their FIN or reset was delivered.
        std::optional<app_error> cut{};

        [[nodiscard]] bool send_done() const noexcept { return !sends || fin_acked || reset_acked; }
    };
    static constexpr std::uint64_t window = 700;
    static constexpr std::size_t most_datagrams = 64;

    static std::size_t index(direction kind) noexcept { return kind == direction::uni ? 1 : 0; }
    stream* find(stream_id id) {
        const auto found = streams_.find(number(id));
        return found == streams_.end() ? nullptr : &found->second;
    }
    stream* find_or_accept(stream_id id) {
        if (stream* s = find(id)) return s;
        if (initiator_of(id) == side_ || gone_.contains(number(id))) return nullptr;
        return &(streams_[number(id)] = {.sends = direction_of(id) == direction::bidi, .receives = true});
    }
    /// The id of the k-th stream with `wanted`, modulo their number.
    template <class Wanted>
    std::optional<stream_id> pick(std::size_t k, Wanted&& wanted) {
        const auto all = static_cast<std::size_t>(
            std::count_if(streams_.begin(), streams_.end(), [&](const auto& s) { return wanted(s.second); }));
        if (all == 0) return std::nullopt;
        k %= all;
        for (const auto& [id, s] : streams_)
            if (wanted(s) && k-- == 0) return stream_id{id};
        return std::nullopt;
    }
    void say(const fact& f) {
        if (!over() && hear) hear(f);
    }
    void close_if_done(stream_id id) {
        stream* s = find(id);
        if (s == nullptr || !s->send_done() || (s->receives && !s->over)) return;
        const auto code = s->cut;
        lent_.closed(id);
        streams_.erase(number(id));
        gone_.insert(number(id));
        say({.what = fact::kind::closed, .id = id, .code = code});
        if (initiator_of(id) != side_) far->allow_streams(direction_of(id), 1);
    }

    role side_;
    std::map<std::uint64_t, stream> streams_;
    std::set<std::uint64_t> gone_;
    std::deque<std::vector<std::byte>> datagrams_;
    std::array<std::uint64_t, 2> opened_{};
    std::array<bool, 2> opening_blocked_{};
    std::optional<app_error> closed_; ///< By us.
    bool end_arrived_ = false;
    bool over_ = false; ///< By the far end.
    bool starved_ = false;
    test::lent_memory lent_;
};

static_assert(datagram_transport<wire_end>);

inline std::optional<std::size_t> wire_end::write(const write_stream& w) {
    ++said;
    must(!closed_, "no output after close");
    stream* s = find(w.stream);
    must(s != nullptr && s->sends, "only streams that we may send on are written");
    must(!s->fin && !s->reset, "nothing follows FIN or reset");
    must(!s->blocked, "a blocked stream is not written before it is writable");
    must(w.size != 0 || w.fin, "a write says something");
    std::size_t sum = 0;
    for (auto part : w.data) sum += part.size();
    must(sum == w.size, "a write's size is the sum of its parts");
    if (budget == 0 && w.size != 0) return starved_ = true, std::nullopt;
    const auto n = static_cast<std::size_t>(std::min<std::uint64_t>({w.size, budget, s->limit - s->sent.size()}));
    if (n == 0 && w.size != 0) return s->blocked = true, 0;
    lent_.compare_all(); // Any packet may retransmit it.
    lent_.lend(w.stream, w.data, n);
    auto left = n;
    for (auto part : w.data) {
        part = part.first(std::min(part.size(), left));
        left -= part.size();
        s->sent.insert(s->sent.end(), part.begin(), part.end());
    }
    budget -= n;
    s->fin = w.fin && n == w.size;
    return n;
}

inline bool wire_end::deliver(std::size_t k, std::size_t most) {
    const auto id = pick(k, [](const stream& s) {
        return s.sends && !s.reset_arrived && (s.arrived != s.sent.size() || (s.fin && !s.fin_arrived));
    });
    if (!id) return false;
    stream& s = *find(*id);
    const auto n = std::min(std::max<std::size_t>(most, 1), s.sent.size() - s.arrived);
    const auto from = s.arrived;
    s.arrived += n;
    s.fin_arrived = s.fin && s.arrived == s.sent.size();
    const std::vector<std::byte> bytes(s.sent.begin() + static_cast<std::ptrdiff_t>(from),
        s.sent.begin() + static_cast<std::ptrdiff_t>(s.arrived)); // So that reads beyond it are detected.
    const bool fin = s.fin_arrived;
    stream* there = far->find_or_accept(*id);
    if (there == nullptr || there->over) return true;
    there->received += n;
    there->over = fin;
    if (!there->stop) far->say({.what = fact::kind::received, .id = *id, .bytes = bytes, .fin = fin});
    far->close_if_done(*id);
    return true;
}

inline bool wire_end::deliver_control(std::size_t k) {
    const auto id = pick(k, [](const stream& s) {
        return (s.reset && !s.reset_arrived) || (s.stop && !s.stop_arrived) || s.granted != s.credited;
    });
    if (!id) {
        if (!closed_ || std::exchange(end_arrived_, true)) return false;
        far->lent_.over();
        far->say({.what = fact::kind::ended, .code = closed_});
        far->over_ = true;
        return true;
    }
    stream& s = *find(*id);
    if (s.granted != s.credited) {
        const auto more = s.credited - std::exchange(s.granted, s.credited);
        stream* there = far->find(*id);
        if (there == nullptr) return true;
        there->limit += more;
        if (std::exchange(there->blocked, false)) far->say({.what = fact::kind::writable, .id = *id});
    } else if (s.stop && !s.stop_arrived) {
        s.stop_arrived = true;
        stream* there = far->find_or_accept(*id);
        if (there == nullptr || there->reset || there->send_done() || std::exchange(there->stop_told, true))
            return true;
        if (!there->cut) there->cut = s.stop;
        far->say({.what = fact::kind::stopped, .id = *id, .code = s.stop});
    } else {
        s.reset_arrived = true;
        stream* there = far->find_or_accept(*id);
        if (there == nullptr || there->over) return true;
        there->over = true;
        if (!there->cut) there->cut = s.reset;
        far->say({.what = fact::kind::reset, .id = *id, .code = s.reset});
        far->close_if_done(*id);
    }
    return true;
}

inline bool wire_end::acknowledge(std::size_t k, std::size_t most) {
    const auto id = pick(k, [](const stream& s) {
        if (s.reset) return s.reset_arrived && !s.reset_acked;
        return s.sends && (s.acked != s.arrived || (s.fin_arrived && !s.fin_acked));
    });
    if (!id) return false;
    stream& s = *find(*id);
    if (s.reset) {
        s.reset_acked = true;
    } else {
        const auto n = std::min(std::max<std::size_t>(most, 1), s.arrived - s.acked);
        s.acked += n;
        lent_.compare_all();
        lent_.acked(*id, n);
        s.fin_acked = s.fin_arrived && s.acked == s.arrived;
        if (n != 0) say({.what = fact::kind::acked, .id = *id, .n = n});
    }
    close_if_done(*id);
    return true;
}

} // namespace moqlite::fuzz

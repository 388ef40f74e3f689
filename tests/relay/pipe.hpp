// A connection in memory: one end's outputs are the other's inputs, in order and without delay.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <moqlite/core/bytes.hpp>
#include <moqlite/core/time.hpp>
#include <moqlite/relay/relay.hpp>
#include <moqlite/session/transport.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace moqlite::test {

/// A pending input of a session.
struct fact {
    enum class kind : std::uint8_t { data, reset, stopped, acked, datagram, ended };
    kind what = kind::data;
    stream_id id{};
    std::vector<std::byte> bytes{};
    std::uint64_t n = 0; ///< Bytes that arrived.
    bool last = false;   ///< This direction of the stream has ended.
    std::optional<app_error> code{};
    std::string reason{};
};

/// One end of a connection: the transport of a session, and the facts that wait for it.
class pipe_end {
public:
    pipe_end(role side, std::deque<pipe_end*>& busy) : side_(side), busy_(busy) {}
    pipe_end(const pipe_end&) = delete;
    pipe_end& operator=(const pipe_end&) = delete;

    // Controls for tests.

    bool takes = true;                        ///< False: the window is shut, nothing can be written here.
    bool deaf = false;                        ///< True: facts are held back, and not acknowledged.
    std::uint64_t requests_most = UINT64_MAX; ///< Request streams that the other end grants, in all.
    bool regrants = false;                    ///< True: one more for each of them that has closed.
    bool acknowledges = true;                 ///< False: facts are delivered, but acknowledgements are held back.

    /// After a change of `deaf` or `acknowledges`.
    void resume() {
        for (auto& f : std::exchange(late_, {})) far->hear(std::move(f));
        if (!inbox_.empty()) busy_.push_back(this);
    }

    // The transport concept.

    std::optional<stream_id> open(direction kind) {
        if (kind == direction::bidi && opened_[0] >= requests_most) return std::nullopt;
        const auto n = opened_[kind == direction::uni ? 1 : 0]++;
        return stream_id{4 * n + (kind == direction::uni ? 2u : 0u) + (side_ == role::server ? 1u : 0u)};
    }
    std::optional<std::size_t> write(const write_stream& w) {
        if (!takes) return std::nullopt;
        fact f{.what = fact::kind::data, .id = w.stream, .last = w.fin};
        for (const auto part : w.data) f.bytes.insert(f.bytes.end(), part.begin(), part.end());
        far->hear(std::move(f));
        return w.size;
    }
    void reset(stream_id id, app_error code) {
        far->hear({.what = fact::kind::reset, .id = id, .last = true, .code = code});
    }
    void stop(stream_id id, app_error code) { far->hear({.what = fact::kind::stopped, .id = id, .code = code}); }
    void credit(stream_id, std::uint64_t) {}
    void close(app_error code, std::string_view reason) {
        far->hear({.what = fact::kind::ended, .code = code, .reason = std::string(reason)});
    }
    void flush() {}
    bool send(byte_view datagram) {
        far->hear({.what = fact::kind::datagram, .bytes = {datagram.begin(), datagram.end()}});
        return true;
    }

    // The opposite direction.

    void hear(fact f) {
        if (inbox_.empty() && !deaf) busy_.push_back(this);
        inbox_.push_back(std::move(f));
    }
    /// Delivers the oldest fact to `s`; `drain` polls events after each input, and returns whether it still exists.
    template <class Session, class Drain>
    void tell_one(Session& s, Drain&& drain, time_point now) {
        const fact f = std::move(inbox_.front());
        inbox_.pop_front();
        const bool of_stream = f.what != fact::kind::ended && f.what != fact::kind::datagram;
        if (of_stream && over_.contains(f.id)) return acknowledge(f);
        switch (f.what) {
        case fact::kind::data: s.stream_received(f.id, f.bytes, f.last, now); break;
        case fact::kind::reset: s.stream_reset(f.id, *f.code, now); break;
        case fact::kind::stopped: s.stream_stopped(f.id, *f.code, now); break;
        case fact::kind::acked:
            if (f.n != 0) s.stream_acked(f.id, f.n, now);
            break;
        case fact::kind::datagram: s.datagram_received(f.bytes, now); break;
        case fact::kind::ended: s.connection_closed({*f.code, true, f.reason}, now); break;
        }
        const bool alive = drain();
        acknowledge(f);
        if (!f.last || !alive) return;
        auto& done = halves_[f.id];
        if (f.code) done.code = f.code;
        (f.what == fact::kind::acked ? done.sent : done.received) = true;
        const bool one_way = direction_of(f.id) == direction::uni;
        if (!one_way && !(done.sent && done.received)) return;
        const auto code = done.code;
        halves_.erase(f.id);
        over_.insert(f.id);
        s.stream_closed(f.id, code, now);
        const bool ours = (static_cast<std::uint64_t>(f.id) & 1) == (side_ == role::server ? 1U : 0U);
        if (drain() && regrants && !one_way && ours) {
            ++requests_most;
            s.streams_available(direction::bidi, now);
            static_cast<void>(drain());
        }
    }
    [[nodiscard]] bool has_more() const noexcept { return !deaf && !inbox_.empty(); }

    pipe_end* far = nullptr;

private:
    struct halves {
        bool sent = false;
        bool received = false;
        std::optional<app_error> code;
    };

    void acknowledge(const fact& f) {
        if (f.what != fact::kind::data && f.what != fact::kind::reset) return;
        fact heard{.what = fact::kind::acked, .id = f.id, .n = f.bytes.size(), .last = f.last, .code = f.code};
        if (acknowledges)
            far->hear(std::move(heard));
        else
            late_.push_back(std::move(heard));
    }

    role side_;
    std::deque<pipe_end*>& busy_; ///< Ends with pending facts.
    std::uint64_t opened_[2] = {0, 0};
    std::deque<fact> inbox_;
    std::deque<fact> late_;
    std::map<stream_id, halves> halves_;
    std::set<stream_id> over_;
};

static_assert(datagram_transport<pipe_end>);

/// Gives the relay the events of one of its sessions, whose transport is `end`. False: that session has ended, and its
/// last outputs are sent.
inline bool drain_session(relay& r, std::uint64_t key, pipe_end& end, time_point now) {
    any_session* s = r.session(key);
    if (s == nullptr) return false;
    while (const auto e = s->poll_event()) {
        r.handle(key, *e, now);
        if (!std::holds_alternative<session_closed>(*e)) continue;
        pump(*s, end);
        r.remove(key);
        return false;
    }
    return true;
}

} // namespace moqlite::test

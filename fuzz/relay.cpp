// A relay between guests that may do anything, one of which sends arbitrary bytes: read bytes equal the
// written ones, memory stays within its bound, and nothing is left.
// Input: the guests' versions, two bytes of base 5, then operations, each with the bytes that it needs.
#include "model/actor.hpp"
#include "model/wire.hpp"

#include <chrono>
#include <memory>
#include <moqlite/relay/relay.hpp>

using namespace moqlite;
using namespace moqlite::fuzz;
using namespace std::chrono_literals;

namespace {

limits small() {
    limits l;
    l.cache = 60'000;
    l.memory = 250'000;
    l.cache_age = 2s;
    l.live_backlog = 20'000;
    l.control_unsent = 600;
    l.requests = 40;
    l.parked_streams = 4;
    return l;
}

/// A connection to the relay, and its guest.
struct guest {
    guest() {
        here.far = &there;
        there.far = &here;
    }
    std::uint64_t key = 0; ///< Of the relay's session.
    wire_end here{role::client};
    wire_end there{role::server};
    std::optional<actor> program; ///< None: it sends arbitrary bytes.
};

/// Sends bytes from the input, on streams of its own.
class scribbler {
public:
    scribbler(wire_end& wire, version v) : wire_(wire), version_(v) {
        wire_.hear = [this](const fact& f) {
            if (f.what == fact::kind::writable) mute_.erase(f.id);
            // Requests of the relay may be answered, with any bytes.
            const bool asked = f.what == fact::kind::received && initiator_of(f.id) == role::server &&
                               direction_of(f.id) == direction::bidi;
            if (asked && heard_of_.insert(f.id).second) streams_.push_back(f.id);
        };
    }
    void operate(input& in) {
        if (wire_.over()) return;
        const auto what = in.byte();
        if (what % 8 == 0 || streams_.empty()) {
            const auto id = wire_.open((what & 8) != 0 ? direction::uni : direction::bidi);
            if (!id) return;
            streams_.push_back(*id);
        }
        const auto at = streams_.size() - 1 - in.below(streams_.size());
        const auto id = streams_[at];
        switch (what >> 4) {
        case 0: wire_.reset(id, app_error::cancel); break;
        case 1: wire_.stop(id, app_error::cancel); return;
        case 15: return ask(id, in, (what & 4) != 0);
        default: return write(id, in, (what & 4) != 0);
        }
        streams_.erase(streams_.begin() + static_cast<std::ptrdiff_t>(at));
    }

private:
    /// FETCH of a group that the others may have, or the beginning of one.
    void ask(stream_id id, input& in, bool fin) {
        std::vector<std::byte> bytes;
        wire::lite::encode(wire::lite::bidi_type::fetch, bytes);
        wire::lite::fetch message{"a", "x", 0, group_sequence{in.below(16)}, {}, {}};
        if (has_frame_ranges(version_)) {
            const auto frames = in.byte();
            message.frame_start = object_id{frames & 7u};
            if ((frames & 8) != 0) message.frame_end = object_id{(frames & 7u) + (frames >> 4 & 7u)};
        }
        static_cast<void>(wire::lite::encode(version_, message, bytes));
        bytes.resize(bytes.size() - in.below(8) % bytes.size());
        say(id, bytes, fin);
    }
    void write(stream_id id, input& in, bool fin) { say(id, in.bytes(in.below(64)), fin); }
    void say(stream_id id, byte_view bytes, bool fin) {
        if (mute_.contains(id) || (bytes.empty() && !fin)) return;
        said_.emplace_back(bytes.begin(), bytes.end());
        const byte_view one = said_.back();
        const auto n = wire_.write({id, {&one, 1}, one.size(), fin});
        if (!n || *n != one.size())
            mute_.insert(id);
        else if (fin)
            std::erase(streams_, id);
    }

    wire_end& wire_;
    version version_;
    std::vector<stream_id> streams_;
    std::set<stream_id> mute_;
    std::set<stream_id> heard_of_;
    std::deque<std::vector<std::byte>> said_;
};

class stage {
public:
    static version version_of(unsigned versions, std::size_t guest) noexcept {
        for (; guest != 0; --guest) versions /= unsigned{all_versions.size()};
        return all_versions[versions % all_versions.size()];
    }
    explicit stage(unsigned versions)
        : relay_({.bounds = small(), .origin = hop_id{33}, .epoch = now_, .reports_path = true}),
          scribbler_(guests_[raw].here, version_of(versions, raw)) {
        bool exact = true; // All have timestamps.
        for (std::size_t i = 0; i < guests_.size(); ++i) exact = exact && has_timestamps(version_of(versions, i));
        for (std::size_t i = 0; i < guests_.size(); ++i) {
            auto& g = guests_[i];
            const auto v = version_of(versions, i);
            g.key = *relay_.add(role::server, alpn(v), now_);
            g.there.hear = [this, &g](const fact& f) {
                if (any_session* s = relay_.session(g.key)) tell(*s, f, now_);
                drain(g);
            };
            drain(g);
            if (i == raw) continue;
            g.program.emplace(finished_, exact, role::client, v,
                session_options{.origin = hop_id{11 + i}, .ready = &ready_, .key = i}, now_);
            g.here.hear = [this, &g](const fact& f) {
                tell(**g.program, f, now_);
                g.program->drain();
            };
            g.program->drain();
        }
        pump();
        for (auto& g : guests_) g.here.deliver_all();
        pump();
    }
    void operate(input& in) {
        const auto what = in.byte();
        auto& g = guests_[what % guests_.size()];
        auto& end = (what & 4) != 0 ? g.there : g.here;
        switch (what >> 3 & 15) {
        case 0:
        case 1: end.deliver(in.byte(), in.byte()); break;
        case 2: end.deliver_control(in.byte()); break;
        case 3: end.acknowledge(in.byte(), in.byte() * 8u); break;
        case 4: settle(); break;
        case 5: end.budget = in.byte(); break;
        case 6: end.budget = UINT64_MAX; break;
        case 7: end.allow_streams(in.byte() % 2 != 0 ? direction::uni : direction::bidi, 1); break;
        case 8: pass(duration{20ms} * in.byte()); break;
        case 9:
            if (in.byte() == 0) leave(g);
            break;
        case 14: {
            const path_facts path{.rtt = duration{1ms} * in.byte(), .rate = in.byte() * 1000u};
            if (any_session* s = relay_.session(g.key)) s->path_measured(path, now_), drain(g);
            break;
        }
        case 15: {
            const auto how = in.byte();
            end.deliver_datagram(how >> 2, (how & 1) != 0, (how & 2) != 0);
            break;
        }
        default:
            if (g.program)
                g.program->command(in);
            else
                scribbler_.operate(in);
        }
        pump();
    }
    /// Everything ends, and is checked.
    void wind_down() {
        for (auto& g : guests_) {
            for (auto* end : {&g.here, &g.there}) {
                end->budget = UINT64_MAX;
                for (auto kind : {direction::bidi, direction::uni}) end->allow_streams(kind, 10000);
            }
            if (g.program) g.program->finish_all();
        }
        settle();
        for (auto& g : guests_)
            if (g.program) g.program->check_delivered();
        for (auto& g : guests_) leave(g);
        settle();
        for (auto& g : guests_) {
            if (!g.program) continue;
            g.program->check_ended();
            g.program->let_go();
            must((*g.program)->pool().in_use() == 0, "a guest holds no memory for nothing");
        }
        now_ += 10s;
        relay_.tick(now_);
        const auto left = relay_.stats();
        must(left.sessions == 0 && left.broadcasts == 0 && left.tracks == 0 && left.readers == 0, "nobody is left");
        must(left.cached_bytes == 0 && left.memory == 0, "the relay holds no memory for nothing");
    }

private:
    static constexpr std::size_t raw = 3;

    void drain(guest& g) {
        any_session* s = relay_.session(g.key);
        if (s == nullptr) return;
        while (const auto e = s->poll_event()) {
            relay_.handle(g.key, *e, now_);
            if (!std::holds_alternative<session_closed>(*e)) continue;
            moqlite::pump(*s, g.there);
            relay_.remove(g.key);
            break;
        }
        while (const auto n = relay_.poll_notice())
            if (const auto* a = std::get_if<admission_wanted>(&*n)) static_cast<void>(relay_.admit(a->session, {}));
    }
    void pump_relay(guest& g) {
        if (any_session* s = relay_.session(g.key)) moqlite::pump(*s, g.there);
        drain(g);
    }
    void pump() {
        for (auto& g : guests_) {
            if (g.program && g.here.starved()) moqlite::pump(**g.program, g.here);
            if (g.there.starved()) pump_relay(g);
        }
        relay_.tick(now_);
        for (int turns = 0;; ++turns) {
            must(turns < 10'000, "a turn comes to an end");
            if (const auto key = relay_.poll_ready()) {
                for (auto& g : guests_)
                    if (g.key == *key) pump_relay(g);
            } else if (const auto i = ready_.pop()) {
                auto& g = guests_[*i];
                moqlite::pump(**g.program, g.here);
                g.program->drain();
            } else {
                break;
            }
        }
        must(relay_.stats().memory <= small().memory, "memory stays within its bound");
    }
    void settle() {
        bool busy = true;
        for (int rounds = 0; busy; ++rounds) {
            must(rounds < 10'000, "it becomes quiet");
            busy = false;
            pump();
            for (auto& g : guests_)
                for (auto* end : {&g.here, &g.there}) busy = end->deliver_all() || busy;
        }
    }
    void pass(duration d) {
        now_ += d;
        for (auto& g : guests_) {
            const auto due = [&](const auto& s) { return s.deadline() && *s.deadline() <= now_; };
            if (g.program && due(**g.program)) {
                (*g.program)->tick(now_);
                g.program->drain();
            }
            if (any_session* s = relay_.session(g.key); s != nullptr && due(*s)) {
                s->tick(now_);
                drain(g);
            }
        }
        const auto due = relay_.deadline();
        relay_.tick(now_);
        const auto next = relay_.deadline();
        must(!due || *due > now_ || !next || *next > now_, "tick() moves the deadline on");
    }
    /// It closes its connection cleanly.
    void leave(guest& g) {
        if (g.program) {
            (*g.program)->close(app_error::cancel);
            g.program->drain();
        } else if (!g.here.over()) {
            g.here.close(app_error::cancel, "");
        }
    }

    time_point now_{1s};
    finished_groups finished_;
    ready_list ready_; ///< Of the guests.
    relay relay_;
    std::array<guest, 4> guests_;
    scribbler scribbler_;
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size > 4096) return 0;
    input in{data, size};
    const unsigned low = in.byte();
    stage s{low + 256u * in.byte()};
    while (!in.empty()) s.operate(in);
    s.wind_down();
    return 0;
}

// Two applications in a relay's own process, which read their events when they like, and come and go: read bytes equal
// the written ones, every request and every group ends with an event, and nothing is left.
// Input: operations, each with the bytes that it needs.
#include "model/actor.hpp"

#include <array>
#include <chrono>
#include <moqlite/relay/relay.hpp>
#include <optional>

using namespace moqlite;
using namespace moqlite::fuzz;
using namespace std::chrono_literals;

namespace {

limits small() {
    limits l;
    l.cache = 60'000;
    l.memory = 250'000;
    l.cache_age = 2s;
    l.live_groups = 8;
    l.capped_groups = 12;
    l.watches = 3;
    l.upstream_requests = 6;
    return l;
}

class stage {
public:
    stage() {
        for (auto& e : ends_) begin(e);
    }
    void operate(input& in) {
        const auto what = in.byte();
        auto& e = ends_[what & 1];
        switch (what >> 1 & 15) {
        case 0:
        case 1: turn(); break;
        case 2:
        case 3:
            for (std::size_t n = in.below(8) + 1; n != 0; --n) e->poll();
            break;
        case 4: settle(); break;
        case 5:
            e->drain();
            e->be_late((what & 32) != 0);
            break;
        case 6: pass(duration{20ms} * in.byte()); break;
        case 7:
            if (in.byte() < 64) leave(e, (what & 32) != 0);
            break;
        default: e->command(in);
        }
        must(relay_.stats().memory <= small().memory, "memory stays within its bound");
    }
    /// Everything ends, and is checked.
    void wind_down() {
        for (auto& e : ends_) e->drain(), e->be_late(false);
        for (auto& e : ends_) e->finish_all();
        settle();
        for (auto& e : ends_) e->check_delivered();
        for (auto& e : ends_) leave(e, true);
        settle();
        for (auto& e : ends_) e.reset();
        pass(10s);
        const auto left = relay_.stats();
        must(left.sessions == 0 && left.broadcasts == 0 && left.tracks == 0 && left.readers == 0, "nobody is left");
        must(left.cached_bytes == 0 && left.memory == 0, "the relay holds no memory for nothing");
    }

private:
    using end = std::optional<local_actor>;

    void begin(end& e) {
        e.emplace(finished_, true, local_options{.bounds = small(), .pool = &relay_.memory()});
        relay_.add_local(**e);
    }
    /// It closes its session, or is destroyed as it is; another one comes.
    void leave(end& e, bool politely) {
        if (politely) {
            (*e)->close(app_error::cancel);
            e->drain();
            e->check_ended();
        }
        e.reset();
        begin(e);
    }
    static void drain(end& e) {
        if (!e->is_late()) e->drain();
    }
    void turn() {
        relay_.tick(now_);
        must(!relay_.has_local_work(), "a turn does all that was commanded");
        for (auto& e : ends_) drain(e);
    }
    void settle() {
        bool busy = true;
        for (int rounds = 0; busy; ++rounds) {
            must(rounds < 10'000, "it becomes quiet");
            turn();
            busy = relay_.has_local_work();
            for (auto& e : ends_)
                while (e->poll()) busy = true;
        }
    }
    void pass(duration d) {
        now_ += d;
        const auto due = relay_.deadline();
        relay_.tick(now_);
        const auto next = relay_.deadline();
        must(!due || *due > now_ || !next || *next > now_, "tick() moves the deadline on");
        turn();
    }

    time_point now_{1s};
    finished_groups finished_;
    relay relay_{{.bounds = small(), .origin = hop_id{33}, .epoch = now_}};
    std::array<end, 2> ends_;
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size > 4096) return 0;
    input in{data, size};
    stage s;
    while (!in.empty()) s.operate(in);
    s.wind_down();
    return 0;
}

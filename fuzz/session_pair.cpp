// Two sessions that may do anything over a wire that may do anything: one reads what the other wrote,
// all requests end, and nothing is left.
// Input: the version, then operations, each with the bytes that it needs.
#include "model/actor.hpp"
#include "model/wire.hpp"

#include <chrono>

using namespace moqlite;
using namespace moqlite::fuzz;
using namespace std::chrono_literals;

namespace {

class stage {
public:
    explicit stage(version v) : client_(*this, role::client, v), server_(*this, role::server, v) {
        client_.wire.far = &server_.wire;
        server_.wire.far = &client_.wire;
        for (auto* e : {&client_, &server_}) e->program.drain();
        pump();
    }
    void operate(input& in) {
        const auto what = in.byte();
        auto& e = (what & 1) != 0 ? server_ : client_;
        switch (what >> 1 & 15) {
        case 0:
        case 1: e.wire.deliver(in.byte(), in.byte()); break;
        case 2: e.wire.deliver_control(in.byte()); break;
        case 3: e.wire.acknowledge(in.byte(), in.byte() * 8u); break;
        case 4: e.wire.deliver_all(); break;
        case 5: e.wire.budget = in.byte(); break;
        case 6: e.wire.budget = UINT64_MAX; break;
        case 7: e.wire.allow_streams(in.byte() % 2 != 0 ? direction::uni : direction::bidi, 1); break;
        case 8: pass(duration{10ms} * in.byte()); break;
        case 9: measured(e, in.byte()); break;
        case 10:
            if (in.byte() == 0) e.program->close(app_error::cancel);
            break;
        case 14: measured(e, in.byte(), in.byte()); break;
        case 15: {
            const auto how = in.byte();
            e.wire.deliver_datagram(how >> 2, (how & 1) != 0, (how & 2) != 0);
            break;
        }
        default: e.program.command(in); break;
        }
        e.program.drain();
        pump();
    }
    /// Everything ends, and is checked.
    void wind_down() {
        for (auto* e : {&client_, &server_}) {
            e->wire.budget = UINT64_MAX;
            for (auto kind : {direction::bidi, direction::uni}) e->wire.allow_streams(kind, 10000);
            e->program.finish_all();
        }
        settle();
        for (auto* e : {&client_, &server_}) e->program.check_delivered();
        client_.program->close(app_error::cancel);
        client_.program.drain();
        settle();
        for (auto* e : {&client_, &server_}) {
            e->program.check_ended();
            e->program.let_go();
            must(e->program->pool().in_use() == 0, "no memory is held for nothing");
        }
    }

private:
    struct side {
        side(stage& s, role r, version v)
            : wire(r),
              program(s.finished_, true, r, v,
                  session_options{.bounds = small(),
                      .origin = hop_id{r == role::client ? 11u : 22u},
                      .ready = &s.ready_,
                      .key = r == role::client ? 0u : 1u,
                      .reports_path = r == role::server},
                  s.now_) {
            wire.hear = [this, &s](const fact& f) {
                tell(*program, f, s.now_);
                program.drain();
            };
        }
        wire_end wire;
        actor program;
    };
    static limits small() {
        limits l;
        l.live_backlog = 20'000;
        l.live_groups = 8;
        l.control_unsent = 300;
        l.streams_in_hand = 3;
        return l;
    }

    void pump() {
        for (auto* e : {&client_, &server_})
            if (e->wire.starved()) moqlite::pump(*e->program, e->wire);
        for (int turns = 0;; ++turns) {
            must(turns < 10'000, "a turn comes to an end");
            const auto key = ready_.pop();
            if (!key) break;
            auto& e = *key == 0 ? client_ : server_;
            moqlite::pump(*e.program, e.wire);
            e.program.drain();
        }
    }
    void settle() {
        bool busy = true;
        for (int rounds = 0; busy; ++rounds) {
            must(rounds < 10'000, "it becomes quiet");
            pump();
            busy = client_.wire.deliver_all();
            busy = server_.wire.deliver_all() || busy;
        }
        for (auto* e : {&client_, &server_}) {
            const auto before = e->wire.said;
            moqlite::pump(*e->program, e->wire);
            must(e->wire.said == before, "who has something to say is ready");
        }
    }
    void pass(duration d) {
        now_ += d;
        for (auto* e : {&client_, &server_}) {
            const auto due = e->program->deadline();
            if (!due || *due > now_) continue;
            e->program->tick(now_);
            e->program.drain();
            const auto next = e->program->deadline();
            must(!next || *next > now_, "tick() moves the deadline on");
        }
    }
    void measured(side& e, std::size_t rtt, std::size_t rate = 0) {
        e.program->path_measured({.rtt = duration{1ms} * rtt, .rate = rate * 1000}, now_);
        e.program.drain();
    }

    time_point now_{1s};
    finished_groups finished_;
    ready_list ready_;
    side client_;
    side server_;
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size > 4096) return 0;
    input in{data, size};
    stage s{static_cast<version>(in.below(all_versions.size()))};
    while (!in.empty()) s.operate(in);
    s.wind_down();
    return 0;
}

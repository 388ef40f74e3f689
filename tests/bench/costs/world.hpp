// A relay and its peers, connected in memory, for scenes.
#pragma once

#include "relay/pipe.hpp"

#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <moqlite/relay/relay.hpp>
#include <moqlite/session/session.hpp>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <vector>

namespace moqlite::bench::costs {

/// Ends the process with an error: the scene is broken.
inline void expect(bool holds, const char* what) {
    if (!holds) throw std::runtime_error(what);
}

class world {
public:
    /// One peer of the relay: a client with a session of its own.
    struct guest {
        guest(version v, session_options o, std::deque<test::pipe_end*>& busy, time_point now)
            : end(role::client, busy), relay_end(role::server, busy), is(role::client, v, std::move(o), now) {
            end.far = &relay_end;
            relay_end.far = &end;
        }
        session* operator->() noexcept { return &is; }
        std::uint64_t key = 0; ///< Of the relay's session.
        test::pipe_end end, relay_end;
        std::function<void(const event&)> hears; ///< Its events; may be empty.
        session is;
        std::size_t events = 0;
    };

    explicit world(relay_options o = {}) : r(std::move(o)) {}

    /// An admitted client.
    guest& join(version v = version::lite_06, limits bounds = {}) {
        guests_.push_back(std::make_unique<guest>(
            v, session_options{.bounds = bounds, .ready = &ready_, .key = guests_.size()}, busy_, now));
        auto& g = *guests_.back();
        const auto made = r.add(role::server, alpn(v), now);
        expect(bool(made), "the relay takes no session");
        g.key = *made;
        of_[&g.end] = of_[&g.relay_end] = &g;
        by_key_[g.key] = &g;
        drain_relay(g);
        settle();
        expect(bool(r.admit(g.key, {})), "the relay admits nobody");
        settle();
        return g;
    }
    /// The publisher of `broadcast`, which answers every SUBSCRIBE with group 0.
    guest& publisher(const std::string& broadcast) {
        auto& g = join();
        g.hears = [&g](const event& e) {
            if (const auto* s = std::get_if<subscribe_requested>(&e))
                static_cast<void>(g->accept(s->request, group_sequence{0}));
        };
        static_cast<void>(g->announce(broadcast));
        settle();
        return g;
    }
    /// Delivers everything.
    void settle() {
        for (bool busy = true; busy;) {
            busy = false;
            for (; const auto key = r.poll_ready(); busy = true) pump_relay(*by_key_.at(*key));
            for (; const auto key = ready_.pop(); busy = true) {
                auto& g = *guests_[*key];
                pump(g.is, g.end);
                drain(g);
            }
            for (; !busy_.empty(); busy = true) {
                auto& end = *busy_.front();
                busy_.pop_front();
                while (end.has_more()) tell_one(end);
            }
        }
        while (r.poll_notice()) {
        }
    }
    /// Queues the guest's output; the next settle() delivers it at once.
    void say(guest& g) {
        pump(g.is, g.end);
        drain(g);
    }
    /// The connection is gone.
    void cut(guest& g) {
        r.session(g.key)->connection_closed({app_error::timeout, false, "idle"}, now);
        drain_relay(g);
        settle();
    }

    relay r;
    time_point now{std::chrono::seconds{1}};

private:
    void drain(guest& g) {
        while (const auto e = g.is.poll_event()) {
            ++g.events;
            if (g.hears) g.hears(*e);
        }
    }
    bool drain_relay(guest& g) { return test::drain_session(r, g.key, g.relay_end, now); }
    void pump_relay(guest& g) {
        if (any_session* s = r.session(g.key)) pump(*s, g.relay_end);
        drain_relay(g);
    }
    void tell_one(test::pipe_end& end) {
        auto& g = *of_[&end];
        if (&end == &g.end) return end.tell_one(g.is, [&] { return drain(g), true; }, now);
        if (any_session* s = r.session(g.key))
            end.tell_one(*s, [&] { return drain_relay(g); }, now);
        else
            end.deaf = true;
    }

    ready_list ready_;
    std::deque<test::pipe_end*> busy_;
    std::vector<std::unique_ptr<guest>> guests_;
    std::unordered_map<const test::pipe_end*, guest*> of_;
    std::unordered_map<std::uint64_t, guest*> by_key_;
};

} // namespace moqlite::bench::costs

// The scenarios of conformance/fault.hpp on the stream-level simulator, and what needs no packets to be seen.
#include "net.hpp"

#include "conformance/fault.hpp"

using namespace moqlite;
using namespace moqlite::sim;

TEST_CASE("a peer that takes nothing and acknowledges nothing is let go after the stall timeout", "[sim]") {
    for_each_seed<net>(
        [](std::uint64_t seed) {
            world w{seed};
            auto l = any_link(w.dice);
            l.idle_timeout = 1h;
            clip c{.groups = 1000, .frames = 3};
            pair p{w, l};
            live_publisher source{w, c, 100ms, p.server.pool()};
            source.serve_on(p.server);
            viewer sink{p.client, c};
            sink.subscribe();
            source.start();
            std::optional<session_closed> closed;
            std::optional<time_point> closed_at;
            p.server.on<session_closed>([&](const session_closed& e) {
                closed = e;
                closed_at = w.now();
            });
            w.run(1s + w.dice.up_to(2s));
            const auto died = w.now();
            p.net.die();
            w.run(40s);
            must(closed.has_value(), "the publisher lets the peer go");
            // What was under way may still count: an acknowledgement that came just before, a first byte that went just
            // after.
            must(closed_at >= died + 14s - 2 * (l.latency + l.jitter + l.ack_delay), "not before its time");
            must(closed_at <= died + 20s, "and not long after it");
            must(closed->why == errc::lagged || closed->why == errc::setup_timeout, "for what it did");
            return w.hash();
        },
        4);
}

TEST_CASE("without a SETUP the session is closed, and says why", "[sim]") {
    world w{1};
    auto l = wifi();
    l.idle_timeout = 1h;
    pair p{w, l};
    std::optional<session_closed> closed;
    p.client.on<session_closed>([&](const session_closed& e) { closed = e; });
    p.net.die();
    w.run(10s + 1ms);
    REQUIRE(closed);
    CHECK(closed->why == errc::setup_timeout);
    CHECK(closed->code == app_error::timeout);
}

// Connections that close, die or stall, at any moment.
#pragma once

#include "cast.hpp"
#include <catch2/catch_test_macros.hpp>

namespace moqlite::sim {

/// A busy pair: announcements and tracks in both directions.
struct crowd {
    crowd(world& w, const net::network_link& l)
        : p(w, l),
          to_client(p.server, video),
          to_server(p.client, audio),
          by_client(p.client, video),
          by_server(p.server, audio) {
        for (auto* e : {&p.client, &p.server})
            e->on<session_closed>(
                [this, e](const session_closed& c) { (e == &p.client ? client_closed : server_closed) = c.why; });
        p.server.on<setup_received>([this](const setup_received&) {
            if (p.server->is_closed()) return; // It was read after the end.
            by_server.subscribe({.start = group_sequence{0}});
            static_cast<void>(p.server->watch(""));
        });
        by_client.subscribe({.start = group_sequence{0}});
        static_cast<void>(p.client->watch(""));
        static_cast<void>(p.client->announce("c"));
        static_cast<void>(p.server->announce("s"));
        static_cast<void>(p.client->request_track({"room/cam", "video"}));
    }
    [[nodiscard]] bool over() const { return client_closed && server_closed; }
    void check_over() {
        must(p.client.closed() && p.server.closed(), "both sessions have ended");
        must(p.client.pool().in_use() == 0 && p.server.pool().in_use() == 0, "a session that ended holds no memory");
        must(!p.client.deadline() && !p.server.deadline(), "a session that ended waits for nothing");
    }
    clip video{.groups = 30, .frames = 5, .key = 1};
    clip audio{.broadcast = "lab/mic", .track = "audio", .groups = 30, .key = 2};
    pair p;
    on_demand<> to_client;
    on_demand<> to_server;
    viewer<> by_client;
    viewer<> by_server;
    std::optional<errc> client_closed;
    std::optional<errc> server_closed;
};

TEST_CASE("a session that is closed at any moment ends everything, on both sides, once", "[conformance]") {
    for_each_seed<net>([](std::uint64_t seed) {
        world w{seed};
        crowd c{w, net::any(w.dice)};
        w.run(w.dice.up_to(3s));
        const bool by_client = w.dice.coin();
        (by_client ? c.p.client : c.p.server)->close(app_error::cancel, "bye");
        w.run_until([&] { return c.over(); }, 60s);
        w.run(10s);
        must((by_client ? c.client_closed : c.server_closed) == errc::closed, "one end closed");
        const auto other = by_client ? c.server_closed : c.client_closed;
        must(other == errc::peer_closed || (net::loses_closes && other == errc::transport_closed),
            "the other end was closed");
        c.check_over();
        return w.hash();
    });
}

TEST_CASE("a connection that dies at any moment ends everything, on both sides, once", "[conformance]") {
    for_each_seed<net>([](std::uint64_t seed) {
        world w{seed};
        crowd c{w, net::any(w.dice)};
        w.run(w.dice.up_to(3s));
        c.p.net.die();
        w.run_until([&] { return c.over(); }, 60s);
        w.run(10s);
        must(c.client_closed == errc::transport_closed && c.server_closed == errc::transport_closed,
            "both ends are told");
        c.check_over();
        return w.hash();
    });
}

TEST_CASE(
    "a peer that takes nothing and acknowledges nothing is disconnected after the stall timeout", "[conformance]") {
    for_each_seed<net>(
        [](std::uint64_t seed) {
            world w{seed};
            auto l = net::any(w.dice);
            l.idle_timeout = 1h;
            l.uni_streams =
                std::max<std::uint64_t>(l.uni_streams, 40); // A request that waits for a stream is not outstanding.
            const clip c{.groups = 1000, .frames = 3};
            pair p{w, l};
            live_publisher source{w, c, 100ms, p.server.pool()};
            source.serve_on(p.server);
            viewer sink{p.client, c};
            sink.subscribe();
            w.run_until([&] { return source.subscribers() == 1; }, 60s);
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
            // What was on its way may still count: an acknowledgement that came just before, a first byte that
            // went just after.
            must(closed_at >= died + 13s, "not before its time");
            must(closed_at <= died + 20s, "and not long after it");
            must(closed->why == errc::lagged || closed->why == errc::setup_timeout, "for what it did");
            return w.hash();
        },
        4);
}

} // namespace moqlite::sim

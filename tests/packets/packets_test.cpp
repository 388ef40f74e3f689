// Tests that need real packets.
#include "net.hpp"

#include "conformance/cast.hpp"

#include <catch2/catch_test_macros.hpp>
#include <set>

using namespace moqlite;
using namespace moqlite::sim;

namespace {

/// A track from server to client.
struct transfer {
    transfer(world& w, const net::network_link& l, const clip& c, limits bounds = {})
        : p(w, l, any_version(w.dice), bounds), source(p.server, c), sink(p.client, c) {
        sink.subscribe({.start = group_sequence{c.first}});
        w.run_until([&] { return sink.ended.has_value(); }, 600s);
        must(sink.ended->finished && sink.has_all(group_sequence{c.first}, c.end()), "everything arrives");
    }
    pair p;
    on_demand<> source;
    viewer<> sink;
};

std::uint64_t hash_of(std::uint64_t seed) {
    world w{seed};
    transfer t{w, net::any(w.dice), {.groups = 10, .key = w.dice.next()}};
    must(t.p.net.up.sent > 2 && t.p.net.down.sent > 2, "there were datagrams");
    return w.hash();
}

} // namespace

TEST_CASE("the same seed gives the same hash over every datagram, another seed another", "[packets]") {
    std::set<std::uint64_t> hashes;
    for (std::uint64_t seed = 0; seed < 10; ++seed) {
        const auto first = hash_of(seed);
        CHECK(hash_of(seed) == first);
        hashes.insert(first);
    }
    CHECK(hashes.size() == 10);
}

TEST_CASE("packets become as large as the path carries, and no larger", "[packets]") {
    for (const std::size_t mtu : {1200u, 1300u, 1452u, 9000u}) {
        world w{mtu};
        net::network_link l{.up = {.mtu = mtu}, .down = {.mtu = mtu}, .packet_size = 8952};
        transfer t{w, l, {.groups = 100, .frames = 8, .largest = 2000}};
        w.run(60s);
        const auto size = t.p.net.server.quic()->stats().packet_size;
        CHECK(size <= mtu);
        CHECK(size >= (mtu == 1200u ? 1200 : mtu == 1300u ? 1232 : mtu == 1452u ? 1452 : 8952));
    }
}

TEST_CASE("on a wire without faults no packet is lost", "[packets]") {
    for (std::uint64_t seed = 0; seed < 30; ++seed) {
        INFO("seed " << seed);
        world w{seed};
        const net::network_link l{.up = {.latency = 5ms}, .down = {.latency = 5ms}};
        transfer t{w, l, {.groups = 100, .frames = 5, .largest = w.dice.between(10, 3000), .key = w.dice.next()}};
        w.run(1s);
        CHECK(t.p.net.client.quic()->stats().packets_lost == 0);
        CHECK(t.p.net.server.quic()->stats().packets_lost == 0);
    }
}

TEST_CASE("a blackout of a second delays a live track, and nothing of it is lost", "[packets]") {
    for_each_seed<net>([](std::uint64_t seed) {
        world w{seed};
        const clip c{.groups = 30, .frames = 4, .largest = 300, .key = w.dice.next()};
        pair p{w, net::good(w.dice), any_version(w.dice)};
        live_publisher camera{w, c, 100ms, p.server.pool()};
        camera.serve_on(p.server);
        viewer sink{p.client, c};
        sink.subscribe();
        w.run_until([&] { return camera.subscribers() == 1; }, 60s);
        camera.start();
        w.run(w.dice.up_to(1500ms));
        const auto seen = sink.complete.size();
        if (w.dice.below(4) != 0) p.net.up.black_out(1s);
        if (w.dice.below(4) != 0) p.net.down.black_out(1s);
        w.run_until([&] { return sink.ended.has_value(); }, 60s);
        must(seen < c.groups && sink.ended->finished, "the track ends cleanly, after the blackout");
        must(sink.has_all(group_sequence{0}, c.end()) && sink.dropped.empty(), "nothing is lost");
        must(camera.lost.empty(), "and the publisher knows that");
        return w.hash();
    });
}

TEST_CASE("a connection is established, and carries a track, with every third datagram lost", "[packets]") {
    for_each_seed<net>(
        [](std::uint64_t seed) {
            world w{seed};
            // Retransmissions back off for longer than the idle timeouts.
            const net::network_link l{.up = {.loss = 330}, .down = {.loss = 330}, .idle_timeout = 600s};
            limits bounds;
            bounds.stall_timeout = 600s;
            transfer t{w, l, {.groups = 5, .key = w.dice.next()}, bounds};
            return w.hash();
        },
        3);
}

TEST_CASE("a client that only sends keep-alives learns that the endpoint has lost its connection", "[packets]") {
    world w{1};
    const clip c{.groups = 2};
    transfer t{w, {}, c};
    w.run(1s);
    std::optional<time_point> told;
    t.p.client.on<session_closed>([&](const session_closed&) { told = w.now(); });
    t.p.net.down.black_out(1s); // The close is lost, and every answer in the closing period.
    t.p.server->close(app_error::cancel, "bye");
    const auto closed = w.now();
    w.run_until([&] { return told.has_value(); }, 60s);
    // A keep-alive is sent every two seconds; the idle timeout is eight.
    CHECK(*told - closed < 4s);
}

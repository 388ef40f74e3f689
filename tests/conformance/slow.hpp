// Flow control: a live reader slows nobody, a complete reader only its own track.
#pragma once

#include "cast.hpp"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <map>

namespace moqlite::sim {

TEST_CASE(
    "a slow live reader loses only the oldest groups, they are reported, and others lose nothing", "[conformance]") {
    for_each_seed<net>(
        [](std::uint64_t seed) {
            world w{seed};
            limits bounds;
            bounds.live_backlog = 3000;
            bounds.live_groups = 6;
            // About 20 KB/s are published; one reader gets a tenth of that.
            const clip c{.groups = 60, .frames = 6, .largest = 1000};
            pair slow{w, net::narrow(w.dice, w.dice.between(1000, 3000)), bounds};
            pair quick{w, net::near(), bounds};
            slab_pool pool;
            live_publisher source{w, c, 100ms, pool};
            source.serve_on(slow.server);
            source.serve_on(quick.server);
            viewer behind{slow.client, c};
            viewer beside{quick.client, c};
            behind.subscribe();
            beside.subscribe();
            w.run_until([&] { return source.subscribers() == 2; }, 60s);
            source.start();
            std::size_t most = 0;
            while (!source.over()) {
                w.run(100ms);
                most = std::max(most, pool.in_use());
            }
            w.run_until([&] { return behind.ended && beside.ended; }, 600s);
            must(beside.has_all(group_sequence{0}, c.end()), "the other reader has everything");
            must(beside.cut.empty() && beside.dropped.empty(), "and nothing was cut");
            // moq-lite-07 has no message for groups that were lost before their stream was opened.
            must(has_stream_count(w.spoken) || behind.knows_all(*behind.accepted, c.end()), "what is lost is reported");
            must(!source.lost.empty() && behind.complete.size() < c.groups, "something was lost");
            must(behind.complete.contains(group_sequence{c.groups - 1}), "the latest group is not");
            // Waiting bytes, the current group, and bytes in flight.
            must(most < 3000 * 2 + 20 * 8000, "a slow reader costs a bounded amount of memory");
            w.run(5s);
            must(pool.in_use() <= 8000, "and in the end only the latest group is held");
            return w.hash();
        },
        4);
}

TEST_CASE("two tracks on one connection, one reader stopped for a minute: the other is not affected", "[conformance]") {
    for_each_seed<net>(
        [](std::uint64_t seed) {
            world w{seed};
            const auto l = net::scarce(w.dice);
            const clip stopped{.track = "file", .groups = 800, .frames = 4, .largest = 2000, .key = 1};
            const clip live{.track = "video", .groups = 700, .frames = 4, .largest = 300, .key = 2};
            pair p{w, l};
            on_demand file{p.server, stopped};
            live_publisher video{w, live, 100ms, p.server.pool()};
            video.serve_on(p.server);
            viewer reader{p.client, stopped};
            viewer watcher{p.client, live};
            reader.subscribe({.ordered = true, .start = group_sequence{0}, .end = group_sequence{3}});
            bool raising = true;
            const auto raise = [&] {
                const auto wanted = group_sequence{reader.complete.size() + 3};
                if (raising && reader.asked.end < wanted) reader.update({.ordered = true, .end = wanted});
            };
            reader.on_closed = [&](const group_closed&) { raise(); };
            watcher.subscribe();
            w.run_until([&] { return video.subscribers() == 1; }, 60s);
            video.start();
            duration worst{};
            std::map<group_sequence, time_point> opened;
            watcher.on_opened = [&](const group_opened& e) { opened[e.sequence] = w.now(); };
            watcher.on_closed = [&](const group_closed& e) {
                must(e.complete, "no group of the other track is cut");
                worst = std::max(worst, w.now() - opened[e.sequence]);
            };
            w.run(2s);
            raising = false;
            reader.pause();
            w.run(1s);
            const auto before = reader.bytes;
            const auto seen = watcher.complete.size();
            w.run(60s);
            must(!p.server.closed() && !p.client.closed(), "a capped subscription may pause for ever");
            must(
                reader.bytes - before < 3 * l.stream_credit + 10'000, "who is stopped gets no more than was asked for");
            must(watcher.complete.size() >= seen + 590, "the other track goes on");
            must(worst < 600ms, "and is never late");
            raising = true;
            reader.resume();
            raise();
            w.run_until([&] { return reader.ended && watcher.ended; }, 600s);
            must(reader.has_all(group_sequence{0}, stopped.end()), "who was stopped gets everything in the end");
            must(watcher.has_all(*watcher.accepted, live.end()) && watcher.dropped.empty(), "the other lost nothing");
            w.run(5s);
            return w.hash();
        },
        20);
}

} // namespace moqlite::sim

// Complete readers: nothing is skipped, the publisher waits, and no other reader does.
#pragma once

#include "cast.hpp"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <map>
#include <memory>

namespace moqlite::sim {

/// Windows and caches so small that a transfer can be eight times their sum.
inline limits small_limits() {
    limits b;
    b.read_ahead = 16 * 1024;
    b.cache = 32 * 1024;
    b.memory = 256 * 1024;
    return b;
}
/// Buffers between a publisher and a reader: the windows of two hops, the cache, the read-ahead twice.
inline constexpr std::uint64_t on_the_way = 2 * (16 + 16) * 1024 + 32 * 1024 + 2 * 16 * 1024;

inline clip file(std::uint64_t key) {
    return {.track = "file", .groups = 260, .frames = 6, .largest = 3000, .key = key};
}

TEST_CASE("a complete reader gets every byte in order, at whatever pace it reads", "[conformance][complete]") {
    for_each_seed<net>(
        [](std::uint64_t seed) {
            world w{seed};
            limits bounds;
            bounds.read_ahead = w.dice.one_of({1000u, 20'000u, 1'000'000u});
            const clip c{.first = w.dice.below(2) * 9,
                .groups = w.dice.between(1, 40),
                .frames = 5,
                .largest = 300,
                .key = w.dice.next()};
            pair p{w, net::any(w.dice)};
            on_demand source{p.server, c};
            source.early_end = w.dice.coin();
            complete_viewer reader{w, p.client, c, {.start = group_sequence{c.first}, .bounds = bounds},
                w.dice.one_of<duration>({0ms, 0ms, 20ms}), w.dice.between(50, 2000)};
            reader.start();
            w.run_until([&] { return reader.finished(); }, 900s);
            must(reader.complete.size() == c.groups && reader.lost.empty(), "who sees the end has everything");
            w.run_until([&] { return source.ended == source.subscribers; }, 60s);
            w.run(5s);
            p.check_empty();
            return w.hash();
        },
        2);
}

TEST_CASE("a slow complete reader gets every byte through a relay, many times what fits on the way",
    "[conformance][relay][complete]") {
    for_each_seed<net>(
        [](std::uint64_t seed) {
            world w{seed};
            const auto bounds = small_limits();
            theatre t{w, bounds, net::tight(w.dice, 16 * 1024)};
            const auto c = file(w.dice.next());
            const clip live{.groups = 1000, .frames = 3, .largest = 200, .key = 7};
            auto& source = t.join(net::tight(w.dice, 16 * 1024));
            on_demand disk{source.at, c};
            slab_pool pool;
            live_publisher camera{w, live, 200ms, pool};
            camera.serve_on(source.at);
            t.announce(source, c.broadcast);
            complete_viewer reader{w, t.join(net::tight(w.dice, 16 * 1024)).at, c,
                {.start = group_sequence{0}, .bounds = bounds}, 20ms, 1500};
            viewer watcher{t.join(net::tight(w.dice, 16 * 1024)).at, live};
            watcher.subscribe();
            reader.start();
            w.run(1s);
            camera.start();
            w.run_until([&] { return reader.finished(); }, 600s);
            must(reader.complete.size() == c.groups && reader.lost.empty(), "nothing is skipped");
            must(reader.bytes >= 8 * on_the_way, "the transfer is many times what fits on the way");
            must(w.elapsed() > 20ms * static_cast<int>(reader.bytes / 1500), "the reader set the pace");
            must(watcher.cut.empty() && watcher.dropped.empty() && watcher.complete.size() > 50,
                "a live reader beside it lost nothing");
            must(t.relay.lost.empty(), "and the relay dropped nothing");
            must(t.relay.most_memory() < 200 * 1024, "its memory is bounded by what is on the way");
            return w.hash();
        },
        50);
}

TEST_CASE("two tracks on one upstream, one reader stopped for a minute: the other is not affected",
    "[conformance][relay][complete]") {
    for_each_seed<net>(
        [](std::uint64_t seed) {
            world w{seed};
            const auto bounds = small_limits();
            theatre t{w, bounds, net::tight(w.dice, 16 * 1024)};
            const auto c = file(w.dice.next());
            const clip live{.groups = 900, .frames = 3, .largest = 300, .key = 7};
            auto& source = t.join(net::tight(w.dice, 16 * 1024));
            on_demand disk{source.at, c};
            slab_pool pool;
            live_publisher camera{w, live, 100ms, pool};
            camera.serve_on(source.at);
            t.announce(source, c.broadcast);
            auto& home = t.join(net::tight(w.dice, 16 * 1024)); // Both readers on one connection too.
            complete_viewer reader{w, home.at, c, {.start = group_sequence{0}, .bounds = bounds}, 10ms, 4000};
            viewer watcher{home.at, live};
            watcher.subscribe();
            reader.start();
            w.run(1s);
            camera.start();
            duration worst{};
            std::map<group_sequence, time_point> opened;
            watcher.on_opened = [&](const group_opened& e) { opened[e.sequence] = w.now(); };
            watcher.on_closed = [&](const group_closed& e) { worst = std::max(worst, w.now() - opened[e.sequence]); };
            w.run(1s);
            reader.stop_reading();
            w.run(2s);
            const auto seen = watcher.complete.size();
            const auto sent = disk.delivered;
            w.run(60s);
            must(disk.delivered <= sent + 2, "the publisher of the stopped track has stopped");
            must(watcher.complete.size() >= seen + 590, "the other track goes on");
            must(worst < 700ms, "and is never late");
            reader.go_on();
            w.run_until([&] { return reader.finished() && watcher.ended; }, 600s);
            must(reader.complete.size() == c.groups && reader.lost.empty(),
                "who was stopped gets everything in the end");
            must(watcher.has_all(*watcher.accepted, live.end()) && watcher.cut.empty(), "the other lost nothing");
            return w.hash();
        },
        50);
}

TEST_CASE(
    "the slowest of several complete readers does not make another lose anything", "[conformance][relay][complete]") {
    for_each_seed<net>(
        [](std::uint64_t seed) {
            world w{seed};
            auto bounds = small_limits();
            bounds.memory = 4 * 1024 * 1024;
            bounds.cache = 2 * 1024 * 1024;
            theatre t{w, bounds, net::tight(w.dice, 16 * 1024)};
            auto c = file(w.dice.next());
            c.groups = 80;
            auto& source = t.join(net::tight(w.dice, 16 * 1024));
            on_demand disk{source.at, c};
            t.announce(source, c.broadcast);
            std::vector<std::unique_ptr<complete_viewer>> readers;
            for (auto pace : {10ms, 30ms, 60ms}) {
                readers.push_back(std::make_unique<complete_viewer>(w, t.join(net::tight(w.dice, 16 * 1024)).at, c,
                    track_reader_options{.start = group_sequence{0}, .bounds = bounds}, pace, 3000));
                readers.back()->start();
            }
            w.run_until(
                [&] {
                    return std::all_of(readers.begin(), readers.end(), [](const auto& r) { return r->finished(); });
                },
                900s);
            for (const auto& r : readers)
                must(r->complete.size() == c.groups && r->lost.empty(), "each has everything");
            // Without END a track that ends at the Group End is asked for once more (limits.end_at_cap).
            must(disk.subscribers <= (has_subscribe_end(w.spoken) ? 1 : 2), "the publisher was asked once");
            return w.hash();
        },
        50);
}

} // namespace moqlite::sim

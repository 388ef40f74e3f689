// Several relays that learn of each other only by announcements.
#pragma once

#include "cast.hpp"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <memory>

namespace moqlite::sim {

/// Relays, each with a connection to some others.
struct mesh {
    mesh(world& w, std::size_t n) : world_(w) {
        for (std::size_t i = 0; i < n; ++i) {
            homes.push_back(std::make_unique<net::machine>(w));
            relays.push_back(std::make_unique<relay_node>(w, relay_options_for<net>({}, hop_id{1 + i})));
        }
    }
    void join(std::size_t from, std::size_t to, const net::network_link& l) { join(from, to, l, world_.spoken); }
    void join(std::size_t from, std::size_t to, const net::network_link& l, version v) {
        wires.push_back(std::make_unique<net::connection>(world_, *homes[from], *homes[to], l, v));
        relays[from]->take(wires.back()->client, v);
        relays[to]->take(wires.back()->server, v);
    }
    void announced(const std::string& path, bool is = true) {
        world_.run_until(
            [&] {
                return std::all_of(relays.begin(), relays.end(),
                    [&](auto& r) { return ((*r)->broadcasts().find(path) != nullptr) == is; });
            },
            120s);
    }
    world& world_;
    std::vector<std::unique_ptr<net::machine>> homes;
    std::vector<std::unique_ptr<net::connection>> wires;
    std::vector<std::unique_ptr<relay_node>> relays;
};

TEST_CASE("a track crosses a chain of relays, complete, with one subscription at each", "[conformance][relay][mesh]") {
    for_each_seed<net>(
        [](std::uint64_t seed) {
            world w{seed};
            mesh m{w, 3};
            // Either end may have connected.
            w.dice.coin() ? m.join(0, 1, net::good(w.dice)) : m.join(1, 0, net::good(w.dice));
            w.dice.coin() ? m.join(1, 2, net::good(w.dice)) : m.join(2, 1, net::good(w.dice));
            const clip c{.groups = 15, .frames = 4, .largest = 300, .key = w.dice.next()};
            guest source{w, *m.relays[0], *m.homes[0], net::good(w.dice), hop_id{100}, w.spoken};
            slab_pool pool;
            live_publisher camera{w, c, 100ms, pool};
            camera.serve_on(source.at);
            std::uint64_t asked = 0;
            source.at.on<subscribe_requested>([&](const subscribe_requested&) { ++asked; });
            must(source.at->announce(c.broadcast).has_value(), "a path can be announced");
            m.announced(c.broadcast);
            std::vector<std::unique_ptr<guest>> homes;
            std::vector<std::unique_ptr<viewer<>>> viewers;
            for (int i = 0; i < 3; ++i) {
                homes.push_back(std::make_unique<guest>(w, *m.relays[2], *m.homes[2], net::good(w.dice),
                    hop_id{200 + static_cast<std::uint64_t>(i)}, any_version(w.dice)));
                viewers.push_back(std::make_unique<viewer<>>(homes.back()->at, c));
                viewers.back()->own_times = has_timestamps(w.spoken);
                viewers.back()->subscribe();
            }
            w.run_until([&] { return (*m.relays[2])->stats().readers == 3 && camera.subscribers() == 1; }, 60s);
            camera.start();
            w.run_until(
                [&] {
                    return std::all_of(
                        viewers.begin(), viewers.end(), [](const auto& v) { return v->ended.has_value(); });
                },
                60s);
            for (const auto& v : viewers)
                must(v->ended->finished && v->has_all(group_sequence{0}, c.end()) && v->dropped.empty(),
                    "each has everything");
            must(asked == 1 && m.relays[0]->requests("video") == 1 && m.relays[1]->requests("video") == 1,
                "one subscription at each hop");
            return w.hash();
        },
        10);
}

TEST_CASE("announcements do not circulate in a loop of relays, and end everywhere", "[conformance][relay][mesh]") {
    for_each_seed<net>(
        [](std::uint64_t seed) {
            world w{seed};
            constexpr std::size_t n = 4;
            mesh m{w, n};
            for (std::size_t i = 0; i < n; ++i) m.join(i, (i + 1) % n, net::any(w.dice));
            m.join(0, 2, net::any(w.dice));
            const auto here = w.dice.below(n);
            const auto there = w.dice.below(n);
            guest source{w, *m.relays[here], *m.homes[here], net::any(w.dice), hop_id{100}, w.spoken};
            guest watcher{w, *m.relays[there], *m.homes[there], net::any(w.dice), hop_id{101}, any_version(w.dice)};
            belief all{watcher.at};
            all.watch("");
            for (int i = 0; i < 5; ++i) {
                must(source.at->announce("a" + std::to_string(i)).has_value(), "a path can be announced");
                w.run(w.dice.up_to(100ms));
            }
            for (int i = 0; i < 5; ++i) m.announced("a" + std::to_string(i));
            must(source.at->unannounce("a0").has_value(), "what was announced can be unannounced");
            m.announced("a0", false);
            w.run(60s);
            must(all.paths == std::set<std::string>{"a1", "a2", "a3", "a4"}, "the watcher knows what is there");
            source.at->close(app_error::cancel);
            for (int i = 1; i < 5; ++i) m.announced("a" + std::to_string(i), false);
            w.run(60s);
            must(all.paths.empty(), "and that it is gone");
            const auto before = w.said.value();
            w.run(60s);
            must(w.said.value() == before, "a mesh comes to rest");
            return w.hash();
        },
        10);
}

TEST_CASE("a publisher that flaps is announced as often as it comes, and its last retraction leaves no stale path",
    "[conformance][relay][mesh][damping]") {
    for_each_seed<net>(
        [](std::uint64_t seed) {
            world w{seed};
            constexpr std::size_t n = 4;
            const auto v = w.spoken;
            const bool is_near = w.dice.coin();
            // Without hop ids a relay recognises a stale path by its length alone.
            const bool near = is_near && has_hop_ids(v);
            const auto wire = [&] { return is_near ? net::near() : net::narrow(w.dice, 1'000'000); };
            mesh m{w, n};
            for (std::size_t i = 0; i < n; ++i) m.join(i, (i + 1) % n, wire(), v);
            m.join(0, 2, wire(), v);
            const auto there = 1 + w.dice.below(n - 1);
            guest source{w, *m.relays[0], *m.homes[0], wire(), hop_id{100}, v};
            guest watcher{w, *m.relays[there], *m.homes[there], wire(), hop_id{101}, v};
            belief all{watcher.at};
            std::size_t heard = 0;
            watcher.at.on<broadcast_available>([&](const broadcast_available& e) { heard += e.restart ? 0 : 1; });
            all.watch("");
            w.run(1s);
            std::size_t came = 0;
            for (auto flaps = 3 + w.dice.below(20); flaps != 0; --flaps) {
                must(source.at->announce("a").has_value(), "a path can be announced");
                ++came;
                w.run(w.dice.up_to(600ms));
                must(source.at->unannounce("a").has_value(), "what was announced can be unannounced");
                w.run(w.dice.up_to(600ms));
            }
            must(source.at->announce("a").has_value(), "a path can be announced");
            ++came;
            m.announced("a");
            w.run(10s);
            must(all.paths == std::set<std::string>{"a"}, "the watcher knows what is there");
            const auto before = heard;
            must(!near || before <= came, "each announcement is passed on at most once");
            must(source.at->unannounce("a").has_value(), "what was announced can be unannounced");
            m.announced("a", false);
            w.run(10s);
            must(all.paths.empty(), "and that it is gone");
            must(!near || heard == before, "a retraction leaves no stale path");
            return w.hash();
        },
        10);
}

} // namespace moqlite::sim

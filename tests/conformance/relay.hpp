// Publishers and watchers through one relay.
#pragma once

#include "cast.hpp"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <memory>
#include <set>

namespace moqlite::sim {

TEST_CASE("announcements reach every watcher through a relay", "[conformance][relay]") {
    for_each_seed<net>([](std::uint64_t seed) {
        world w{seed};
        theatre t{w};
        const auto some_version = [&] { return any_version(w.dice); };
        auto& a = t.join(net::any(w.dice));
        auto& b = t.join(net::any(w.dice), some_version());
        auto& c = t.join(net::any(w.dice), some_version());
        belief all{c.at};
        belief back{a.at};
        all.watch("");
        back.watch("b");
        std::set<std::string> truth;
        for (auto n = w.dice.below(30); n != 0; --n) {
            auto& who = w.dice.coin() ? a : b;
            const auto path = std::string(&who == &a ? "a/" : "b/") + std::to_string(w.dice.below(4));
            if (truth.contains(path) && w.dice.coin()) {
                must(who.at->unannounce(path).has_value(), "what was announced can be unannounced");
                truth.erase(path);
            } else {
                must(who.at->announce(path).has_value(), "a path can be announced");
                truth.insert(path);
            }
            w.run(w.dice.up_to(150ms));
        }
        w.run(120s);
        must(all.paths == truth, "the belief is the truth");
        must(back.paths == std::set<std::string>(truth.lower_bound("b"), truth.end()), "a publisher may watch too");
        must(t.relay->broadcasts().size() == truth.size(), "the relay knows what there is");
        a.at->close(app_error::cancel);
        w.run(30s);
        must(all.paths == std::set<std::string>(truth.lower_bound("b"), truth.end()),
            "what a publisher announced ends with it");
        return w.hash();
    });
}

TEST_CASE("a relay carries a track to many with one subscription, every byte to each", "[conformance][relay]") {
    for_each_seed<net>(
        [](std::uint64_t seed) {
            world w{seed};
            theatre t{w};
            const clip c{.groups = 12, .frames = 5, .largest = 400, .key = w.dice.next()};
            const auto spoken = w.spoken;
            auto& source = t.join(net::good(w.dice), spoken);
            slab_pool pool;
            live_publisher camera{w, c, 100ms, pool};
            std::uint64_t asked = 0;
            source.at.on<subscribe_requested>([&](const subscribe_requested&) { ++asked; });
            camera.serve_on(source.at);
            t.announce(source, c.broadcast);
            std::vector<std::unique_ptr<viewer<>>> viewers;
            const auto one_more = [&] {
                viewers.push_back(std::make_unique<viewer<>>(t.join(net::good(w.dice), any_version(w.dice)).at, c));
                viewers.back()->own_times = has_timestamps(spoken);
                viewers.back()->subscribe();
            };
            for (int i = 0; i < 4; ++i) one_more();
            t.gather(camera, 4);
            camera.start();
            // Late joiners get the current group from its first frame: the viewer checks that no frame is
            // missing.
            for (int i = 0; i < 2; ++i) {
                w.run(w.dice.up_to(500ms));
                one_more();
            }
            w.run_until(
                [&] {
                    return std::all_of(
                        viewers.begin(), viewers.end(), [](const auto& v) { return v->ended.has_value(); });
                },
                60s);
            for (const auto& v : viewers) {
                must(v->ended->finished, "the track ends cleanly for each");
                if (v->at->features().subscribe_end) must(v->end_known == c.end(), "and each knows its end");
                must(v->accepted.has_value() && v->has_all(*v->accepted, c.end()),
                    "each has everything from where it began");
                must(v->cut.empty() && v->dropped.empty(), "nothing was lost");
            }
            // Before moq-lite-05 the start of a track without groups is unknown.
            for (std::size_t i = 0; i < 4 && !has_options_in_ok(spoken); ++i)
                must(viewers[i]->accepted == group_sequence{0}, "who was early has it from the start");
            must(asked == 1, "the publisher is asked once");
            must(t.relay.lost.empty() && t.relay.misbehaved.empty(), "the relay has nothing to complain of");
            w.run(40s);
            must(
                t.relay->stats().memory == 0 && t.relay->stats().tracks == 0, "what ended is forgotten after its time");
            return w.hash();
        },
        4);
}

TEST_CASE("a publisher that serves on demand reaches the end of its track through a relay", "[conformance][relay]") {
    for_each_seed<net>(
        [](std::uint64_t seed) {
            world w{seed};
            theatre t{w};
            const clip c{.first = w.dice.below(3) * 10,
                .groups = w.dice.between(1, 30),
                .frames = 4,
                .largest = 100,
                .key = w.dice.next()};
            const auto spoken = w.spoken;
            auto& source = t.join(net::any(w.dice), spoken);
            auto& sink = t.join(net::any(w.dice), any_version(w.dice));
            on_demand file{source.at, c};
            file.early_end = w.dice.coin();
            t.announce(source, c.broadcast);
            viewer reader{sink.at, c};
            reader.own_times = has_timestamps(spoken);
            reader.subscribe({.max_age = complete_age, .start = group_sequence{c.first}});
            w.run_until([&] { return reader.ended.has_value(); }, 600s);
            must(reader.ended->finished, "the track ends cleanly");
            must(reader.has_all(group_sequence{c.first}, c.end()), "who sees the end has everything");
            // An ended track is served from the cache.
            viewer again{sink.at, c};
            again.own_times = reader.own_times;
            again.subscribe({.max_age = complete_age, .start = group_sequence{c.first}});
            w.run_until([&] { return again.ended.has_value(); }, 600s);
            must(again.ended->finished && again.has_all(group_sequence{c.first}, c.end()),
                "and who comes a little later too");
            must(file.subscribers == 1, "the publisher was asked once");
            return w.hash();
        },
        2);
}

TEST_CASE(
    "a slow live reader loses the oldest groups and gets events for them; others and the publisher are not affected",
    "[conformance][relay]") {
    for_each_seed<net>(
        [](std::uint64_t seed) {
            world w{seed};
            limits bounds;
            bounds.live_backlog = 4000;
            bounds.live_groups = 8;
            bounds.cache = 40'000;
            bounds.memory = 400'000;
            theatre t{w, bounds};
            const clip c{.groups = 100, .frames = 6, .largest = 1000};
            auto& source = t.join(net::near());
            slab_pool pool;
            live_publisher camera{w, c, 50ms, pool};
            camera.serve_on(source.at);
            t.announce(source, c.broadcast);
            viewer slow{t.join(net::narrow(w.dice, w.dice.between(2000, 6000))).at, c};
            viewer quick{t.join(net::near()).at, c};
            w.run(2s);
            slow.subscribe();
            quick.subscribe();
            t.gather(camera, 2);
            camera.start();
            w.run_until([&] { return slow.ended && quick.ended; }, 600s);
            must(quick.has_all(group_sequence{0}, c.end()) && quick.dropped.empty(), "the other reader has everything");
            must(camera.lost.empty(), "the publisher notices nothing");
            must(has_stream_count(w.spoken) || slow.knows_all(*slow.accepted, c.end()), "what is lost is reported");
            must(slow.complete.size() < c.groups && slow.complete.contains(group_sequence{c.groups - 1}),
                "the oldest is lost, never the latest");
            must(!t.relay.lost.empty(), "the operator is told");
            return w.hash();
        },
        10);
}

TEST_CASE("un-announcing a broadcast ends no subscription", "[conformance][relay]") {
    for_each_seed<net>(
        [](std::uint64_t seed) {
            world w{seed};
            theatre t{w};
            const clip c{.groups = 20, .frames = 3, .largest = 300};
            auto& source = t.join(net::good(w.dice));
            slab_pool pool;
            live_publisher camera{w, c, 100ms, pool};
            camera.serve_on(source.at);
            t.announce(source, c.broadcast);
            viewer early{t.join(net::good(w.dice)).at, c};
            viewer late{t.join(net::good(w.dice)).at, c};
            early.subscribe();
            t.gather(camera, 1);
            camera.start();
            w.run(500ms);
            must(source.at->unannounce(c.broadcast).has_value(), "what was announced can be unannounced");
            w.run(w.dice.up_to(600ms));
            late.subscribe(); // The track still exists.
            w.run_until([&] { return early.ended && late.ended; }, 60s);
            must(early.ended->finished && early.has_all(group_sequence{0}, c.end()), "who reads goes on reading");
            must(late.ended->finished && late.has_all(*late.accepted, c.end()), "a track in the log is served");
            viewer nobody{t.join(net::good(w.dice)).at, {.broadcast = "no", .track = "such"}};
            nobody.subscribe();
            w.run_until([&] { return nobody.ended.has_value(); }, 60s);
            must(!nobody.ended->finished && nobody.ended->code == app_error::unroutable, "what nobody has is refused");
            return w.hash();
        },
        5);
}

TEST_CASE("a publisher that restarts with other content is never mixed with its predecessor", "[conformance][relay]") {
    for_each_seed<net>(
        [](std::uint64_t seed) {
            world w{seed};
            theatre t{w};
            const clip first{.first = 50, .groups = 100, .frames = 4, .largest = 300, .key = 1};
            const clip second{.first = 0, .groups = 20, .frames = 4, .largest = 300, .key = 2};
            auto& old = t.join(net::good(w.dice));
            slab_pool pool;
            live_publisher before{w, first, 100ms, pool};
            live_publisher after{w, second, 100ms, pool};
            before.serve_on(old.at);
            t.announce(old, first.broadcast);
            auto& home = t.join(net::good(w.dice));
            viewer one{home.at, first};
            one.subscribe();
            t.gather(before, 1);
            before.start();
            w.run(1s + w.dice.up_to(500ms));
            const bool overlap = w.dice.coin();
            if (!overlap) w.dice.coin() ? old.at->close(app_error::cancel) : old.net.die();
            auto& fresh = t.join(net::good(w.dice));
            after.serve_on(fresh.at);
            t.announce(fresh, second.broadcast);
            if (overlap) old.at->close(app_error::cancel);
            w.run(15s);
            must(one.ended && !one.ended->finished, "the old track was cut off");
            viewer two{home.at, second};
            two.subscribe();
            t.gather(after, 1);
            after.start();
            w.run_until([&] { return two.ended.has_value(); }, 60s);
            must(two.ended->finished && two.accepted == group_sequence{0} &&
                     two.has_all(group_sequence{0}, second.end()),
                "the new one is whole, from its own beginning");
            return w.hash();
        },
        5);
}

} // namespace moqlite::sim

// Tracks from one session to another, whatever the network does.
#pragma once

#include "cast.hpp"

#include <catch2/catch_test_macros.hpp>

namespace moqlite::sim {

inline clip any_clip(chance& dice) {
    return {.first = dice.one_of({0u, 0u, 7u, 1000u}),
        .groups = dice.between(1, dice.one_of({3u, 8u, 40u})),
        .frames = dice.between(1, 10),
        .largest = dice.one_of({1u, 20u, 300u}),
        .key = dice.next()};
}

template <class Session>
std::uint64_t everything_arrives(std::uint64_t seed) {
    world w{seed};
    const auto c = any_clip(w.dice);
    pair_of<net, Session> p{w, net::any(w.dice)};
    on_demand<Session> source{p.server, c};
    source.early_end = w.dice.coin();
    viewer<Session> sink{p.client, c};
    sink.subscribe({.start = group_sequence{c.first}});
    w.run_until([&] { return sink.ended.has_value(); }, 600s);
    must(sink.ended->finished, "the track ends cleanly");
    must(sink.has_all(group_sequence{c.first}, c.end()), "who sees the end has everything");
    if (p.client->features().subscribe_end) must(sink.end_known == c.end(), "the end is known");
    w.run_until([&] { return source.ended == 1; }, 600s);
    must(source.ended_delivered == 1 && source.delivered == c.groups && source.lost == 0,
        "the publisher knows that all has arrived");
    w.run(5s);
    p.check_empty();
    return w.hash();
}

TEST_CASE("every frame arrives, in order within its group, whatever the network does", "[conformance]") {
    for_each_seed<net>(everything_arrives<session>);
}

TEST_CASE("frames larger than every window arrive, and small tracks beside them", "[conformance]") {
    for_each_seed<net>(
        [](std::uint64_t seed) {
            world w{seed};
            const clip large{.track = "large", .groups = 3, .frames = 2, .largest = 600'000, .key = w.dice.next()};
            const clip small{.track = "small", .groups = 20, .frames = 3, .largest = 200, .key = w.dice.next()};
            pair p{w, net::good(w.dice)};
            on_demand file{p.server, large};
            on_demand notes{p.server, small};
            viewer one{p.client, large};
            viewer other{p.client, small};
            one.subscribe({.start = group_sequence{0}});
            other.subscribe({.start = group_sequence{0}});
            w.run_until([&] { return one.ended && other.ended; }, 600s);
            must(one.has_all(group_sequence{0}, large.end()) && other.has_all(group_sequence{0}, small.end()),
                "who sees the end has everything");
            w.run_until([&] { return file.ended == 1 && notes.ended == 1; }, 60s);
            w.run(5s);
            p.check_empty();
            return w.hash();
        },
        10);
}

TEST_CASE("every frame arrives through an any_session, too", "[conformance]") {
    for_each_seed<net>(everything_arrives<any_session>, 10);
}

TEST_CASE("Group End is credit: the publisher gets it, sends nothing beyond, and continues when it is raised",
    "[conformance]") {
    for_each_seed<net>([](std::uint64_t seed) {
        world w{seed};
        const auto c = any_clip(w.dice);
        pair p{w, net::any(w.dice)};
        on_demand source{p.server, c};
        viewer sink{p.client, c};
        const auto ahead = w.dice.below(3);
        sink.subscribe({.ordered = true, .start = group_sequence{c.first}, .end = group_sequence{c.first + ahead}});
        sink.on_closed = [&](const group_closed& e) {
            must(e.complete, "no group of a complete reader is cut");
            const auto wanted = group_sequence{c.first + sink.complete.size() + ahead};
            if (sink.asked.end < wanted) sink.update({.ordered = true, .end = wanted});
        };
        w.run_until([&] { return sink.ended.has_value(); }, 600s);
        must(sink.has_all(group_sequence{c.first}, c.end()), "who sees the end has everything");
        w.run(5s);
        p.check_empty();
        return w.hash();
    });
}

TEST_CASE(
    "a range of groups is served from its start to its end, and where the version has ranges of frames from and to "
    "the frame",
    "[conformance]") {
    for_each_seed<net>([](std::uint64_t seed) {
        world w{seed};
        auto c = any_clip(w.dice);
        c.groups += 4;
        pair p{w, net::any(w.dice)};
        on_demand source{p.server, c};
        viewer sink{p.client, c};
        const auto from = c.first + 1 + w.dice.below(2);
        const auto to = from + w.dice.below(2);
        subscribe_options o{.start = group_sequence{from}, .end = group_sequence{to}};
        if (p.client->features().frame_ranges) {
            const auto first = w.dice.below(c.frames_of(*o.start));
            if (w.dice.coin()) o.frame_start = object_id{first};
            if (w.dice.coin()) o.frame_end = object_id{w.dice.below(c.frames) + (from == to ? first : 0)};
        }
        sink.subscribe(o);
        w.run_until([&] { return sink.has_all(group_sequence{from}, group_sequence{to + 1}); }, 600s);
        w.run(30s);
        must(sink.opened.size() == to - from + 1, "nothing outside of the range comes");
        must(!sink.ended, "a cap that is reached ends nothing");
        sink.unsubscribe();
        w.run(30s);
        must(source.ended == 1, "the publisher hears that the subscriber left");
        p.check_empty();
        return w.hash();
    });
}

TEST_CASE(
    "groups that are aborted or stopped end, the others arrive, and so does the end of the track", "[conformance]") {
    for_each_seed<net>([](std::uint64_t seed) {
        world w{seed};
        const auto c = any_clip(w.dice);
        pair p{w, net::any(w.dice)};
        on_demand source{p.server, c};
        viewer sink{p.client, c};
        std::set<group_sequence> aborted;
        std::set<group_sequence> stopped;
        source.write = [&](request_id, group_ref g) {
            const auto s = g->sequence();
            const bool bad = w.dice.below(4) == 0;
            const auto frames = bad ? w.dice.below(c.frames_of(s)) : c.frames_of(s);
            if (bad) aborted.insert(s);
            for (std::uint64_t f = 0; f < frames; ++f)
                w.after(w.dice.up_to(50ms) + 50ms * static_cast<int>(f), [&, g, f] {
                    c.write(*g, f);
                    w.touch(p.server);
                });
            if (bad)
                w.after(60ms * static_cast<int>(frames), [&, g] {
                    g->abort(app_error::old);
                    w.touch(p.server);
                });
        };
        sink.on_opened = [&](const group_opened& e) {
            if (w.dice.below(4) != 0) return;
            stopped.insert(e.sequence);
            w.after(w.dice.up_to(100ms), [&, e] { p.client.stop(e.group, app_error::cancel); });
        };
        sink.subscribe({.start = group_sequence{c.first}});
        w.run_until([&] { return sink.ended.has_value(); }, 600s);
        must(sink.ended->finished, "the track ends cleanly");
        for (auto s = group_sequence{c.first}; s < c.end(); s = next(s)) {
            if (aborted.contains(s)) {
                must(!sink.complete.contains(s), "an aborted group is not complete");
            } else if (!stopped.contains(s)) {
                must(sink.complete.contains(s), "every other group is");
            }
        }
        w.run_until([&] { return source.ended == 1; }, 60s);
        must(source.delivered + source.lost == c.groups, "the publisher is told of each group once");
        w.run(5s);
        p.check_empty(net::stuck_of(stopped.size()));
        return w.hash();
    });
}

TEST_CASE("a reader that leaves at any moment leaves nothing behind, and may return", "[conformance]") {
    for_each_seed<net>([](std::uint64_t seed) {
        world w{seed};
        const auto c = any_clip(w.dice);
        pair p{w, net::any(w.dice)};
        on_demand source{p.server, c};
        viewer first{p.client, c};
        first.subscribe({.start = group_sequence{c.first}});
        w.run(w.dice.up_to(2s));
        if (!first.ended) first.unsubscribe();
        viewer second{p.client, c};
        second.subscribe({.start = group_sequence{c.first}});
        w.run_until([&] { return second.ended.has_value(); }, 600s);
        must(second.ended->finished && second.has_all(group_sequence{c.first}, c.end()),
            "who comes back gets everything");
        w.run_until([&] { return source.ended == source.subscribers; }, 60s);
        w.run(5s);
        p.check_empty();
        return w.hash();
    });
}

} // namespace moqlite::sim

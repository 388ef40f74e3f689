// A watcher's state converges to the announced one, whatever happens in between.
#pragma once

#include "cast.hpp"

#include <catch2/catch_test_macros.hpp>
#include <set>
#include <string>

namespace moqlite::sim {

TEST_CASE("a watcher ends with the announced state", "[conformance]") {
    for_each_seed<net>([](std::uint64_t seed) {
        world w{seed};
        const auto v = w.spoken;
        limits bounds;
        bounds.control_unsent = w.dice.one_of({64u, 500u, 65536u});
        pair p{w, net::any(w.dice), v, bounds};
        belief all{p.client};
        belief rooms{p.client};
        belief desk{p.client}; // Something in a room.
        std::set<std::string> truth;
        const auto change = [&] {
            const auto path =
                w.dice.below(8) == 0 ? "room" : (w.dice.coin() ? "room/" : "lab/") + std::to_string(w.dice.below(6));
            if (truth.contains(path) && w.dice.coin()) {
                must(p.server->unannounce(path).has_value(), "what was announced can be unannounced");
                truth.erase(path);
            } else {
                std::vector<hop_id> hops{hop_id{5}, hop_id{6}}; // A duplicate would be refused.
                hops.resize(w.dice.below(3));
                must(p.server->announce(path, std::move(hops)).has_value(), "a path can be announced");
                truth.insert(path);
            }
        };
        for (auto n = w.dice.below(10); n != 0; --n) change();
        all.watch("");
        w.run(w.dice.up_to(300ms));
        rooms.watch("room");
        desk.watch("room/3/desk");
        for (auto n = w.dice.below(60); n != 0; --n) {
            change();
            w.run(w.dice.up_to(w.dice.one_of<duration>({0ms, 1ms, 200ms})));
        }
        std::set<std::string> in_rooms;
        for (const auto& path : truth)
            if (path == "room" || path.starts_with("room/")) in_rooms.insert(path);
        w.run(300s);
        must(all.paths == truth, "the belief is the truth");
        must(rooms.paths == in_rooms, "the belief below a prefix is the truth there");
        const bool is_there = truth.contains("room") || truth.contains("room/3");
        must(desk.paths == (is_there ? std::set<std::string>{"room/3/desk"} : std::set<std::string>{}),
            "what is announced above a prefix is there");
        must(all.synced == has_announce_ok(v) && rooms.synced == has_announce_ok(v), "the present state has an end");
        p.client.unwatch(all.id);
        p.client.unwatch(rooms.id);
        p.client.unwatch(desk.id);
        w.run(30s);
        p.check_empty();
        return w.hash();
    });
}

TEST_CASE("both ends may announce and watch at once", "[conformance]") {
    for_each_seed<net>([](std::uint64_t seed) {
        world w{seed};
        pair p{w, net::any(w.dice)};
        belief of_client{p.client};
        belief of_server{p.server};
        of_client.watch("");
        p.server.on<setup_received>([&](const setup_received&) { of_server.watch(""); });
        for (int i = 0; i < 5; ++i) {
            must(p.client->announce("c" + std::to_string(i)).has_value() &&
                     p.server->announce("s" + std::to_string(i)).has_value(),
                "a path can be announced");
            w.run(w.dice.up_to(200ms));
        }
        must(p.client->unannounce("c0").has_value(), "what was announced can be unannounced");
        w.run(60s);
        must(of_client.paths == std::set<std::string>{"s0", "s1", "s2", "s3", "s4"}, "the client knows the server's");
        must(of_server.paths == std::set<std::string>{"c1", "c2", "c3", "c4"}, "the server knows the client's");
        return w.hash();
    });
}

} // namespace moqlite::sim

// Bytes lent to transports, when sessions end with bytes in flight on lossy links.
#pragma once

#include "cast.hpp"
#include "lent.hpp"

#include <catch2/catch_test_macros.hpp>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>

namespace moqlite::sim {

/// Reuses freed memory at once, like the other sessions of a relay.
class hoarder {
public:
    explicit hoarder(slab_pool& pool) : pool_(pool) {}
    void take() {
        for (int i = 0; i != 4; ++i) {
            others_.push_back(group::make(pool_, group_sequence{0}, version::lite_03));
            static_cast<void>(others_.back()->write_frame(timestamp{0}, as_bytes(secret_)));
        }
    }
    void let_go() { others_.clear(); }

private:
    slab_pool& pool_;
    std::string secret_ = std::string(900, 'S');
    std::vector<group_ref> others_;
};

TEST_CASE("a session that fails in the packet that acknowledges sends no reused memory", "[conformance][lent]") {
    const auto before = test::lent_memory::comparisons();
    std::size_t failed = 0;
    for_each_seed<net>([&failed](std::uint64_t seed) {
        world w{seed};
        const auto l = net::any(w.dice);
        const clip c{.groups = 30, .frames = 5, .largest = 900, .key = w.dice.next()};
        pair p{w, l, limits{.requests = 2}};
        on_demand<> source{p.server, c};
        viewer sink{p.client, c};
        hoarder others{p.server.pool()};
        bool server_closed = false;
        bool client_left = false;
        bool asked_too_much = false;
        p.server.on<group_lost>([&](const group_lost&) { others.take(); });
        p.server.on<session_closed>([&](const session_closed& e) {
            others.take();
            server_closed = true;
            // Requests may be in flight when the client leaves.
            const bool as_it_should =
                (client_left && e.why == errc::peer_closed) || (asked_too_much && e.why == errc::too_many_requests);
            must(as_it_should, "the server fails for what its peer does");
        });
        sink.subscribe({.start = group_sequence{0}});
        // As bytes arrive the client stops some groups, and finally requests too much.
        auto left = w.dice.below(60);
        p.client.on<group_opened>([&](const group_opened& e) {
            if (w.dice.below(4) == 0) p.client.stop(e.group, app_error::cancel);
        });
        p.client.on<frame_data>([&](const frame_data&) {
            if (left-- != 0) return;
            asked_too_much = true;
            for (int i = 0; i != 3; ++i) static_cast<void>(p.client->watch("x"));
        });
        w.run_until([&] { return server_closed || sink.ended.has_value(); }, 120s);
        client_left = !server_closed;
        if (client_left)
            p.client->close(app_error::cancel);
        else
            ++failed;
        w.run(30s);
        must(server_closed || sink.ended.has_value(), "one of the two ends");
        others.let_go();
        must(p.server.pool().in_use() == 0, "a session that ended holds no memory");
        return w.hash();
    });
    const auto compared = test::lent_memory::comparisons() - before;
    if (std::getenv("MOQLITE_HASH") != nullptr) std::printf("lent ranges compared: %" PRIu64 "\n", compared);
    CHECK(compared > 0);
    CHECK(failed > 0); // In the other runs the client received the whole track, and left.
}

} // namespace moqlite::sim

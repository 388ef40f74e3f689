// What is sent first on a limited link.
#include "pair.hpp"
#include "streams.hpp"

#include <catch2/catch_test_macros.hpp>
#include <map>
#include <memory>

namespace moqlite::test::priority_sim_test {

using namespace moqlite::sim;

namespace {

/// A narrow link, a publisher with several tracks, and the order in which groups reach the viewer.
struct bottleneck {
    explicit bottleneck(world& w) : p(w, {.latency = 5ms, .rate = 20'000, .window = 1500}) {}

    viewer<>& add(const clip& c, const subscribe_options& o) {
        clips.push_back(c);
        sources.push_back(std::make_unique<on_demand<>>(p.server, clips.back()));
        viewers.push_back(std::make_unique<viewer<>>(p.client, clips.back()));
        auto& v = *viewers.back();
        v.on_closed = [this, name = c.track](
                          const group_closed& e) { arrived.push_back(name + std::to_string(number(e.sequence))); };
        v.subscribe(o);
        return v;
    }
    pair_of<streams> p;
    std::vector<clip> clips;
    std::vector<std::unique_ptr<on_demand<>>> sources;
    std::vector<std::unique_ptr<viewer<>>> viewers;
    std::vector<std::string> arrived;
};

clip track(std::string name, std::uint64_t groups, std::uint64_t key = 5) {
    return {.track = std::move(name), .groups = groups, .frames = 6, .largest = 3000, .key = key};
}

} // namespace

TEST_CASE("the oldest group is sent first if the subscriber wants order, otherwise the newest", "[sim]") {
    for (const bool ordered : {true, false}) {
        world w{3};
        bottleneck b{w};
        auto& v = b.add(track("t", 6), {.ordered = ordered, .start = group_sequence{0}});
        w.run_until([&] { return v.ended.has_value(); }, 60s);
        const std::vector<std::string> in_order{"t0", "t1", "t2", "t3", "t4", "t5"};
        CHECK(b.arrived == (ordered ? in_order : std::vector<std::string>(in_order.rbegin(), in_order.rend())));
    }
}

TEST_CASE("a track of higher priority is sent first, and a change of priority applies at once", "[sim]") {
    world w{4};
    bottleneck b{w};
    auto& low = b.add(track("a", 6), {.priority = 1, .ordered = true, .start = group_sequence{0}});
    auto& high = b.add(track("b", 3, 6), {.priority = 2, .ordered = true, .start = group_sequence{0}});
    w.run_until([&] { return high.ended.has_value(); }, 60s);
    CHECK(low.complete.empty());
    auto& third = b.add(track("c", 3, 7), {.priority = 0, .ordered = true, .start = group_sequence{0}});
    w.run(200ms);
    CHECK(third.complete.empty());
    third.update({.priority = 9, .ordered = true});
    w.run_until([&] { return third.has_all(group_sequence{0}, group_sequence{3}); }, 60s);
    CHECK_FALSE(low.ended);
    w.run_until([&] { return low.ended.has_value(); }, 60s);
}

TEST_CASE("tracks of equal priority share the bandwidth", "[sim]") {
    world w{5};
    bottleneck b{w};
    const subscribe_options o{.priority = 5, .ordered = true, .start = group_sequence{0}};
    auto& x = b.add(track("x", 60, 5), o);
    auto& y = b.add(track("y", 60, 6), o);
    w.run(10s);
    CHECK(x.bytes + y.bytes > 80'000);
    CHECK(x.bytes < y.bytes * 5 / 4);
    CHECK(y.bytes < x.bytes * 5 / 4);
}

TEST_CASE("control messages are sent before everything else", "[sim]") {
    world w{6};
    bottleneck b{w};
    auto& bulk = b.add(track("bulk", 100), {.priority = 255, .start = group_sequence{0}});
    static_cast<void>(b.p.client->watch(""));
    std::optional<time_point> heard;
    b.p.client.on<broadcast_available>([&](const broadcast_available&) { heard = w.now(); });
    w.run(2s);
    const auto said = w.now();
    REQUIRE(b.p.server->announce("new"));
    w.run(1s);
    REQUIRE(heard);
    // One window of 1 500 bytes, in small pieces with 20 more each, was queued before it at 20 KB/s; the delay is 5 ms.
    CHECK(*heard - said < 150ms);
    CHECK_FALSE(bulk.ended);
}

} // namespace moqlite::test::priority_sim_test

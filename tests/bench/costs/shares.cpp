// A publisher that accepts no more requests: the cost of a request for one of its N places.
#include "cost.hpp"
#include "world.hpp"

namespace moqlite::bench::costs {

namespace {

/// A silent publisher whose N places four sessions hold, and a new session with 50 requests.
void ask_a_full_publisher(std::size_t n) {
    world w;
    auto& camera = w.join();
    static_cast<void>(camera->announce("room"));
    w.settle();
    camera.relay_end.requests_most = n + 1; // One is an ANNOUNCE_REQUEST's.
    camera.relay_end.regrants = true;
    w.r.session(camera.key)->path_measured({.bidi_streams = n}, w.now);
    std::vector<world::guest*> others;
    for (std::size_t k = 0; k < 4; ++k) others.push_back(&w.join());
    const auto ask = [&](world::guest& g, std::size_t i) {
        static_cast<void>(g->subscribe({"room", std::to_string(g.key) + "." + std::to_string(i)}));
        w.settle();
    };
    for (std::size_t i = 0; i < n; ++i) ask(*others[i % 4], i);
    auto& late = w.join();
    const auto refused = w.r.stats().requests_refused;
    {
        const measured now;
        for (std::size_t i = 0; i < 50; ++i) {
            ask(late, i);
            ask(*others[i % 4], n + i);
        }
    }
    expect(w.r.stats().requests_refused > refused + 50, "nobody has lost a place");
}

const scenes ours{{"B8 100 SUBSCRIBEs at a publisher whose N places are taken", 400, 1.2, ask_a_full_publisher}};

} // namespace

} // namespace moqlite::bench::costs

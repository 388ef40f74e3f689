// Readers of one track: the cost when one of N joins, changes or leaves.
#include "cost.hpp"
#include "world.hpp"

namespace moqlite::bench::costs {

namespace {

/// N readers of one track, in sessions of 200 each.
struct audience : world {
    explicit audience(std::size_t n, bool capped = true) {
        publisher("room");
        for (std::size_t i = 0; i < n; ++i) {
            if (i % 200 == 0) {
                sessions.push_back(&join());
                ids.emplace_back();
            }
            subscribe_options o{.priority = 1, .ordered = true};
            if (capped) o.end = group_sequence{1000 + i};
            const auto id = (*sessions.back())->subscribe({"room", "video"}, o);
            expect(bool(id), "nobody can subscribe");
            ids.back().push_back(*id);
        }
        settle();
        expect(r.stats().readers == n && r.stats().tracks == 1, "not everybody reads");
    }
    std::vector<guest*> sessions;
    std::vector<std::vector<subscribe_id>> ids;
};

constexpr std::size_t few = 50;

void join_beside(std::size_t n) {
    audience a{n};
    auto& late = a.join();
    const measured now;
    for (std::size_t i = 0; i < few; ++i) {
        static_cast<void>(late->subscribe({"room", "video"}, {.ordered = true, .end = group_sequence{2000 + i}}));
        a.settle();
    }
    expect(a.r.stats().readers == n + few, "not everybody came");
}
void leave_beside(std::size_t n) {
    audience a{n};
    const measured now;
    for (std::size_t i = 0; i < few; ++i) {
        static_cast<void>((*a.sessions[0])->unsubscribe(a.ids[0][i]));
        a.settle();
    }
    expect(a.r.stats().readers == n - few, "not everybody left");
}
void update_beside(std::size_t n) {
    audience a{n};
    const measured now;
    for (std::size_t i = 0; i < few; ++i) {
        static_cast<void>((*a.sessions[0])
                ->update(a.ids[0][i], {.priority = static_cast<priority>(2 + i),
                                          .ordered = i % 2 == 0,
                                          .end = group_sequence{5000 + i}}));
        a.settle();
    }
}
/// All of N end with their sessions.
void all_leave(std::size_t n) {
    audience a{n};
    const measured now;
    for (auto* s : a.sessions) a.cut(*s);
    expect(a.r.stats().readers == 0, "readers are left over");
}

/// A publisher changes its route 50 times beside N tracks of its broadcast that are read.
void route_beside_tracks(std::size_t n) {
    world w{{.bounds = {.upstream_requests = 2 * n}}};
    auto& publisher = w.publisher("room");
    for (std::size_t i = 0; i < n; ++i) {
        static world::guest* viewer = nullptr;
        if (i % 200 == 0) viewer = &w.join();
        static_cast<void>((*viewer)->subscribe({"room", std::to_string(i)}));
        w.settle();
    }
    expect(w.r.stats().tracks == n, "not all tracks are here");
    const measured now;
    for (std::uint64_t i = 0; i < few; ++i) {
        static_cast<void>(publisher->announce("room", {hop_id{}, hop_id{100 + i}}));
        w.settle();
    }
    expect(w.r.stats().tracks == n, "the tracks are retired");
}

const scenes ours{
    {"a route changes beside N tracks of its broadcast", 500, 1.2, route_beside_tracks},
    {"B5 50 readers join beside N", 1000, 1.2, join_beside},
    {"B5 50 readers leave beside N", 1000, 1.2, leave_beside},
    {"B5 50 readers update beside N", 1000, 1.2, update_beside},
    {"B5 N readers leave with their sessions", 1000, 2.3, all_leave},
};

} // namespace

} // namespace moqlite::bench::costs

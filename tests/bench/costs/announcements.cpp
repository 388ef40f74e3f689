// Announcements: many of one publisher, and many others beside a request.
#include "cost.hpp"
#include "world.hpp"

#include <moqlite/session/announcements.hpp>

namespace moqlite::bench::costs {

namespace {

std::string path(std::size_t i) { return "room/" + std::to_string(i); }

/// A publisher with n broadcasts, which do not match a listener.
world::guest& with_broadcasts(world& w, std::size_t n, version v = version::lite_06) {
    auto& publisher = w.join(v);
    for (std::size_t i = 0; i < n; ++i) static_cast<void>(publisher->announce(path(i)));
    w.settle();
    expect(w.r.broadcasts().size() == n, "not all broadcasts are announced");
    return publisher;
}
world::guest& listener(world& w, const char* prefix, version v = version::lite_06) {
    auto& g = w.join(v);
    static_cast<void>(g->watch(prefix));
    w.settle();
    return g;
}

/// N announcements end with their session.
void publisher_leaves(std::size_t n, const char* prefix) {
    world w;
    listener(w, prefix);
    auto& publisher = with_broadcasts(w, n);
    const measured now;
    w.cut(publisher);
    expect(w.r.broadcasts().size() == 0, "broadcasts are left over");
}
void publisher_announces(std::size_t n) {
    world w;
    listener(w, "room");
    auto& publisher = w.join();
    const measured now;
    for (std::size_t i = 0; i < n; ++i) static_cast<void>(publisher->announce(path(i)));
    w.settle();
    expect(w.r.broadcasts().size() == n, "not all broadcasts are announced");
}
/// 20 requests whose prefix matches one of N broadcasts.
void requests_beside(std::size_t n, version v) {
    world w;
    with_broadcasts(w, n, v);
    auto& g = w.join(v);
    const measured now;
    for (int i = 0; i < 20; ++i) static_cast<void>(g->watch(path(n - 1)));
    w.settle();
    expect(g.events >= 20, "the match is not reported");
}
/// One broadcast begins and ends 50 times beside N requests for other prefixes.
void change_beside_listeners(std::size_t n) {
    world w;
    for (std::size_t i = 0; i < n; i += 200) {
        auto& g = w.join();
        for (std::size_t j = i; j < n && j < i + 200; ++j) static_cast<void>(g->watch(path(j)));
    }
    w.settle();
    auto& publisher = w.join();
    const measured now;
    for (int i = 0; i < 50; ++i) {
        static_cast<void>(publisher->announce("else"));
        w.settle();
        static_cast<void>(publisher->unannounce("else"));
        w.settle();
    }
}
/// One of N sessions that announce the same broadcast, each with a track that was read, ends it and announces
/// it again, 10 times.
void change_among_sources(std::size_t n) {
    world w;
    world::guest* last = nullptr;
    auto& viewer = w.join();
    for (std::size_t i = 0; i < n; ++i) {
        last = &w.publisher("p");
        static_cast<void>(viewer->subscribe({"p", std::to_string(i)}));
        w.settle();
    }
    const measured now;
    for (int i = 0; i < 10; ++i) {
        static_cast<void>((*last)->unannounce("p"));
        w.settle();
        static_cast<void>((*last)->announce("p"));
        w.settle();
    }
}

const scenes ours{
    {"B3 a publisher with N announcements leaves, one listens to all", 2000, 2.3,
        [](std::size_t n) { publisher_leaves(n, "room"); }},
    {"B3 a publisher with N announcements leaves, one listens elsewhere", 2000, 2.3,
        [](std::size_t n) { publisher_leaves(n, "zz"); }},
    {"B3 N announcements come, one listens to all", 2000, 2.3, publisher_announces},
    {"B4 ANNOUNCE_REQUEST for one of N broadcasts", 2000, 1.2,
        [](std::size_t n) { requests_beside(n, version::lite_06); }},
    {"B4 ANNOUNCE_REQUEST for one of N broadcasts, version 07", 2000, 1.2,
        [](std::size_t n) { requests_beside(n, version::lite_07_wip); }},
    {"B4 a change beside N requests for other prefixes", 1000, 1.2, change_beside_listeners},
    {"a change of one of N sessions that announce the same broadcast", 100, 2.2, change_among_sources},
};

} // namespace

} // namespace moqlite::bench::costs

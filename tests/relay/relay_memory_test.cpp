// A relay's memory: its use, who loses when it is short, and that all of it is freed.
#include "scene.hpp"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>

namespace moqlite::test::relay_memory_test {

namespace {

relay_options bounded(std::size_t memory, std::size_t cache) {
    relay_options o;
    o.bounds.memory = memory;
    o.bounds.cache = cache;
    return o;
}
constexpr std::size_t kib = 1024;
constexpr std::size_t mib = 1024 * kib;

std::size_t lost(const list& groups) {
    return static_cast<std::size_t>(
        std::count_if(groups.begin(), groups.end(), [](const auto& g) { return g.find("cut") != g.npos; }));
}

} // namespace

TEST_CASE("the newest group of a quiet track is served however old it is", "[relay][cache]") {
    scene s;
    auto& camera = s.publisher();
    static_cast<void>(s.viewer());
    camera.accept(0, 0);
    camera.send(0, 0, "old");
    camera.send(0, 1, "catalog");
    s.settle();
    for (int i = 0; i < 10; ++i) s.pass(20s);
    CHECK(s.viewer().groups() == list{"1: catalog"});
    CHECK(s.viewer({.start = at(0)}).groups() == list{"1: catalog"});
}

TEST_CASE(
    "groups that a capped reader has not requested yet wait for it beyond their age", "[relay][cache][group end]") {
    scene s;
    auto& camera = s.publisher();
    static_cast<void>(s.viewer({.ordered = true, .end = at(9)}));
    auto& slow = s.viewer({.ordered = true, .start = at(0), .end = at(1)});
    camera.accept(0, 0);
    for (unsigned n = 0; n < 6; ++n) camera.send(0, n, std::to_string(n));
    s.settle();
    s.pass(31s);
    slow.update({.ordered = true, .end = at(9)});
    s.settle();
    auto got = slow.groups();
    std::sort(got.begin(), got.end());
    CHECK(got == list{"0: 0", "1: 1", "2: 2", "3: 3", "4: 4", "5: 5"});
}

TEST_CASE("a group larger than the cache streams through, and is lost to late joiners",
    "[relay][memory][dialects §16.2.14][dialects §7.6]") {
    scene s{bounded(mib, 256 * kib)};
    auto& camera = s.publisher();
    auto& reader = s.viewer();
    camera.accept(0, 0);
    const auto g = camera.begin(0, 0);
    std::size_t most = 0;
    for (int i = 0; i < 100; ++i) {
        REQUIRE(g->write_frame(timestamp{0}, as_bytes(std::string(64 * kib, 'x'))));
        s.settle();
        s.pass(1ms);
        most = std::max(most, s.r.stats().memory);
    }
    CHECK(most < mib);
    auto& late = s.viewer();
    CHECK(late.heard() == list{"subscription_accepted 0 from 0", "groups_dropped 0 0 to 0 evicted"});
    REQUIRE(g->finish());
    s.settle();
    camera.send(0, 1, "next");
    s.settle();
    CHECK(reader.groups() == list{"0: 6553600 bytes", "1: next"});
    CHECK(late.groups() == list{"1: next"});
    CHECK(s.r.stats().groups_lost == 1);
}

TEST_CASE("a reader that takes nothing costs a healthy one no group", "[relay][memory][regression]") {
    scene s{bounded(2 * mib, 256 * kib)};
    auto& camera = s.publisher();
    auto& good = s.viewer();
    auto& bad = s.viewer({.end = at(1'000'000)});
    camera.accept(0, 0);
    bad.relay_end.takes = false;
    good.end.acknowledges = false; // One group behind.
    for (unsigned n = 0; n < 150; ++n) {
        camera.send(0, n, std::string(30'000, 'x'));
        s.settle();
        s.pass(1ms);
        good.end.resume();
        s.settle();
        CHECK(s.r.stats().memory <= 2 * mib);
    }
    const auto got = good.groups();
    CHECK(got.size() == 150);
    CHECK(lost(got) == 0);
    const auto told = s.notices();
    CHECK(std::count(told.begin(), told.end(), "reader_lost_group 3 room/cam video 0 evicted") == 1);
    CHECK(s.r.stats().groups_lost > 0);
    CHECK(std::none_of(told.begin(), told.end(), [](const auto& n) { return n.starts_with("reader_lost_group 2"); }));
}

TEST_CASE("a publisher that finishes nothing costs a healthy one no group", "[relay][memory][regression]") {
    scene s{bounded(4 * mib, mib)};
    auto& camera = s.publisher();
    auto& good = s.viewer();
    camera.accept(0, 0);
    auto& hostile = s.publisher("bad");
    auto& prey = s.join();
    prey.subscribe({"bad", "video"});
    s.settle();
    hostile.accept(0, 0);
    group_ref healthy;
    std::vector<group_ref> unfinished;
    for (unsigned n = 0; n < 600; ++n) {
        if (n % 10 == 0) healthy = camera.begin(0, n / 10);
        REQUIRE(healthy->write_frame(timestamp{n}, as_bytes(std::string(2000, 'x'))));
        if (n % 10 == 9) REQUIRE(healthy->finish());
        unfinished.push_back(hostile.begin(0, n));
        REQUIRE(unfinished.back()->begin_frame(timestamp{0}, 16 * mib));
        static_cast<void>(unfinished.back()->append_payload(as_bytes(std::string(50'000, 'x'))));
        s.settle();
        s.pass(1ms);
        CHECK(s.r.stats().memory <= 4 * mib);
        if (n == 595) {
            auto& late = s.viewer();
            s.settle();
            CHECK(late.arriving() == list{"59: 12000 bytes"});
        }
    }
    const auto got = good.groups();
    CHECK(got.size() == 60);
    CHECK(lost(got) == 0);
    const auto told = hostile.heard();
    CHECK(std::count(told.begin(), told.end(), "group_lost 0 sequence 0 bounds_exceeded") == 1);
    const auto notices = s.notices();
    CHECK(std::count(notices.begin(), notices.end(), "peer_misbehaved 3 out_of_memory_limit") > 0);
    CHECK(std::none_of(
        notices.begin(), notices.end(), [](const auto& n) { return n.starts_with("reader_lost_group 2"); }));
}

TEST_CASE("groups that never end are detected however small the cache is and however long they take",
    "[relay][memory][regression][dialects §16.2.14]") {
    scene s{bounded(4 * mib, 16 * kib)};
    auto& camera = s.publisher();
    auto& good = s.viewer();
    camera.accept(0, 0);
    std::vector<guest*> hostile;
    for (const std::string name : {"bad", "worse"}) {
        hostile.push_back(&s.publisher(name));
        auto& prey = s.join();
        prey.subscribe({name, "video"});
        s.settle();
        hostile.back()->accept(0, 0);
    }
    std::vector<group_ref> unfinished;
    for (unsigned n = 0; n < 300; ++n) {
        camera.send(0, n, std::string(20'000, 'x'));
        for (auto* h : hostile) {
            unfinished.push_back(h->begin(0, n));
            REQUIRE(unfinished.back()->begin_frame(timestamp{0}, 16 * mib));
            static_cast<void>(unfinished.back()->append_payload(as_bytes(std::string(30'000, 'x'))));
        }
        s.settle();
        s.pass(200ms);
        CHECK(s.r.stats().memory <= 4 * mib);
    }
    const auto got = good.groups();
    CHECK(got.size() == 300);
    CHECK(lost(got) == 0);
    for (auto* h : hostile) {
        const auto told = h->heard();
        CHECK(std::count(told.begin(), told.end(), "group_lost 0 sequence 0 bounds_exceeded") == 1);
    }
    s.cut(*hostile[0]);
    s.cut(*hostile[1]);
    s.pass(1ms);
    CHECK(s.r.stats().memory < 256 * kib);
}

TEST_CASE(
    "an arriving group without readers that the cache has dropped holds no memory", "[relay][memory][regression]") {
    scene s{bounded(4 * mib, mib)};
    auto& camera = s.publisher();
    auto& other = s.publisher("other");
    auto& victim = s.join();
    victim.subscribe({"other", "video"});
    s.settle();
    other.accept(0, 0);
    victim.end.acknowledges = false;
    other.send(0, 0, "precious");
    auto& reader = s.viewer();
    camera.accept(0, 0);
    const auto g = camera.begin(0, 0);
    REQUIRE(g->begin_frame(timestamp{0}, 32 * mib));
    REQUIRE(g->append_payload(as_bytes("x")));
    s.settle();
    // Its only reader refuses it.
    REQUIRE(reader->stop(group_id{number(server_uni(1))}, app_error::cancel));
    s.settle();
    std::size_t most = 0;
    for (int i = 0; i < 400; ++i) {
        REQUIRE(g->append_payload(as_bytes(std::string(32 * kib, 'x'))));
        s.settle();
        s.pass(1ms);
        most = std::max(most, s.r.stats().memory);
    }
    CHECK(most < 4 * mib);
    CHECK(victim.groups() == list{"0: precious"});
    victim.end.resume();
    s.settle();
    CHECK(victim.heard() == list{"subscription_accepted 0 from 0"});
    CHECK(s.r.stats().groups_lost == 0);
}

TEST_CASE("a group number that arrives again while the first is still arriving is refused and not counted",
    "[relay][memory][regression]") {
    scene s;
    auto& camera = s.publisher();
    auto& reader = s.viewer();
    camera.accept(0, 0);
    const auto first = camera.begin(0, 0);
    REQUIRE(first->write_frame(timestamp{0}, as_bytes("first")));
    const auto newest = camera.begin(0, 1);
    REQUIRE(newest->write_frame(timestamp{0}, as_bytes("newest")));
    s.settle();
    s.pass(31s);
    const auto again = camera.begin(0, 0);
    REQUIRE(again->write_frame(timestamp{0}, as_bytes("again")));
    s.settle();
    CHECK(s.r.stats().cached_bytes == 0);
    REQUIRE(first->finish());
    s.settle();
    const auto one = s.r.stats().cached_bytes;
    CHECK(one > 0);
    REQUIRE(again->finish());
    s.settle();
    CHECK(s.r.stats().cached_bytes == one);
    REQUIRE(newest->finish());
    s.settle();
    CHECK(s.r.stats().cached_bytes == 2 * one);
    CHECK(reader.groups() == list{"0: first", "1: newest"});
    reader.unsubscribe();
    s.settle();
    s.pass(1ms);
    CHECK(s.r.stats().cached_bytes == 0);
    CHECK(s.r.stats().memory == 0);
}

TEST_CASE("a group that arrives when memory is used up is refused, not kept in part", "[relay][memory]") {
    scene s{bounded(256 * kib, 128 * kib)};
    auto& camera = s.publisher();
    auto& reader = s.viewer();
    camera.accept(0, 0);
    reader.relay_end.takes = false;
    const auto g = camera.begin(0, 0);
    for (int i = 0; i < 8; ++i) REQUIRE(g->write_frame(timestamp{0}, as_bytes(std::string(64 * kib, 'x'))));
    s.settle();
    CHECK(s.r.stats().memory <= 256 * kib);
    CHECK(camera.heard().back() == "group_lost 0 sequence 0 bounds_exceeded");
    s.pass(1ms);
    s.open_window(reader);
    s.pass(1ms);
    camera.send(0, 1, "small");
    s.settle();
    CHECK(reader.groups().back() == "1: small");
}

TEST_CASE("when all sessions have ended nothing is left", "[relay][memory]") {
    scene s;
    auto& camera = s.publisher();
    std::vector<guest*> viewers;
    for (int i = 0; i < 5; ++i) viewers.push_back(&s.viewer({.start = at(0)}));
    camera.accept(0, 0);
    for (unsigned n = 0; n < 20; ++n) camera.send(0, n, std::string(10'000, 'x'));
    viewers[1]->relay_end.takes = false;
    viewers[2]->end.deaf = true;
    s.settle();
    for (auto* v : viewers) s.cut(*v);
    s.cut(camera);
    const auto now = s.r.stats();
    CHECK(now.sessions == 0);
    CHECK(now.tracks == 0);
    CHECK(now.readers == 0);
    CHECK(now.broadcasts == 0);
    CHECK(now.cached_bytes == 0);
    CHECK(now.memory == 0);
}

} // namespace moqlite::test::relay_memory_test

// FETCH through a relay: from its log, else from the publisher; and datagrams.
#include "scene.hpp"

#include <catch2/generators/catch_generators.hpp>

namespace moqlite::test::relay_fetch_test {

namespace {

void fetch(guest& g, std::uint64_t sequence) { REQUIRE(g->fetch({"room/cam", "video"}, at(sequence))); }

} // namespace

TEST_CASE("a cached group is fetched from the log", "[relay][fetch]") {
    scene s;
    auto& camera = s.publisher();
    auto& viewer = s.viewer();
    camera.accept(0, 3);
    camera.send(0, 3, "three");
    camera.send(0, 4, "four");
    s.settle();
    camera.heard();
    auto& late = s.join();
    fetch(late, 3);
    s.settle();
    CHECK(late.groups() == list{"3: three"});
    CHECK(camera.heard().empty());
    CHECK(viewer.groups() == list{"4: four", "3: three"});
}

TEST_CASE("a group that is still arriving is fetched as it arrives", "[relay][fetch]") {
    scene s;
    auto& camera = s.publisher();
    auto& viewer = s.viewer();
    camera.accept(0, 3);
    const auto g = camera.begin(0, 3);
    REQUIRE(g->write_frame(timestamp{1}, as_bytes("half")));
    s.settle();
    fetch(viewer, 3);
    s.settle();
    CHECK(viewer.groups().empty());
    REQUIRE(g->write_frame(timestamp{2}, as_bytes("whole")));
    REQUIRE(g->finish());
    s.settle();
    CHECK(viewer.groups() == list{"3: halfwhole", "3: halfwhole"});
}

TEST_CASE(
    "a group that is not cached is fetched from the publisher, once for all requesters, and served to no subscriber",
    "[relay][fetch]") {
    scene s;
    auto& camera = s.publisher();
    auto& viewer = s.viewer();
    camera.accept(0, 7);
    auto& one = s.join();
    auto& two = s.join({}, version::lite_06);
    camera.heard();
    fetch(one, 2);
    fetch(two, 2);
    s.settle();
    CHECK(camera.heard() == list{"fetch_requested 1 room/cam video sequence 2 priority 128"});
    const auto g = camera.begin(1, 2);
    REQUIRE(g->write_frame(timestamp{5}, as_bytes("old")));
    s.settle();
    CHECK(one.times() == std::vector<std::uint64_t>{5});
    REQUIRE(g->finish());
    s.settle();
    CHECK(one.groups() == list{"2: old"});
    CHECK(two.groups() == list{"2: old"});
    CHECK(viewer.groups().empty());
    CHECK(camera.heard() == list{"request_ended 1 delivered"});
    SECTION("and is not kept") {
        fetch(one, 2);
        s.settle();
        CHECK(camera.heard() == list{"fetch_requested 2 room/cam video sequence 2 priority 128"});
    }
}

TEST_CASE("a fetch that none of its requesters can be served is cancelled, and each of them is refused",
    "[relay][fetch][attack]") {
    relay_options o;
    o.bounds.served_groups = 1;
    scene s{std::move(o)};
    auto& camera = s.publisher();
    auto& viewer = s.viewer();
    camera.accept(0, 7);
    const auto busy = camera.begin(0, 7);
    s.settle();
    fetch(viewer, 2);
    auto& other = s.join();
    const bool shared = GENERATE(false, true);
    if (shared) fetch(other, 2);
    s.settle();
    camera.heard();
    const auto g = camera.begin(1, 2);
    REQUIRE(g->write_frame(timestamp{5}, as_bytes("ol")));
    s.settle();
    CHECK(viewer.groups() == list{"2:  cut bounds_exceeded"});
    CHECK(camera.heard() == (shared ? list{} : list{"request_ended 1 cancel"}));
    if (!shared) return;
    REQUIRE(g->finish());
    s.settle();
    CHECK(other.groups() == list{"2: ol"});
}

TEST_CASE("a fetch works without any subscription", "[relay][fetch]") {
    scene s;
    auto& camera = s.publisher();
    auto& one = s.join();
    fetch(one, 0);
    s.settle();
    camera.send(0, 0, "zero");
    s.settle();
    CHECK(one.groups() == list{"0: zero"});
}

TEST_CASE("a group is fetched on versions without timestamps, too, and has the time of its arrival",
    "[relay][fetch][bridge][gomoqt]") {
    const auto from = GENERATE(version::lite_03, version::lite_04);
    const auto to = GENERATE(version::lite_03, version::lite_04, version::lite_05, version::lite_06);
    CAPTURE(alpn(from), alpn(to));
    scene s{{.epoch = t0 - 5ms}};
    auto& camera = s.join({}, from);
    camera.announce("room/cam");
    auto& one = s.join({}, to);
    s.settle();
    fetch(one, 2);
    s.settle();
    CHECK(camera.heard() == list{"fetch_requested 0 room/cam video sequence 2 priority 128"});
    const auto g = camera.begin(0, 2);
    REQUIRE(g->write_frame(timestamp{}, as_bytes("one")));
    s.settle();
    s.pass(20ms);
    REQUIRE(g->begin_frame(timestamp{}, 6));
    REQUIRE(g->append_payload(as_bytes("two")));
    s.settle();
    s.pass(20ms);
    REQUIRE(g->append_payload(as_bytes("two")));
    REQUIRE(g->finish());
    s.settle();
    CHECK(one.groups() == list{"2: onetwotwo"});
    CHECK(one.times() == (has_timestamps(to) ? std::vector<std::uint64_t>{5, 25} : std::vector<std::uint64_t>{0, 0}));
}

TEST_CASE("a fetch that the publisher refuses or does not support is refused", "[relay][fetch][dialects §16.2.16]") {
    scene s;
    auto& one = s.join();
    SECTION("refused") {
        auto& camera = s.publisher();
        fetch(one, 2);
        s.settle();
        REQUIRE(camera->reject(request_id{0}, app_error::not_found));
        s.settle();
        CHECK(one.groups() == list{"2:  cut not_found"});
    }
    SECTION("no publisher has it") {
        fetch(one, 2);
        s.settle();
        CHECK(one.groups() == list{"2:  cut unroutable"});
    }
    SECTION("with no reason, as most publishers before moq-lite-05 do") {
        auto& camera = s.join({}, version::lite_04);
        camera.announce("room/cam");
        s.settle();
        fetch(one, 2);
        s.settle();
        REQUIRE(camera->reject(request_id{0}, app_error::cancel));
        s.settle();
        CHECK(one.groups() == list{"2:  cut not_found"});
        CHECK_FALSE(camera->is_closed());
    }
    SECTION("it leaves meanwhile") {
        auto& camera = s.publisher();
        fetch(one, 2);
        s.settle();
        const auto g = camera.begin(0, 2);
        REQUIRE(g->write_frame(timestamp{5}, as_bytes("ol")));
        s.settle();
        s.cut(camera);
        CHECK(one.groups().size() == 1);
        CHECK(one.arriving().empty());
    }
}

TEST_CASE("when no requester wants a fetched group any more, the upstream FETCH is cancelled", "[relay][fetch]") {
    scene s;
    auto& camera = s.publisher();
    auto& one = s.join();
    auto& two = s.join();
    const auto first = one->fetch({"room/cam", "video"}, at(2)).value();
    const auto second = two->fetch({"room/cam", "video"}, at(2)).value();
    s.settle();
    const auto g = camera.begin(0, 2);
    REQUIRE(g->write_frame(timestamp{5}, as_bytes("ol")));
    s.settle();
    camera.heard();
    REQUIRE(one->stop(first, app_error::cancel));
    s.settle();
    CHECK(camera.heard().empty());
    SECTION("stopped") { REQUIRE(two->stop(second, app_error::cancel)); }
    SECTION("gone") { s.cut(two); }
    s.settle();
    CHECK(camera.heard() == list{"request_ended 0 cancel"});
    CHECK(s.r.stats().groups_lost == 0);
}

TEST_CASE("a fetched group that is not read counts against its requester", "[relay][fetch][memory]") {
    limits bounds;
    bounds.cache = 4 << 20;
    bounds.memory = 8 << 20;
    scene s{{.bounds = bounds}};
    auto& camera = s.publisher();
    auto& viewer = s.viewer();
    camera.accept(0, 7);
    auto& slow = s.join();
    fetch(slow, 2);
    s.settle();
    slow.relay_end.takes = false;
    const auto g = camera.begin(1, 2);
    for (int i = 0; i < 12; ++i) {
        static_cast<void>(g->write_frame(timestamp{5}, as_bytes(std::string(1 << 20, 'x'))));
        s.pass(1ms);
    }
    camera.send(0, 7, "seven");
    s.pass(1ms);
    CHECK(viewer.groups() == list{"7: seven"});
    CHECK(s.r.stats().memory <= bounds.memory);
    s.open_window(slow);
    const auto cut = slow.groups();
    REQUIRE(cut.size() == 1);
    CHECK(cut[0].find("cut evicted") != std::string::npos);
}

TEST_CASE("many requesters that have left do not make a fetched group larger when memory is short",
    "[relay][fetch][memory]") {
    limits bounds;
    bounds.cache = 4 << 20;
    bounds.memory = 8 << 20;
    scene s{{.bounds = bounds}};
    auto& camera = s.publisher();
    auto& viewer = s.viewer();
    camera.accept(0, 7);
    auto& slow = s.join();
    fetch(slow, 2);
    s.settle();
    slow.relay_end.takes = false;
    const auto old = camera.begin(1, 2);
    REQUIRE(old->write_frame(timestamp{5}, as_bytes(std::string(1 << 19, 'x'))));
    s.settle();
    auto& fickle = s.join();
    for (int i = 0; i < 40; ++i) {
        const auto id = fickle->fetch({"room/cam", "video"}, at(2)).value();
        s.settle();
        REQUIRE(fickle->stop(id, app_error::cancel));
        s.settle();
    }
    const auto live = camera.begin(0, 7);
    for (int i = 0; i < 8; ++i) {
        REQUIRE(live->write_frame(timestamp{5}, as_bytes(std::string(1 << 20, 'y'))));
        s.pass(1ms);
    }
    REQUIRE(old->finish());
    s.pass(1ms);
    s.open_window(slow);
    CHECK(slow.groups() == list{"2: 524288 bytes"});
    CHECK(viewer.arriving() == list{"7: 8388608 bytes"});
}

TEST_CASE("a FETCH for a group whose beginning has been dropped fetches it again", "[relay][fetch]") {
    scene s;
    auto& camera = s.publisher();
    auto& one = s.join();
    auto& two = s.join();
    fetch(one, 2);
    s.settle();
    const std::string half(1 << 20, 'x');
    const auto send = [&](const group_ref& g) {
        REQUIRE(g->write_frame(timestamp{5}, as_bytes(half)));
        s.settle();
    };
    const auto first = camera.begin(0, 2);
    send(first);
    camera.heard();
    fetch(two, 2);
    s.settle();
    CHECK(camera.heard() == list{"fetch_requested 1 room/cam video sequence 2 priority 128"});
    const auto second = camera.begin(1, 2);
    send(second);
    SECTION("and both have all of it") {
        for (const auto& g : {second, first}) {
            send(g);
            REQUIRE(g->finish());
            s.settle();
        }
        CHECK(one.groups() == list{"2: 2097152 bytes"});
        CHECK(two.groups() == list{"2: 2097152 bytes"});
    }
    SECTION("and one that leaves does not affect the other") {
        s.cut(one);
        CHECK(camera.heard() == list{"request_ended 0 cancel"});
        REQUIRE(second->finish());
        s.settle();
        CHECK(two.groups() == list{"2: 1048576 bytes"});
        CHECK(camera.heard() == list{"request_ended 1 delivered"});
    }
}

TEST_CASE("a publisher that requests the same group is not awaited", "[relay][fetch]") {
    scene s;
    auto& camera = s.publisher();
    auto& one = s.join();
    fetch(one, 2);
    s.settle();
    fetch(camera, 2);
    s.settle();
    CHECK(camera.groups() == list{"2:  cut unroutable"});
    camera.send(0, 2, "two");
    s.settle();
    CHECK(one.groups() == list{"2: two"});
}

// Issue 10: a publisher that falls silent within a fetched group blocked its readers for ever.

TEST_CASE(
    "a fetched group whose publisher falls silent within it ends for its requesters, with a code", "[relay][fetch]") {
    scene s;
    auto& far = s.join();
    far.announce("room/cam", {hop_id{2}, hop_id{3}});
    auto& camera = s.publisher("room/cam", hop_id{1});
    auto& one = s.join();
    auto& two = s.join();
    fetch(one, 2);
    fetch(two, 2);
    s.settle();
    s.pass(9s);
    const auto g = camera.begin(0, 2);
    const bool in_a_frame = GENERATE(true, false);
    CAPTURE(in_a_frame);
    REQUIRE(g->begin_frame(timestamp{1}, in_a_frame ? 8 : 4));
    REQUIRE(g->append_payload(as_bytes("half")));
    s.settle();
    camera.heard();
    SECTION("after the time that a request may take") {
        CHECK(s.r.deadline() == s.now + 10s);
        s.pass(9999ms);
        CHECK(one.groups().empty());
        s.pass(1ms);
        CHECK(one.groups() == list{"2: half cut timeout"});
        CHECK(two.groups() == list{"2: half cut timeout"});
        CHECK(camera.heard() == list{"request_ended 0 cancel"});
        CHECK(far.heard().empty()); // Another publisher's group is a different group.
        CHECK(s.r.stats().requests_overdue == 1);
        CHECK_FALSE(s.r.deadline());
        s.pass(1ms);
        CHECK(s.r.stats().memory == 0);
        fetch(one, 2);
        s.settle();
        CHECK(camera.heard() == list{"fetch_requested 1 room/cam video sequence 2 priority 128"});
    }
    SECTION("but not one that moves, however slowly") {
        if (in_a_frame) REQUIRE(g->append_payload(as_bytes("full")));
        s.settle();
        for (int i = 0; i < 5; ++i) {
            s.pass(9s);
            REQUIRE(g->write_frame(timestamp{2}, as_bytes(".")));
            s.settle();
        }
        CHECK(one.arriving().size() == 1);
        REQUIRE(g->finish());
        s.settle();
        CHECK(one.groups() == list{in_a_frame ? "2: halffull....." : "2: half....."});
        CHECK(s.r.stats().requests_overdue == 0);
        CHECK_FALSE(s.r.deadline());
    }
    SECTION("and nothing is left if the requesters or the publisher leave first") {
        const int who = GENERATE(0, 1);
        if (who == 0) {
            s.cut(one);
            s.cut(two);
        } else {
            s.cut(camera);
        }
        CHECK_FALSE(s.r.deadline());
        s.pass(30s);
        CHECK(s.r.stats().requests_overdue == 0);
    }
}

TEST_CASE("of several fetched groups only those of the silent publisher end", "[relay][fetch]") {
    scene s;
    auto& camera = s.publisher();
    auto& one = s.join();
    for (unsigned n = 0; n < 3; ++n) fetch(one, n);
    s.settle();
    std::vector<group_ref> groups;
    for (unsigned n = 0; n < 3; ++n) {
        groups.push_back(camera.begin(n, n));
        REQUIRE(groups.back()->write_frame(timestamp{0}, as_bytes("a")));
        s.settle();
        s.pass(1s);
    }
    REQUIRE(groups[0]->write_frame(timestamp{1}, as_bytes("b")));
    s.settle();
    s.pass(8s);
    CHECK(one.groups() == list{"1: a cut timeout"});
    s.pass(1s);
    CHECK(one.groups() == list{"2: a cut timeout"});
    s.pass(1s);
    CHECK(one.groups() == list{"0: ab cut timeout"});
}

TEST_CASE("a datagram is forwarded as one, to all whose version has them, and is not cached", "[relay][datagram]") {
    scene s;
    auto& camera = s.publisher();
    auto& viewer = s.viewer();
    auto& old = s.viewer({}, version::lite_04);
    auto& later = s.viewer({.start = at(9)});
    camera.accept(0, 3);
    s.settle();
    for (auto* g : {&viewer, &old, &later}) g->heard();
    REQUIRE(camera->serve_datagram(request_id{0}, at(5), timestamp{90000}, as_bytes("now")));
    s.settle();
    CHECK(viewer.heard() == list{"group_datagram 0 sequence 5 time 90000 6e6f77"});
    CHECK(old.heard().empty());
    CHECK(later.heard().empty());
    CHECK(s.r.stats().datagrams_lost == 1);
    CHECK(s.viewer().heard() == list{"subscription_accepted 0 from 3"});
}

TEST_CASE("a datagram beyond a reader's range is not reported as lost", "[relay][datagram]") {
    scene s;
    auto& camera = s.publisher();
    s.viewer({.end = at(9)});
    auto& capped = s.viewer({.start = at(3), .end = at(4)});
    camera.accept(0, 3);
    s.settle();
    capped.heard();
    REQUIRE(camera->serve_datagram(request_id{0}, at(5), timestamp{90000}, as_bytes("now")));
    s.settle();
    CHECK(capped.heard().empty());
    CHECK(s.r.stats().datagrams_lost == 0);
}

} // namespace moqlite::test::relay_fetch_test

// Applications in the relay's own process: they publish and subscribe at local ends.
#include "local_guest.hpp"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

namespace moqlite::test {
namespace {

TEST_CASE("a local publisher is announced to peers, and its groups reach them", "[relay][local]") {
    scene s;
    local_guest app(s);
    REQUIRE(app.end.announce("room/cam"));
    auto& writer = app.write({"room/cam", "video"});
    auto& watcher = s.join();
    watcher.watch();
    settle(s, {&app});
    CHECK(watcher.heard().front().starts_with("broadcast_available 0 room/cam"));
    put(writer, "kept for late joiners");
    watcher.subscribe({"room/cam", "video"});
    settle(s, {&app});
    put(writer, "live");
    settle(s, {&app});
    CHECK(watcher.groups() == list{"0: kept for late joiners", "1: live"});
    writer.end();
    settle(s, {&app});
    CHECK(watcher.heard().back() == "subscription_ended 0 finished");
    REQUIRE(app.end.unannounce("room/cam"));
    settle(s, {&app});
    CHECK(watcher.heard() == list{"broadcast_ended 0 room/cam"});
}

TEST_CASE(
    "frames of a local publisher arrive before their group ends, and its group is the relay's log", "[relay][local]") {
    scene s;
    local_guest app(s);
    REQUIRE(app.end.announce("room/cam"));
    auto& writer = app.write({"room/cam", "video"});
    settle(s, {&app});
    auto& viewer = s.viewer();
    settle(s, {&app});
    const auto g = writer.open_group();
    const auto before = s.r.stats().memory;
    REQUIRE(g->write_frame(timestamp{1}, as_bytes("one ")));
    settle(s, {&app});
    CHECK(viewer.arriving() == list{"0: one "});
    CHECK(s.r.stats().memory <= before + 8192);
    REQUIRE(g->write_frame(timestamp{2}, as_bytes("two")));
    REQUIRE(g->finish());
    settle(s, {&app});
    CHECK(viewer.groups() == list{"0: one two"});
    CHECK(s.r.stats().cached_bytes != 0);
}

TEST_CASE("nobody asks a local publisher for a track until somebody subscribes, and it hears when the last one leaves",
    "[relay][local]") {
    scene s;
    local_guest app(s);
    REQUIRE(app.end.announce("room"));
    auto& writer = app.write({"room/cam", "video"});
    settle(s, {&app});
    CHECK_FALSE(writer.has_subscribers());
    auto& first = s.viewer();
    auto& second = s.viewer();
    settle(s, {&app});
    CHECK(writer.has_subscribers());
    first.unsubscribe();
    settle(s, {&app});
    CHECK(writer.has_subscribers());
    second.unsubscribe();
    settle(s, {&app});
    CHECK_FALSE(writer.has_subscribers());
}

TEST_CASE("a local reader gets the groups of a remote publisher", "[relay][local]") {
    scene s;
    auto& camera = s.publisher();
    local_guest app(s);
    REQUIRE(app.end.watch(""));
    auto& reader = app.read({"room/cam", "video"}, {.mode = reading::live});
    settle(s, {&app});
    CHECK(std::find(app.heard.begin(), app.heard.end(), "subscription_accepted 1 from 0") == app.heard.end());
    camera.accept(0, 0);
    camera.send(0, 0, "a");
    settle(s, {&app});
    CHECK(take(reader) == list{"0: a"});
    const auto g = camera.begin(0, 1);
    REQUIRE(g->write_frame(timestamp{3}, as_bytes("b")));
    settle(s, {&app});
    CHECK(take(reader) == list{"1: b"});
    REQUIRE(g->finish());
    camera.end_track(0, 2);
    settle(s, {&app});
    CHECK(take(reader).empty());
    CHECK(reader.finished());
}

TEST_CASE("groups go from one local end through the relay to another", "[relay][local]") {
    scene s;
    local_guest from(s), to(s);
    REQUIRE(from.end.announce("room/cam"));
    auto& writer = from.write({"room/cam", "video"});
    settle(s, {&from, &to});
    auto& reader = to.read({"room/cam", "video"});
    settle(s, {&from, &to});
    for (const auto* payload : {"a", "b", "c"}) put(writer, payload), settle(s, {&from, &to});
    writer.end();
    settle(s, {&from, &to});
    CHECK(take(reader) == list{"0: a", "1: b", "2: c"});
    CHECK(reader.finished());
}

TEST_CASE("a complete local reader that stops reading holds its publisher back", "[relay][local]") {
    scene s;
    local_guest from(s), to(s);
    REQUIRE(from.end.announce("room/cam"));
    auto& writer = from.write({"room/cam", "video"}, {.mode = writing::complete});
    settle(s, {&from, &to});
    auto& reader = to.read({"room/cam", "video"}, {.start = at(0)});
    settle(s, {&from, &to});
    std::uint64_t n = 0;
    while (writer.has_subscribers() && writer.has_room(s.now) && n != 5000)
        put(writer, std::string(10'000, 'x')), settle(s, {&from, &to}), ++n;
    INFO(n);
    CHECK(n < 1000);
    CHECK(n >= 2);
    auto got = take(reader).size();
    settle(s, {&from, &to});
    got += take(reader).size();
    CHECK(got == n);
    CHECK(writer.has_room(s.now));
    CHECK(s.r.stats().groups_lost == 0);
}

TEST_CASE(
    "the last publisher of a name wins: readers of the local one are cut off, or continue there", "[relay][local]") {
    scene s;
    auto app = std::make_unique<local_guest>(s);
    REQUIRE(app->end.announce("room/cam"));
    auto& writer = app->write({"room/cam", "video"});
    settle(s, {app.get()});
    auto& viewer = s.viewer();
    settle(s, {app.get()});
    put(writer, "a");
    settle(s, {app.get()});
    CHECK(viewer.groups() == list{"0: a"});
    app.reset();
    settle(s, {});
    CHECK(viewer.heard().back().starts_with("subscription_ended 0"));
    CHECK(s.r.stats().broadcasts == 0);
}

TEST_CASE("a local end that is destroyed leaves nothing behind", "[relay][local]") {
    scene s;
    auto& camera = s.publisher();
    {
        local_guest app(s);
        REQUIRE(app.end.announce("room/other"));
        app.read({"room/cam", "video"});
        settle(s, {&app});
        camera.accept(0, 0);
        camera.send(0, 0, "a");
        settle(s, {&app});
        CHECK(s.r.stats().readers == 1);
    }
    settle(s, {});
    CHECK(s.r.stats().readers == 0);
    CHECK(s.r.stats().broadcasts == 1);
    CHECK(camera.heard().back().starts_with("request_ended 0"));
}

TEST_CASE("a FETCH of a peer reaches a local publisher", "[relay][local]") {
    scene s;
    local_guest app(s);
    REQUIRE(app.end.announce("room/cam"));
    auto& writer = app.write({"room/cam", "video"});
    put(writer, "kept");
    settle(s, {&app});
    auto& viewer = s.join();
    REQUIRE(viewer->fetch({"room/cam", "video"}, at(0)));
    settle(s, {&app});
    CHECK(viewer.groups() == list{"0: kept"});
}

TEST_CASE("memory that a slow local reader pins can be evicted", "[relay][local]") {
    relay_options o;
    o.bounds.memory = 4 * 1024 * 1024;
    o.bounds.cache = 1024 * 1024;
    scene s(o);
    local_guest from(s), to(s);
    REQUIRE(from.end.announce("room/cam"));
    auto& writer = from.write({"room/cam", "video"}, {.hold_max = 512 * 1024});
    settle(s, {&from, &to});
    track_reader_options live{.mode = reading::live};
    auto& reader = to.read({"room/cam", "video"}, live);
    auto& viewer = s.viewer();
    settle(s, {&from, &to});
    for (int i = 0; i != 100; ++i) {
        const auto g = writer.open_group();
        REQUIRE(g);
        if (g->write_frame(timestamp{1}, as_bytes(std::string(300'000, 'x')))) static_cast<void>(g->finish());
        settle(s, {&from, &to});
    }
    CHECK(s.r.stats().memory < o.bounds.memory);
    const auto whole = viewer.groups();
    CHECK(std::count_if(whole.begin(), whole.end(), [](auto& g) { return g.ends_with("bytes"); }) > 90);
    std::size_t lost = 0;
    while (reader.poll_lost()) ++lost;
    CHECK(lost != 0);
}

TEST_CASE("a viewer that leaves does not cut off the group that a local publisher is writing", "[relay][local]") {
    scene s;
    local_guest app(s);
    REQUIRE(app.end.announce("room/cam"));
    auto& writer = app.write({"room/cam", "video"});
    settle(s, {&app});
    auto& first = s.viewer();
    settle(s, {&app});
    const auto g = writer.open_group();
    REQUIRE(g->write_frame(timestamp{1}, as_bytes("one ")));
    settle(s, {&app});
    CHECK(first.arriving() == list{"0: one "});
    first.unsubscribe();
    settle(s, {&app});
    CHECK_FALSE(writer.has_subscribers());
    CHECK(g->write_frame(timestamp{2}, as_bytes("two")));
    auto& second = s.viewer();
    settle(s, {&app});
    CHECK(second.arriving() == list{"0: one two"});
    REQUIRE(g->finish());
    settle(s, {&app});
    CHECK(second.groups() == list{"0: one two"});
}

TEST_CASE("a live viewer that leaves takes nothing from a complete one of a local publisher", "[relay][local]") {
    scene s;
    local_guest app(s);
    REQUIRE(app.end.announce("room/cam"));
    auto& writer = app.write({"room/cam", "video"});
    settle(s, {&app});
    auto& live = s.viewer();
    auto& whole = s.viewer({.ordered = true, .max_age = complete_age, .start = at(0), .end = at(2)});
    settle(s, {&app});
    for (const auto* payload : {"a", "b", "c", "d"}) put(writer, payload), settle(s, {&app});
    CHECK(live.groups() == list{"0: a", "1: b", "2: c", "3: d"});
    CHECK(whole.groups() == list{"0: a", "1: b", "2: c"});
    whole.update({.ordered = true, .max_age = complete_age, .start = at(0), .end = at(9)});
    settle(s, {&app});
    CHECK(whole.groups() == list{"3: d"});
    const auto g = writer.open_group();
    REQUIRE(g->write_frame(timestamp{1}, as_bytes("one ")));
    settle(s, {&app});
    CHECK(live.arriving() == list{"4: one "});
    CHECK(whole.arriving() == list{"4: one "});
    live.unsubscribe();
    settle(s, {&app});
    CHECK(g->write_frame(timestamp{2}, as_bytes("two")));
    static_cast<void>(g->finish());
    settle(s, {&app});
    CHECK(whole.groups() == list{"4: one two"});
}

TEST_CASE("a local publisher hears of each reader, and its track lasts until all have acknowledged everything",
    "[relay][local]") {
    scene s;
    local_guest app(s);
    REQUIRE(app.end.announce("room/cam"));
    auto& writer = app.write({"room/cam", "video"});
    settle(s, {&app});
    const auto heard = [&](std::string_view what) { return std::count(app.heard.begin(), app.heard.end(), what); };
    auto& slow = s.viewer();
    settle(s, {&app});
    slow.end.acknowledges = false;
    put(writer, "a");
    settle(s, {&app});
    CHECK(slow.groups() == list{"0: a"});
    CHECK(heard("reader_joined 1 from 0") == 1);
    CHECK(writer.undelivered() == 1);
    auto& second = s.viewer();
    settle(s, {&app});
    CHECK(second.groups() == list{"0: a"});
    CHECK(heard("reader_joined 1 from 0") == 2);
    CHECK(writer.undelivered() == 0);
    writer.end();
    settle(s, {&app});
    CHECK(heard("reader_left 1 delivered") == 1);
    CHECK(writer.has_subscribers());
    slow.end.acknowledges = true;
    slow.end.resume();
    settle(s, {&app});
    CHECK(heard("reader_left 1 delivered") == 2);
    CHECK(app.heard.back() == "request_ended 1 delivered");
    CHECK_FALSE(writer.has_subscribers());
}

TEST_CASE("a reader that leaves is reported with its code, and its track ends with the last one", "[relay][local]") {
    scene s;
    local_guest app(s);
    REQUIRE(app.end.announce("room/cam"));
    auto& writer = app.write({"room/cam", "video"});
    settle(s, {&app});
    auto& viewer = s.viewer();
    settle(s, {&app});
    REQUIRE(viewer->unsubscribe(subscribe_id{0}, app_error{79}));
    settle(s, {&app});
    const auto before_last = app.heard.at(app.heard.size() - 2);
    CHECK(before_last == "reader_left 1 79");
    CHECK(app.heard.back() == "request_ended 1 79");
    writer.end(); // Nobody has to be waited for.
    CHECK_FALSE(writer.has_subscribers());
}

TEST_CASE("a complete local publisher keeps what no reader has acknowledged", "[relay][local]") {
    scene s;
    local_guest app(s);
    REQUIRE(app.end.announce("room/cam"));
    auto& writer = app.write({"room/cam", "video"}, {.mode = writing::complete});
    settle(s, {&app});
    auto& lost = s.viewer();
    settle(s, {&app});
    put(writer, "has this");
    settle(s, {&app});
    lost.end.acknowledges = false;
    for (const auto* payload : {"lost", "lost, too"}) put(writer, payload), settle(s, {&app});
    CHECK(writer.undelivered() == 2);
    s.cut(lost);
    settle(s, {&app});
    put(writer, "newest");
    CHECK_FALSE(writer.find(at(0)));
    auto& next = s.viewer({.ordered = true, .max_age = complete_age, .start = at(0)});
    settle(s, {&app});
    CHECK(next.groups().front() == "1: lost");
    CHECK(writer.undelivered() == 0);
}

TEST_CASE("there is room for a local publisher while the reader that has come furthest has it", "[relay][local]") {
    scene s;
    local_guest app(s);
    REQUIRE(app.end.announce("room/cam"));
    auto& writer = app.write({"room/cam", "video"});
    settle(s, {&app});
    const auto has_room = [&] { return s.r.has_room(app.key, request_id{1}, 1000); };
    CHECK(has_room()); // Of nobody.
    auto& first = s.viewer();
    settle(s, {&app});
    CHECK(has_room());
    first.relay_end.takes = false;
    const auto g = writer.open_group();
    REQUIRE(g->write_frame(timestamp{1}, as_bytes(std::string(2000, 'x'))));
    settle(s, {&app});
    CHECK_FALSE(has_room());
    SECTION("another one") {
        s.viewer();
        settle(s, {&app});
        CHECK(has_room());
    }
    SECTION("it has sent it") {
        s.open_window(first);
        CHECK(has_room());
    }
}

} // namespace
} // namespace moqlite::test

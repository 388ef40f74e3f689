// Applications in the relay's own process: they publish and subscribe at local ends.
#include "scene.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <moqlite/session/local_session.hpp>
#include <moqlite/session/track_reader.hpp>
#include <moqlite/session/track_writer.hpp>

namespace moqlite::test {
namespace {

/// An application at a local end: writes tracks, and reads one.
class local_guest {
public:
    explicit local_guest(scene& s) : scene_(s), end({.pool = &s.r.memory()}) { key = s.r.add_local(end); }

    track_writer<local_session>& write(const track_ref& track, const track_writer_options& o = {}) {
        return writers_.emplace_back(end, track, scene_.r.memory(), o);
    }
    track_reader<local_session>& read(const track_ref& track, const track_reader_options& o = {}) {
        auto& reader = readers_.emplace_back(end, o);
        REQUIRE(reader.start(track));
        return reader;
    }
    void drain() {
        while (const auto e = end.poll_event()) {
            bool is_taken = false;
            for (auto& w : writers_) is_taken = w.handle(*e) || is_taken;
            for (auto& r : readers_) r.handle(*e, scene_.now);
            heard.push_back(text(*e));
            if (is_taken) continue;
            if (const auto* s = std::get_if<subscribe_requested>(&*e))
                REQUIRE(end.reject(s->request, app_error::not_found));
        }
    }

    scene& scene_;
    local_session end;
    std::uint64_t key = 0;
    list heard;

private:
    std::deque<track_writer<local_session>> writers_;
    std::deque<track_reader<local_session>> readers_;
};

/// Until nothing happens any more.
void settle(scene& s, std::initializer_list<local_guest*> all) {
    for (int quiet = 0; quiet != 3; ++quiet) {
        s.r.tick(s.now);
        s.settle();
        for (auto* g : all) {
            const auto before = g->heard.size();
            g->drain();
            if (g->heard.size() != before) quiet = 0;
        }
    }
}

void put(track_writer<local_session>& to, std::string_view payload) {
    const auto g = to.open_group();
    REQUIRE(g);
    REQUIRE(g->write_frame(timestamp{1}, as_bytes(payload)));
    REQUIRE(g->finish());
}

list take(track_reader<local_session>& from) {
    list out;
    while (const auto p = from.next()) {
        out.push_back(std::to_string(number(p->sequence)) + ": " +
                      std::string(reinterpret_cast<const char*>(p->data.data()), p->data.size()));
        from.consume(p->data.size());
    }
    return out;
}

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

// Broadcasts for one session alone.

/// Two peers, the first of which has broadcasts for itself alone.
struct confidants {
    explicit confidants(scope allowed = {}, version v = version::lite_06) {
        s.alone = path::private_root(7);
        friend_ = &s.join(allowed, v);
        s.alone = path::private_root(8);
        stranger = &s.join(allowed, v);
    }
    void settle() { test::settle(s, {&app}); }
    scene s;
    local_guest app{s};
    guest* friend_;
    guest* stranger;
};

std::string for_friend(std::string_view name) { return path::join(path::private_root(7), name); }

list said(guest& g, std::string_view what) {
    list out;
    for (auto& line : g.heard())
        if (line.find(what) != line.npos) out.push_back(line.substr(0, line.find(" hops")));
    return out;
}

TEST_CASE("what is published for one session alone is announced to its peer, and to nobody else", "[relay][local]") {
    const auto v =
        GENERATE(version::lite_03, version::lite_04, version::lite_05, version::lite_06, version::lite_07_wip);
    const std::string root = GENERATE("", "rooms");
    const bool before = GENERATE(false, true); // They ask before it is published.
    confidants c{{.root = root}, v};
    if (before) c.friend_->watch(), c.stranger->watch(), c.settle();
    REQUIRE(c.app.end.announce(for_friend(path::join(root, "call"))));
    c.settle();
    if (!before) c.friend_->watch(), c.stranger->watch(), c.settle();
    CHECK(said(*c.friend_, "broadcast_available").size() == 1);
    CHECK(c.stranger->heard().empty());
    CHECK(c.app.heard.empty());
    auto& late = c.s.join({.root = root}, v);
    late.watch();
    c.settle();
    CHECK(late.heard().empty());
    REQUIRE(c.app.end.unannounce(for_friend(path::join(root, "call"))));
    c.settle();
    CHECK(c.friend_->heard() == list{"broadcast_ended 0 call"});
}

TEST_CASE("only its peer can subscribe to it, fetch from it, or ask for its tracks", "[relay][local]") {
    confidants c;
    REQUIRE(c.app.end.announce(for_friend("call")));
    auto& writer = c.app.write({for_friend("call"), "audio"});
    c.settle();
    c.friend_->subscribe({"call", "audio"});
    c.settle();
    put(writer, "secret");
    c.settle();
    CHECK(c.friend_->groups() == list{"0: secret"});
    c.stranger->heard();
    SECTION("by its name") {
        c.stranger->subscribe({"call", "audio"});
        c.settle();
        CHECK(c.stranger->heard().back().starts_with("subscription_ended 0 unroutable"));
    }
    SECTION("or by that which it has here") { // Ours would not send it.
        const std::string name = for_friend("call");
        const auto before = c.s.r.stats().tracks;
        c.s.r.handle(c.stranger->key, subscribe_requested{request_id{9}, {name, "audio"}, {}}, c.s.now);
        c.s.r.handle(
            c.stranger->key, fetch_requested{request_id{10}, {name, "audio"}, group_sequence{0}, 0, {}}, c.s.now);
        c.s.r.handle(c.stranger->key, track_requested{request_id{11}, {name, "audio"}}, c.s.now);
        c.settle();
        CHECK(c.s.r.stats().tracks == before);
        CHECK(c.stranger->groups().empty());
    }
    SECTION("or a group of it") {
        REQUIRE((*c.stranger)->fetch({"call", "audio"}, group_sequence{0}));
        c.settle();
        CHECK(c.stranger->groups().back().find("secret") == std::string::npos);
    }
    SECTION("or what is told of it") {
        REQUIRE((*c.stranger)->request_track({"call", "audio"}));
        c.settle();
        CHECK(c.stranger->heard().back().starts_with("track_refused"));
    }
}

TEST_CASE("it takes the place of a broadcast of the same name for its peer alone, while it lives", "[relay][local]") {
    const auto v = GENERATE(version::lite_03, version::lite_05, version::lite_06);
    confidants c{{}, v};
    const bool under = GENERATE(false, true); // What everyone sees covers it.
    auto& everyone = c.s.publisher(under ? "" : "call");
    c.settle();
    c.friend_->watch("call"), c.stranger->watch("call");
    c.settle();
    CHECK(said(*c.friend_, "broadcast_available") == list{"broadcast_available 0 call"});
    CHECK(said(*c.stranger, "broadcast_available") == list{"broadcast_available 0 call"});
    REQUIRE(c.app.end.announce(for_friend("call")));
    auto& writer = c.app.write({for_friend("call"), "audio"});
    c.settle();
    c.s.pass_for_all(std::chrono::seconds{1}); // Changes of a route wait for others.
    CHECK(said(*c.friend_, "broadcast_available") == list{"broadcast_available 0 call"});
    c.friend_->subscribe({"call", "audio"});
    c.settle();
    put(writer, "secret");
    c.settle();
    CHECK(c.friend_->groups() == list{"0: secret"});
    CHECK(c.stranger->heard().empty());
    everyone.heard();
    c.stranger->subscribe({"call", "audio"});
    c.settle();
    CHECK(everyone.heard().front().find("call audio") != std::string::npos);
    static_cast<void>(c.friend_->heard());
    REQUIRE(c.app.end.unannounce(for_friend("call")));
    c.settle();
    c.s.pass_for_all(std::chrono::seconds{1});
    c.settle();
    CHECK(said(*c.friend_, "broadcast_available") == list{"broadcast_available 0 call"});
}

TEST_CASE("a peer publishes nothing for another alone", "[relay][local]") {
    confidants c;
    c.friend_->watch();
    c.settle();
    static_cast<void>(c.friend_->heard());
    const std::string name = for_friend("call"); // Ours would not announce it.
    c.s.r.handle(c.stranger->key, broadcast_available{watch_id{}, name, {}, false, {}}, c.s.now);
    c.settle();
    CHECK(c.friend_->heard().empty());
    CHECK(c.s.r.stats().broadcasts == 0);
}

TEST_CASE("a broadcast that everyone hears of, below one for a session alone, is still everyone's", "[relay][local]") {
    confidants c{{}, GENERATE(version::lite_03, version::lite_06)};
    auto& everyone = c.s.publisher("call/screen");
    REQUIRE(c.app.end.announce(for_friend("call")));
    c.settle();
    c.friend_->watch("call/screen");
    c.settle();
    CHECK(said(*c.friend_, "broadcast_available") == list{"broadcast_available 0 call/screen"});
    everyone.heard();
    c.friend_->subscribe({"call/screen", "video"});
    c.settle();
    REQUIRE(!everyone.heard().empty());
}

TEST_CASE(
    "the initial set has one announcement for what is above or at the prefix, whoever it is for", "[relay][local]") {
    const auto v = GENERATE(version::lite_05, version::lite_06);
    confidants c{{}, v};
    c.s.publisher(GENERATE("", "call"));
    if (GENERATE(false, true)) REQUIRE(c.app.end.announce(for_friend("call")));
    c.settle();
    c.friend_->heard();
    c.friend_->watch("call");
    c.settle();
    CHECK(c.friend_->synced == 1);
}

TEST_CASE("names take turns at a peer in the right order, whatever else has changed", "[relay][local]") {
    const auto v =
        GENERATE(version::lite_03, version::lite_04, version::lite_05, version::lite_06, version::lite_07_wip);
    confidants c{{}, v};
    c.friend_->watch();
    REQUIRE(c.app.end.announce(for_friend("call")));
    auto& everyone = c.s.publisher("call");
    c.settle();
    c.s.pass_for_all(std::chrono::seconds{1});
    c.friend_->heard();
    // All of that between two pumps.
    c.s.r.handle(
        everyone.key, broadcast_available{watch_id{}, "call", std::vector{hop_id{3}, hop_id{4}}, false, {}}, c.s.now);
    REQUIRE(c.app.end.unannounce(for_friend("call")));
    c.s.r.tick(c.s.now);
    c.settle();
    c.s.pass_for_all(std::chrono::seconds{1});
    auto heard = c.friend_->heard();
    for (auto& h : heard) UNSCOPED_INFO(h);
    REQUIRE(!heard.empty());
    CHECK(heard.back().starts_with("broadcast_available 0 call"));
}

} // namespace
} // namespace moqlite::test

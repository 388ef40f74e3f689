// Admission, and which broadcasts a relay announces to which peer.
#include "local_guest.hpp"
#include "scene.hpp"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

namespace moqlite::test::relay_announce_test {

TEST_CASE("an announcement is forwarded, with the relay's hop after the publisher's", "[relay][announce]") {
    scene s{{.origin = hop_id{77}}};
    auto& camera = s.publisher("room/cam", hop_id{5});
    auto& viewer = s.join();
    viewer.watch();
    s.settle();
    CHECK(viewer.heard() == list{"broadcast_available 0 room/cam hops 5 77"});
    camera.unannounce("room/cam");
    s.settle();
    CHECK(viewer.heard() == list{"broadcast_ended 0 room/cam"});
}

TEST_CASE("a broadcast is not announced back to its source", "[relay][announce]") {
    scene s;
    auto& camera = s.publisher();
    camera.watch();
    s.settle();
    CHECK(camera.heard().empty());
}

TEST_CASE("a broadcast is not announced to a peer that its path already leads through", "[relay][announce]") {
    scene s;
    auto& camera = s.join();
    camera.announce("room/cam", {hop_id{3}, hop_id{9}});
    auto& neighbour = s.join({}, version::lite_05, hop_id{9});
    auto& other = s.join({}, version::lite_05, hop_id{10});
    neighbour.watch();
    other.watch();
    s.settle();
    CHECK(neighbour.heard().empty());
    CHECK(other.heard() == list{"broadcast_available 0 room/cam hops 3 9 0 0"});
}

TEST_CASE("a route through the relay itself is a loop, and not used", "[relay][announce]") {
    scene s{{.origin = hop_id{77}}};
    auto& neighbour = s.join();
    neighbour.announce("room/cam", {hop_id{3}, hop_id{77}});
    neighbour.announce("room/mic", {hop_id{3}});
    s.settle();
    CHECK(s.r.broadcasts().find("room/cam") == nullptr);
    CHECK(s.r.broadcasts().find("room/mic") != nullptr);
}

TEST_CASE("of two routes to a broadcast the shorter is announced, and the other when it ends", "[relay][announce]") {
    scene s{{.origin = hop_id{77}}};
    auto& viewer = s.join();
    viewer.watch("room");
    auto& far = s.join();
    far.announce("room/cam", {hop_id{1}, hop_id{2}});
    s.settle();
    auto& near = s.join();
    near.announce("room/cam", {hop_id{1}});
    s.settle();
    s.pass_for_all(300ms); // A change is held back as long.
    near.unannounce("room/cam");
    s.settle();
    s.pass_for_all(300ms);
    CHECK(viewer.heard() == list{"broadcast_available 0 room/cam hops 1 2 0 77",
                                "broadcast_available 0 room/cam hops 1 0 77 restart",
                                "broadcast_available 0 room/cam hops 1 2 0 77 restart"});
}

TEST_CASE("each of two publishers of one name hears of the other", "[relay][announce]") {
    scene s;
    auto& first = s.publisher();
    auto& second = s.publisher();
    first.watch();
    second.watch();
    s.settle();
    CHECK(first.heard() == list{"broadcast_available 0 room/cam hops 0 0"});
    CHECK(second.heard() == list{"broadcast_available 0 room/cam hops 0 0"});
}

TEST_CASE("a publisher that dies takes its broadcasts with it", "[relay][announce]") {
    scene s;
    auto& camera = s.publisher();
    auto& viewer = s.join();
    viewer.watch();
    s.settle();
    s.cut(camera);
    CHECK(viewer.heard() == list{"broadcast_available 0 room/cam hops 0 0", "broadcast_ended 0 room/cam"});
    CHECK(s.r.stats().broadcasts == 0);
    CHECK(s.r.stats().sessions == 1);
}

TEST_CASE("a session gets nothing before it is admitted", "[relay][admission]") {
    scene s;
    static_cast<void>(s.publisher());
    auto& viewer = s.arrive(version::lite_05, "/live?token=1");
    viewer.watch();
    s.settle();
    CHECK(viewer.heard().empty());
    CHECK(
        s.notices() == list{"admission_wanted 1 ", "broadcast_changed 1 room/cam", "admission_wanted 2 /live?token=1"});
    REQUIRE(s.r.admit(viewer.key, {}));
    s.settle();
    CHECK(viewer.heard() == list{"broadcast_available 0 room/cam hops 0 0"});
    CHECK(s.r.admit(viewer.key, {}).error() == errc::already_answered);
}

TEST_CASE("a refused peer gets the code, and is removed", "[relay][admission]") {
    scene s;
    auto& stranger = s.arrive();
    REQUIRE(s.r.refuse(stranger.key));
    s.settle();
    CHECK(stranger.heard() == list{"session_closed unauthorized peer_closed by peer"});
    CHECK(s.notices() == list{"admission_wanted 1 ", "session_ended 1 refused"});
    CHECK(s.r.stats().sessions == 0);
    CHECK(s.r.refuse(stranger.key).error() == errc::not_found);
    CHECK(s.r.admit(stranger.key, {}).error() == errc::not_found);
}

TEST_CASE("names are relative to a peer's root, and nothing outside is visible", "[relay][admission]") {
    scene s;
    auto& camera = s.join({.root = "eu"});
    camera.announce("room/cam");
    auto& neighbour = s.join({.root = "/eu/room/"});
    auto& stranger = s.join({.root = "us"});
    auto& everybody = s.join();
    for (auto* g : {&neighbour, &stranger, &everybody}) g->watch();
    s.settle();
    CHECK(neighbour.heard() == list{"broadcast_available 0 cam hops 0 0"});
    CHECK(stranger.heard().empty());
    CHECK(everybody.heard() == list{"broadcast_available 0 eu/room/cam hops 0 0"});
    neighbour.subscribe({"cam", "video"});
    s.settle();
    CHECK(
        camera.heard() == list{"subscribe_requested 0 room/cam video priority 0 latency 0 ..", "groups_wanted 0 all"});
    stranger.subscribe({"room/cam", "video"});
    s.settle();
    CHECK(stranger.heard() == list{"subscription_ended 0 unroutable"});
}

TEST_CASE("peers whose published names have roots of their own cannot meet or take names", "[relay][admission]") {
    scene s;
    auto& ann = s.join({.root = "here", .publish_root = "ann"});
    auto& bob = s.join({.root = "here", .publish_root = "bob"});
    auto& us = s.join();
    for (auto* each : {&ann, &bob}) each->announce("call"), each->watch();
    us.announce("here/call");
    s.settle();
    CHECK(s.r.stats().broadcasts == 3);
    for (const auto* name : {"ann/call", "bob/call", "here/call"}) CHECK(s.r.broadcasts().find(name) != nullptr);
    for (auto* each : {&ann, &bob}) CHECK(each->heard() == list{"broadcast_available 0 call hops 0 0"});
    us.subscribe({"bob/call", "audio"});
    ann.subscribe({"call", "video"});
    s.settle();
    CHECK(bob.heard() == list{"subscribe_requested 0 call audio priority 0 latency 0 ..", "groups_wanted 0 all"});
    CHECK(ann.heard().empty());
    CHECK(us.heard() == list{"subscribe_requested 0 here/call video priority 0 latency 0 ..", "groups_wanted 0 all"});
    s.cut(bob);
    s.settle();
    CHECK(s.r.broadcasts().find("bob/call") == nullptr);
    CHECK(s.r.broadcasts().find("ann/call") != nullptr);
    CHECK(s.r.admit(s.arrive().key, {.publish_root = "\xff"}).error() == errc::bad_utf8);
}

TEST_CASE("a peer publishes and subscribes below its prefixes only", "[relay][admission]") {
    scene s;
    auto& camera = s.join({.root = "eu", .publish = {"cams"}, .subscribe = {}});
    camera.announce("cams/1");
    camera.announce("mics/1");
    camera.watch();
    auto& viewer = s.join({.root = "", .publish = {}, .subscribe = {"eu/cams"}});
    viewer.announce("eu/cams/2");
    viewer.watch();
    s.settle();
    CHECK(s.r.stats().broadcasts == 1);
    CHECK(camera.heard().empty());
    CHECK(viewer.heard() == list{"broadcast_available 0 eu/cams/1 hops 0 0"});
    viewer.subscribe({"eu/mics/1", "audio"});
    s.settle();
    CHECK(viewer.heard() == list{"subscription_ended 0 unauthorized"});
    CHECK(s.notices().back() == "peer_misbehaved 2 unauthorized");
}

TEST_CASE("admissions and departures are reported, however many notices of broadcasts wait", "[relay][admission]") {
    scene s;
    auto& camera = s.join();
    for (int i = 0; i < 5000; ++i) camera.announce("cam/" + std::to_string(i));
    s.settle();
    auto& stranger = s.arrive();
    s.cut(camera);
    REQUIRE(s.r.refuse(stranger.key));
    s.settle();
    const auto told = s.notices();
    CHECK(told.size() == 4096 + 3);
    CHECK(list(told.end() - 3, told.end()) ==
          list{"admission_wanted 2 ", "session_ended 1 transport_closed", "session_ended 2 refused"});
}

TEST_CASE("announcements of all peers are bounded together, and those of some leave room for others",
    "[relay][announce][bounds]") {
    relay_options o;
    o.bounds.announced_by_all = 256 * 1024;
    scene s{o};
    std::vector<guest*> hogs;
    for (int k = 0; k != 6; ++k) {
        auto& hog = *hogs.emplace_back(&s.join());
        for (int n = 0; n != 1000; ++n) hog.announce("hog/" + std::to_string(k) + "/" + std::to_string(n));
        s.settle();
        CHECK(hog.heard().empty()); // Only what exceeds its share is refused.
        CHECK(s.r.broadcasts().find("hog/" + std::to_string(k) + "/0") != nullptr);
    }
    CHECK(s.r.stats().broadcasts > 400);
    CHECK(s.r.stats().broadcasts * 512 < o.bounds.announced_by_all * 7 / 8);
    CHECK(std::ranges::count(s.notices(), "peer_misbehaved 1 too_many_announcements") == 1);
    auto& camera = s.publisher();
    auto& reader = s.viewer();
    camera.accept(0, 0);
    camera.send(0, 0, "in spite of them");
    s.settle();
    CHECK(reader.groups() == list{"0: in spite of them"});
    for (auto* hog : hogs) s.cut(*hog);
    auto& late = s.join();
    for (int n = 0; n != 200; ++n) late.announce("late/" + std::to_string(n));
    s.settle();
    CHECK(late.heard().empty());
    CHECK(s.r.stats().broadcasts == 201);
}

TEST_CASE("a publisher that announces as much as a peer takes leaves room for the broadcasts of others on every link",
    "[relay][announce][bounds][attack]") {
    const auto v = GENERATE(version::lite_05, version::lite_06, version::lite_07_wip);
    CAPTURE(alpn(v));
    relay_options o{.origin = hop_id{77}};
    o.bounds.announcements = 64;
    scene s{o};
    auto& hog = s.join({}, v);
    for (int n = 0; n != 200; ++n) hog.announce("hog/" + std::to_string(n));
    s.settle();
    CHECK(s.r.stats().broadcasts == 64);
    auto& link = s.join({}, v, hop_id{8});
    link.watch();
    s.settle();
    const auto first = link.heard();
    CHECK(first.size() == 28); // Half of what is shared.
    CHECK(link.synced == 1);   // ANNOUNCE_OK counts those that follow.
    std::vector<guest*> honest;
    for (int n = 0; n != 30; ++n) honest.push_back(&s.publisher("room/" + std::to_string(n)));
    CHECK(link.heard().size() == honest.size());
    // Others take the room of those that end.
    int ended = 0;
    for (int n = 0; n != 64; ++n) {
        const auto name = "hog/" + std::to_string(n);
        const auto is_it = [&](const std::string& line) {
            return line.starts_with("broadcast_available 0 " + name + " ");
        };
        if (std::ranges::none_of(first, is_it)) continue;
        hog.unannounce(name);
        ++ended;
    }
    s.settle();
    CHECK(ended == 28);
    const auto second = link.heard();
    CHECK(std::ranges::count_if(second, [](auto& line) { return line.starts_with("broadcast_ended"); }) == ended);
    const auto begun =
        std::ranges::count_if(second, [](auto& line) { return line.starts_with("broadcast_available"); });
    CHECK(begun == (56 - 30) / 2); // Half of what those of the others leave.
    for (auto* each : honest) CHECK(each->heard().empty());
}

TEST_CASE("an application's own broadcasts are announced up to what a peer takes", "[relay][announce][local]") {
    relay_options o{.origin = hop_id{77}};
    o.bounds.announcements = 64;
    scene s{o};
    local_guest app{s};
    for (int n = 0; n != 64; ++n) REQUIRE(app.end.announce("app/" + std::to_string(n)));
    settle(s, {&app});
    auto& link = s.join();
    link.watch();
    s.settle();
    CHECK(link.heard().size() == 64);
}

TEST_CASE("a relay that connects to a server watches its broadcasts, and announces its own", "[relay][upstream]") {
    scene s{{.origin = hop_id{77}}};
    static_cast<void>(s.publisher("local", hop_id{5}));
    auto& origin = s.dial("/eu?token=1");
    CHECK(origin.heard() == list{"setup_received /eu?token=1 origin 77"});
    REQUIRE(origin->admit({}));
    origin.announce("room/cam");
    origin.watch();
    s.settle();
    CHECK(origin.heard() == list{"broadcast_available 0 local hops 5 77"});
    auto& viewer = s.viewer();
    CHECK(
        origin.heard() == list{"subscribe_requested 0 room/cam video priority 0 latency 0 ..", "groups_wanted 0 all"});
    origin.accept(0, 0);
    origin.send(0, 0, "from afar");
    s.settle();
    CHECK(viewer.groups() == list{"0: from afar"});
    // It needs no admission.
    const auto told = s.notices();
    CHECK(std::ranges::count(told, "admission_wanted 2 ") == 0);
}

} // namespace moqlite::test::relay_announce_test

// An announcement covers its path and everything beneath it (moq-lite-wire §6.1): a request goes to the most specific.
#include "scene.hpp"

#include <catch2/catch_test_macros.hpp>

namespace moqlite::test::relay_prefix_test {

namespace {

const track_ref alice{"room/alice", "video"};

/// A guest that subscribes to room/alice's video.
guest& viewer_of_alice(scene& s) {
    auto& g = s.join();
    g.subscribe(alice);
    s.settle();
    return g;
}

} // namespace

TEST_CASE("a broadcast is found beneath an announced path", "[relay][prefix]") {
    scene s;
    auto& viewer = s.join();
    REQUIRE(viewer->watch("room/alice"));
    s.settle();
    static_cast<void>(viewer.heard());
    auto& room = s.publisher("room");
    CHECK(viewer.heard() == list{"broadcast_available 0 room/alice hops 0 0"});
    auto& other = s.publisher("room");
    auto& own = s.publisher("room/alice");
    static_cast<void>(viewer.heard());
    own.unannounce("room/alice");
    room.unannounce("room");
    s.settle();
    static_cast<void>(viewer.heard()); // It continues on other routes.
    other.unannounce("room");
    s.settle();
    CHECK(viewer.heard() == list{"broadcast_ended 0 room/alice"});
}

TEST_CASE("a request beneath an announced path reaches its publisher",
    "[relay][prefix][dialects §12.40][dialects §16.2.11]") {
    scene s;
    auto& room = s.publisher("room");
    static_cast<void>(room.heard());
    SECTION("a SUBSCRIBE") {
        auto& viewer = viewer_of_alice(s);
        CHECK(room.heard() ==
              list{"subscribe_requested 0 room/alice video priority 0 latency 0 ..", "groups_wanted 0 all"});
        room.accept(0, 0);
        room.send(0, 0, "alice");
        s.settle();
        CHECK(viewer.groups() == list{"0: alice"});
        // It is shared, as any other.
        auto& second = viewer_of_alice(s);
        CHECK(room.heard().empty());
        CHECK(second.groups() == list{"0: alice"});
    }
    SECTION("a TRACK, whose answer is kept") {
        for (int n = 0; n != 2; ++n) {
            auto& viewer = s.join();
            REQUIRE(viewer->request_track(alice));
            s.settle();
            if (n == 0) {
                CHECK(room.heard() == list{"track_requested 0 room/alice video"});
                track_info info;
                info.timescale = 90'000;
                REQUIRE(room->answer_track(request_id{0}, info));
                s.settle();
            }
            CHECK(room.heard().empty());
            const auto heard = viewer.heard();
            REQUIRE(heard.size() == 1);
            CHECK(heard[0].starts_with("track_info_received 0"));
            CHECK(heard[0].find("90000") != std::string::npos);
        }
    }
    SECTION("a FETCH") {
        auto& viewer = s.join();
        REQUIRE(viewer->fetch(alice, at(7)));
        s.settle();
        CHECK(room.heard() == list{"fetch_requested 0 room/alice video sequence 7 priority 128"});
        room.send(0, 7, "old");
        s.settle();
        CHECK(viewer.groups() == list{"7: old"});
    }
}

TEST_CASE("a hidden broadcast is not discovered, and is requested by its name",
    "[relay][prefix][hidden][dialects §16.2.12]") {
    scene s;
    auto& camera = s.publisher("room/.backstage/cam");
    static_cast<void>(camera.heard());
    auto& viewer = s.join();
    REQUIRE(viewer->watch("room"));
    s.settle();
    CHECK(viewer.heard().empty());
    REQUIRE(viewer->watch("room/.backstage"));
    s.settle();
    CHECK(viewer.heard() == list{"broadcast_available 1 room/.backstage/cam hops 0 0"});
    viewer.subscribe({"room/.backstage/cam", "video"});
    s.settle();
    camera.accept(0, 0);
    camera.send(0, 0, "hello");
    s.settle();
    CHECK(viewer.groups() == list{"0: hello"});
}

TEST_CASE("an announcement covers whole segments, and an empty one everything", "[relay][prefix]") {
    scene s;
    auto& publisher = s.publisher("room/al");
    static_cast<void>(publisher.heard());
    auto& viewer = viewer_of_alice(s);
    CHECK(viewer.heard() == list{"subscription_ended 0 unroutable"});
    CHECK(publisher.heard().empty());
}

TEST_CASE("a narrower announcement shadows a broader one, in either order", "[relay][prefix]") {
    scene s;
    guest* room = nullptr;
    guest* own = nullptr;
    SECTION("the broader one") {
        room = &s.publisher("room", hop_id{1});
        own = &s.publisher("room/alice", hop_id{2});
    }
    SECTION("the narrower one") {
        own = &s.publisher("room/alice", hop_id{2});
        room = &s.publisher("room", hop_id{1});
    }
    static_cast<void>(own->heard());
    static_cast<void>(room->heard());
    auto& viewer = viewer_of_alice(s);
    CHECK(room->heard().empty());
    own->accept(0, 0);
    own->send(0, 0, "her own");
    s.settle();
    CHECK(viewer.groups() == list{"0: her own"});

    // When it ends, new readers get the broader one, and existing ones are still served.
    own->unannounce("room/alice");
    s.settle();
    auto& next = viewer_of_alice(s);
    CHECK(
        room->heard() == list{"subscribe_requested 0 room/alice video priority 0 latency 0 ..", "groups_wanted 0 all"});
    room->accept(0, 0);
    room->send(0, 0, "the room's");
    own->send(0, 1, "still");
    s.settle();
    CHECK(next.groups() == list{"0: the room's"});
    CHECK(viewer.groups() == list{"1: still"});
}

TEST_CASE("readers after a narrower announcement get no groups of the broader one", "[relay][prefix]") {
    scene s;
    auto& room = s.publisher("room", hop_id{1});
    auto& first = viewer_of_alice(s);
    room.accept(0, 0);
    room.send(0, 0, "the room's");
    SECTION("while it continues") {}
    SECTION("after it ended") { room.end_track(0, 1); }
    SECTION("after its publisher went, too") {
        room.end_track(0, 1);
        room.unannounce("room");
    }
    s.settle();
    CHECK(first.groups() == list{"0: the room's"});
    auto& own = s.publisher("room/alice", hop_id{2});
    static_cast<void>(own.heard());
    auto& second = viewer_of_alice(s);
    CHECK(second.groups().empty());
    auto& third = s.join();
    REQUIRE(third->fetch(alice, at(0)));
    s.settle();
    CHECK(third.groups().empty());
    REQUIRE(own.heard().size() == 3); // SUBSCRIBE, TRACK and FETCH.
    own.accept(0, 5);
    own.send(0, 5, "her own");
    s.settle();
    CHECK(second.groups() == list{"5: her own"});
}

TEST_CASE("tracks of an ended narrower path are new when a path above it is announced", "[relay][prefix]") {
    scene s;
    auto& own = s.publisher("room/alice", hop_id{2});
    auto& first = viewer_of_alice(s);
    own.accept(0, 0);
    own.send(0, 0, "old");
    own.end_track(0, 1);
    own.unannounce("room/alice");
    s.settle();
    CHECK(first.groups() == list{"0: old"});
    auto& room = s.publisher("room", hop_id{1});
    static_cast<void>(room.heard());
    auto& second = viewer_of_alice(s);
    CHECK(second.groups().empty());
    CHECK(room.heard().size() == 2);
}

TEST_CASE("a replaced publisher of a room hands everything beneath to its successor", "[relay][prefix]") {
    scene s;
    auto& room = s.publisher("room", hop_id{1});
    auto& first = viewer_of_alice(s);
    room.accept(0, 0);
    room.send(0, 0, "old");
    s.settle();
    CHECK(first.groups() == list{"0: old"});
    auto& successor = s.publisher("room", hop_id{2});
    static_cast<void>(successor.heard());
    auto& second = viewer_of_alice(s);
    CHECK(second.groups().empty());
    successor.accept(0, 0);
    successor.send(0, 0, "new");
    s.settle();
    CHECK(second.groups() == list{"0: new"});
}

TEST_CASE("a request is not sent back to its requester, whose narrower announcement still shadows", "[relay][prefix]") {
    scene s;
    auto& room = s.publisher("room");
    static_cast<void>(room.heard());
    room.subscribe(alice);
    s.settle();
    CHECK(room.heard() == list{"subscription_ended 0 unroutable"});
}

TEST_CASE("a request takes no route that passes its requester", "[relay][prefix]") {
    scene s;
    constexpr hop_id a{11};
    auto& through = s.join();
    through.announce("room", {hop_id{1}, a});
    auto& asker = s.join({}, version::lite_05, a);
    s.settle();
    static_cast<void>(through.heard());
    asker.subscribe(alice);
    REQUIRE(asker->request_track(alice));
    s.settle();
    CHECK(asker.heard() == list{"subscription_ended 0 unroutable", "track_refused 0 unroutable"});
    CHECK(through.heard().empty());
    // The next best one does not pass it.
    auto& longer = s.join();
    longer.announce("room", {hop_id{1}, hop_id{2}, hop_id{3}});
    s.settle();
    asker.subscribe(alice);
    s.settle();
    CHECK(through.heard().empty());
    CHECK(longer.heard().size() == 2);
}

TEST_CASE("what nothing covers is refused as unroutable, what its publisher lacks as that says",
    "[relay][prefix][dialects §12.40][dialects §16.2.11]") {
    scene s;
    auto& viewer = viewer_of_alice(s);
    REQUIRE(viewer->request_track(alice));
    REQUIRE(viewer->fetch(alice, at(3)));
    s.settle();
    CHECK(viewer.heard() == list{"subscription_ended 0 unroutable", "track_refused 0 unroutable"});
    CHECK(viewer.groups() == list{"3:  cut unroutable"});
    CHECK(wire_code(errc::unroutable) == app_error{30});
    auto& room = s.publisher("room");
    viewer.subscribe(alice);
    s.settle();
    REQUIRE(room->reject(request_id{0}, app_error::not_found));
    s.settle();
    CHECK(viewer.heard() == list{"subscription_ended 1 not_found"});
}

TEST_CASE("flapping a broad announcement costs nothing for the tracks of narrower ones", "[relay][prefix]") {
    scene s;
    auto& own = s.publisher("room/alice", hop_id{2});
    auto& viewer = viewer_of_alice(s);
    own.accept(0, 0);
    auto& flapping = s.publisher("room", hop_id{1});
    for (int n = 0; n != 50; ++n) {
        flapping.unannounce("room");
        s.settle();
        flapping.announce("room");
        s.settle();
    }
    own.send(0, 0, "untouched");
    s.settle();
    CHECK(viewer.groups() == list{"0: untouched"});
    auto& next = viewer_of_alice(s);
    CHECK(next.groups() == list{"0: untouched"});
}

TEST_CASE("a track beneath an announced path, paused at its reader's Group End, has not ended when that reader leaves",
    "[relay][prefix][regression]") {
    scene s;
    auto& room = s.join({}, version::lite_04);
    room.announce("room");
    s.settle();
    auto& first = s.join();
    first.subscribe(alice, {.ordered = true, .start = at(0), .end = at(0)});
    s.settle();
    room.accept(0, 0);
    room.send(0, 0, "a");
    s.settle();
    REQUIRE(room->finish(request_id{0}));
    s.settle();
    s.pass_for_all(300ms);
    CHECK(first.groups() == list{"0: a"});
    static_cast<void>(room.heard());
    first.unsubscribe();
    s.settle();
    // Its publisher still announces the room, and has more.
    auto& next = viewer_of_alice(s);
    CHECK_FALSE(room.heard().empty());
    room.accept(1, 1);
    room.send(1, 1, "b");
    s.settle();
    CHECK(next.groups() == list{"1: b"});
}

} // namespace moqlite::test::relay_prefix_test

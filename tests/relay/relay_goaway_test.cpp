// GOAWAY of a peer: the relay asks it for nothing new, and prefers every other route.
#include "scene.hpp"

#include <catch2/catch_test_macros.hpp>

namespace moqlite::test::relay_goaway_test {

TEST_CASE("a peer that sends GOAWAY is reported to the operator", "[relay][goaway]") {
    scene s;
    auto& camera = s.publisher();
    s.notices();
    REQUIRE(camera->goaway("https://b"));
    s.settle();
    CHECK(s.notices() == list{"peer_leaving 1 https://b"});
}

TEST_CASE("after a GOAWAY, running subscriptions go on, and new ones are refused", "[relay][goaway][dialects §9.9]") {
    scene s;
    auto& camera = s.publisher();
    auto& viewer = s.viewer();
    camera.accept(0, 0);
    camera.send(0, 0, "before");
    s.settle();
    REQUIRE(camera->goaway());
    s.settle();
    camera.send(0, 1, "after");
    s.settle();
    CHECK(viewer.groups() == list{"0: before", "1: after"});
    camera.heard();
    auto& late = s.join();
    late.subscribe({"room/cam", "audio"});
    s.settle();
    CHECK(camera.heard().empty());
    // Before moq-lite-06 its code is that of a closed session.
    CHECK(late.heard() == list{"subscription_ended 0 closed"});
    auto& same = s.viewer(); // The track that runs takes further readers.
    camera.send(0, 2, "for both");
    s.settle();
    CHECK(same.groups().back() == "2: for both");
}

TEST_CASE("after a GOAWAY of its publisher a request goes to another route",
    "[relay][goaway][dialects §9.9][dialects §16.2.8]") {
    scene s;
    auto& cheap = s.publisher("room/cam", hop_id{100});
    auto& far = s.join({}, version::lite_05, hop_id{200});
    far.announce("room/cam", {hop_id{100}, hop_id{300}}); // The same publisher, two hops further away.
    s.settle();
    s.viewer();
    CHECK(cheap.heard().size() == 2); // subscribe_requested and groups_wanted.
    CHECK(far.heard().empty());
    REQUIRE(cheap->goaway());
    s.settle();
    CHECK(cheap.heard().empty()); // It runs on.
    auto& late = s.join();
    late.subscribe({"room/cam", "audio"});
    s.settle();
    CHECK(cheap.heard().empty());
    CHECK(far.heard().size() == 2);
}

TEST_CASE("what a leaving peer announces has the highest cost", "[relay][goaway][dialects §9.9]") {
    scene s;
    auto& watcher = s.join({}, version::lite_06, hop_id{7});
    watcher.watch();
    auto& leaves = s.publisher("room/cam", hop_id{100});
    s.settle();
    const auto before = watcher.heard();
    REQUIRE(before.size() == 1);
    CHECK(before.front().find("cost 4611686018427387903") == std::string::npos);
    REQUIRE(leaves->goaway());
    leaves.announce("room/late");
    s.settle();
    s.pass_for_all(1s);
    const auto after = watcher.heard();
    REQUIRE(after.size() == 2);
    for (const auto& each : after) CHECK(each.find("cost 4611686018427387903") != std::string::npos);
}

TEST_CASE("a peer that sends GOAWAY twice is disconnected", "[relay][goaway][bad input][dialects §9.9]") {
    scene s;
    auto& camera = s.publisher();
    REQUIRE(camera->goaway());
    s.settle();
    s.notices();
    auto& session = s.session_of(camera);
    const auto again = hex("05 01 00");
    session.stream_received(stream_id{64}, again, false, s.now);
    list said;
    while (const auto e = session.poll_event()) said.push_back(text(*e));
    CHECK(said.back() == "session_closed protocol_violation duplicate_goaway");
}

} // namespace moqlite::test::relay_goaway_test

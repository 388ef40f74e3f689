// A group that is filled while the request of another yields its place.
#include "scene.hpp"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>

namespace moqlite::test::relay_fill_yield_test {

namespace {

constexpr auto newest = version::lite_06;

auto fetches(const list& said) {
    return std::count_if(said.begin(), said.end(), [](const auto& l) { return l.starts_with("fetch_requested"); });
}

/// A publisher, camera, that grants three requests. They are those of a live viewer of the track `video` of one
/// broadcast, whose group 0 it has cut off after the frame "a", and of two tracks that `slow` and `other` read; `slow`,
/// which takes nothing, wants all of `video`, too.
struct crowded : scene {
    explicit crowded(std::string broadcast)
        : scene(options()),
          camera(join({}, newest)),
          live(join({}, newest)),
          other(join({}, newest)),
          slow(join({}, newest)),
          film(std::move(broadcast)) {}
    static relay_options options() {
        relay_options o;
        o.bounds.upstream_requests = 3;
        o.bounds.served_groups = 8;
        return o;
    }
    void fill_up() {
        for (unsigned n = 0; n < 3; ++n) camera.accept(n, 0);
        settle();
        slow.relay_end.takes = false;
        camera.send(1, 0, "x");
        for (unsigned n = 0; n < 5; ++n) camera.send(2, n, "frame");
        const auto g = camera.begin(0, 0);
        REQUIRE(g->write_frame(timestamp{10}, as_bytes("a")));
        settle();
        g->abort(app_error::old);
        camera.send(0, 1, "next");
        settle();
        static_cast<void>(camera.heard());
        slow.subscribe({film, "video"}, complete);
        settle();
    }
    void reads(guest& who, std::string_view broadcast, std::string_view track) {
        who.subscribe({std::string(broadcast), std::string(track)});
        settle();
    }
    const subscribe_options complete{.ordered = true, .max_age = complete_age, .start = at(0)};
    guest& camera;
    guest& live;
    guest& other;
    guest& slow;
    std::string film;
};

} // namespace

TEST_CASE("a group that a waiting reader fills while another request yields is fetched once",
    "[relay][fetch][regression][attack]") {
    crowded s{"room/cam"};
    s.camera.announce("room/cam");
    s.settle();
    s.reads(s.live, "room/cam", "video");
    s.reads(s.other, "room/cam", "a");
    s.reads(s.other, "room/cam", "b");
    s.reads(s.slow, "room/cam", "a");
    s.reads(s.slow, "room/cam", "b");
    s.fill_up();
    CHECK(fetches(s.camera.heard()) == 0);
    auto& viewer = s.viewer(s.complete, newest);
    REQUIRE(fetches(s.camera.heard()) == 1);
    const auto rest = s.camera.begin(3, 0);
    REQUIRE(rest->write_frame(timestamp{10}, as_bytes("a")));
    REQUIRE(rest->write_frame(timestamp{11}, as_bytes("b")));
    s.settle();
    CHECK(viewer.arriving() == list{"0: ab"});
}

TEST_CASE("a track that is cut off does not yield to a reader that continues meanwhile",
    "[relay][fetch][regression][attack]") {
    crowded s{"room/hall"};
    s.camera.announce("room/cam");
    s.camera.announce("room/hall");
    s.settle();
    s.reads(s.live, "room/hall", "video");
    s.reads(s.other, "room/hall", "c");
    s.reads(s.slow, "room/cam", "b");
    s.reads(s.other, "room/cam", "b");
    s.fill_up();
    s.camera.relay_end.takes = false; // Its connection is dead.
    s.join({}, newest).announce("room/cam");
    s.settle();
    for (int i = 0; i != 30; ++i) s.pass(1s); // It is cut off for its successor.
    CHECK(s.other.heard().back() == "subscription_ended 1 closed");
    CHECK(s.r.stats().tracks == 2);
    CHECK(s.r.stats().readers == 3);
}

} // namespace moqlite::test::relay_fill_yield_test

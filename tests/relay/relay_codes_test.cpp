// Codes that pass through a relay: each reader gets the number of its own dialect, with the publisher's meaning.
#include "scene.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

namespace moqlite::test::relay_codes_test {

namespace {

constexpr auto today = version::lite_06; ///< It has two registries.

struct guests {
    guests(version upstream, version downstream) {
        camera = &s.join({}, upstream);
        camera->announce("room/cam");
        s.settle();
        viewer = &s.viewer({}, downstream);
    }
    scene s;
    guest* camera = nullptr;
    guest* viewer = nullptr;
};

} // namespace

TEST_CASE("a publisher's code reaches a reader of another dialect with its meaning", "[relay][codes][dialects §8.1]") {
    const auto upstream = GENERATE(version::lite_04, version::lite_05, today, version::lite_07_wip);
    const auto downstream = GENERATE(version::lite_04, version::lite_05, today, version::lite_07_wip);
    guests g{upstream, downstream};
    SECTION("of a refused subscription") {
        REQUIRE((*g.camera)->reject(request_id{0}, app_error::not_found));
        g.s.settle();
        CHECK(g.viewer->heard() == list{"subscription_ended 0 not_found"});
    }
    SECTION("of a group that is cut off") {
        g.camera->accept(0, 0);
        const auto group = g.camera->begin(0, 0);
        REQUIRE(group->write_frame(timestamp{0}, as_bytes("x")));
        g.s.settle();
        group->abort(app_error::old);
        g.s.settle();
        CHECK(g.viewer->groups() == list{"0: x cut old"});
    }
    SECTION("if it is the application's own, with its number") {
        REQUIRE((*g.camera)->reject(request_id{0}, app_error{77}));
        g.s.settle();
        CHECK(g.viewer->heard() == list{"subscription_ended 0 77"});
    }
}

TEST_CASE("a code that is on no list becomes the general one of another dialect", "[relay][codes][dialects §8.1]") {
    SECTION("from moq-lite-06 on") {
        guests g{version::lite_05, today};
        REQUIRE((*g.camera)->reject(request_id{0}, app_error{51})); // 0x33 there would mean not_found.
        g.s.settle();
        CHECK(g.viewer->heard() == list{"subscription_ended 0 internal"});
    }
    SECTION("before moq-lite-06") {
        guests g{today, version::lite_05};
        REQUIRE((*g.camera)->reject(request_id{0}, app_error{code_registry::stream, 0x1f})); // 31: evicted.
        g.s.settle();
        CHECK(g.viewer->heard() == list{"subscription_ended 0 dropped"});
    }
    SECTION("and stays as it is in its own") {
        guests g{version::lite_05, version::lite_05};
        REQUIRE((*g.camera)->reject(request_id{0}, app_error{51}));
        g.s.settle();
        CHECK(g.viewer->heard() == list{"subscription_ended 0 51"});
    }
}

TEST_CASE("the code of a track's last reader reaches its publisher", "[relay][codes][dialects §8.1]") {
    const auto upstream = GENERATE(version::lite_04, version::lite_05, today, version::lite_07_wip);
    const auto downstream = GENERATE(version::lite_04, version::lite_05, today, version::lite_07_wip);
    guests g{upstream, downstream};
    g.camera->heard();
    SECTION("a meaning") {
        REQUIRE((*g.viewer)->unsubscribe(subscribe_id{0}, app_error::lagged));
        g.s.settle();
        CHECK(g.camera->heard() == list{"request_ended 0 lagged"});
    }
    SECTION("or the application's own") {
        REQUIRE((*g.viewer)->unsubscribe(subscribe_id{0}, app_error{77}));
        g.s.settle();
        CHECK(g.camera->heard() == list{"request_ended 0 77"});
    }
    SECTION("but not that of the end of its session") {
        (*g.viewer)->close(app_error{77});
        g.s.settle();
        CHECK(g.camera->heard() == list{"request_ended 0 cancel"});
    }
}

} // namespace moqlite::test::relay_codes_test

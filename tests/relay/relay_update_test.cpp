// Upstream requests of a relay as its readers join, change and cancel.
#include "scene.hpp"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>

namespace moqlite::test::relay_update_test {

namespace {

std::size_t count(const list& lines, std::string_view word) {
    return static_cast<std::size_t>(
        std::ranges::count_if(lines, [&](const std::string& l) { return l.starts_with(word); }));
}

} // namespace

TEST_CASE("readers that join and raise in one turn make one SUBSCRIBE_UPDATE upstream", "[relay][update]") {
    scene s;
    auto& camera = s.publisher();
    s.viewer({.ordered = true, .end = at(1)});
    static_cast<void>(camera.heard());
    auto& crowd = s.join();
    std::vector<subscribe_id> ids;
    for (unsigned n = 0; n < 50; ++n) {
        const auto id = crowd->subscribe(
            {"room/cam", "video"}, {.priority = static_cast<priority>(n), .ordered = true, .end = at(10 + n)});
        REQUIRE(id);
        ids.push_back(*id);
    }
    s.settle();
    auto heard = camera.heard();
    CHECK(count(heard, "subscribe_updated") == 1);
    CHECK(heard.back() == "groups_wanted 0 to 59");
    for (const auto id : ids) REQUIRE(crowd->update(id, {.priority = 100, .ordered = true, .end = at(99)}));
    s.settle();
    heard = camera.heard();
    CHECK(count(heard, "subscribe_updated") == 1);
    CHECK(heard.back() == "groups_wanted 0 to 99");
}

TEST_CASE("a publisher that ends at a Group End while several higher ones are in flight is subscribed again",
    "[relay][update][group end]") {
    scene s;
    auto& camera = s.publisher();
    auto& reader = s.viewer({.ordered = true, .start = at(0), .end = at(1)});
    camera.accept(0, 0);
    camera.send(0, 0, "0");
    camera.send(0, 1, "1");
    s.settle();
    static_cast<void>(camera.heard());
    static_cast<void>(reader.heard());
    camera.end.deaf = true;
    REQUIRE(camera->finish(request_id{0}));
    for (const std::uint64_t end : {4u, 6u, 9u}) {
        reader.update({.ordered = true, .start = at(0), .end = at(end)});
        s.settle();
    }
    camera.end.deaf = false;
    camera.end.resume();
    s.settle();
    CHECK(camera.heard().back() == "groups_wanted 1 to 9");
    CHECK(reader.heard().empty());
}

TEST_CASE("a TRACK that all requesters have cancelled is cancelled upstream", "[relay][update][track]") {
    scene s;
    auto& camera = s.publisher();
    auto& first = s.join();
    auto& second = s.join();
    const auto one = first->request_track({"room/cam", "video"});
    const auto other = second->request_track({"room/cam", "video"});
    s.settle();
    CHECK(camera.heard() == list{"track_requested 0 room/cam video"});
    REQUIRE(first->cancel(*one));
    s.settle();
    CHECK(camera.heard().empty());
    SECTION("by request") { REQUIRE(second->cancel(*other)); }
    SECTION("by leaving") { s.cut(second); }
    s.settle();
    CHECK(camera.heard() == list{"request_ended 0 cancel"});
    // No state is left: the next request is sent upstream again, and answered.
    auto& third = s.join();
    REQUIRE(third->request_track({"room/cam", "video"}));
    s.settle();
    CHECK(camera.heard() == list{"track_requested 1 room/cam video"});
    REQUIRE(camera->answer_track(request_id{1}, {.priority = 7, .timescale = 90000}));
    s.settle();
    CHECK(count(third.heard(), "track_info_received") == 1);
    CHECK(first.heard().empty());
}

TEST_CASE("cancelled TRACKs leave room for others at the publisher", "[relay][update][track]") {
    scene s;
    auto& camera = s.publisher();
    auto& asker = s.join();
    for (int n = 0; n < 3000; ++n) {
        const auto query = asker->request_track({"room/cam", std::to_string(n)});
        REQUIRE(query);
        s.settle();
        REQUIRE(asker->cancel(*query));
        s.settle();
    }
    static_cast<void>(camera.heard());
    auto& other = s.join();
    REQUIRE(other->request_track({"room/cam", "video"}));
    s.settle();
    CHECK(count(camera.heard(), "track_requested") == 1);
    CHECK(other.heard().empty());
}

} // namespace moqlite::test::relay_update_test

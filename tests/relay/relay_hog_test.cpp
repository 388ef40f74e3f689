#include "relay/scene.hpp"
#include <catch2/catch_test_macros.hpp>

namespace moqlite::test::relay_hog_test {

TEST_CASE("capped readers that grant no streams do not take the memory of all others") {

    relay_options o;
    o.bounds.memory = 8 << 20;
    o.bounds.cache = 4 << 20;
    scene s{o};
    auto& own = s.publisher("hostile/x");
    auto& camera = s.publisher();
    s.settle();
    std::vector<guest*> hogs;
    for (int k = 0; k < 2; ++k) {
        auto& hog = s.join();
        hog.relay_end.takes = false;
        for (int n = 0; n < 16; ++n)
            hog.subscribe(
                {"hostile/x", "t"}, {.ordered = true, .max_age = complete_age, .start = at(0), .end = at(100000)});
        hogs.push_back(&hog);
    }
    s.settle();
    own.accept(0, 0);
    for (std::uint64_t n = 0; n < 1100; ++n) own.send(0, n, "x"), s.settle();
    auto& viewer = s.viewer();
    camera.accept(0, 0);
    int got = 0;
    for (std::uint64_t n = 0; n < 20; ++n) {
        camera.send(0, n, std::string(1000, 'v'));
        s.settle();
        s.pass(100ms);
        got += (int)viewer.groups().size();
    }
    CHECK(got == 20);
    s.pass(60s);
    for (std::uint64_t n = 20; n < 40; ++n) {
        camera.send(0, n, std::string(1000, 'v'));
        s.settle();
        s.pass(100ms);
        got += (int)viewer.groups().size();
    }
    CHECK(got == 40);
    auto& late = s.viewer();
    camera.send(0, 41, "z");
    s.settle();
    CHECK(late.groups().size() >= 1);
}

TEST_CASE("a viewer's long requests, which a publisher's connection takes slowly, do not end the publisher's session") {
    scene s;
    auto& camera = s.publisher();
    auto& hostile = s.join();
    const std::string longest(4000, 'n');
    camera.relay_end.takes = false; // Its congestion window is full, for a round trip.
    for (int i = 0; i != 50; ++i) hostile.subscribe({"room/cam/" + longest, longest + std::to_string(i)});
    s.settle();
    auto& honest = s.viewer();
    s.open_window(camera);
    CHECK(honest.heard().empty());
    REQUIRE(s.r.session(camera.key) != nullptr);
    std::size_t asked = 0;
    for (const auto& line : camera.heard())
        if (line.starts_with("subscribe_requested") && line.find("room/cam video") != std::string::npos) ++asked;
    CHECK(asked == 1);
}

} // namespace moqlite::test::relay_hog_test

// A publisher's SUBSCRIBE_DROP, forwarded to readers.
#include "scene.hpp"

#include <catch2/catch_test_macros.hpp>

namespace moqlite::test::relay_drop_test {

TEST_CASE("a publisher that sends DROPs one by one ends its readers' requests, not their sessions",
    "[relay][drop][regression]") {
    scene s;
    auto& hostile = s.publisher("room/cam");
    auto& honest = s.publisher("room/mic");
    auto& reader = s.viewer();
    reader.subscribe({"room/mic", "audio"});
    s.settle();
    hostile.accept(0, 0);
    honest.accept(0, 0);
    s.settle();
    reader.heard();
    // In pieces that fit its own session; the relay reads them all in one turn, before it writes.
    hostile.relay_end.deaf = true;
    for (std::uint64_t n = 0; n < 20'000; ++n) {
        REQUIRE(hostile->drop(request_id{0}, at(3 * n), at(3 * n), app_error::old));
        if (n % 500 == 0) s.settle();
    }
    s.settle();
    hostile.relay_end.deaf = false;
    hostile.relay_end.resume();
    s.settle();
    honest.send(0, 0, "sound");
    s.settle();
    CHECK(reader.groups() == list{"0: sound"});
    CHECK(s.r.session(reader.key) != nullptr);
    CHECK(s.r.session(hostile.key) != nullptr);
}

} // namespace moqlite::test::relay_drop_test

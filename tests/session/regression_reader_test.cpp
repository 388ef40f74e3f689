// Groups that a track_reader does not get: cut off, dropped, late, or too large.
#include "desk.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

namespace moqlite::test::regression_reader_test {

TEST_CASE("an OK with a later start than requested reports the lost groups", "[session][reader][loss]") {
    desk d{from(3)};
    d.accepted(7);
    CHECK(d.lost() == list{"3 to 6 not_found"});
    d.whole(7);
    CHECK(d.read() == list{"7.0 x"});
}

TEST_CASE(
    "groups that are cut off are lost, and do not stop a complete reader", "[session][reader][loss][regression]") {
    auto o = from(0);
    o.bounds.read_ahead = 1;
    desk d{o};
    d.accepted(0);
    d.partial(0);
    d.partial(1);
    CHECK(d.read() == list{"0.0 x"});
    static_cast<void>(d.said());
    d.closed(0, false);
    d.closed(1, false);
    CHECK(d.lost() == list{"0 to 0 old", "1 to 1 old"});
    // The publisher waits for a Group End that is raised.
    CHECK(d.said() == list{"stop 100 old", "update 0 ..2", "stop 101 old", "update 0 ..3"});
    d.whole(2);
    CHECK(d.read() == list{"2.0 x"});
}

TEST_CASE("a group is reported lost once, however often and in whatever way it is announced",
    "[session][reader][loss][regression]") {
    desk d{from(0)};
    d.accepted(0);
    const std::uint64_t n = GENERATE(0u, 1u);
    d.partial(n);
    SECTION("dropped, then reset") { d.dropped(n, n), d.closed(n, false); }
    SECTION("reset, then dropped") { d.closed(n, false), d.dropped(n, n); }
    SECTION("dropped twice, and reset") { d.dropped(n, n), d.dropped(n, n), d.closed(n, false); }
    CHECK(d.lost().size() == 1);
    d.dropped(n, n + 1);
    CHECK(d.lost() == list{std::to_string(n + 1) + " to " + std::to_string(n + 1) + " evicted"});
    d.whole(1 - n);
    d.whole(3);
    static_cast<void>(d.read());
    CHECK(d.lost().empty());
}

TEST_CASE(
    "a later group that was cut off does not block when its turn arrives", "[session][reader][loss][regression]") {
    desk d{from(0)};
    d.accepted(0);
    d.partial(1);
    d.closed(1, false);
    d.whole(0);
    d.whole(2);
    CHECK(d.read() == list{"0.0 x", "2.0 x"});
    CHECK_FALSE(d.reader.deadline());
    CHECK(d.lost() == list{"1 to 1 old"});
}

TEST_CASE("a group that was announced as dropped, but arrived, is read", "[session][reader][loss][regression]") {
    desk d{from(5)};
    d.accepted(5);
    d.dropped(5, 9);
    d.whole(7);
    d.whole(10);
    CHECK(d.read() == list{"7.0 x", "10.0 x"});
    d.end_known(11);
    d.ended();
    CHECK(d.reader.finished());
    CHECK(d.lost() == list{"5 to 9 evicted"});
}

TEST_CASE("a complete reader waits two seconds for a missing group", "[session][reader][gap]") {
    desk d{from(0)};
    d.accepted(0);
    d.whole(0);
    CHECK(d.read().size() == 1);
    d.whole(2);
    CHECK(d.reader.deadline() == d.now + 2s);
    d.pass(1s);
    CHECK(d.read().empty());
    d.pass(1s);
    CHECK(d.read() == list{"2.0 x"});
    SECTION("numbers may have gaps: that is no loss") {
        CHECK(d.lost().empty());
        CHECK_FALSE(d.reader.deadline());
    }
    SECTION("unless it arrives after all") {
        d.whole(1);
        CHECK(d.lost() == list{"1 to 1 old"});
        CHECK(d.said().back() == "stop 101 cancel");
    }
}

TEST_CASE(
    "a complete reader whose first group never arrives continues with the next", "[session][reader][gap][regression]") {
    desk d{from(0)};
    d.accepted(0);
    d.partial(1);
    CHECK(d.reader.deadline() == d.now + 2s);
    d.pass(2s);
    CHECK(d.read() == list{"1.0 x"});
}

TEST_CASE("after a clean end missing groups are not awaited", "[session][reader][gap]") {
    desk d{from(0)};
    d.accepted(0);
    d.whole(3);
    d.end_known(4);
    d.ended();
    CHECK(d.read() == list{"3.0 x"});
    CHECK(d.reader.finished());
}

TEST_CASE("what a complete reader lacks at the end of the track is lost", "[session][reader][loss][regression]") {
    desk d{from(0)};
    d.accepted(0);
    d.whole(1);
    d.pass(2s);
    CHECK(d.read() == list{"1.0 x"}); // Group 0 is skipped.
    d.dropped(3, 3);
    CHECK(d.lost() == list{"3 to 3 evicted"});
    d.whole(5);
    d.end_known(8);
    SECTION("reported as such") {
        d.ended(true);
        CHECK(d.read() == list{"5.0 x"});
        CHECK(d.reader.finished());
        CHECK(d.lost() == list{"0 to 0 dropped", "2 to 2 dropped", "4 to 4 dropped", "6 to 7 dropped"});
    }
    SECTION("or numbers have gaps") {
        d.ended(false);
        CHECK(d.read() == list{"5.0 x"});
        CHECK(d.lost().empty());
    }
}

TEST_CASE("a live reader lacks nothing at the end of the track", "[session][reader][loss]") {
    desk d{live};
    d.accepted(0);
    d.whole(0);
    d.end_known(3);
    d.ended(true);
    CHECK(d.read() == list{"0.0 x"});
    CHECK(d.lost().empty());
}

TEST_CASE("a piece of a group that was cut off may still be consumed, and affects no other group",
    "[session][reader][regression]") {
    desk d{from(0)};
    d.accepted(0);
    d.partial(0, "abc");
    d.whole(1, "def");
    const auto p = d.reader.next();
    REQUIRE(p);
    d.closed(0, false);
    d.reader.consume(p->data.size());
    CHECK(d.read() == list{"1.0 def"});
    CHECK(d.reader.held() == 0);
}

TEST_CASE("a live reader skips a group that blocks later ones, and reports it", "[session][reader][live]") {
    desk d{live};
    d.accepted(0);
    d.partial(0, "slow");
    CHECK(d.read() == list{"0.0 slow"});
    CHECK_FALSE(d.reader.deadline());
    d.whole(1);
    CHECK(d.reader.deadline() == d.now + 500ms);
    d.pass(500ms);
    CHECK(d.read() == list{"1.0 x"});
    CHECK(d.lost() == list{"0 to 0 old"});
    CHECK(d.said().back() == "stop 100 old");
}

TEST_CASE("a live reader that is too slow continues with the newest group", "[session][reader][live]") {
    auto o = live;
    o.bounds.read_ahead = 1000;
    desk d{o};
    d.accepted(0);
    for (std::uint64_t n = 0; n < 5; ++n) d.whole(n, std::string(300, 'x'));
    CHECK(d.lost() == list{"0 to 0 lagged", "1 to 1 lagged", "2 to 2 lagged"});
    CHECK(d.read().size() == 2);
    CHECK(d.reader.held() == 0);
}

TEST_CASE("a live reader that reads nothing keeps a bounded number of groups, however small",
    "[session][reader][live][regression]") {
    desk d{live};
    for (std::uint64_t n = 0; n < 100'000; ++n) d.opened(n), d.closed(n);
    d.accepted(0);
    CHECK(d.read().empty());
    CHECK(d.reader.groups_read() <= 512);
    CHECK(d.lost().size() == 100'000 - d.reader.groups_read());
}

TEST_CASE("a group without memory leaves the accounting correct", "[reader][regression]") {
    // 40 MiB and three read-aheads are all that a reader allocates.
    desk d{{.start = group_sequence{0}, .bounds = {.read_ahead = 1}}};
    d.accepted(0);
    d.whole(0, std::string(30'000'000, 'a'));
    CHECK(d.reader.held() == 30'000'000);
    d.partial(1, std::string(20'000'000, 'b'));
    CHECK(d.lost() == list{"1 to 1 bounds_exceeded"});
    CHECK(d.reader.held() == 30'000'000);
}

TEST_CASE("a gap that is reached by reading is waited out, without further events", "[session][reader][regression]") {
    desk d{from(0)};
    d.accepted(0);
    d.whole(0);
    d.whole(2);
    CHECK(d.read() == list{"0.0 x"});
    REQUIRE(d.reader.deadline());
    d.pass(*d.reader.deadline() - d.now);
    CHECK(d.read() == list{"2.0 x"});
}

} // namespace moqlite::test::regression_reader_test

// A track in order: with Group End as credit, to its end.
#include "desk.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

namespace moqlite::test::track_reader_test {

TEST_CASE("a complete reader gives credit as it reads: two groups at first, then more", "[session][reader]") {
    desk d{from(5)};
    CHECK(d.said() == list{"subscribe room video ordered 5..6"});
    d.accepted(5);
    CHECK(d.said().empty());
    d.whole(5, "abc");
    // It has learnt that groups are small.
    CHECK(d.said() == list{"update 0 ..516"});
    CHECK(d.read() == list{"5.0 abc"});
    for (std::uint64_t n = 6; n < 133; ++n) d.whole(n);
    CHECK(d.read().size() == 127);
    CHECK(d.said() == list{"update 0 ..644"});
}

TEST_CASE("large groups are requested two at a time", "[session][reader]") {
    auto o = from(0);
    o.bounds.read_ahead = 1000;
    desk d{o};
    d.whole(0, std::string(5000, 'x'));
    d.whole(1, std::string(5000, 'x'));
    CHECK(d.said() == list{"subscribe room video ordered 0..1"});
    CHECK(d.read().size() == 2);
    CHECK(d.said() == list{"update 0 ..2", "update 0 ..3"});
    CHECK(d.reader.held() == 0);
}

TEST_CASE("where the start is not known, the first answer bounds a complete reader", "[session][reader]") {
    desk d;
    CHECK(d.said() == list{"subscribe room video ordered .."});
    SECTION("OK") {
        d.accepted(7);
        CHECK(d.said() == list{"update 0 ..8"});
        d.whole(7);
        CHECK(d.read() == list{"7.0 x"});
    }
    SECTION("or a group") {
        d.opened(7);
        CHECK(d.said() == list{"update 0 ..8"});
        CHECK(d.read().empty());
    }
}

TEST_CASE("groups are read in order, and frames as far as they have arrived", "[session][reader][dialects §16.2.4]") {
    desk d{from(0)};
    d.whole(1, "late");
    CHECK(d.read().empty());
    d.opened(0);
    d.data(0, "a", 0);
    CHECK(d.read() == list{"0.0 a"});
    d.data(0, "b", 1);
    d.closed(0);
    CHECK(d.read() == list{"0.1 b", "1.0 late"});
    CHECK(d.reader.last_complete_group() == group_sequence{1});
    CHECK(d.reader.groups_read() == 2);
    CHECK(d.lost().empty());
}

TEST_CASE(
    "credit is released for consumed bytes of an arriving group, only where it is held back", "[session][reader]") {
    desk d{from(0)};
    static_cast<void>(d.said());
    d.partial(0, "abcd");
    d.reader.consume(d.reader.next()->data.size() - 1);
    CHECK(d.said() == list{"release 100 3"});
    CHECK(d.reader.held() == 1);
    desk l{live};
    l.partial(0, "abcd");
    l.accepted(0);
    CHECK(l.read().size() == 1);
    CHECK(l.said() == list{"subscribe room video .."});
}

TEST_CASE("a track has finished when all of it was read", "[session][reader][end of track]") {
    desk d{from(0)};
    d.accepted(0);
    d.whole(0);
    d.whole(1);
    d.end_known(2);
    d.ended();
    CHECK_FALSE(d.reader.finished());
    CHECK(d.read().size() == 2);
    CHECK(d.reader.finished());
    CHECK_FALSE(d.reader.failed());
}

TEST_CASE("a track ends even without an OK, or without groups", "[session][reader][end of track][regression]") {
    desk d;
    SECTION("with a group") {
        d.whole(4);
        d.end_known(5);
        d.ended();
        CHECK(d.read() == list{"4.0 x"});
    }
    SECTION("without one") {
        d.end_known(0);
        d.ended();
        CHECK(d.read().empty());
    }
    CHECK(d.reader.finished());
    CHECK(d.lost().empty());
}

TEST_CASE("a subscription that is refused, or cut off with its session, has failed", "[session][reader]") {
    desk d;
    SECTION("refused") { d.tell(subscription_ended{d.id, false, app_error::not_found}); }
    SECTION("cut off") { d.tell(session_closed{app_error::not_found, errc::peer_closed, true, {}}); }
    CHECK(d.reader.failed() == app_error::not_found);
    CHECK_FALSE(d.reader.finished());
}

TEST_CASE("a track whose end is known and whose groups are all here is complete, however its subscription ends",
    "[session][reader][end of track]") {
    desk d{from(0)};
    d.accepted(0);
    d.whole(0);
    d.end_known(3);
    d.whole(2, "z");
    SECTION("cut off or with its session") {
        d.whole(1, "y");
        const bool reads_first = GENERATE(true, false);
        if (reads_first) CHECK(d.read().size() == 3);
        d.tell(subscription_ended{d.id, false, GENERATE(app_error::cancel, app_error::timeout)});
        d.tell(session_closed{app_error::timeout, errc::transport_closed, false, {}});
        CHECK_FALSE(d.reader.failed());
        CHECK_FALSE(d.reader.following());
        if (!reads_first) CHECK(d.read() == list{"0.0 x", "1.0 y", "2.0 z"});
        CHECK(d.reader.finished());
        CHECK(d.lost().empty());
    }
    SECTION("but not if a group is missing") { d.tell(subscription_ended{d.id, false, app_error::cancel}); }
    SECTION("or not whole") {
        d.partial(1);
        d.closed(1, false);
        d.tell(subscription_ended{d.id, false, app_error::cancel});
    }
    CHECK(d.reader.failed().has_value() != d.reader.finished());
}

TEST_CASE("a session that closes while a FIN at the Group End is awaited to have been the end was complete",
    "[session][reader][end of track]") {
    auto o = from(0);
    o.bounds.read_ahead = 1;
    desk d{o};
    d.session.dialect = version::lite_04;
    d.accepted(0);
    d.whole(0);
    d.whole(1);
    d.ended(); // At the Group End: there is a second subscription.
    d.id = subscribe_id{1};
    CHECK(d.read().size() == 2);
    const bool answered = GENERATE(true, false);
    if (answered) d.accepted(2);
    SECTION("without an error") {
        d.tell(subscription_ended{d.id, false, app_error::cancel});
        d.tell(session_closed{app_error::cancel, errc::peer_closed, true, {}});
        CHECK_FALSE(d.reader.failed());
        CHECK(d.reader.finished());
    }
    SECTION("unless another error says otherwise, or more has come") {
        if (!answered) return;
        const bool more = GENERATE(true, false);
        if (more) d.whole(2);
        d.tell(subscription_ended{d.id, false, more ? app_error::cancel : app_error::timeout});
        CHECK(d.reader.failed());
    }
}

TEST_CASE("events of other subscriptions are ignored", "[session][reader]") {
    desk d{from(0)};
    static_cast<void>(d.said());
    d.id = subscribe_id{9};
    d.accepted(3);
    d.whole(0);
    d.dropped(0, 5);
    d.ended();
    CHECK(d.said().empty());
    CHECK(d.read().empty());
    CHECK(d.lost().empty());
    CHECK_FALSE(d.reader.finished());
}

TEST_CASE("a publisher that ends at the Group End is subscribed again, and unread groups stay",
    "[session][reader][end of track][regression]") {
    auto o = from(0);
    o.bounds.read_ahead = 1;
    desk d{o};
    d.accepted(0);
    d.whole(0);
    d.whole(1);
    static_cast<void>(d.said());
    d.ended();
    CHECK(d.said() == list{"subscribe room video ordered 2..3"});
    d.id = subscribe_id{1};
    d.accepted(2);
    CHECK(d.read() == list{"0.0 x", "1.0 x"});
    d.whole(2);
    d.end_known(3);
    d.ended();
    CHECK(d.read() == list{"2.0 x"});
    CHECK(d.reader.finished());
    CHECK(d.lost().empty());
}

// Issue 10: @moq/net accepts a subscription beyond the end of a track, and then stays silent for ever.
TEST_CASE("before moq-lite-05 a FIN at the Group End ends the track if nothing follows for a second",
    "[session][reader][end of track]") {
    auto o = from(0);
    o.bounds.read_ahead = 1;
    desk d{o};
    d.session.dialect = version::lite_04;
    d.accepted(0);
    d.whole(0);
    d.whole(1);
    d.ended();
    d.id = subscribe_id{1};
    static_cast<void>(d.said());
    SECTION("that its publisher accepts") {
        d.pass(500ms);
        d.accepted(2);
        CHECK(d.reader.deadline() == d.now + 1s);
        CHECK(d.read() == list{"0.0 x", "1.0 x"});
        d.pass(999ms);
        CHECK_FALSE(d.reader.finished());
        d.pass(1ms);
        CHECK(d.said().back() == "unsubscribe 1");
    }
    SECTION("or does not answer, for as long as a request may take") {
        CHECK(d.read() == list{"0.0 x", "1.0 x"});
        d.pass(9999ms);
        CHECK_FALSE(d.reader.finished());
        d.pass(1ms);
    }
    SECTION("or refuses") {
        CHECK(d.read() == list{"0.0 x", "1.0 x"});
        d.tell(subscription_ended{d.id, false, app_error::not_found});
    }
    CHECK(d.reader.finished());
    CHECK_FALSE(d.reader.failed());
    CHECK_FALSE(d.reader.deadline());
    CHECK(d.lost().empty());
}

TEST_CASE("before moq-lite-05 groups after a FIN at the Group End are still read", "[session][reader][end of track]") {
    auto o = from(0);
    o.bounds.read_ahead = 1;
    desk d{o};
    d.session.dialect = version::lite_04;
    d.accepted(0);
    d.whole(0);
    d.whole(1);
    d.ended();
    d.id = subscribe_id{1};
    d.accepted(2);
    CHECK(d.read() == list{"0.0 x", "1.0 x"});
    d.pass(999ms);
    d.opened(2);
    d.pass(20s);
    CHECK_FALSE(d.reader.finished());
    d.data(2, "y");
    d.closed(2);
    CHECK(d.read() == list{"2.0 y"});
    d.tell(subscription_ended{d.id, false, app_error::dropped});
    CHECK(d.reader.failed() == app_error::dropped);
}

TEST_CASE("the Max Age of a reader: its patience, or none; and where that decides about the start, 0 until it is known",
    "[session][reader][dialects §16.2.2]") {
    for (const auto v : all_versions) {
        notebook session;
        session.dialect = v;
        track_reader<notebook> live_one{session, live};
        REQUIRE(live_one.start({"room", "video"}));
        CHECK(session.max_age == milliseconds{500});
        track_reader<notebook> from_7{session, from(7)};
        REQUIRE(from_7.start({"room", "video"}));
        CHECK(session.max_age == complete_age);
        track_reader<notebook> newest{session, {}};
        REQUIRE(newest.start({"room", "video"}));
        CHECK(session.max_age == (has_start_by_age(v) ? milliseconds{0} : complete_age));
        newest.handle(subscription_accepted{subscribe_id{2}, group_sequence{4}}, t0);
        CHECK(session.max_age == complete_age);
    }
}

} // namespace moqlite::test::track_reader_test

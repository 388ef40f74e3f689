// A reader whose publisher is cut off and replaced (issue 10, C5), and one that goes on over another session (D6).
#include "desk.hpp"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

namespace moqlite::test::track_follow_test {

namespace {

track_reader_options following(reading mode) { return {.mode = mode, .follow = 5s}; }

struct follower : desk {
    explicit follower(track_reader_options o) : desk(std::move(o)) { static_cast<void>(said()); }
    void cut(app_error code = app_error::dropped) { tell(subscription_ended{id, false, code}); }
    void announced(std::string_view path = "room") { tell(broadcast_available{watch_id{}, path, {}, false, {}}); }
    void unannounced() { tell(broadcast_ended{watch_id{}, "room"}); }
    void next_subscription() { id = subscribe_id{number(id) + 1}; }
    /// Since the last call.
    [[nodiscard]] bool subscribed() {
        const auto all = said();
        return std::any_of(all.begin(), all.end(), [](const auto& line) { return line.starts_with("subscribe "); });
    }
};

} // namespace

TEST_CASE(
    "a reader whose subscription is cut off while its broadcast is announced subscribes again, from the newest group",
    "[session][reader][follow]") {
    const auto mode = GENERATE(reading::live, reading::complete);
    follower d{following(mode)};
    d.accepted(7);
    d.whole(7, "old");
    CHECK(d.read() == list{"7.0 old"});
    static_cast<void>(d.said());
    d.cut();
    CHECK(d.said() == list{mode == reading::live ? "subscribe room video .." : "subscribe room video ordered .."});
    CHECK(d.reader.following());
    CHECK_FALSE(d.reader.failed());
    d.next_subscription();
    d.accepted(0); // Its numbers begin anew.
    CHECK_FALSE(d.reader.following());
    d.whole(0, "new");
    d.whole(1, "er");
    CHECK(d.read() == list{"0.0 new", "1.0 er"});
    CHECK(d.reader.restarts() == 1);
    d.end_known(2);
    d.ended();
    CHECK(d.reader.finished());
    CHECK(d.lost().empty());
}

TEST_CASE("a subscription, or that to a successor, which is not answered in time has failed, and is left",
    "[session][reader][follow]") {
    auto o = following(reading::live);
    o.answer = 2s;
    follower d{o};
    d.reader.tick(d.now);
    CHECK(d.reader.deadline() == d.now + 2s);
    if (GENERATE(false, true)) {
        d.accepted(7);
        CHECK(d.reader.first_group() == group_sequence{7});
        CHECK_FALSE(d.reader.deadline());
        d.cut();
        d.reader.tick(d.now);
        CHECK(d.reader.following());
    }
    static_cast<void>(d.said());
    d.reader.tick(d.now + 2s - 1ms);
    CHECK_FALSE(d.reader.failed());
    d.reader.tick(d.now + 2s);
    CHECK(d.reader.failed() == app_error::timeout);
    CHECK_FALSE(d.reader.following());
    CHECK_FALSE(d.reader.deadline());
    CHECK(d.said().size() == 1); // unsubscribe
}

TEST_CASE("a reader that is cut off while its session is being replaced does not fail; then it waits as it is told",
    "[session][reader][follow]") {
    const auto mode = GENERATE(reading::live, reading::complete);
    const duration longest = GENERATE(duration{}, duration{2s});
    follower d{{.mode = mode, .follow = 50ms}};
    d.announced();
    d.accepted(7);
    d.reader.await_move(longest);
    d.unannounced();
    d.cut();
    d.pass(1h);
    CHECK(d.reader.following());
    CHECK_FALSE(d.reader.deadline());
    d.reader.end_move(d.now);
    if (longest == duration{}) {
        CHECK_FALSE(d.reader.deadline());
        d.pass(1h);
        CHECK_FALSE(d.reader.failed());
        static_cast<void>(d.said());
        d.announced();
        CHECK(d.subscribed());
    } else {
        CHECK(d.reader.deadline() == d.now + longest);
        d.pass(longest);
        CHECK(d.reader.failed() == app_error::dropped);
    }
}

TEST_CASE("groups before the cut are read first, then the successor is subscribed", "[session][reader][follow]") {
    follower d{following(reading::complete)};
    d.accepted(0);
    d.whole(0, "a");
    d.partial(1, "b");
    static_cast<void>(d.said());
    d.closed(1, false);
    d.cut();
    CHECK_FALSE(d.subscribed());
    CHECK(d.read() == list{"0.0 a"});
    CHECK(d.said().back() == "subscribe room video ordered ..");
    CHECK(d.lost() == list{"1 to 1 old"});
}

TEST_CASE(
    "the first announcement that a reader hears of is that of the publisher who refuses", "[session][reader][follow]") {
    follower d{following(reading::live)};
    d.announced();
    SECTION("and a refusal is its answer") {
        d.cut(app_error::not_found);
        CHECK(d.reader.failed() == app_error::not_found);
    }
    SECTION("but not one that replaces it") {
        d.tell(broadcast_available{watch_id{}, "room", {}, true, {}});
        d.cut(app_error::not_found);
        CHECK_FALSE(d.reader.failed());
    }
}

TEST_CASE("without an announcement a reader waits for one, for a limited time", "[session][reader][follow]") {
    follower d{following(reading::live)};
    d.accepted(0);
    const bool before = GENERATE(false, true); // The announcement ends.
    if (before) d.unannounced();
    d.cut(app_error::timeout);
    if (!before) {
        CHECK(d.subscribed());
        d.next_subscription();
        d.unannounced();
        d.cut(app_error::not_found);
    }
    CHECK_FALSE(d.subscribed());
    CHECK(d.reader.deadline() == d.now + 5s);
    SECTION("which arrives") {
        d.pass(4s);
        d.announced("room/other");
        CHECK_FALSE(d.subscribed());
        d.announced();
        CHECK(d.subscribed());
        d.next_subscription();
        d.accepted(3);
        d.pass(60s);
        CHECK_FALSE(d.reader.failed());
    }
    SECTION("or does not") {
        d.pass(5s);
        CHECK(d.reader.failed());
        d.announced();
        CHECK_FALSE(d.subscribed());
    }
}

TEST_CASE("an unanswered subscription counts as refused, not cut off, unless its broadcast was replaced",
    "[session][reader][follow]") {
    follower d{following(reading::live)};
    SECTION("refused") {
        d.cut(app_error::not_found);
        CHECK(d.reader.failed() == app_error::not_found);
        CHECK_FALSE(d.subscribed());
    }
    SECTION("another one") {
        d.unannounced();
        d.announced();
        d.cut();
        CHECK_FALSE(d.reader.failed());
        CHECK(d.subscribed());
    }
}

TEST_CASE("a successor that refuses, or is cut off at once, is retried at most five times a second, for a limited time",
    "[session][reader][follow]") {
    follower d{following(reading::live)};
    d.accepted(0);
    d.pass(1s);
    d.cut();
    const auto begun = d.now;
    const bool accepts = GENERATE(false, true);
    std::size_t asked = 0;
    while (!d.reader.failed() && d.now < begun + 20s) {
        if (d.subscribed()) {
            ++asked;
            d.next_subscription();
            if (accepts) d.accepted(0);
            d.cut();
        }
        d.pass(10ms);
    }
    if (!accepts) CHECK(d.now <= begun + 5s + 20ms);
    CHECK(d.reader.failed().has_value() == !accepts);
    CHECK(asked <= (accepts ? 101 : 26));
}

TEST_CASE("without `follow` a cut is a failure, as is the end of the session", "[session][reader][follow]") {
    follower d{{.mode = reading::live}};
    d.accepted(0);
    d.cut();
    CHECK(d.reader.failed() == app_error::dropped);
    follower other{following(reading::live)};
    other.accepted(0);
    other.tell(session_closed{app_error::cancel, errc::peer_closed, true, {}});
    CHECK(other.reader.failed());
}

TEST_CASE("a reader continues over another session where it was, within a group", "[session][reader][resume]") {
    desk first{from(4)};
    first.accepted(4);
    CHECK(first.reader.position() == track_position{group_sequence{4}, 0});
    first.whole(4, "abcd");
    first.opened(5);
    first.data(5, "ef", 0);
    first.data(5, "", 1);
    first.data(5, "ghij", 2);
    REQUIRE(first.read().size() == 4);
    first.data(5, "kl", 3);
    first.reader.consume(first.reader.next()->data.size() - 1);
    const auto at = first.reader.position();
    CHECK(at == track_position{group_sequence{5}, 7});

    desk second{{.start = at->sequence, .skip = at->bytes}};
    CHECK(second.said() == list{"subscribe room video ordered 5..6"});
    second.accepted(5);
    CHECK(second.reader.position() == at);
    second.opened(5);
    second.data(5, "ef", 0);
    CHECK(second.read().empty());
    CHECK(second.reader.position() == at);
    second.data(5, "", 1);
    second.data(5, "ghij", 2);
    second.data(5, "kl", 3);
    second.closed(5);
    second.whole(6, "ef");
    CHECK(second.read() == list{"5.3 l", "6.0 ef"});
    CHECK(second.reader.position() == track_position{group_sequence{7}, 0});
    CHECK(second.reader.held() == 0);
}

TEST_CASE(
    "a reader that was cut off within a group continues there over another session", "[session][reader][resume]") {
    const bool follows = GENERATE(false, true);
    auto o = from(4);
    if (follows) o.follow = 5s;
    follower d{o};
    d.accepted(4);
    d.partial(4, "abc");
    d.whole(5, "later");
    CHECK(d.read() == list{"4.0 abc"});
    d.closed(4, false);
    d.cut();
    CHECK(d.reader.position() == track_position{group_sequence{4}, 3});
    CHECK(d.reader.failed().has_value() == !follows);
    CHECK(d.reader.next()->sequence == group_sequence{5}); // Consuming it skips the loss.
    CHECK(d.reader.position() == track_position{group_sequence{4}, 3});
    CHECK(d.read() == list{"5.0 later"});
    CHECK(d.reader.position() == track_position{group_sequence{6}, 0});
    if (follows) CHECK(d.subscribed());
}

TEST_CASE("a complete reader whose publisher moves continues where it is: every byte once, and nothing is lost",
    "[session][reader][follow]") {
    follower d{following(reading::complete)};
    d.accepted(3);
    d.whole(3, "abc");
    d.opened(4);
    d.data(4, "de", 0);
    d.data(4, "fg", 1, 4);
    d.whole(5, "later");
    CHECK(d.read() == list{"3.0 abc", "4.0 de", "4.1 fg"});
    d.reader.expect_move();
    SECTION("within a group") {
        d.closed(4, false);
        CHECK(d.read().empty());
        CHECK(d.reader.awaits_rest(group_sequence{4}));
        d.unannounced();
        d.cut();
        CHECK(d.read().empty());
        static_cast<void>(d.said());
        d.announced();
        CHECK(d.said().back().starts_with("subscribe room video ordered 4.."));
        CHECK(d.reader.awaits_rest(group_sequence{4}));
        d.next_subscription();
        d.accepted(4);
        d.opened(4);
        CHECK_FALSE(d.reader.awaits_rest(group_sequence{4}));
        d.data(4, "de", 0);
        d.data(4, "fghi", 1);
        d.closed(4);
        d.whole(5, "later");
        CHECK(d.read() == list{"4.1 hi", "5.0 later"});
    }
    SECTION("whose rest is not wanted") {
        d.closed(4, false);
        d.cut();
        d.reader.pass_group();
        d.next_subscription();
        d.accepted(4);
        d.whole(4, "defghi");
        d.whole(5, "later");
        CHECK(d.read() == list{"5.0 later"});
    }
    SECTION("between groups, of which one is missing") {
        d.tell(frame_data{
            group_id{104}, d.id, d.at(4), {}, object_id{1}, 4, 2, timestamp{1}, as_bytes(std::string_view{"hi"})});
        d.closed(4);
        d.whole(7, "seven");
        CHECK(d.read() == list{"4.1 hi", "5.0 later"});
        static_cast<void>(d.said());
        d.cut();
        CHECK(d.said().back().starts_with("subscribe room video ordered 6.."));
        d.next_subscription();
        d.accepted(6);
        d.whole(6, "six");
        d.whole(7, "seven");
        CHECK(d.read() == list{"6.0 six", "7.0 seven"});
    }
    SECTION("to one that is cut off, too, before it answers") {
        d.closed(4, false);
        d.cut();
        d.next_subscription();
        d.cut();
        d.pass(1s);
        CHECK(d.said().back().starts_with("subscribe room video ordered 4.."));
        d.next_subscription();
        d.accepted(4);
        d.whole(4, "defghi");
        CHECK(d.read() == list{"4.0 hi"});
    }
    CHECK(d.reader.restarts() == 0);
    CHECK(d.lost().empty());
    CHECK(d.reader.held() == 0);
    // Later, another publisher is another track.
    d.cut();
    d.pass(1s);
    CHECK(d.reader.restarts() == 1);
}

TEST_CASE("where a move leads to another publisher, a complete reader begins with its newest group",
    "[session][reader][follow]") {
    follower d{following(reading::complete)};
    const std::vector first{hop_id{9}}, second{hop_id{10}};
    d.tell(broadcast_available{watch_id{}, "room", first, false, {}});
    d.accepted(4);
    d.partial(4, "de");
    CHECK(d.read() == list{"4.0 de"});
    d.reader.expect_move();
    d.closed(4, false);
    d.unannounced();
    d.cut();
    static_cast<void>(d.said());
    d.tell(broadcast_available{watch_id{}, "room", second, false, {}});
    CHECK(d.said().back() == "subscribe room video ordered ..");
    d.next_subscription();
    d.accepted(0);
    d.whole(0, "new");
    CHECK(d.read() == list{"0.0 new"});
    CHECK(d.reader.restarts() == 1);
}

} // namespace moqlite::test::track_follow_test

// The end of a session, and the events for everything that ends with it.
#include "subject.hpp"

#include <catch2/catch_test_macros.hpp>

namespace moqlite::test::close_test {

namespace {

/// A client with one of everything open.
struct busy : subject {
    explicit busy(limits bounds = {}) : subject(role::client, version::lite_05, {.bounds = bounds}) {
        begin(*this);
        static_cast<void>((*this)->subscribe({"room", "video"}).value());
        static_cast<void>((*this)->watch("").value());
        static_cast<void>((*this)->request_track({"room", "video"}).value());
        static_cast<void>(outputs());
        static_cast<void>(receive(3, "00 02 00 07 00 05 68"));
        static_cast<void>(receive(4, "02 00 00 04 01 01 61 00"));
        static_cast<void>(receive(1, subscribe_bytes("00", "a", "b")));
        static_cast<void>(receive(5, "01 02 00 00"));
        static_cast<void>(
            (*this)->open_group(request_id{0}, group_sequence{0}).value()->write_frame(timestamp{}, as_bytes("x")));
        static_cast<void>(outputs());
    }
};

const list everything_with_cancel{"group_closed 3 of 0 sequence 7 cancel", "subscription_ended 0 cancel",
    "track_refused 0 cancel", "request_ended 0 cancel", "broadcast_ended 0 a", "watch_ended 0 cancel"};

} // namespace

TEST_CASE("close() ends everything that is open, then the session, and is reported once", "[session][close]") {
    busy s;
    s->close(app_error::cancel, "bye");
    CHECK(s->is_closed());
    auto expected = everything_with_cancel;
    expected.push_back("session_closed cancel closed");
    CHECK(s.events() == expected);
    CHECK(s.outputs() == list{"close cancel bye"});
    CHECK(s.events().empty());
    CHECK(s.outputs().empty());
    CHECK(s->pool().in_use() == 0);
}

TEST_CASE("nothing is sent after the connection has closed", "[session][close]") {
    busy s;
    s.link.lent.over();
    s->connection_closed({.code = app_error::cancel, .by_peer = true, .reason = "bye"}, s.now);
    auto expected = everything_with_cancel;
    expected.push_back("session_closed cancel peer_closed by peer");
    CHECK(s.events() == expected);
    CHECK(s.outputs().empty());
    CHECK_FALSE(s->deadline());
}

TEST_CASE("a closed session takes no inputs and no commands", "[session][close]") {
    busy s;
    s->close(app_error::cancel);
    static_cast<void>(s.events());
    static_cast<void>(s.outputs());
    CHECK(s.receive(1, "00").empty());
    CHECK(s.receive(9, subscribe_bytes("00", "a", "b")).empty());
    CHECK(s.stream_closed(0).empty());
    CHECK(s.tick_after(1h).empty());
    CHECK(s.outputs().empty());
    CHECK(s->watch("").error() == errc::closed);
    CHECK(s->subscribe({"a", "b"}).error() == errc::closed);
    CHECK(s->request_track({"a", "b"}).error() == errc::closed);
    CHECK(s->announce("a").error() == errc::closed);
    CHECK(s->refuse().error() == errc::closed);
    CHECK(s->open_group(request_id{0}, group_sequence{1}).error() == errc::closed);
    CHECK_FALSE(s->accept(request_id{0}));
    CHECK_FALSE(s->update(subscribe_id{0}, {}));
}

TEST_CASE("an input before the previous events were drained closes the session", "[session][close]") {
    subject s{role::client};
    begin(s);
    const auto bytes = hex("02");
    s->stream_received(stream_id{1}, bytes, false, s.now);
    s->stream_received(stream_id{5}, bytes, false, s.now);
    CHECK(s.events() == list{"session_closed protocol_violation undrained_input"});
}

TEST_CASE("a peer without acknowledgements for the stall timeout is disconnected", "[session][stall]") {
    subject s{role::client};
    begin(s);
    CHECK_FALSE(s->deadline());
    REQUIRE(s->subscribe({"a", "b"}));
    static_cast<void>(s.outputs());
    // Commands have no time: the first tick starts the timer.
    REQUIRE(s->deadline() == s.now);
    CHECK(s.tick_after(0s).empty());
    CHECK(s->deadline() == s.now + 15s);

    SECTION("if none arrives") {
        CHECK(s.tick_after(15s - 1ns).empty());
        CHECK(s.tick_after(1ns) == list{"subscription_ended 0 lagged", "session_closed lagged lagged"});
    }
    SECTION("if one arrives and then none") {
        CHECK(s.tick_after(10s).empty());
        CHECK(s.acked(0, 3).empty());
        CHECK(s->deadline() == s.now + 15s);
        CHECK(s.tick_after(15s).back() == "session_closed lagged lagged");
    }
    SECTION("but not if everything was acknowledged") {
        CHECK(s.all_acked(0).empty());
        CHECK_FALSE(s->deadline());
        CHECK(s.tick_after(1h).empty());
    }
}

TEST_CASE(
    "a group that is not acknowledged closes the session, also where its subscription is capped", "[session][stall]") {
    for (const bool capped : {false, true}) {
        CAPTURE(capped);
        subject s{role::server};
        begin(s);
        CHECK(s.receive(0, subscribe_bytes("00", "a", "b", capped ? "00 00 00 00 09" : "00 00 00 00 00")).size() == 2);
        REQUIRE(s->accept(request_id{0}, group_sequence{0}));
        auto g = s->open_group(request_id{0}, group_sequence{0}).value();
        REQUIRE(g->write_frame(timestamp{}, as_bytes("x")));
        static_cast<void>(s.outputs());
        CHECK(s.all_acked(0).empty());
        CHECK(s.tick_after(0s).empty());
        CHECK(s.tick_after(15s).back() == "session_closed lagged lagged");
    }
}

TEST_CASE("a group whose bytes are all delivered may pause for ever", "[session][stall]") {
    subject s{role::server};
    begin(s);
    CHECK(s.receive(0, subscribe_bytes("00", "a", "b")).size() == 2);
    REQUIRE(s->accept(request_id{0}, group_sequence{0}));
    auto g = s->open_group(request_id{0}, group_sequence{0}).value();
    REQUIRE(g->write_frame(timestamp{}, as_bytes("x")));
    static_cast<void>(s.outputs());
    CHECK(s.all_acked(0).empty());
    CHECK(s.all_acked(7).empty());
    CHECK_FALSE(s->deadline());
    // Appending nothing leaves nothing outstanding.
    REQUIRE(g->begin_frame(timestamp{}, 3));
    REQUIRE(g->append_payload(as_bytes("a")));
    static_cast<void>(s.outputs());
    CHECK(s.all_acked(7).empty());
    REQUIRE(g->append_payload({}));
    CHECK(s.outputs().empty());
    CHECK_FALSE(s->deadline());
}

TEST_CASE("a session can be destroyed with everything open", "[session][close]") {
    slab_pool pool;
    announcements table;
    ready_list ready;
    auto g = group::make(pool, group_sequence{0}, version::lite_05);
    {
        subject s{role::server, version::lite_05, {.pool = &pool, .table = &table, .ready = &ready, .key = 7}};
        begin(s);
        CHECK(s.receive(0, subscribe_bytes("00", "a", "b")).size() == 2);
        CHECK(s.receive(4, "01 02 00 00").empty());
        REQUIRE(s->serve(request_id{0}, g));
        REQUIRE(g->write_frame(timestamp{}, as_bytes("x")));
        CHECK(ready.pop() == 7);
    }
    CHECK(ready.empty());
    CHECK_FALSE(g->has_readers());
    table.set("a", {});
    g = {};
    CHECK(pool.in_use() == 0);
}

} // namespace moqlite::test::close_test

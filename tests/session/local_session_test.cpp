// Two ends within one process: what one commands, the other gets as an event.
#include "session/subject.hpp"

#include <catch2/catch_test_macros.hpp>
#include <memory>
#include <moqlite/session/local_session.hpp>
#include <moqlite/session/track_reader.hpp>
#include <moqlite/session/track_writer.hpp>

namespace moqlite::test {
namespace {

struct ends {
    ends() { a->join(*b); }
    std::unique_ptr<local_session> a = std::make_unique<local_session>(local_options{});
    std::unique_ptr<local_session> b = std::make_unique<local_session>(local_options{});
};

list heard(local_session& s) {
    list out;
    while (const auto e = s.poll_event()) out.push_back(text(*e));
    return out;
}

template <class Event>
Event find(local_session& s) {
    std::optional<Event> out;
    while (const auto e = s.poll_event())
        if (const auto* is = std::get_if<Event>(&*e)) out = *is;
    REQUIRE(out);
    return *out;
}

TEST_CASE(
    "a subscription at one end of a local session is a request at the other, and its groups arrive whole", "[local]") {
    ends two;
    const auto id = two.a->subscribe({"room/cam", "video"}, {.priority = 7, .max_age = 500ms});
    REQUIRE(id);
    const auto request = find<subscribe_requested>(*two.b);
    CHECK(request.options.priority == 7);
    REQUIRE(two.b->accept(request.request, group_sequence{3}));
    const auto g = two.b->open_group(request.request, group_sequence{3});
    REQUIRE(g);
    REQUIRE((*g)->write_frame(timestamp{5}, as_bytes("one")));
    CHECK(heard(*two.a) == list{"subscription_accepted 0 from 3", "group_opened 1 of 0 sequence 3",
                               "frame_data 1 frame 0 at 0 of 3 time 5 6f6e65"});
    REQUIRE((*g)->write_frame(timestamp{6}, {}));
    REQUIRE((*g)->finish());
    REQUIRE(two.b->end_track(request.request, group_sequence{4}));
    REQUIRE(two.b->finish(request.request));
    CHECK(heard(*two.a).back() == "subscription_ended 0 finished");
    CHECK(heard(*two.b) == list{"group_delivered 0 sequence 3", "request_ended 0 delivered"});
}

TEST_CASE("a subscription that is given up closes its groups first: whole, if they are", "[local]") {
    ends two;
    REQUIRE(two.a->subscribe({"room/cam", "video"}));
    const auto request = find<subscribe_requested>(*two.b).request;
    const auto whole = *two.b->open_group(request, group_sequence{0});
    const auto half = *two.b->open_group(request, group_sequence{1});
    while (const auto e = two.a->poll_event())
        if (const auto* opened = std::get_if<group_opened>(&*e)) REQUIRE(two.a->share(opened->group));
    REQUIRE(whole->write_frame(timestamp{0}, as_bytes("0")));
    REQUIRE(whole->finish());
    REQUIRE(half->write_frame(timestamp{1}, as_bytes("1")));
    REQUIRE(two.b->reject(request, app_error{79}));
    CHECK(heard(*two.a) == list{"group_closed 1 of 0 sequence 0 complete", "group_closed 2 of 0 sequence 1 79",
                               "subscription_ended 0 79"});
}

TEST_CASE("a group that is shared is the publisher's own log", "[local]") {
    ends two;
    REQUIRE(two.a->subscribe({"room/cam", "video"}));
    const auto request = find<subscribe_requested>(*two.b).request;
    const auto g = *two.b->open_group(request, group_sequence{0});
    group_id id{};
    group_ref lent;
    while (const auto e = two.a->poll_event())
        if (const auto* opened = std::get_if<group_opened>(&*e)) lent = two.a->share(id = opened->group);
    CHECK(lent == g);
    REQUIRE(g->write_frame(timestamp{1}, as_bytes("x")));
    CHECK(heard(*two.a) == list{"group_grown 1"});
    REQUIRE(two.a->stop(id, app_error::old));
    CHECK(heard(*two.b).back().starts_with("group_lost 0 sequence 0"));
    CHECK(g->ended() == group::state::open);
    REQUIRE(g->finish());
    CHECK(heard(*two.a).empty());
}

TEST_CASE("stopping an adopted group aborts it, since nobody else ends it", "[local]") {
    ends two;
    REQUIRE(two.a->subscribe({"room/cam", "video"}));
    const auto request = find<subscribe_requested>(*two.b).request;
    const auto g = *two.b->open_group(request, group_sequence{0});
    group_opened opened;
    while (const auto e = two.a->poll_event())
        if (const auto* is = std::get_if<group_opened>(&*e)) REQUIRE(two.a->adopt((opened = *is).group));
    SECTION("by stop()") {
        REQUIRE(two.a->stop(opened.group, app_error::old));
        CHECK(g->abort_code() == app_error::old);
    }
    SECTION("by the end of the session") { two.b.reset(); }
    CHECK(g->ended() == group::state::aborted);
    CHECK_FALSE(g->write_frame(timestamp{0}, as_bytes("x")));
}

TEST_CASE("a subscriber that leaves does not abort a group that it has adopted: others may read it", "[local]") {
    ends two;
    REQUIRE(two.a->subscribe({"room/cam", "video"}));
    const auto request = find<subscribe_requested>(*two.b).request;
    const auto g = *two.b->open_group(request, group_sequence{0});
    while (const auto e = two.a->poll_event())
        if (const auto* is = std::get_if<group_opened>(&*e)) REQUIRE(two.a->adopt(is->group));
    REQUIRE(two.a->unsubscribe(subscribe_id{0}));
    CHECK(g->ended() == group::state::open);
}

TEST_CASE("everything that is open ends with one end of a local session", "[local]") {
    ends two;
    REQUIRE(two.a->subscribe({"room/cam", "video"}));
    REQUIRE(two.b->subscribe({"room/mic", "audio"}));
    REQUIRE(two.a->fetch({"room/cam", "video"}, group_sequence{9}));
    REQUIRE(two.a->request_track({"room/cam", "video"}));
    REQUIRE(two.a->watch(""));
    REQUIRE(two.b->announce("room/cam"));
    heard(*two.a);
    heard(*two.b);
    two.b.reset();
    CHECK(heard(*two.a) == list{"request_ended 0 cancel", "subscription_ended 0 cancel", "track_refused 2 cancel",
                               "group_closed 1 of 18446744073709551615 sequence 0 cancel", "broadcast_ended 3 room/cam",
                               "session_closed cancel peer_closed by peer"});
    CHECK(two.a->is_closed());
    CHECK(two.a->subscribe({"a", "b"}).error() == errc::closed);
    CHECK(heard(*two.a).empty());
}

TEST_CASE("a request that was withdrawn before it was polled is not reported", "[local]") {
    ends two;
    const auto id = two.a->subscribe({"room/cam", "video"});
    REQUIRE(two.a->unsubscribe(*id));
    for (const auto& line : heard(*two.b)) CHECK_FALSE(line.starts_with("subscribe_requested"));
}

TEST_CASE("nothing is reported of a subscription that was left, whatever was noted of it", "[local][regression]") {
    ends two;
    const auto id = two.a->subscribe({"room/cam", "video"});
    const auto other = two.a->subscribe({"room/mic", "audio"});
    std::vector<request_id> asked;
    while (const auto e = two.b->poll_event())
        if (const auto* s = std::get_if<subscribe_requested>(&*e)) asked.push_back(s->request);
    REQUIRE(asked.size() == 2);
    for (const auto request : asked) {
        REQUIRE(two.b->accept(request));
        REQUIRE(two.b->open_group(request, group_sequence{0}));
        REQUIRE(two.b->serve_datagram(
            request, group_sequence{1}, timestamp{0}, as_bytes(number(request) == 0 ? "a" : "b")));
        REQUIRE(two.b->drop(request, group_sequence{2}, group_sequence{3}, app_error::old));
        REQUIRE(two.b->end_track(request, group_sequence{4}));
    }
    REQUIRE(two.a->unsubscribe(*id));
    std::vector<subscribe_id> about;
    while (const auto e = two.a->poll_event())
        std::visit(
            [&](const auto& what) {
                if constexpr (requires { what.subscription; }) about.push_back(what.subscription);
                if constexpr (std::is_same_v<decltype(what), const group_datagram&>) CHECK(as_text(what.data) == "b");
            },
            *e);
    CHECK(about == std::vector(5, *other)); // Accepted, a group, a datagram, a drop, and its end.
}

TEST_CASE("a local watch reports broadcasts below its prefix, hidden ones only if it asks for them", "[local]") {
    ends two;
    REQUIRE(two.a->watch("room"));
    REQUIRE(two.b->announce("room/cam"));
    REQUIRE(two.b->announce("room/.spare"));
    REQUIRE(two.b->announce("hall/cam"));
    CHECK(without(heard(*two.a), "announcements_synced") == list{"broadcast_available 0 room/cam hops cost 0 0"});
    REQUIRE(two.a->watch_hidden("room/.spare"));
    CHECK(without(heard(*two.a), "announcements_synced").size() == 1);
    REQUIRE(two.b->unannounce("room/cam"));
    CHECK(heard(*two.a) == list{"broadcast_ended 0 room/cam"});
}

TEST_CASE("two local watches of one path hear of its end, each for itself", "[local][regression]") {
    ends two;
    const auto first = two.a->watch("room");
    const auto second = two.a->watch("");
    REQUIRE(second);
    REQUIRE(two.b->announce("room/cam"));
    const auto told = without(heard(*two.a), "announcements_synced");
    CHECK(told == list{"broadcast_available 0 room/cam hops cost 0 0", "broadcast_available 1 room/cam hops cost 0 0"});
    SECTION("with the session") {
        two.b.reset();
        CHECK(without(heard(*two.a), "session_closed") ==
              list{"broadcast_ended 0 room/cam", "broadcast_ended 1 room/cam"});
    }
    SECTION("after the later of them has gone") {
        REQUIRE(two.a->unwatch(*second));
        two.b.reset();
        CHECK(without(heard(*two.a), "session_closed") == list{"broadcast_ended 0 room/cam"});
    }
    SECTION("once") {
        REQUIRE(two.b->unannounce("room/cam"));
        CHECK(heard(*two.a).size() == 2);
        REQUIRE(two.a->unwatch(*first));
        two.b.reset();
        CHECK(without(heard(*two.a), "session_closed").empty());
    }
}

TEST_CASE("a FETCH between local ends gets the frames, or the refusal", "[local]") {
    ends two;
    slab_pool pool;
    const auto g = group::make(pool, group_sequence{9}, version::lite_05);
    REQUIRE(g->write_frame(timestamp{1}, as_bytes("x")));
    REQUIRE(g->finish());
    REQUIRE(two.a->fetch({"room/cam", "video"}, group_sequence{9}));
    const auto request = find<fetch_requested>(*two.b).request;
    CHECK(two.b->serve(request, group::make(pool, group_sequence{8}, version::lite_05)).error() ==
          errc::before_group_start);
    CHECK(two.b->serve(request, group::make(pool, group_sequence{10}, version::lite_05)).error() ==
          errc::beyond_group_end);
    REQUIRE(two.b->serve(request, g));
    CHECK(heard(*two.a).size() == 2);
    CHECK(heard(*two.b).back() == "request_ended 0 delivered");
    REQUIRE(two.a->fetch({"room/cam", "video"}, group_sequence{10}));
    REQUIRE(two.b->reject(find<fetch_requested>(*two.b).request, app_error::not_found));
    CHECK(heard(*two.a).back().ends_with("not_found"));
}

TEST_CASE("a slow subscriber of a local session bounds what waits for it", "[local]") {
    ends two;
    REQUIRE(two.a->subscribe({"room/cam", "video"}));
    const auto request = find<subscribe_requested>(*two.b).request;
    std::uint64_t n = 0;
    while (two.b->open_group(request, group_sequence{n})) ++n;
    CHECK(n == limits{}.live_groups);
    CHECK_FALSE(two.b->takes_more(request));
}

TEST_CASE("track_writer and track_reader work on local ends, without a copy", "[local]") {
    ends two;
    slab_pool pool;
    track_writer<local_session> writer(*two.b, {"room/cam", "video"}, pool, {});
    track_reader<local_session> reader(*two.a, {.mode = reading::live});
    REQUIRE(reader.start({"room/cam", "video"}));
    const auto settle = [&] {
        for (int i = 0; i != 3; ++i) {
            while (const auto e = two.b->poll_event()) writer.handle(*e);
            while (const auto e = two.a->poll_event()) reader.handle(*e, t0);
        }
    };
    settle();
    const auto g = writer.open_group();
    REQUIRE(g->write_frame(timestamp{1}, as_bytes("first")));
    settle();
    const auto piece = reader.next();
    REQUIRE(piece);
    CHECK(to_hex(piece->data) == to_hex(as_bytes("first")));
    CHECK(reader.held() != 0);
    reader.consume(5);
    CHECK(reader.held() == 0);
    REQUIRE(g->write_frame(timestamp{1}, as_bytes("second")));
    REQUIRE(g->finish());
    writer.end();
    settle();
    CHECK(to_hex(reader.next()->data) == to_hex(as_bytes("second")));
    reader.consume(6);
    CHECK_FALSE(reader.next());
    CHECK(reader.finished());
}

} // namespace
} // namespace moqlite::test

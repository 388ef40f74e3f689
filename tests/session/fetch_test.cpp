// FETCH: any single group, on the stream of the request.
#include "subject.hpp"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

namespace moqlite::test::fetch_test {

namespace {

constexpr std::string_view request =
    "03 11 08 726f6f6d2f63616d 05 766964656f 04 07"; // room/cam video, priority 4, group 7

/// A server with a FETCH for group 7 on stream 0.
struct publisher : subject {
    explicit publisher(bool fin = false) : subject(role::server) {
        begin(*this);
        told = receive(0, request, fin);
        static_cast<void>(outputs());
    }
    group_ref seven() { return (*this)->open_group(request_id{0}, group_sequence{7}).value(); }
    static void frame(const group_ref& g, std::uint64_t time, std::string_view payload) {
        g->write_frame(timestamp{time}, as_bytes(payload)).value();
    }
    list told;
};

/// A client with a FETCH for group 7 on stream 0.
struct subscriber : subject {
    subscriber() : subject(role::client) {
        begin(*this);
        id = (*this)->fetch({"room/cam", "video"}, group_sequence{7}, 4).value();
        asked = outputs();
    }
    list receive(std::string_view bytes, bool fin = false) { return subject::receive(0, bytes, fin); }
    group_id id{};
    list asked;
};

/// Without the group's name.
list short_of(list lines) {
    for (auto& l : lines) {
        const auto from = l.find(' ');
        const auto to = l.find(' ', from + 1);
        if (from != std::string::npos && to != std::string::npos) l.erase(from, to - from);
    }
    return lines;
}

} // namespace

TEST_CASE("a FETCH is reported with its track, group and priority", "[session][fetch]") {
    CHECK(publisher{}.told == list{"fetch_requested 0 room/cam video sequence 7 priority 4"});
}

TEST_CASE(
    "the frames of a fetched group follow on the request's stream, as they arrive, and then FIN", "[session][fetch]") {
    publisher server{GENERATE(false, true)};
    const auto g = server.seven();
    publisher::frame(g, 90000, "hello");
    CHECK(server.outputs() == list{"write 0 8002bf200568656c6c6f"});
    publisher::frame(g, 93000, "");
    g->finish().value();
    CHECK(server.outputs() == list{"write 0 577000 fin"});
    static_cast<void>(server.all_acked(0));
    CHECK(server.stream_closed(0) == list{"group_delivered 0 sequence 7", "request_ended 0 delivered"});
}

TEST_CASE("only the requested group is served, once", "[session][fetch]") {
    publisher server;
    CHECK(server->open_group(request_id{0}, group_sequence{8}).error() == errc::beyond_group_end);
    CHECK(server->open_group(request_id{0}, group_sequence{6}).error() == errc::before_group_start);
    const auto g = server.seven();
    CHECK(server->open_group(request_id{0}, group_sequence{7}).error() == errc::already_answered);
    CHECK(server->accept(request_id{0}).error() == errc::not_found);
    CHECK(server->finish(request_id{0}).error() == errc::not_found);
}

TEST_CASE("a fetched group without frames is a FIN", "[session][fetch]") {
    publisher server;
    server.seven()->finish().value();
    CHECK(server.outputs() == list{"write 0 fin"});
}

TEST_CASE("a fetched group without bytes yet is awaited, and nothing is written", "[session][fetch]") {
    publisher server;
    const auto g = server.seven();
    CHECK(server.outputs().empty());
    publisher::frame(g, 1, "x");
    CHECK(server.outputs() == list{"write 0 020178"});
}

TEST_CASE("a FETCH that is rejected, or whose group is aborted, is reset", "[session][fetch]") {
    publisher server;
    SECTION("refused") {
        REQUIRE(server->reject(request_id{0}, app_error::not_found));
        CHECK(server.outputs() == list{"stop 0 not_found", "reset 0 not_found"});
        CHECK(server.events().empty());
    }
    SECTION("aborted") {
        const auto g = server.seven();
        publisher::frame(g, 1, "half");
        CHECK(server.outputs() == list{"write 0 020468616c66"});
        g->abort(app_error::old);
        CHECK(server.outputs() == list{"stop 0 old", "reset 0 old"});
        CHECK(server.events() == list{"group_lost 0 sequence 7 old", "request_ended 0 old"});
    }
}

TEST_CASE("a FETCH that is stopped or reset gets no more", "[session][fetch]") {
    publisher server;
    const bool begun = GENERATE(false, true);
    group_ref g;
    if (begun) {
        g = server.seven();
        publisher::frame(g, 1, "x");
        static_cast<void>(server.outputs());
    }
    const bool stops = GENERATE(false, true);
    CHECK((stops ? server.stopped(0) : server.reset(0)) == list{"request_ended 0 cancel"});
    const auto said = server.outputs();
    CHECK(std::find(said.begin(), said.end(), "reset 0 cancel") != said.end());
    if (g) publisher::frame(g, 2, "y");
    CHECK(server.outputs().empty());
    CHECK(server.stream_closed(0, app_error::cancel).empty());
}

TEST_CASE("a reset after our FIN revokes nothing: everything was sent", "[session][fetch]") {
    publisher server;
    const auto g = server.seven();
    publisher::frame(g, 1, "x");
    g->finish().value();
    static_cast<void>(server.outputs());
    CHECK(server.reset(0).empty());
    CHECK(server.all_acked(0).empty());
    CHECK(server.stream_closed(0) == list{"group_delivered 0 sequence 7", "request_ended 0 delivered"});
}

TEST_CASE("a completely acknowledged group is delivered, even if the peer resets its side of the FETCH",
    "[session][fetch][moq-rs]") {
    publisher server;
    const auto g = server.seven();
    publisher::frame(g, 1, "x");
    g->finish().value();
    static_cast<void>(server.outputs());
    const bool arrived = GENERATE(false, true);
    if (arrived) CHECK(server.all_acked(0).empty());
    CHECK(server.reset(0).empty());
    const auto end = server.stream_closed(0, app_error::cancel);
    CHECK(end == (arrived ? list{"group_delivered 0 sequence 7", "request_ended 0 delivered"}
                          : list{"request_ended 0 cancel"}));
}

TEST_CASE("a FETCH whose answer is acknowledged does not wait for the peer's side to end", "[session][fetch]") {
    publisher server;
    const auto g = server.seven();
    publisher::frame(g, 1, "x");
    g->finish().value();
    static_cast<void>(server.outputs());
    CHECK(server.all_acked(0).empty());
    CHECK(server.tick_after(9s).empty());
    CHECK(server.tick_after(1s) == list{"group_delivered 0 sequence 7", "request_ended 0 delivered"});
    CHECK(server.outputs() == list{"stop 0 cancel"});
}

TEST_CASE("nor does one whose answer ends with a lone FIN", "[session][fetch]") {
    publisher server;
    const auto g = server.seven();
    if (GENERATE(false, true)) {
        publisher::frame(g, 1, "x");
        static_cast<void>(server.outputs());
        CHECK(server.all_acked(0).empty());
    }
    g->finish().value();
    CHECK(server.outputs() == list{"write 0 fin"});
    CHECK(server.tick_after(0s).empty()); // Timers of an output begin with the next input.
    CHECK(server.tick_after(9s).empty());
    CHECK(server.tick_after(1s) == list{"group_delivered 0 sequence 7", "request_ended 0 delivered"});
    CHECK(server.outputs() == list{"stop 0 cancel"});
}

TEST_CASE("a FETCH whose other side has ended is not awaited any longer", "[session][fetch]") {
    publisher server;
    const auto g = server.seven();
    publisher::frame(g, 1, "x");
    g->finish().value();
    static_cast<void>(server.outputs());
    CHECK(server.all_acked(0).empty());
    CHECK(server->deadline() == server.now + 10s);
    CHECK(server.receive(0, "", true).empty());
    CHECK_FALSE(server->deadline());
    CHECK(server.stream_closed(0) == list{"group_delivered 0 sequence 7", "request_ended 0 delivered"});
}

TEST_CASE("a FETCH that waits for stream credit stalls nothing else", "[session][fetch]") {
    publisher server;
    const auto g = server.seven();
    publisher::frame(g, 1, "abcd");
    server.link.stream_room[stream_id{0}] = 3;
    CHECK(server.outputs() == list{"write 0 020461"});
    CHECK(server.tick_after(60s).empty()); // It has no group for another request.
    server.link.stream_room.clear();
    server.writable(0);
    CHECK(server.outputs() == list{"write 0 626364"});
}

TEST_CASE("trailing bytes after a FETCH are an error", "[session][fetch][bad input]") {
    publisher server;
    CHECK(
        server.receive(0, "00") == list{"stream_rejected 0 unexpected_message", "request_ended 0 unexpected_message"});
    CHECK(server.outputs() == list{"stop 0 unexpected_message", "reset 0 unexpected_message", "credit 0 1"});
}

TEST_CASE("a STOP_SENDING for our side before the request arrives cancels it", "[session][fetch][bad input]") {
    subject server{role::server};
    begin(server);
    const auto asked = GENERATE(std::string(request), subscribe_bytes("00", "room/cam", "video"),
        track_bytes("room/cam", "video"), std::string("01 02 00 00"));
    SECTION("before its first byte") {
        CHECK(server.stopped(0).empty());
        CHECK(server.outputs() == list{"reset 0 cancel"});
        CHECK(server.receive(0, asked).empty());
    }
    SECTION("before its last") {
        CHECK(server.receive(0, asked.substr(0, 2)).empty());
        CHECK(server.stopped(0).empty());
        CHECK(without(server.outputs(), "credit") == list{"reset 0 cancel"});
        CHECK(server.receive(0, asked.substr(2)).empty());
    }
    CHECK(without(server.outputs(), "credit") == list{"stop 0 cancel"});
    CHECK(server.stream_closed(0, app_error::cancel).empty());
}

TEST_CASE("the slashes at the ends of a FETCH's path do not make it too long", "[session][fetch]") {
    subject server{role::server, version::lite_05, {.bounds = {.name = 8}}};
    begin(server);
    CHECK(server.receive(0, "03 12 09 2f726f6f6d2f63616d 05 766964656f 04 07") ==
          list{"fetch_requested 0 room/cam video sequence 7 priority 4"});
}

TEST_CASE("a FETCH outside of what the peer may have is refused", "[session][fetch][bad input]") {
    subject server{role::server, GENERATE(version::lite_03, version::lite_04, version::lite_05)};
    begin(server, {.root = "", .subscribe = {"other"}});
    CHECK(server.receive(0, request) == list{"stream_rejected 0 unauthorized"});
}

TEST_CASE("fetch() opens a stream of its own and keeps it open", "[session][fetch]") {
    CHECK(subscriber{}.asked == list{"open bidi", "write 0 031108726f6f6d2f63616d05766964656f0407"});
}

TEST_CASE("a fetched group arrives frame by frame and ends with FIN, as does the request", "[session][fetch]") {
    subscriber client;
    CHECK(short_of(client.receive("8002bf20 05 68656c6c6f 57")) ==
          list{"frame_data frame 0 at 0 of 5 time 90000 68656c6c6f"});
    CHECK(short_of(client.receive("70 00", true)) ==
          list{"frame_data frame 1 at 0 of 0 time 93000 ", "group_closed of 18446744073709551615 sequence 7 complete"});
    CHECK(client.outputs() == list{"credit 0 13", "write 0 fin"});
    CHECK(client.stream_closed(0).empty());
    CHECK(client->stop(client.id, app_error::cancel).error() == errc::not_found);
}

TEST_CASE("the group with the largest number can be fetched", "[session][fetch]") {
    constexpr group_sequence last{wire::varint_max};
    subject client{role::client};
    begin(client);
    REQUIRE(client->fetch({"a", "b"}, last));
    CHECK(client.outputs() == list{"open bidi", "write 0 030d0161016280ffffffffffffffff"});
    CHECK(client->fetch({"a", "b"}, next(last)).error() == errc::value_too_large);
    subject server{role::server};
    begin(server);
    CHECK(server.receive(0, "03 0d 01 61 01 62 80 ffffffffffffffff") ==
          list{"fetch_requested 0 a b sequence 4611686018427387903 priority 128"});
    REQUIRE(server->open_group(request_id{0}, last));
}

TEST_CASE("a fetched group can be collected into a log", "[session][fetch]") {
    subscriber client;
    const auto log = group::make(client->pool(), group_sequence{7}, version::lite_05);
    REQUIRE(client->collect(client.id, log));
    CHECK(short_of(client.receive("02 02 6869", true)) ==
          list{"group_closed of 18446744073709551615 sequence 7 complete"});
    CHECK(log->ended() == group::state::finished);
    CHECK(log->size() == 4);
}

TEST_CASE("a fetched group that is aborted reports the code", "[session][fetch]") {
    subscriber client;
    SECTION("reset: not found") {
        CHECK(short_of(client.reset(0, app_error::not_found)) ==
              list{"group_closed of 18446744073709551615 sequence 7 not_found"});
        CHECK(client.outputs() == list{"write 0 fin"});
    }
    SECTION("FIN inside a frame") {
        CHECK(short_of(client.receive("02 02 68", true)).back() ==
              "group_closed of 18446744073709551615 sequence 7 " +
                  std::string(to_string(wire_code(errc::stream_ended_early))));
    }
    SECTION("a frame above the limit") {
        CHECK(short_of(client.receive("02 84000000")).front() == "stream_rejected frame_too_large");
        CHECK(client.outputs()[0] == "stop 0 frame_too_large");
    }
    SECTION("the connection") {
        client->connection_closed({app_error::closed, true, ""}, client.now);
        CHECK(short_of(client.events()).front() == "group_closed of 18446744073709551615 sequence 7 closed");
        CHECK(client->collect(client.id, {}).error() == errc::not_found);
    }
}

TEST_CASE("a stopped FETCH has no further events", "[session][fetch]") {
    SECTION("while it arrives") {
        subscriber client;
        static_cast<void>(client.receive("02 02 68"));
        REQUIRE(client->stop(client.id, app_error::cancel));
        CHECK(without(client.outputs(), "credit") == list{"stop 0 cancel", "write 0 fin"});
        CHECK(client.receive("69", true).empty());
        CHECK(client.stream_closed(0).empty());
    }
    SECTION("before it had a stream") {
        subject client{role::client};
        begin(client);
        const auto id = client->fetch({"room/cam", "video"}, group_sequence{7}).value();
        REQUIRE(client->stop(id, app_error::cancel));
        CHECK(client.outputs().empty());
        CHECK(client->stop(id, app_error::cancel).error() == errc::not_found);
    }
}

TEST_CASE("the timeout for a fetched group's FIN after a silence starts when the FIN is sent", "[session][fetch]") {
    publisher server;
    const auto g = server.seven();
    publisher::frame(g, 1, "x");
    static_cast<void>(server.outputs());
    CHECK(server.all_acked(0).empty());
    server.now += 11s; // The peer is silent meanwhile.
    g->finish().value();
    CHECK(server.outputs() == list{"write 0 fin"});
    CHECK(server.tick_after(1ms).empty());
    CHECK(server.outputs().empty());
    CHECK(server.tick_after(9s).empty());
    CHECK(server.tick_after(1s) == list{"group_delivered 0 sequence 7", "request_ended 0 delivered"});
}

} // namespace moqlite::test::fetch_test

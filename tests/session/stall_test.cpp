// When a stalled peer is disconnected, and when not.
#include "subject.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

namespace moqlite::test::stall_test {

namespace {

/// A server whose peer has subscribed on stream 0, with nothing outstanding. No group is too old for it.
struct publisher : subject {
    explicit publisher(std::string_view options = "00 00 85265bff 00 00") : subject(role::server) {
        begin(*this);
        CHECK(receive(0, subscribe_bytes("00", "room", "video", options)).size() == 2);
        CHECK((*this)->accept(request_id{0}, group_sequence{0}));
        static_cast<void>(outputs());
        CHECK(all_acked(0).empty());
    }
    group_ref add(std::uint64_t sequence, std::size_t size) {
        auto g = (*this)->open_group(request_id{0}, group_sequence{sequence});
        REQUIRE(g);
        REQUIRE((*g)->write_frame(timestamp{0}, as_bytes(std::string(size, 'x'))));
        return *g;
    }
};

const list lagged{"request_ended 0 lagged", "session_closed lagged lagged"};

} // namespace

TEST_CASE("a peer that acknowledges nothing for 15 s is disconnected", "[session][stall]") {
    publisher server;
    static_cast<void>(server.add(0, 10));
    static_cast<void>(server.outputs());
    CHECK(server.tick_after(0s).empty());
    CHECK(server->deadline() == server.now + 15s);
    CHECK(server.tick_after(14s).empty());
    CHECK(server.tick_after(1s) == lagged);
    CHECK(server.outputs() == list{"close lagged lagged"});
}

TEST_CASE("a peer without outstanding data may be silent for ever", "[session][stall]") {
    publisher server;
    const auto g = server.add(0, 10);
    static_cast<void>(server.outputs());
    CHECK(server.all_acked(7).empty());
    CHECK_FALSE(server->deadline());
    CHECK(server.tick_after(1h).empty());
}

TEST_CASE("a write after a long silence does not close the session, its clock begins with it",
    "[session][stall][regression]") {
    publisher server;
    const auto g = server.add(0, 10);
    static_cast<void>(server.outputs());
    CHECK(server.all_acked(7).empty());
    server.now += 20s;
    REQUIRE(g->write_frame(timestamp{1}, as_bytes("more")));
    static_cast<void>(server.outputs());
    // A command has no time: the next tick has.
    CHECK(server->deadline() <= server.now);
    CHECK(server.tick_after(0s).empty());
    CHECK(server->deadline() == server.now + 15s);
    CHECK(server.tick_after(14s).empty());
    CHECK(server.all_acked(7).empty());
    CHECK_FALSE(server->deadline());
}

TEST_CASE("every acknowledgement restarts the timer", "[session][stall]") {
    publisher server;
    static_cast<void>(server.add(0, 100));
    static_cast<void>(server.outputs());
    for (int i = 0; i < 10; ++i) {
        CHECK(server.tick_after(10s).empty());
        CHECK(server.acked(7, 1).empty());
    }
    CHECK(server->deadline() == server.now + 15s);
}

TEST_CASE("unacknowledged replies count like groups", "[session][stall]") {
    publisher server;
    CHECK(server.receive(4, subscribe_bytes("01", "room", "audio")).size() == 2);
    REQUIRE(server->accept(request_id{1}, group_sequence{0}));
    static_cast<void>(server.outputs());
    CHECK(server.tick_after(0s).empty());
    CHECK(server.tick_after(15s) ==
          list{"request_ended 0 lagged", "request_ended 1 lagged", "session_closed lagged lagged"});
}

TEST_CASE("a peer that acknowledges but never grants a stream credit is disconnected", "[session][stall][regression]") {
    publisher server;
    std::uint64_t sequence = 0;
    list told;
    for (; sequence < 60 && told.empty(); ++sequence) {
        const auto stream = server_uni(1 + sequence);
        server.link.stream_room[stream_id{stream}] = 1000;
        REQUIRE(server.add(sequence, 5000)->finish());
        static_cast<void>(server.outputs());
        told = server.tick_after(1s);
        if (told.empty()) CHECK(server.all_acked(stream).empty());
    }
    CHECK(told == lagged);
    CHECK(sequence >= 15);
    CHECK(sequence <= 17);
}

TEST_CASE("credit for the longest waiting stream moves the timer to the next one", "[session][stall]") {
    publisher server;
    for (std::uint64_t n = 0; n < 2; ++n) {
        server.link.stream_room[stream_id{server_uni(1 + n)}] = 10;
        static_cast<void>(server.add(n, 5000));
        static_cast<void>(server.outputs());
        CHECK(server.tick_after(0s).empty());
        CHECK(server.all_acked(server_uni(1 + n)).empty());
        CHECK(server.tick_after(6s).empty());
    }
    server.link.stream_room.clear();
    CHECK(server->deadline() == server.now + 3s);
    server.writable(7);
    CHECK(server.events().empty());
    CHECK(server->deadline() == server.now + 9s);
}

TEST_CASE(
    "a reader that grants a trickle of stream credit is let go as if it granted none", "[session][stall][regression]") {
    const auto each = GENERATE(0u, 1u, 50u);
    const auto every = GENERATE(8s, 1s, 14s);
    CAPTURE(each, every);
    publisher server;
    server.link.stream_room[stream_id{7}] = 10;
    static_cast<void>(server.add(0, 50'000));
    const auto began = server.now;
    list told;
    while (told.empty() && server.now < began + 60s) {
        static_cast<void>(server.outputs());
        CHECK(server.tick_after(0s).empty());
        CHECK(server.all_acked(7).empty());
        if (server->deadline() && *server->deadline() <= server.now + every) {
            told = server.tick_after(*server->deadline() - server.now);
            break;
        }
        CHECK(server.tick_after(every).empty());
        server.link.stream_room[stream_id{7}] += each;
        if (each != 0) server.writable(7);
        CHECK(server.events().empty());
    }
    CHECK(told == lagged);
    CHECK(server.now == began + 15s);
}

TEST_CASE("a trickle of credit for replies is no progress either", "[session][stall][regression]") {
    publisher server;
    server.link.stream_room[stream_id{4}] = 1;
    CHECK(server.receive(4, subscribe_bytes("01", "room", "audio")).size() == 2);
    REQUIRE(server->accept(request_id{1}, group_sequence{0}));
    for (std::uint64_t n = 1; n < 100; ++n)
        REQUIRE(server->drop(request_id{1}, group_sequence{10 * n}, group_sequence{10 * n + 1}, app_error::old));
    list told;
    int turns = 0;
    for (; told.empty() && turns < 10; ++turns) {
        static_cast<void>(server.outputs());
        CHECK(server.tick_after(0s).empty());
        CHECK(server.all_acked(4).empty());
        told = server.tick_after(8s);
        server.link.stream_room[stream_id{4}] = 1;
        if (told.empty()) server.writable(4);
        static_cast<void>(server.events());
    }
    CHECK(told == list{"request_ended 0 lagged", "request_ended 1 lagged", "session_closed lagged lagged"});
    CHECK(turns == 2);
}

TEST_CASE("a trickle of connection credit is no progress either", "[session][stall][regression]") {
    publisher server;
    static_cast<void>(server.add(0, 50'000));
    server.link.budget = 10;
    list told;
    int seconds = 0;
    for (; told.empty() && seconds < 40; ++seconds) {
        static_cast<void>(server.outputs());
        CHECK(server.tick_after(0s).empty());
        CHECK(server.all_acked(7).empty());
        told = server.tick_after(1s);
        server.link.budget = 1;
    }
    CHECK(told == lagged);
    CHECK(seconds == 15);
}

TEST_CASE("a slow link is not a stall: stream credit, connection credit and acknowledgements at 64 kbit/s",
    "[session][stall]") {
    const auto how = GENERATE(0, 1, 2);
    CAPTURE(how);
    publisher server;
    static_cast<void>(server.add(0, 4'000'000));
    server.link.budget = how == 0 ? SIZE_MAX : 0;
    server.link.stream_room[stream_id{7}] = how == 0 ? 0 : SIZE_MAX;
    for (int turn = 0; turn < 2000; ++turn) {
        static_cast<void>(server.outputs());
        CHECK(server.tick_after(0s).empty());
        if (how != 2)
            CHECK(server.all_acked(7).empty());
        else if (server.link.unacked[stream_id{7}] >= 1600) // Only acknowledged bytes make room.
            CHECK(server.acked(7, 1600).empty());
        REQUIRE(server.tick_after(200ms).empty());
        if (how == 0) {
            server.link.stream_room[stream_id{7}] = 1600;
            server.writable(7);
            CHECK(server.events().empty());
        } else {
            server.link.budget = 1600;
        }
    }
}

TEST_CASE("the time in which a stream could have been written does not count as blocked", "[session][stall]") {
    publisher server;
    server.link.stream_room[stream_id{7}] = 10;
    static_cast<void>(server.add(0, 5000));
    static_cast<void>(server.outputs());
    CHECK(server.tick_after(0s).empty());
    CHECK(server.all_acked(7).empty());
    CHECK(server.tick_after(14s).empty());
    server.link.stream_room[stream_id{7}] = 10;
    server.writable(7);
    CHECK(server.events().empty());
    CHECK_FALSE(server->deadline());
    CHECK(server.tick_after(1h).empty());
    static_cast<void>(server.outputs());
    CHECK(server.tick_after(0s).empty());
    CHECK(server.all_acked(7).empty());
    CHECK(server->deadline() == server.now + 1s);
    CHECK(server.tick_after(1s) == lagged);
}

TEST_CASE("a capped subscription may hold back stream credit for ever", "[session][stall][group end][regression]") {
    publisher server{"00 01 00 01 0a"};
    server.link.stream_room[stream_id{7}] = 1000;
    static_cast<void>(server.add(0, 5000));
    static_cast<void>(server.outputs());
    CHECK(server.all_acked(7).empty());
    for (int i = 0; i < 100; ++i) CHECK(server.tick_after(1min).empty());
    SECTION("until its cap is lifted") {
        CHECK(server.receive(0, "05 00 01 00 00 00").size() == 2);
        CHECK(server.tick_after(0s).empty());
        CHECK(server.tick_after(14s).empty());
        CHECK(server.tick_after(1s) == lagged);
    }
    SECTION("and also with a trickle of it") {
        for (int i = 0; i < 100; ++i) {
            server.link.stream_room[stream_id{7}] = 1;
            server.writable(7);
            CHECK(server.events().empty());
            static_cast<void>(server.outputs());
            CHECK(server.tick_after(0s).empty());
            CHECK(server.all_acked(7).empty());
            CHECK(server.tick_after(8s).empty());
        }
    }
}

TEST_CASE("unacknowledged bytes in flight end the session of a capped reader, too", "[session][stall][group end]") {
    publisher server{"00 01 00 01 0a"};
    server.link.stream_room[stream_id{7}] = 1000;
    static_cast<void>(server.add(0, 5000));
    static_cast<void>(server.outputs());
    CHECK(server.tick_after(0s).empty());
    SECTION("all of them") { CHECK(server.tick_after(14s).empty()); }
    SECTION("or the last") {
        CHECK(server.tick_after(10s).empty());
        CHECK(server.acked(7, 500).empty());
        CHECK(server.tick_after(14s).empty());
    }
    CHECK(server.tick_after(1s) == lagged);
}

TEST_CASE(
    "large packets that are lost for ever are not excused by small ones that arrive", "[session][stall][regression]") {
    const auto* options = GENERATE("00 00 00 00 00", "00 01 00 01 0a");
    publisher server{options};
    static_cast<void>(server.add(0, 5000));
    static_cast<void>(server.outputs());
    list told;
    int seconds = 0;
    for (std::uint64_t n = 1; told.empty() && n < 30; ++n, ++seconds) {
        CHECK(server.tick_after(0s).empty());
        REQUIRE(server->drop(request_id{0}, group_sequence{100 * n}, group_sequence{100 * n + 1}, app_error::old));
        static_cast<void>(server.outputs());
        CHECK(server.all_acked(0).empty());
        told = server.tick_after(1s);
    }
    CHECK(told == lagged);
    CHECK(seconds == 15);
}

TEST_CASE("the stall timeout is at least three round trips", "[session][stall]") {
    publisher server;
    server->path_measured({.rtt = 10s}, server.now);
    CHECK(server.events().empty());
    static_cast<void>(server.add(0, 5000));
    static_cast<void>(server.outputs());
    CHECK(server.tick_after(0s).empty());
    CHECK(server.tick_after(29s).empty());
    CHECK(server.tick_after(1s) == lagged);
}

TEST_CASE(
    "data without a stream, because the peer grants none, does not count as stalled", "[session][stall][regression]") {
    publisher server;
    server.link.uni_streams = 0;
    server.link.bidi_streams = 0;
    for (std::uint64_t n = 0; n < 20; ++n) static_cast<void>(server.add(n, 1000));
    REQUIRE(server->subscribe({"room", "video"}));
    REQUIRE(server->watch("room"));
    REQUIRE(server->request_track({"room", "video"}));
    REQUIRE(server->fetch({"room", "video"}, group_sequence{1}));
    static_cast<void>(server.outputs());
    for (int i = 0; i < 60; ++i) {
        CHECK(server.tick_after(1min).empty());
        static_cast<void>(server.outputs());
    }
    SECTION("its clock begins when it has one") {
        server.link.uni_streams = 1000;
        server->streams_available(direction::uni, server.now);
        CHECK(server.events().empty());
        static_cast<void>(server.outputs());
        CHECK(server.tick_after(0s).empty());
        CHECK(server.tick_after(14s).empty());
        CHECK(server.tick_after(1s).back() == "session_closed lagged lagged");
    }
}

TEST_CASE("a stalled stream that is reset no longer counts", "[session][stall]") {
    publisher server;
    server.link.stream_room[stream_id{7}] = 10;
    const auto g = server.add(0, 5000);
    static_cast<void>(server.outputs());
    CHECK(server.tick_after(10s).empty());
    g->abort(app_error::old);
    static_cast<void>(server.outputs());
    static_cast<void>(server.events());
    static_cast<void>(server.all_acked(0));
    CHECK(server.tick_after(10s).empty());
    CHECK_FALSE(server->deadline());
}

} // namespace moqlite::test::stall_test

// When a peer that takes nothing is let go, and when it is not.
#include "subject.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace moqlite;
using namespace moqlite::test;

namespace {

/// A server whose peer has subscribed on stream 0, with nothing owed.
struct publisher : subject {
    explicit publisher(std::string_view options = "00 00 00 00 00") : subject(role::server) {
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

const list lagged{"request_ended 0", "session_closed lagged lagged"};

} // namespace

TEST_CASE("a peer that acknowledges nothing for 15 s is let go", "[session][stall]") {
    publisher server;
    static_cast<void>(server.add(0, 10));
    static_cast<void>(server.outputs());
    CHECK(server.tick_after(0s).empty());
    CHECK(server->deadline() == server.now + 15s);
    CHECK(server.tick_after(14s).empty());
    CHECK(server.tick_after(1s) == lagged);
    CHECK(server.outputs() == list{"close lagged lagged"});
}

TEST_CASE("a peer to whom nothing is owed may be silent for ever", "[session][stall]") {
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
    // A command does not tell the time: the next tick does.
    CHECK(server->deadline() <= server.now);
    CHECK(server.tick_after(0s).empty());
    CHECK(server->deadline() == server.now + 15s);
    CHECK(server.tick_after(14s).empty());
    CHECK(server.all_acked(7).empty());
    CHECK_FALSE(server->deadline());
}

TEST_CASE("every acknowledgement sets the clock back", "[session][stall]") {
    publisher server;
    static_cast<void>(server.add(0, 100));
    static_cast<void>(server.outputs());
    for (int i = 0; i < 10; ++i) {
        CHECK(server.tick_after(10s).empty());
        CHECK(server.acked(7, 1).empty());
    }
    CHECK(server->deadline() == server.now + 15s);
}

TEST_CASE("replies that are not acknowledged count as well as groups", "[session][stall]") {
    publisher server;
    CHECK(server.receive(4, subscribe_bytes("01", "room", "audio")).size() == 2);
    REQUIRE(server->accept(request_id{1}, group_sequence{0}));
    static_cast<void>(server.outputs());
    CHECK(server.tick_after(0s).empty());
    CHECK(server.tick_after(15s) == list{"request_ended 0", "request_ended 1", "session_closed lagged lagged"});
}

TEST_CASE("a peer that acknowledges but never gives a stream credit is let go", "[session][stall][regression]") {
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

TEST_CASE("credit for the stream that waited longest sets the clock to the next", "[session][stall]") {
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
    server->stream_writable(stream_id{7}, server.now);
    CHECK(server.events().empty());
    CHECK(server->deadline() == server.now + 9s);
}

TEST_CASE("a stream that gets credit now and then is not stalled", "[session][stall]") {
    publisher server;
    server.link.stream_room[stream_id{7}] = 10;
    static_cast<void>(server.add(0, 5000));
    for (int i = 0; i < 20; ++i) {
        static_cast<void>(server.outputs());
        CHECK(server.tick_after(10s).empty());
        server.link.stream_room[stream_id{7}] = 10;
        server->stream_writable(stream_id{7}, server.now);
        CHECK(server.all_acked(7).empty());
    }
}

TEST_CASE("a capped subscription may pause for ever", "[session][stall][group end][regression]") {
    publisher server{"00 01 00 01 0a"};
    server.link.stream_room[stream_id{7}] = 1000;
    static_cast<void>(server.add(0, 5000));
    static_cast<void>(server.outputs());
    SECTION("acknowledged as far as it has got") { CHECK(server.all_acked(7).empty()); }
    SECTION("or not") {}
    for (int i = 0; i < 100; ++i) CHECK(server.tick_after(1min).empty());
    SECTION("until its cap is lifted") {
        CHECK(server.receive(0, "05 00 01 00 00 00").size() == 2);
        CHECK(server.tick_after(0s).empty());
        CHECK(server.tick_after(14s).empty());
        CHECK(server.tick_after(1s) == lagged);
    }
}

TEST_CASE("a stalled stream that is given up stalls nobody", "[session][stall]") {
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

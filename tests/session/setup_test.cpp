// Setup and admission: what happens before anything else may.
#include "subject.hpp"

#include <catch2/catch_test_macros.hpp>

namespace moqlite::test::setup_test {

TEST_CASE("a client sends its SETUP at once, with path and origin", "[session][moq-lite-05 §5.1]") {
    subject client{role::client, version::lite_05, {.path = "/room?jwt=x", .origin = hop_id{5}}};
    CHECK(client.events().empty());
    CHECK(client.outputs() == list{"open uni", "write 2 0111"
                                               "02"
                                               "020b2f726f6f6d3f6a77743d78"
                                               "050105 fin"});
    CHECK(client.outputs().empty());
}

TEST_CASE("a server sends its SETUP at once, without waiting for the client's", "[session]") {
    subject server{role::server, version::lite_05, {.origin = hop_id{9}}};
    CHECK(server.outputs() == list{"open uni", "write 3 010401050109 fin"});
}

TEST_CASE("SETUP waits for a stream, and takes the first", "[session]") {
    subject client{role::client};
    client.link.uni_streams = 0;
    CHECK(client.outputs() == list{"open uni in vain"});
    CHECK(client.outputs().empty());
    client.link.uni_streams = 1;
    client->streams_available(direction::uni, client.now);
    CHECK(client.outputs() == list{"open uni", "write 2 010100 fin"});
}

TEST_CASE("the peer's SETUP is reported, and its credit returned", "[session]") {
    subject server{role::server};
    static_cast<void>(server.outputs());
    CHECK(server.receive(2, "01 08 02 03 01 02 05 02 5111", true) == list{"setup_received role 2 origin 4369"});
    CHECK(server.outputs() == list{"credit 2 10"});
}

TEST_CASE("a SETUP may arrive one byte at a time", "[session]") {
    subject server{role::server};
    static_cast<void>(server.outputs());
    for (const auto* byte : {"40", "01", "04", "01", "05", "01"}) CHECK(server.receive(2, byte).empty());
    CHECK(server.receive(2, "09") == list{"setup_received origin 9"});
    CHECK(server.receive(2, "", true).empty());
    CHECK(server.outputs() == list{"credit 2 7"});
}

TEST_CASE("the path of a WebTransport request is reported on every version, and SETUP cannot replace it", "[session]") {
    subject old{role::server, version::lite_03, {.path = "/room?jwt=x"}};
    CHECK(old.events() == list{"setup_received /room?jwt=x"});
    subject server{role::server, version::lite_05, {.path = "/room"}};
    static_cast<void>(server.outputs());
    CHECK(server.receive(2, "01 06 01 02 03 2f 78 79", true) == list{"setup_received /room"});
}

TEST_CASE("on versions without SETUP an empty one is reported at once", "[session]") {
    subject server{role::server, version::lite_03};
    CHECK(server.events() == list{"setup_received"});
    CHECK(server.outputs().empty());
    CHECK_FALSE(server->deadline());
}

TEST_CASE("no SETUP within the handshake timeout closes the session", "[session][dialects §7.9]") {
    subject server{role::server};
    static_cast<void>(server.outputs());
    static_cast<void>(server.all_acked(3));
    CHECK(server->deadline() == t0 + 10s);
    CHECK(server.tick_after(10s - 1ns).empty());
    CHECK(server.tick_after(1ns) == list{"session_closed timeout setup_timeout"});
    CHECK(server.outputs() == list{"close timeout setup_timeout"});
    CHECK_FALSE(server->deadline());
}

TEST_CASE("a second SETUP closes the session", "[session]") {
    subject server{role::server};
    begin(server);
    CHECK(server.receive(6, "01 01 00") == list{"session_closed protocol_violation duplicate_setup"});
    CHECK(server.outputs() == list{"close protocol_violation duplicate_setup"});
}

TEST_CASE("a Path or Role from a server closes the session", "[session]") {
    for (const auto* setup : {"01 04 01 02 01 2f", "01 04 01 03 01 01"}) {
        subject client{role::client};
        static_cast<void>(client.outputs());
        CHECK(client.receive(3, setup) == list{"session_closed protocol_violation setup_from_server"});
    }
}

TEST_CASE("a SETUP that is cut off closes the session", "[session]") {
    subject fin{role::server};
    CHECK(fin.receive(2, "01 04 01", true) == list{"session_closed decode stream_ended_early"});
    subject cut{role::server};
    CHECK(cut.receive(2, "01 04").empty());
    CHECK(cut.reset(2) == list{"session_closed decode stream_ended_early"});
}

TEST_CASE("a setup stream that is reset after its SETUP was read disturbs nothing", "[session]") {
    subject server{role::server};
    CHECK(server.receive(2, "01 01 00") == list{"setup_received"});
    CHECK(server.reset(2).empty());
    CHECK_FALSE(server->is_closed());
}

TEST_CASE("a STOP_SENDING for our SETUP disturbs nothing", "[session]") {
    subject client{role::client};
    static_cast<void>(client.outputs());
    CHECK(client.stopped(2).empty());
    CHECK(client.outputs() == list{"reset 2 cancel"});
    CHECK(client.stream_closed(2, app_error::cancel).empty());
    CHECK_FALSE(client->is_closed());
}

TEST_CASE("requests wait for admission and are reported after it, in order", "[session]") {
    subject server{role::server};
    static_cast<void>(server.outputs());
    CHECK(server.receive(0, subscribe_bytes("00", "room/cam", "video")).empty());
    CHECK(server.receive(4, track_bytes("room/cam", "video"), true).empty());
    CHECK(server.outputs().empty());
    CHECK(server.receive(2, "01 01 00", true) == list{"setup_received"});
    REQUIRE(server->admit({.root = "/tenant/"}));
    CHECK(server.events() == list{"subscribe_requested 0 tenant/room/cam video priority 0 latency 0 ..",
                                 "groups_wanted 0 all", "track_requested 1 tenant/room/cam video"});
    CHECK(server.outputs() == list{"credit 2 3", "credit 0 23", "credit 4 17"});
    CHECK(server->admit({}).error() == errc::already_answered);
}

TEST_CASE("the 33rd request before admission is refused, the others are not", "[session]") {
    subject server{role::server};
    static_cast<void>(server.outputs());
    for (std::uint64_t n = 0; n < 32; ++n) CHECK(server.receive(client_bidi(n), "02").empty());
    CHECK(server.receive(client_bidi(32), "02") == list{"stream_rejected 128 too_many_requests"});
    CHECK(server.outputs() == list{"stop 128 bounds_exceeded", "reset 128 bounds_exceeded"});
    CHECK(server.receive(2, "01 01 00", true) == list{"setup_received"});
    REQUIRE(server->admit({}));
    CHECK(server.events().empty());
    CHECK(server.receive(0, sized("00 01 61 01 62 00 00 00 00 00")).size() == 2);
}

TEST_CASE("a refused peer is closed with the code that it was refused with", "[session]") {
    subject server{role::server};
    static_cast<void>(server.outputs());
    CHECK(server.receive(2, "01 01 00", true) == list{"setup_received"});
    REQUIRE(server->refuse());
    CHECK(server.events() == list{"session_closed unauthorized refused"});
    CHECK(server.outputs() == list{"close unauthorized refused"});
    CHECK(server->admit({}).error() == errc::closed);
}

TEST_CASE("what a peer may subscribe to is bounded by its scope", "[session]") {
    subject server{role::server};
    begin(server, {.root = "t", .publish = {}, .subscribe = {"room"}});
    CHECK(server.receive(0, subscribe_bytes("00", "a", "b")) == list{"stream_rejected 0 unauthorized"});
    CHECK(server.outputs() == list{"stop 0 unauthorized", "reset 0 unauthorized", "credit 0 12"});
    CHECK(server.receive(4, subscribe_bytes("01", "room/a", "b")) ==
          list{"subscribe_requested 0 t/room/a b priority 0 latency 0 ..", "groups_wanted 0 all"});
}

} // namespace moqlite::test::setup_test

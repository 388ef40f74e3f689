// GOAWAY: a peer asks us to reconnect, perhaps elsewhere.
#include "subject.hpp"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

namespace moqlite::test::goaway_test {

TEST_CASE("GOAWAY is one message on a stream of its own, from either side", "[session][goaway]") {
    const auto side = GENERATE(role::server, role::client);
    subject us{side};
    begin(us);
    static_cast<void>(us.outputs());
    REQUIRE(us->goaway("https://b"));
    const std::string id = side == role::server ? "1" : "0";
    CHECK(us.outputs() == list{"open bidi", "write " + id + " 050a0968747470733a2f2f62 fin"});
    CHECK_FALSE(us->is_closed());
}

TEST_CASE("a GOAWAY is reported with its URI, and the session continues", "[session][goaway]") {
    subject client{role::client, GENERATE(version::lite_04, version::lite_05)};
    begin(client);
    CHECK(client.receive(server_bidi(0), "05 0a 09 68747470733a2f2f62") == list{"goaway_received https://b"});
    CHECK(client.receive(server_bidi(0), "", true).empty());
    CHECK(without(client.outputs(), "credit") == list{"write 1 fin"});
    CHECK_FALSE(client->is_closed());
}

TEST_CASE("after a GOAWAY no new request of any kind is sent", "[session][goaway][dialects §9.9]") {
    subject client{role::client};
    begin(client);
    CHECK(client.receive(server_bidi(0), "05 01 00", true) == list{"goaway_received "});
    static_cast<void>(client.outputs());
    CHECK(client->subscribe({"a", "b"}).error() == errc::going_away);
    CHECK(client->request_track({"a", "b"}).error() == errc::going_away);
    CHECK(client->fetch({"a", "b"}, group_sequence{1}).error() == errc::going_away);
    CHECK(client->watch("a").error() == errc::going_away);
    CHECK(client->probe().error() == errc::going_away);
    CHECK(client.outputs().empty());
}

TEST_CASE("after a GOAWAY what runs runs on", "[session][goaway][dialects §9.9]") {
    subject client{role::client};
    begin(client);
    REQUIRE(client->subscribe({"a", "b"}));
    static_cast<void>(client.outputs());
    static_cast<void>(client.receive(server_bidi(0), "05 01 00", true));
    static_cast<void>(client.outputs());
    REQUIRE(client->update(subscribe_id{0}, {.end = group_sequence{9}}));
    CHECK(client.outputs() == list{"write 0 050000000"
                                   "00a"});
    CHECK(client.receive(3, "00 02 00 07") == list{"group_opened 3 of 0 sequence 7"});
    CHECK(client.receive(client_bidi(0), "00 01 07") == list{"subscription_accepted 0 from 7"});
    // The peer may still ask: only we open nothing.
    CHECK(client.receive(server_bidi(1), track_bytes("a", "b")) == list{"track_requested 0 a b"});
    REQUIRE(client->answer_track(request_id{0}, {}));
    CHECK_FALSE(client.outputs().empty());
}

TEST_CASE("requests that wait for a stream when a GOAWAY arrives end without one",
    "[session][goaway][dialects §9.9][dialects §16.2.8]") {
    subject client{role::client};
    begin(client);
    client.link.bidi_streams = 0;
    REQUIRE(client->subscribe({"a", "b"}));
    REQUIRE(client->request_track({"a", "b"}));
    REQUIRE(client->fetch({"a", "b"}, group_sequence{1}));
    REQUIRE(client->watch(""));
    CHECK(client.outputs() == list{"open bidi in vain"});
    const auto ended = client.receive(server_bidi(0), "05 01 00");
    CHECK(ended.size() == 5);
    CHECK(ended.front() == "goaway_received ");
    for (const auto* each :
        {"subscription_ended 0 going_away", "track_refused 0 going_away", "watch_ended 0 going_away"})
        CHECK(std::count(ended.begin(), ended.end(), each) == 1);
    client.link.bidi_streams = 9;
    client.told().streams_available(direction::bidi, client.now);
    CHECK(client.events().empty());
    CHECK(without(client.outputs(), "credit").empty());
}

TEST_CASE("a second GOAWAY closes the session", "[session][goaway][bad input][dialects §9.9][dialects §16.2.7]") {
    subject client{role::client, GENERATE(version::lite_04, version::lite_05, version::lite_06, version::lite_07_wip)};
    begin(client);
    CHECK(client.receive(server_bidi(0), "05 01 00", true) == list{"goaway_received "});
    CHECK(client.receive(server_bidi(1), "05 01 00") == list{"session_closed protocol_violation duplicate_goaway"});
}

TEST_CASE("we send at most one GOAWAY", "[session][goaway][dialects §9.9][dialects §16.2.7]") {
    subject server{role::server};
    begin(server);
    REQUIRE(server->goaway());
    CHECK(server->goaway("https://b").error() == errc::already_answered);
    CHECK(server.outputs() == list{"open bidi", "write 1 050100 fin"});
}

TEST_CASE("a malformed GOAWAY ends its stream alone", "[session][goaway][bad input][dialects §9.9]") {
    subject client{role::client};
    begin(client);
    CHECK(client.receive(server_bidi(0), "05 0a 09", true) == list{"stream_rejected 1 stream_ended_early"});
    CHECK(client.receive(server_bidi(1), "05") == list{});
    CHECK(client.tick_after(10s) == list{"stream_rejected 5 stream_timeout"});
    CHECK(client.receive(server_bidi(2), "05 02 00 00") == list{"stream_rejected 9 message_too_long"});
    CHECK(client->watch(""));
    static_cast<void>(client.outputs());
    CHECK(client.receive(server_bidi(3), "05 01 00 01") ==
          list{"goaway_received ", "stream_rejected 13 unexpected_message"});
}

TEST_CASE("a URI of 8192 bytes is the longest", "[session][goaway][bad input][dialects §9.9][dialects §7.4]") {
    subject client{role::client};
    begin(client);
    CHECK(client.receive(server_bidi(0), "05" + sized(wire_text(std::string(8193, 'x')))) ==
          list{"stream_rejected 1 name_too_long"});
    CHECK(client.receive(server_bidi(1), "05" + sized(wire_text(std::string(8192, 'x')))) ==
          list{"goaway_received " + std::string(8192, 'x')});
    CHECK(client->goaway(std::string(8193, 'x')).error() == errc::value_too_large);
    CHECK(client->goaway(std::string(8192, 'x')));
}

TEST_CASE("moq-lite-03 has no GOAWAY", "[session][goaway]") {
    subject server{role::server, version::lite_03};
    begin(server);
    CHECK(server->goaway().error() == errc::unsupported);
    CHECK(server.receive(0, "05 01 00") == list{"stream_rejected 0 unknown_stream_type"});
}

} // namespace moqlite::test::goaway_test

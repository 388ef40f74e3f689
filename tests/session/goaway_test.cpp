// GOAWAY: a peer asks us to reconnect, perhaps elsewhere.
#include "subject.hpp"

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
    CHECK(client->subscribe({"room", "video"}));
    CHECK(client.receive(server_bidi(1), "05 01 00") == list{"goaway_received "});
}

TEST_CASE("a truncated or second GOAWAY ends its stream with an error", "[session][goaway][bad input]") {
    subject client{role::client};
    begin(client);
    CHECK(client.receive(server_bidi(0), "05 0a 09", true) == list{"stream_rejected 1 stream_ended_early"});
    CHECK(client.receive(server_bidi(1), "05 01 00 01") ==
          list{"goaway_received ", "stream_rejected 5 unexpected_message"});
    CHECK(client.receive(server_bidi(2), "05") == list{});
    CHECK(client.tick_after(10s) == list{"stream_rejected 9 stream_timeout"});
}

TEST_CASE("moq-lite-03 has no GOAWAY", "[session][goaway]") {
    subject server{role::server, version::lite_03};
    begin(server);
    CHECK(server->goaway().error() == errc::unsupported);
    CHECK(server.receive(0, "05 01 00") == list{"stream_rejected 0 unknown_stream_type"});
}

TEST_CASE("a URI too long for a message is refused", "[session][goaway]") {
    subject server{role::server};
    begin(server);
    CHECK(server->goaway(std::string(40'000, 'x')).error() == errc::value_too_large);
}

} // namespace moqlite::test::goaway_test

// Faults found by review in the end of requests and subscriptions. Each test failed before its fix.
#include "subject.hpp"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <iterator>

namespace moqlite::test::regression_requests_test {

namespace {

/// A client with subscription 0 (stream 0), accepted from group 0.
struct subscriber : subject {
    explicit subscriber(const subscribe_options& o = {}) : subject(role::client) {
        begin(*this);
        REQUIRE((*this)->subscribe({"room", "video"}, o));
        static_cast<void>(outputs());
        CHECK(receive(0, "00 01 00") == list{"subscription_accepted 0 from 0"});
    }
    /// The beginning of a group with one frame of four bytes, of which two have arrived.
    void half_a_group(std::uint64_t stream, std::string_view sequence) {
        CHECK(receive(stream, "00 02 00" + std::string(sequence) + "00 04 6162").size() == 2);
    }
};

/// A server with an accepted, capped or uncapped subscription on stream 0.
struct publisher : subject {
    explicit publisher(std::string_view options = "00 00 00 00 00") : subject(role::server) {
        begin(*this);
        CHECK(receive(0, subscribe_bytes("00", "room", "video", options)).size() == 2);
        CHECK((*this)->accept(request_id{0}, group_sequence{0}));
        static_cast<void>(outputs());
        static_cast<void>(all_acked(0));
    }
};

} // namespace

TEST_CASE(
    "a finished subscription that gets a bad UPDATE ends, and its stream is not used again", "[session][regression]") {
    publisher server;
    REQUIRE(server->finish(request_id{0}));
    CHECK(server.receive(0, "01 00") == list{"stream_rejected 0 message_too_short", "request_ended 0 decode"});
    CHECK(without(server.outputs(), "credit") == list{"stop 0 decode", "reset 0 decode"});
    CHECK(server.stream_closed(0, app_error::decode).empty());
    CHECK(server.receive(4, subscribe_bytes("01", "room", "audio")).size() == 2);
    CHECK(server->end_track(request_id{0}, group_sequence{7}).error() == errc::not_found);
    CHECK(without(server.outputs(), "credit").empty());
}

TEST_CASE("a Group End may only rise, or be removed", "[session][regression][group end]") {
    publisher server{"00 00 00 00 06"};
    CHECK(server.receive(0, "05 00 00 00 00 02") == list{"subscribe_updated 0 priority 0 latency 0 ..5"});
    CHECK(server.receive(0, "05 00 00 00 00 08") ==
          list{"subscribe_updated 0 priority 0 latency 0 ..7", "groups_wanted 0 to 7"});
    CHECK(server.receive(0, "05 00 00 00 00 00") ==
          list{"subscribe_updated 0 priority 0 latency 0 ..", "groups_wanted 0 all"});
    CHECK(server.receive(0, "05 00 00 00 00 02") == list{"subscribe_updated 0 priority 0 latency 0 .."});
}

TEST_CASE("the first Group End may be any group", "[session][regression][group end]") {
    publisher server;
    CHECK(server.receive(0, "05 00 00 00 00 02") ==
          list{"subscribe_updated 0 priority 0 latency 0 ..1", "groups_wanted 0 to 1"});
    CHECK(server.receive(0, "05 00 00 00 00 01") == list{"subscribe_updated 0 priority 0 latency 0 ..1"});
}

TEST_CASE("stopping the last open group after the FIN ends the subscription", "[session][regression]") {
    subscriber client;
    client.half_a_group(server_uni(1), "00");
    client.half_a_group(server_uni(2), "01");
    CHECK(client.receive(0, "", true).empty());
    REQUIRE(client->stop(group_id{server_uni(1)}, app_error::cancel));
    CHECK(client.events().empty());
    REQUIRE(client->stop(group_id{server_uni(2)}, app_error::cancel));
    CHECK(client.events() == list{"subscription_ended 0 finished"});
    CHECK(without(client.outputs(), "credit") == list{"stop 7 cancel", "stop 11 cancel", "write 0 fin"});
    CHECK(client.stream_closed(server_uni(1), app_error::cancel).empty());
    CHECK(client.stream_closed(0).empty());
}

TEST_CASE("a connection that is lost with open groups is no clean end, even after the FIN", "[session][regression]") {
    subscriber client;
    client.half_a_group(server_uni(1), "00");
    client.half_a_group(server_uni(2), "01");
    CHECK(client.receive(0, "", true).empty());
    client->connection_closed({app_error::timeout, false, "idle"}, client.now);
    auto told = client.events();
    REQUIRE(told.size() == 4);
    std::sort(told.begin(), told.begin() + 2);
    CHECK(told == list{"group_closed 11 of 0 sequence 1 timeout", "group_closed 7 of 0 sequence 0 timeout",
                      "subscription_ended 0 timeout", "session_closed timeout transport_closed"});
}

TEST_CASE("a request stream that is reset before its first byte is no request, and no longer counts",
    "[session][regression]") {
    limits small;
    small.requests = 2;
    subject server{role::server, version::lite_05, {.bounds = small}};
    begin(server);
    for (std::uint64_t n = 0; n < 10; ++n) {
        CHECK(server.reset(client_bidi(n)).empty());
        CHECK(server.outputs() == list{"reset " + std::to_string(client_bidi(n)) + " cancel"});
        CHECK(server.stream_closed(client_bidi(n), app_error::cancel).empty());
    }
    CHECK(server.receive(client_bidi(10), subscribe_bytes("00", "room", "video")).size() == 2);
}

TEST_CASE("a group stream that is reset before its first byte is not reported", "[session][regression]") {
    subscriber client;
    CHECK(client.reset(server_uni(1)).empty());
    CHECK(client.stream_closed(server_uni(1), app_error::cancel).empty());
    CHECK(without(client.outputs(), "credit").empty());
    client.half_a_group(server_uni(2), "01");
}

TEST_CASE("more groups than streams in hand are all sent, without further input", "[session][regression]") {
    ready_list ready;
    subject server{role::server, version::lite_05, {.ready = &ready, .key = 5}};
    begin(server);
    CHECK(server.receive(0, subscribe_bytes("00", "room", "video")).size() == 2);
    REQUIRE(server->accept(request_id{0}, group_sequence{0}));
    for (std::uint64_t n = 0; n < 100; ++n) {
        const auto g = server->open_group(request_id{0}, group_sequence{n});
        REQUIRE(g);
        REQUIRE((*g)->write_frame(timestamp{0}, as_bytes("x")));
        REQUIRE((*g)->finish());
    }
    list said;
    while (ready.pop()) std::ranges::copy(server.outputs(), std::back_inserter(said));
    CHECK(std::ranges::count(said, "open uni") == 100);
    CHECK(server->unsent(request_id{0}) == 0);
}

TEST_CASE("a request's FIN waits for the answer where it could be taken for a cancellation",
    "[session][request][regression]") {
    const auto v = GENERATE(version::lite_05, version::lite_06);
    subject client{role::client, v};
    begin(client);
    const auto writes = [&] {
        list out;
        for (const auto& line : client.outputs())
            if (line.starts_with("write")) out.push_back(line);
        return out;
    };
    const auto has_fin = [](const list& lines) { return !lines.empty() && lines.back().ends_with("fin"); };
    SECTION("TRACK") {
        REQUIRE(client->request_track({"room", "video"}));
        CHECK_FALSE(has_fin(writes()));
        SECTION("but after a TRACK_INFO") {
            CHECK(client.receive(0, sized(std::string(has_ordered(v) ? "00" : "") + "00 5388 43e8")).size() == 1);
            CHECK(writes() == list{"write 0 fin"});
            CHECK(client.receive(0, "", true).empty());
        }
        SECTION("or after a refusal") {
            CHECK(client.reset(0, app_error::not_found) == list{"track_refused 0 not_found"});
            CHECK(writes() == list{"write 0 fin"});
        }
        SECTION("or after a FIN without bytes") {
            CHECK(client.receive(0, "", true) == list{"track_refused 0 cancel"});
            CHECK(writes() == list{"write 0 fin"});
        }
        CHECK(client.stream_closed(0).empty());
    }
    SECTION("FETCH") {
        REQUIRE(client->fetch({"room", "video"}, group_sequence{7}));
        CHECK_FALSE(has_fin(writes()));
        CHECK(client.receive(0, "00 01 78").size() == 1);
        CHECK(writes().empty());
        CHECK(client.receive(0, "", true).size() == 1);
        CHECK(writes() == list{"write 0 fin"});
    }
    SECTION("PROBE") {
        client->probe().value();
        CHECK_FALSE(has_fin(writes()));
        CHECK(client.receive(0, "02 05 28").size() == 1);
        CHECK(writes().empty());
    }
    SECTION("SUBSCRIBE and ANNOUNCE_REQUEST") {
        REQUIRE(client->subscribe({"room", "video"}));
        REQUIRE(client->watch(""));
        CHECK_FALSE(has_fin(writes()));
    }
}

TEST_CASE("a request with an immediate FIN is still answered", "[session][request]") {
    subject server{role::server};
    begin(server);
    CHECK(server.receive(0, track_bytes("room", "video"), true).size() == 1);
    REQUIRE(server->answer_track(request_id{0}, {}));
    CHECK(without(server.outputs(), "credit").size() == 1);
}

} // namespace moqlite::test::regression_requests_test

// Faults found by review in the memory bounds of a session. Each test failed before its fix.
#include "subject.hpp"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>

namespace moqlite::test::regression_bounds_test {

namespace {

subject server_with(limits bounds) { return subject{role::server, version::lite_05, {.bounds = bounds}}; }

std::size_t written(const list& said) {
    std::size_t bytes = 0;
    for (const auto& line : said)
        if (line.starts_with("write")) bytes += (line.size() - line.rfind(' ')) / 2;
    return bytes;
}

} // namespace

TEST_CASE(
    "announcements that a peer does not read are bounded over all its requests", "[session][regression][announce]") {
    limits small;
    small.control_unsent = 2000;
    auto server = server_with(small);
    begin(server);
    for (int n = 0; n < 300; ++n) REQUIRE(server->announce("room/" + std::to_string(n)));
    for (std::uint64_t n = 0; n < 50; ++n) CHECK(server.receive(client_bidi(n), "01 02 00 00").empty());
    server.link.budget = 0;
    CHECK(written(server.outputs()) == 0);
    // What is written at once was kept for it.
    server.link.budget = SIZE_MAX;
    const auto at_once = written(server.outputs());
    CHECK(at_once > 0);
    CHECK(at_once < 2 * small.control_unsent);
}

TEST_CASE("announcements resume where they stopped, and none is skipped", "[session][regression][announce]") {
    limits small;
    small.control_unsent = 2000;
    ready_list ready;
    subject server{role::server, version::lite_05, {.bounds = small, .ready = &ready, .key = 5}};
    begin(server);
    for (int n = 0; n < 300; ++n) REQUIRE(server->announce("room/" + std::to_string(n)));
    CHECK(server.receive(0, "01 02 00 00").empty());
    std::string all;
    int pumps = 0;
    for (; ready.pop(); ++pumps)
        for (const auto& line : server.outputs())
            if (line.starts_with("write 0 ")) all += line.substr(8);
    CHECK(pumps > 1);
    for (int n = 0; n < 300; ++n) CHECK(all.find(to_hex(hex(wire_text("room/" + std::to_string(n))))) != all.npos);
}

TEST_CASE("our own requests do not count against the peer's limit", "[session][regression]") {
    limits small;
    small.requests = 3;
    subject client{role::client, version::lite_05, {.bounds = small}};
    begin(client);
    for (int n = 0; n < 20; ++n) REQUIRE(client->subscribe({"room", std::to_string(n)}));
    static_cast<void>(client.outputs());
    for (std::uint64_t n = 0; n < 3; ++n) CHECK(client.receive(server_bidi(n), "01 02 00 00").empty());
    const auto told = client.receive(server_bidi(3), "01 02 00 00");
    CHECK(std::ranges::count(told, "session_closed bounds_exceeded too_many_requests") == 1);
}

TEST_CASE(
    "a second SETUP stream is one too many, whether or not the first is complete", "[session][regression][setup]") {
    subject server{role::server};
    SECTION("complete") { CHECK(server.receive(2, "01 01 00", true) == list{"setup_received"}); }
    SECTION("half there") { CHECK(server.receive(2, "01 05 01").empty()); }
    SECTION("its type only") { CHECK(server.receive(2, "01").empty()); }
    CHECK(server.receive(6, "01") == list{"session_closed protocol_violation duplicate_setup"});
}

TEST_CASE(
    "a name that is too long is refused on its stream, and the session goes on", "[session][regression][limits]") {
    limits small;
    small.name = 10;
    auto server = server_with(small);
    begin(server);
    const std::string longest(10, 'a'), longer(11, 'a');
    const std::string rejected = "stream_rejected 0 name_too_long";
    SECTION("of a broadcast subscribed to") {
        CHECK(server.receive(0, subscribe_bytes("00", longer, "b")) == list{rejected});
    }
    SECTION("of a track subscribed to") {
        CHECK(server.receive(0, subscribe_bytes("00", "b", longer)) == list{rejected});
    }
    SECTION("of a requested track") { CHECK(server.receive(0, track_bytes("b", longer)) == list{rejected}); }
    SECTION("of a requested broadcast") { CHECK(server.receive(0, track_bytes(longer, "b")) == list{rejected}); }
    SECTION("of a prefix") { CHECK(server.receive(0, "01 " + sized(wire_text(longer) + "00")) == list{rejected}); }
    CHECK(without(server.outputs(), "credit") == list{"stop 0 bounds_exceeded", "reset 0 bounds_exceeded"});
    CHECK(server.receive(4, subscribe_bytes("01", longest, longest)).size() == 2);
}

TEST_CASE("an announced name that is too long is refused", "[session][regression][limits]") {
    limits small;
    small.name = 10;
    subject client{role::client, version::lite_05, {.bounds = small}};
    begin(client);
    REQUIRE(client->watch(""));
    static_cast<void>(client.outputs());
    CHECK(client.receive(0, "02 00 00") == list{"announcements_synced 0"});
    CHECK(client.receive(0, sized("01" + wire_text(std::string(11, 'a')) + "00")) ==
          list{"stream_rejected 0 name_too_long"});
}

TEST_CASE("incomplete messages are bounded over all streams", "[session][regression][limits]") {
    limits small;
    small.partial_messages = 5000;
    small.parked_streams = 100;
    auto server = server_with(small);
    const std::string kilobyte = to_hex(std::vector<std::byte>(1000));
    SECTION("while they arrive") {
        begin(server);
        for (std::uint64_t n = 0; n < 4; ++n) CHECK(server.receive(client_bidi(n), "02 4fff" + kilobyte).empty());
        SECTION("ended ones no longer count") {
            for (std::uint64_t n = 0; n < 4; ++n) CHECK(server.reset(client_bidi(n)).empty());
            for (std::uint64_t n = 0; n < 4; ++n)
                CHECK(server.stream_closed(client_bidi(n), app_error::cancel).empty());
            for (std::uint64_t n = 4; n < 8; ++n) CHECK(server.receive(client_bidi(n), "02 4fff" + kilobyte).empty());
        }
        CHECK(server.receive(client_bidi(8), "02 4fff" + kilobyte) == list{"session_closed lagged control_backlog"});
    }
    SECTION("and while they wait for admission") {
        static_cast<void>(server.outputs());
        for (std::uint64_t n = 0; n < 4; ++n)
            CHECK(server.receive(client_bidi(n), subscribe_bytes("00", std::string(1000, 'a'), "b")).empty());
        CHECK(server.receive(client_bidi(4), subscribe_bytes("00", std::string(1000, 'a'), "b")) ==
              list{"session_closed lagged control_backlog"});
    }
}

TEST_CASE("requests_left() follows from the measured limit and the streams opened or waiting", "[session][requests]") {
    subject client{role::client};
    begin(client);
    CHECK_FALSE(client->requests_left());
    client->path_measured({.bidi_streams = 3}, client.now);
    CHECK(client->requests_left() == 3U);
    REQUIRE(client->subscribe({"room", "video"}, {}));
    CHECK(client->requests_left() == 2U); // It waits for a stream.
    static_cast<void>(client.outputs());
    CHECK(client->requests_left() == 2U); // It has one.
    client.link.bidi_streams = 0;
    REQUIRE(client->subscribe({"room", "audio"}, {}));
    static_cast<void>(client.outputs());
    CHECK(client->requests_left() == 0U);
    client->streams_available(direction::bidi, client.now);
    CHECK(client->requests_left() == 2U); // At least: one of three is taken by what waits.
}

TEST_CASE("many long requests at once to a slow peer do not end its session", "[session][regression][bounds]") {
    subject client{role::client};
    begin(client);
    const std::string longest(4000, 'n');
    for (int i = 0; i != 60; ++i) REQUIRE(client->subscribe({longest + std::to_string(i), longest}, {}));
    client.link.budget = 12'000; // What a new connection may have in flight.
    static_cast<void>(client.outputs());
    REQUIRE(client->subscribe({"room/cam", "video"}, {}));
    CHECK_FALSE(client->is_closed());
    client.link.budget = SIZE_MAX;
    for (int pumps = 0; pumps != 100; ++pumps) static_cast<void>(client.outputs());
    CHECK(client.link.unacked.size() >= 61);
}

} // namespace moqlite::test::regression_bounds_test

// The contract between a session and its application: lifetime of views in events, uniqueness of the origin.
#include "subject.hpp"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/generators/catch_generators_range.hpp>

namespace moqlite::test::contract_events_test {

namespace {

/// All events of `s`, taken before the first is looked at.
list held(subject& s) {
    std::vector<event> all;
    while (const auto e = s->poll_event()) all.push_back(*e);
    list out;
    for (const auto& e : all) out.push_back(text(e));
    return out;
}
/// What arrives on one stream in one input.
struct arrival {
    std::string bytes;
    std::uint64_t id = 0;
    role side = role::server;
    version v = version::lite_05;
};

} // namespace

TEST_CASE("the views of all events of an input stay until the next one", "[session][contract][events]") {
    arrival a;
    SECTION("announcements") {
        a = {.bytes = "02 09 00", .side = role::client};
        for (int i = 0; i != 200; ++i)
            a.bytes += sized("01" + wire_text("name" + std::to_string(i)) + "02 01 40" + (i < 100 ? "41" : "42"));
        for (int i = 0; i != 200; i += 2) a.bytes += sized("00" + wire_text("name" + std::to_string(i)) + "00");
    }
    SECTION("announcements with ids") {
        a = {.bytes = "02 09 00", .side = role::client, .v = version::lite_06};
        for (int i = 0; i != 60; ++i) a.bytes += "00" + sized(wire_text("n" + std::to_string(i)) + "01 07 05 06");
        for (int i = 0; i != 60; ++i) a.bytes += "01 01" + to_hex(std::vector{std::byte(i)});
    }
    SECTION("a subscription") { a.bytes = subscribe_bytes("00", "room", "video"); }
    SECTION("a question") { a.bytes = track_bytes(std::string(2000, 'a'), "b"); }
    SECTION("a fetch") { a.bytes = "03 11 08 726f6f6d2f63616d 05 766964656f 04 07"; }
    SECTION("a goodbye") { a.bytes = "05 0a 09 68747470733a2f2f62"; }
    const auto bytes = hex(a.bytes);
    const auto id = stream_id{a.id};
    subject live{a.side, a.v, {}}, all{a.side, a.v, {}}, split{a.side, a.v, {}};
    for (auto* s : {&live, &all, &split}) {
        begin(*s, {.root = std::string(100, 'r')});
        if (a.side == role::client) REQUIRE((*s)->watch(""));
        static_cast<void>(s->outputs());
    }
    (*live).stream_received(id, bytes, false, live.now);
    const auto said = live.events();
    REQUIRE_FALSE(said.empty());
    (*all).stream_received(id, bytes, false, all.now);
    CHECK(held(all) == said);
    // The same with a late last byte, so that a message is joined from two inputs.
    list pieces;
    const auto most = bytes.size() - 1;
    for (const auto piece : {byte_view{bytes}.first(most), byte_view{bytes}.subspan(most)}) {
        (*split).stream_received(id, piece, false, split.now);
        for (auto& line : held(split)) pieces.push_back(std::move(line));
    }
    CHECK(pieces == said);
}

TEST_CASE("the views of what ends with the session stay with it", "[session][contract][events]") {
    subject client{role::client};
    begin(client);
    REQUIRE(client->watch(""));
    static_cast<void>(client.outputs());
    std::string bytes = "02 09 00";
    for (int i = 0; i != 50; ++i) bytes += sized("01" + wire_text("name" + std::to_string(i)) + "01 01");
    static_cast<void>(client.receive(0, bytes));
    client->connection_closed({app_error::timeout, false, "idle"}, client.now);
    auto said = held(client);
    std::sort(said.begin(), said.end());
    CHECK(said.size() == 52);
    CHECK(std::unique(said.begin(), said.end()) == said.end());
}

// Origins.

TEST_CASE("a peer with our own origin is reported once", "[session][contract][origin]") {
    constexpr auto ours = hop_id{9};
    SECTION("by its SETUP") {
        subject client{role::client, version::lite_05, {.origin = ours}};
        static_cast<void>(client.outputs());
        CHECK(client.receive(3, "01 04 01 05 01 09", true) ==
              list{"setup_received origin 9", "stream_rejected 3 same_origin"});
        REQUIRE(client->watch(""));
        static_cast<void>(client.outputs());
        CHECK(client.receive(0, "02 09 00") == list{"announcements_synced 0"}); // Its hop once more.
        CHECK_FALSE(client->is_closed());
    }
    SECTION("by its ANNOUNCE_REQUEST") {
        subject server{role::server, version::lite_04, {.origin = ours}};
        begin(server);
        CHECK(server.receive(0, "01 02 00 09") == list{"stream_rejected 0 same_origin"});
        CHECK(server.receive(4, "01 02 00 09").empty());
    }
    SECTION("by its ANNOUNCE_OK") {
        subject client{role::client, version::lite_05, {.origin = ours}};
        begin(client);
        REQUIRE(client->watch(""));
        static_cast<void>(client.outputs());
        CHECK(client.receive(0, "02 09 00") == list{"stream_rejected 0 same_origin", "announcements_synced 0"});
    }
    SECTION("by what it announces") {
        subject client{role::client, version::lite_04, {.origin = ours}};
        begin(client);
        REQUIRE(client->watch(""));
        static_cast<void>(client.outputs());
        CHECK(client.receive(0, sized("01 01 61 02 07 09")) == list{"stream_rejected 0 same_origin"});
        CHECK(client.receive(0, sized("01 01 62 01 09")).empty());
        CHECK(client.receive(0, sized("01 01 63 01 07")) == list{"broadcast_available 0 c hops 7"});
    }
}

TEST_CASE("a loop does not count as a peer with our origin", "[session][contract][origin]") {
    const auto v = GENERATE(version::lite_04, version::lite_05);
    subject client{role::client, v, {.origin = hop_id{9}}};
    begin(client);
    REQUIRE(client->watch(""));
    static_cast<void>(client.outputs());
    if (has_announce_ok(v)) static_cast<void>(client.receive(0, "02 08 00"));
    CHECK(client.receive(0, sized("01 01 61 02 09 07")).empty());
}

TEST_CASE("many peers may have no origin", "[session][contract][origin]") {
    subject client{role::client};
    static_cast<void>(client.outputs());
    CHECK(client.receive(3, "01 04 01 05 01 00", true) == list{"setup_received"});
}

} // namespace moqlite::test::contract_events_test

// Announcements on the wire, in both directions.
#include "subject.hpp"

#include <catch2/catch_test_macros.hpp>

namespace moqlite::test::announce_test {

namespace {

/// A client that watches "room", past its SETUP, with the request sent on stream 0.
struct watcher : subject {
    explicit watcher(version v = version::lite_05, hop_id origin = {}) : subject(role::client, v, {.origin = origin}) {
        begin(*this);
        id = (*this)->watch("room").value();
        request = outputs();
    }
    watch_id id{};
    list request;
};

/// ANNOUNCE; `hops` is their count and the hops.
std::string active(std::string_view suffix, std::string_view hops = "00") {
    return sized("01" + wire_text(suffix) + std::string(hops));
}
std::string ended(std::string_view suffix) { return sized("00" + wire_text(suffix) + "00"); }
/// The same as the session writes it.

} // namespace

TEST_CASE("watching sends one ANNOUNCE_REQUEST and keeps its side open", "[session][announce]") {
    CHECK(watcher{version::lite_05, hop_id{0x1111}}.request == list{"open bidi", "write 0 010704726f6f6d5111"});
    CHECK(watcher{version::lite_03}.request == list{"open bidi", "write 0 010504726f6f6d"});
}

TEST_CASE("existing announcements are reported, then sync, then changes", "[session][announce]") {
    watcher client;
    CHECK(client.receive(0, "03 6222 01" + active("cam", "01 07")) ==
          list{"broadcast_available 0 room/cam hops 7 8738", "announcements_synced 0"});
    CHECK(client.receive(0, active("mic")) == list{"broadcast_available 0 room/mic hops 8738"});
    CHECK(client.receive(0, ended("cam")) == list{"broadcast_ended 0 room/cam"});
    CHECK(client.receive(0, active("mic")) == list{"broadcast_available 0 room/mic hops 8738 restart"});
}

TEST_CASE("an empty snapshot is synced with ANNOUNCE_OK", "[session][announce]") {
    watcher client;
    CHECK(client.receive(0, "03 6222 00") == list{"announcements_synced 0"});
}

TEST_CASE("before moq-lite-05 there is no ANNOUNCE_OK, and hops include the sender", "[session][announce]") {
    watcher v4{version::lite_04};
    CHECK(v4.receive(0, active("room/cam", "01 6222")) == list{"broadcast_available 0 room/cam hops 8738"});
    watcher v3{version::lite_03};
    CHECK(v3.receive(0, active("cam", "02")) == list{"broadcast_available 0 room/cam hops 0 0"});
}

TEST_CASE("an announcement may arrive one byte at a time", "[session][announce]") {
    watcher client;
    list all;
    for (const auto* byte : {"03", "62", "22", "01", "06", "01", "03", "63", "61", "6d", "00"})
        for (auto& line : client.receive(0, byte)) all.push_back(line);
    CHECK(all == list{"broadcast_available 0 room/cam hops 8738", "announcements_synced 0"});
}

TEST_CASE("a second ACTIVE where the version knows no restart closes the session", "[session][announce]") {
    watcher client{version::lite_04};
    CHECK(client.receive(0, active("room/cam")).size() == 1);
    const auto said = client.receive(0, active("room/cam"));
    CHECK(said == list{"broadcast_ended 0 room/cam", "watch_ended 0 protocol_violation",
                      "session_closed protocol_violation duplicate_announce"});
}

TEST_CASE("ENDED for an unknown path is ignored", "[session][announce]") {
    watcher client;
    CHECK(client.receive(0, "03 6222 00" + ended("cam")) == list{"announcements_synced 0"});
}

TEST_CASE(
    "a route through ourselves is a loop: it is not reported, and ends the previous route", "[session][announce]") {
    watcher client{version::lite_05, hop_id{5}};
    CHECK(client.receive(0, "02 09 00" + active("cam", "01 05")) == list{"announcements_synced 0"});
    CHECK(client.receive(0, active("cam")) == list{"broadcast_available 0 room/cam hops 9"});
    CHECK(client.receive(0, active("cam", "01 05")) == list{"broadcast_ended 0 room/cam"});
}

TEST_CASE("when the announce stream ends, its announcements end first", "[session][announce]") {
    watcher client;
    static_cast<void>(client.receive(0, "03 6222 00" + active("cam") + active("mic")));
    SECTION("by FIN") {
        CHECK(client.receive(0, "", true) ==
              list{"broadcast_ended 0 room/cam", "broadcast_ended 0 room/mic", "watch_ended 0 cancel"});
        CHECK(without(client.outputs(), "credit") == list{"write 0 fin"});
    }
    SECTION("by reset") {
        CHECK(client.reset(0, app_error::not_found) ==
              list{"broadcast_ended 0 room/cam", "broadcast_ended 0 room/mic", "watch_ended 0 not_found"});
    }
}

TEST_CASE("after unwatch() there are no further events", "[session][announce]") {
    watcher client;
    static_cast<void>(client.receive(0, "03 6222 00" + active("cam")));
    REQUIRE(client->unwatch(client.id));
    CHECK(client->unwatch(client.id).error() == errc::not_found);
    CHECK(without(client.outputs(), "credit") == list{"stop 0 cancel", "reset 0 cancel"});
    CHECK(client.receive(0, ended("cam")).empty());
}

TEST_CASE("a path with 33 segments is refused and nothing else", "[session][announce][dialects §7.2]") {
    watcher client;
    std::string path = "61";
    for (int i = 0; i < 32; ++i) path += "2f61";
    CHECK(client.receive(0, "03 6222 00" + sized("01" + sized(path) + "00")) ==
          list{"announcements_synced 0", "stream_rejected 0 too_many_segments"});
    CHECK(without(client.outputs(), "credit").empty());
    CHECK_FALSE(client->is_closed());
}

TEST_CASE("a request is answered by ANNOUNCE_OK, the present state, and then the changes", "[session][announce]") {
    subject server{role::server, version::lite_05, {.origin = hop_id{0x2222}}};
    begin(server);
    REQUIRE(server->announce("/room/cam/"));
    REQUIRE(server->announce("elsewhere"));
    CHECK(server.receive(0, "01 06 04 726f6f6d 00").empty());
    CHECK(without(server.outputs(), "credit") == list{"write 0 " + compact("03 6222 01" + active("cam"))});
    REQUIRE(server->announce("room/mic", {hop_id{7}}));
    CHECK(server.outputs() == list{"write 0 " + compact(active("mic", "01 07"))});
    REQUIRE(server->unannounce("room/cam"));
    REQUIRE(server->announce("room"));
    CHECK(server.outputs() == list{"write 0 " + compact(ended("cam") + active(""))});
    CHECK(server->unannounce("room/cam").error() == errc::not_found);
}

TEST_CASE(
    "moq-lite-04 gets our own hop at the end, and the end of a route before its successor", "[session][announce]") {
    subject server{role::server, version::lite_04, {.origin = hop_id{9}}};
    begin(server);
    CHECK(server.receive(0, "01 02 00 00").empty());
    REQUIRE(server->announce("cam", {hop_id{7}}));
    CHECK(without(server.outputs(), "credit") == list{"write 0 " + compact(active("cam", "02 07 09"))});
    REQUIRE(server->announce("cam", {hop_id{8}}));
    CHECK(server.outputs() == list{"write 0 " + compact(ended("cam") + active("cam", "02 08 09"))});
}

TEST_CASE("an announcement that ends before it could be sent is not sent", "[session][announce]") {
    subject server{role::server};
    begin(server);
    CHECK(server.receive(0, "01 02 00 00").empty());
    static_cast<void>(server.outputs());
    REQUIRE(server->announce("cam"));
    REQUIRE(server->unannounce("cam"));
    CHECK(server.outputs().empty());
}

TEST_CASE(
    "a peer gets no announcements that came through it, or are outside its scope or root", "[session][announce]") {
    subject server{role::server};
    begin(server, {.root = "tenant", .publish = {""}, .subscribe = {"room"}});
    CHECK(server.receive(0, "01 02 00 05").empty());
    REQUIRE(server->announce("tenant/room/a", {hop_id{3}}));
    REQUIRE(server->announce("tenant/room/b", {hop_id{5}, hop_id{3}}));
    REQUIRE(server->announce("tenant/secret"));
    CHECK(server->announce("other").error() == errc::out_of_scope);
    CHECK(without(server.outputs(), "credit") == list{"write 0 " + compact("02 00 01" + active("room/a", "01 03"))});
}

TEST_CASE("when the watcher ends its side, so does the publisher", "[session][announce]") {
    subject server{role::server};
    begin(server);
    CHECK(server.receive(0, "01 02 00 00").empty());
    static_cast<void>(server.outputs());
    CHECK(server.receive(0, "", true).empty());
    CHECK(server.outputs() == list{"write 0 fin"});
    REQUIRE(server->announce("cam"));
    CHECK(server.outputs().empty());
}

TEST_CASE("a second request on an announce stream is refused", "[session][announce]") {
    subject server{role::server};
    begin(server);
    CHECK(server.receive(0, "01 02 00 00 02 00 00") == list{"stream_rejected 0 unexpected_message"});
    CHECK(without(server.outputs(), "credit") == list{"stop 0 unexpected_message", "reset 0 unexpected_message"});
}

TEST_CASE("a peer that does not read gets states, not a history, and no more than fits", "[session][announce]") {
    limits small;
    small.control_unsent = 256;
    subject server{role::server, version::lite_05, {.bounds = small}};
    begin(server);
    CHECK(server.receive(0, "01 02 00 00").empty());
    static_cast<void>(server.outputs());
    server.link.stream_room[stream_id{0}] = 0;
    REQUIRE(server->announce("cam"));
    static_cast<void>(server.outputs());
    for (int i = 0; i < 1000; ++i)
        REQUIRE(server->announce("cam" + std::to_string(i % 100), {hop_id{static_cast<std::uint64_t>(i)}}));
    CHECK(server.outputs().empty());
    server.link.stream_room.clear();
    server.writable(0);
    std::size_t bytes = 0;
    for (const auto& line : server.outputs()) bytes += line.size() / 2;
    CHECK(bytes < 101 * 20);
}

TEST_CASE(
    "a name that is too long only with its prefix is refused, as it could not be announced", "[session][announce]") {
    watcher client;
    client.receive(0, "03 6222 00");
    std::string deep = "1";
    while (path::segments(deep) < limits{}.path_segments - 1) deep += "/1";
    REQUIRE(client.receive(0, active(deep)).size() == 1);
    const auto said = client.receive(0, active(deep + "/1"));
    REQUIRE_FALSE(said.empty());
    CHECK(said.front() == "stream_rejected 0 too_many_segments");
}

} // namespace moqlite::test::announce_test

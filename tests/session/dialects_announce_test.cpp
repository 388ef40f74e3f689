// Where implementations disagree about names and announcements, a row of moq-lite-wire.md §12 each: what we send is
// what all of them read, and what we read is what any of them sends.
#include "subject.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/generators/catch_generators_range.hpp>
#include <tuple>

namespace moqlite::test::dialects_announce_test {

namespace {

version any_version() { return GENERATE(from_range(quic_versions)); }

/// The peer's first bidirectional stream: a request for announcements below `prefix`.
std::string request(version v, std::string_view prefix) {
    return "01" + sized(wire_text(prefix) + (has_exclude_hop(v) ? "00" : ""));
}
std::string active(std::string_view suffix, std::string_view hops = "00") {
    return sized("01" + wire_text(suffix) + std::string(hops));
}
std::string ended(std::string_view suffix) { return sized("00" + wire_text(suffix) + "00"); }
/// The same in version `v`, from the hop 9.
std::string came(version v, std::string_view suffix) {
    if (has_typed_announces(v)) return "00" + sized(wire_text(suffix) + "00 00 00");
    return active(suffix, !hops_include_sender(v) ? "00" : has_hop_ids(v) ? "01 09" : "01");
}

struct server_of : subject {
    explicit server_of(version v, scope allowed = {}) : subject(role::server, v, {.origin = hop_id{9}}) {
        begin(*this, std::move(allowed));
    }
    list said() { return without(outputs(), "credit"); }
};

/// A client that watches everything; its first request is on stream 0.
struct watcher : subject {
    explicit watcher(version v, hop_id origin = {}) : subject(role::client, v, {.origin = origin}) {
        begin(*this);
        REQUIRE((*this)->watch(""));
        static_cast<void>(outputs());
        if (has_announce_ok(v)) CHECK(receive(0, "02 09 00") == list{"announcements_synced 0"});
    }
};

} // namespace

TEST_CASE("moq-lite-06 is spoken without the draft's Epoch and Ended, in both directions",
    "[session][dialects §12.1][dialects §16.1.5]") {
    constexpr auto v = version::lite_06;
    subject client{role::client, v};
    begin(client);
    REQUIRE(client->watch("room"));
    REQUIRE(client->subscribe({"a", "b"}));
    CHECK(client.outputs() == list{"open bidi", "open bidi", "write 0 010504726f6f6d",
                                  "write 4 " + compact("02 0b 00 0161 0162 00 00 00 00 00 00")});
    CHECK(client.receive(0, "02 09 00  00 08 03 63616d 00 00 00 00 00").at(1) == "stream_rejected 0 message_too_long");
    server_of server{v};
    CHECK(server.receive(0, "01 06 04 726f6f6d 00") == list{"stream_rejected 0 message_too_long"});
    CHECK(server.receive(4, "02 0c 00 01 61 01 62 00 00 00 00 00 00 00") == list{"stream_rejected 4 message_too_long"});
    CHECK(server.receive(8, "06 05 01 61 01 62 00") == list{"stream_rejected 8 message_too_long"});
}

TEST_CASE("moq-lite-06 is offered first, and its retired draft, another wire, never",
    "[session][dialects §12.2][dialects §16.1.1]") {
    CHECK(default_versions.front() == version::lite_06);
    CHECK(alpn(version::lite_06) == "moq-lite-06");
    CHECK_FALSE(version_from_alpn("moq-lite-06-wip"));
    CHECK_FALSE(version_from_alpn("moq-lite-xx"));
}

TEST_CASE("an announcement's status is one byte", "[session][dialects §12.3]") {
    const auto v = GENERATE(version::lite_03, version::lite_04, version::lite_05);
    server_of server{v};
    CHECK(server.receive(0, request(v, "")).empty());
    REQUIRE(server->announce("cam"));
    CHECK(server.said().back() == "write 0 " + compact((has_announce_ok(v) ? "02 09 01" : "") + came(v, "cam")));
    watcher client{v};
    CHECK(client.receive(0, sized("40 01 03 63616d 00")).front() == "stream_rejected 0 bad_status");
}

TEST_CASE("a prefix matches whole segments, with slashes at its ends or without", "[session][dialects §12.4]") {
    const auto v = any_version();
    CAPTURE(alpn(v));
    server_of server{v};
    REQUIRE(server->announce("room/cam"));
    const auto ok = [&](std::string_view count) { return has_announce_ok(v) ? "02 09" + std::string(count) : ""; };
    CHECK(server.receive(0, request(v, "roo")).empty());
    CHECK(server.said() == (has_announce_ok(v) ? list{"write 0 " + compact(ok("00"))} : list{}));
    std::uint64_t stream = 0;
    for (const auto* prefix : {"room", "/room", "room/", "//room//"}) {
        CHECK(server.receive(stream += 4, request(v, prefix)).empty());
        CHECK(server.said() == list{"write " + std::to_string(stream) + " " + compact(ok("01") + came(v, "cam"))});
    }
}

// gomoqt: moq-lite-04 only. A prefix without slashes crashes it, and it finds a path only with a leading slash.

TEST_CASE(
    "a moq-lite-04 peer that has not written a name is addressed with slashes", "[session][dialects §12.5][gomoqt]") {
    subject client{role::client, version::lite_04};
    begin(client);
    REQUIRE(client->watch(""));
    REQUIRE(client->watch("room"));
    REQUIRE(client->subscribe({"room/cam", "v"}));
    REQUIRE(client->subscribe({"", "v"}));
    CHECK(without(client.outputs(), "open") == list{"write 0 " + compact("01 03 01 2f 00"),
                                                   "write 4 " + compact(request(version::lite_04, "/")),
                                                   "write 8 " + compact(subscribe_bytes("00", "/room/cam", "v")),
                                                   "write 12 " + compact(subscribe_bytes("01", "/", "v"))});
    CHECK(client.receive(4, active("room/cam", "00")) == list{"broadcast_available 1 room/cam hops 0"});
    CHECK(client.receive(4, ended("room/cam")) == list{"broadcast_ended 1 room/cam"});
}

TEST_CASE("from its first name on a peer is addressed in its own form", "[session][dialects §12.5][gomoqt]") {
    constexpr auto v = version::lite_04;
    subject server{role::server, v};
    begin(server);
    const auto [names, path, prefix] =
        GENERATE(std::tuple{request(v, "/"), "/room/cam", "/"}, std::tuple{request(v, "/room/"), "/room/cam", "/"},
            std::tuple{request(v, ""), "room/cam", "room"}, std::tuple{request(v, "room"), "room/cam", "room"},
            std::tuple{subscribe_bytes("01", "/room/mic", "v"), "/room/cam", "/"},
            std::tuple{subscribe_bytes("01", "room/mic", "v"), "room/cam", "room"});
    CAPTURE(names);
    static_cast<void>(server.receive(0, names));
    static_cast<void>(server.outputs());
    REQUIRE(server->subscribe({"room/cam", "v"}));
    REQUIRE(server->watch("room"));
    CHECK(without(server.outputs(), "open") ==
          list{"write 1 " + compact(subscribe_bytes("00", path, "v")), "write 5 " + compact(request(v, prefix))});
}

TEST_CASE("a name with slashes equals the one without", "[session][dialects §12.5][gomoqt]") {
    const auto v = any_version();
    CAPTURE(alpn(v));
    server_of server{v, {.root = "root"}};
    REQUIRE(server->announce("root/room/cam"));
    CHECK(server.receive(0, request(v, "/room/")).empty());
    // It concatenates prefix and suffix.
    CHECK(server.said().back() == "write 0 " + compact((has_announce_ok(v) ? "02 09 01" : "") + came(v, "cam")));
    CHECK(server.receive(4, subscribe_bytes(v, "01", "/room/cam", "video")).front() ==
          "subscribe_requested 0 root/room/cam video priority 0 latency 0 ..");
}

TEST_CASE("a name of the greatest length is not too long for its slash", "[session][dialects §12.5][gomoqt]") {
    limits small;
    small.name = 10;
    subject server{role::server, version::lite_04, {.bounds = small}};
    begin(server);
    CHECK(server.receive(0, subscribe_bytes("01", "/0123456789", "v")).size() == 2);
    CHECK(server.receive(4, request(version::lite_04, "/0123456789/")).empty());
    CHECK(server.receive(8, subscribe_bytes("02", "/0123456789a", "v")) == list{"stream_rejected 8 name_too_long"});
}

TEST_CASE("only moq-lite-04 has a dialect of slashes", "[session][dialects §12.5]") {
    const auto v = GENERATE(version::lite_03, version::lite_05, version::lite_06);
    subject server{role::server, v};
    begin(server);
    static_cast<void>(server.receive(0, subscribe_bytes("00", "/room/mic", "v")));
    static_cast<void>(server.outputs());
    REQUIRE(server->watch("room"));
    CHECK(server.outputs() == list{"open bidi", "write 1 " + compact(request(v, "room"))});
}

TEST_CASE("an event's names stay valid when it is answered by a request", "[session][dialects §12.5]") {
    watcher client{version::lite_04};
    const auto data = hex(active("room/cam", "01 09"));
    client->stream_received(stream_id{0}, data, false, client.now);
    const auto e = client->poll_event();
    REQUIRE(e);
    const auto& there = std::get<broadcast_available>(*e);
    REQUIRE(client->subscribe({there.path, "a"}));
    REQUIRE(client->watch(there.path));
    CHECK(there.path == "room/cam");
    CHECK(client.events().empty());
}

TEST_CASE("status 2 is an ACTIVE of moq-lite-05, and unknown before", "[session][dialects §12.20]") {
    const auto two = sized("02 03 63616d 00");
    watcher client{version::lite_05};
    CHECK(client.receive(0, two) == list{"broadcast_available 0 cam hops 9"});
    CHECK(client.receive(0, two) == list{"broadcast_available 0 cam hops 9 restart"});
    watcher old{GENERATE(version::lite_03, version::lite_04)};
    CHECK(old.receive(0, two) == list{"stream_rejected 0 bad_status"});
    CHECK_FALSE(old->is_closed());
}

TEST_CASE(
    "a live path is never announced twice, which is an error except on moq-lite-05", "[session][dialects §12.21]") {
    const auto v = any_version();
    CAPTURE(alpn(v));
    watcher client{v};
    CHECK(client.receive(0, came(v, "cam")).size() == 1);
    const auto said = client.receive(0, came(v, "cam"));
    if (has_announce_restart(v)) {
        CHECK(said == list{"broadcast_available 0 cam hops 9 restart"});
    } else {
        CHECK(said.back() == "session_closed protocol_violation duplicate_announce");
        CHECK(client.outputs() == list{"close protocol_violation duplicate_announce"});
    }
    server_of server{v};
    CHECK(server.receive(0, request(v, "")).empty());
    REQUIRE(server->announce("cam"));
    static_cast<void>(server.said());
    REQUIRE(server->announce("cam"));
    CHECK(server.said().empty());
    REQUIRE(server->announce("cam", {hop_id{7}}));
    const auto changed = server.said().at(0);
    if (hops_include_sender(v)) CHECK(changed.starts_with("write 0 " + compact(ended("cam"))));
    if (has_typed_announces(v)) CHECK(changed == "write 0 " + compact("02 05 00 01 07 00 00"));
}

TEST_CASE("the end of an unknown announcement is ignored, and never sent", "[session][dialects §12.22]") {
    const auto v = GENERATE(version::lite_03, version::lite_04, version::lite_05);
    CAPTURE(alpn(v));
    watcher client{v};
    CHECK(client.receive(0, ended("cam")).empty());
    CHECK(client.receive(0, came(v, "mic") + ended("cam")) ==
          list{"broadcast_available 0 mic hops " + std::string(has_hop_ids(v) ? "9" : "0")});
    CHECK(without(client.outputs(), "credit").empty());
    server_of server{v};
    CHECK(server.receive(0, request(v, "")).empty());
    static_cast<void>(server.said());
    REQUIRE(server->announce("cam"));
    REQUIRE(server->unannounce("cam"));
    CHECK(server.said().empty());
}

TEST_CASE("ANNOUNCE_OK carries our origin, which a peer may omit", "[session][dialects §12.24]") {
    const auto v = GENERATE(version::lite_05, version::lite_06);
    server_of server{v};
    CHECK(server.receive(0, request(v, "")).empty());
    CHECK(server.said() == list{"write 0 020900"});
    subject client{role::client, v};
    begin(client);
    REQUIRE(client->watch(""));
    static_cast<void>(client.outputs());
    CHECK(client.receive(0, "02 00 00" + came(v, "cam")) ==
          list{"announcements_synced 0", "broadcast_available 0 cam hops 0"});
}

TEST_CASE("on moq-lite-04 our own hop ends the list, and a list without any is one hop", "[session][dialects §12.32]") {
    server_of server{version::lite_04};
    CHECK(server.receive(0, request(version::lite_04, "")).empty());
    REQUIRE(server->announce("cam"));
    CHECK(server.said() == list{"write 0 " + compact(active("cam", "01 09"))});
    REQUIRE(server->announce("mic", {hop_id{7}}));
    CHECK(server.said() == list{"write 0 " + compact(active("mic", "02 07 09"))});
    watcher client{version::lite_04};
    CHECK(client.receive(0, active("cam", "00")) == list{"broadcast_available 0 cam hops 0"});
}

TEST_CASE("the publisher never resets an announce stream: a prefix out of scope is answered with nothing",
    "[session][dialects §12.34][moq-rs]") {
    const auto v = any_version();
    CAPTURE(alpn(v));
    server_of server{v, {.root = "root", .subscribe = {"mine"}}};
    REQUIRE(server->announce("root/theirs/cam"));
    CHECK(server.receive(0, request(v, "theirs")).empty());
    CHECK(server.said() == (has_announce_ok(v) ? list{"write 0 020900"} : list{}));
    REQUIRE(server->unannounce("root/theirs/cam"));
    CHECK(server.said().empty());
    CHECK(server.tick_after(1s).empty());
    server->close(app_error::cancel, "bye");
    CHECK(server.events() == list{"session_closed cancel closed"});
    CHECK(server.said() == list{"close cancel bye"});
}

TEST_CASE("an announce stream stays open after all announcements have ended, and the peer may end it",
    "[session][dialects §12.35]") {
    const auto v = any_version();
    CAPTURE(alpn(v));
    server_of server{v};
    CHECK(server.receive(0, request(v, "")).empty());
    REQUIRE(server->announce("cam"));
    static_cast<void>(server.said());
    REQUIRE(server->unannounce("cam"));
    const auto said = server.said();
    REQUIRE(said.size() == 1);
    CHECK_FALSE(said.front().ends_with("fin"));
    CHECK(server.receive(0, "", true).empty());
    CHECK(server.said() == list{"write 0 fin"}); // Only after theirs.

    watcher client{v};
    CHECK(client.receive(0, came(v, "cam")).size() == 1);
    CHECK(client.receive(0, "", true) == list{"broadcast_ended 0 cam", "watch_ended 0 cancel"});
    CHECK_FALSE(client->is_closed());
}

} // namespace moqlite::test::dialects_announce_test

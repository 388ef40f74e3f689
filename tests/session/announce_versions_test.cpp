// Announcements with ids, hops and costs, as each version has them.
#include "subject.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/generators/catch_generators_range.hpp>

namespace moqlite::test::announce_versions_test {

namespace {

constexpr auto with_ids = version::lite_06;

/// A client that watches "room", with the request sent on stream 0.
struct watcher : subject {
    explicit watcher(version v = with_ids, session_options o = {}) : subject(role::client, v, std::move(o)) {
        begin(*this);
        id = (*this)->watch("room").value();
        request = outputs();
    }
    watch_id id{};
    list request;
};

/// A server whose client requests everything; ANNOUNCE_OK has been sent.
struct announcer : subject {
    explicit announcer(version v, hop_id origin = hop_id{9}, limits bounds = {})
        : subject(role::server, v, {.bounds = bounds, .origin = origin}) {
        begin(*this);
        CHECK(receive(0, has_exclude_hop(v) ? "01 02 00 00" : "01 01 00").empty());
        static_cast<void>(outputs());
    }
};

// `route` is the count of hops, the hops, and the costs, warm and cold.
std::string start(std::string_view suffix, std::string_view route = "00 00 00") {
    return "00" + sized(wire_text(suffix) + std::string(route));
}
std::string end(std::string_view id) { return "01" + sized(id); }
std::string update(std::string_view id, std::string_view route = "00 00 00") {
    return "02" + sized(std::string(id) + std::string(route));
}
/// The same as the session writes it.
std::string active(std::string_view suffix, std::string_view hops = "00") {
    return sized("01" + wire_text(suffix) + std::string(hops));
}

} // namespace

// Received.

TEST_CASE("announcements with ids begin, change their route, and end", "[session][announce][versions]") {
    watcher client;
    CHECK(client.request == list{"open bidi", "write 0 010504726f6f6d"});
    CHECK(client.receive(0, "03 6222 01" + start("cam", "01 07 05 09")) ==
          list{"broadcast_available 0 room/cam hops 7 8738 cost 6 10", "announcements_synced 0"});
    CHECK(client.receive(0, start("mic")) == list{"broadcast_available 0 room/mic hops 8738"});
    CHECK(client.receive(0, update("00")) == list{"broadcast_available 0 room/cam hops 8738 restart"});
    CHECK(client.receive(0, end("00")) == list{"broadcast_ended 0 room/cam"});
    CHECK(client.receive(0, start("cam") + update("02", "01 07 01 01")) ==
          list{"broadcast_available 0 room/cam hops 8738",
              "broadcast_available 0 room/cam hops 7 8738 cost 2 2 restart"}); // It has a new id.
}

TEST_CASE("announcements with ids may arrive one byte at a time", "[session][announce][versions]") {
    watcher client;
    list all;
    for (const auto* byte :
        {"03", "62", "22", "01", "00", "07", "03", "63", "61", "6d", "00", "00", "00", "01", "01", "00"})
        for (auto& line : client.receive(0, byte)) all.push_back(line);
    CHECK(all ==
          list{"broadcast_available 0 room/cam hops 8738", "announcements_synced 0", "broadcast_ended 0 room/cam"});
}

TEST_CASE("an announce id that is unknown or retired closes the session", "[session][announce][versions]") {
    watcher client;
    CHECK(client.receive(0, "03 6222 00" + start("cam") + end("00")).size() == 3);
    const auto said = client.receive(0, GENERATE(as<std::string>{}, end("00"), update("00"), end("01"), update("01")));
    CHECK(said == list{"watch_ended 0 protocol_violation", "session_closed protocol_violation unknown_announce"});
    CHECK(client.outputs().back() == "close protocol_violation unknown_announce");
}

TEST_CASE("a live path that is announced again is a restart on moq-lite-05, and closes the session on all others",
    "[session][announce][versions]") {
    const auto v = GENERATE(from_range(quic_versions));
    CAPTURE(alpn(v));
    watcher client{v};
    const auto* hops = !hops_include_sender(v) ? "00" : has_hop_ids(v) ? "01 07" : "01";
    const auto* suffix = has_slash_dialect(v) ? "room/cam" : "cam"; // There the prefix above is asked for.
    const auto once = has_typed_announces(v) ? start(suffix) : active(suffix, hops);
    REQUIRE(client.receive(0, (has_announce_ok(v) ? "02 07 00" : "") + once).back() ==
            (has_hop_ids(v) ? "broadcast_available 0 room/cam hops 7" : "broadcast_available 0 room/cam hops 0"));
    const auto said = client.receive(0, once);
    if (has_announce_restart(v))
        CHECK(said == list{"broadcast_available 0 room/cam hops 7 restart"});
    else
        CHECK(said == list{"broadcast_ended 0 room/cam", "watch_ended 0 protocol_violation",
                          "session_closed protocol_violation duplicate_announce"});
}

TEST_CASE("a looping route keeps its id, and is reported once it no longer loops", "[session][announce][versions]") {
    watcher client{with_ids, {.origin = hop_id{5}}};
    CHECK(client.receive(0, "02 09 00" + start("cam", "01 05 00 00")) == list{"announcements_synced 0"});
    CHECK(client.receive(0, start("mic")) == list{"broadcast_available 0 room/mic hops 9"});
    CHECK(client.receive(0, update("01", "01 05 00 00")) == list{"broadcast_ended 0 room/mic"});
    CHECK(client.receive(0, update("00")) == list{"broadcast_available 0 room/cam hops 9"});
    CHECK(client.receive(0, update("01")) == list{"broadcast_available 0 room/mic hops 9"});
    CHECK(client.receive(0, update("00", "01 05 00 00") + end("00")) == list{"broadcast_ended 0 room/cam"});
    CHECK(client.receive(0, "", true) == list{"broadcast_ended 0 room/mic", "watch_ended 0 cancel"});
}

TEST_CASE("a route longer than the operator's bound is dropped, not refused, and one of that length is not forwarded",
    "[session][announce][versions][dialects §7.1]") {
    const session_options three{.bounds = {.route_hops = 3}, .origin = hop_id{5}};
    watcher client{with_ids, three};
    // Its publisher, another relay, and the peer.
    CHECK(client.receive(0, "02 09 01" + start("cam", "02 01 02 00 00")).front() ==
          "broadcast_available 0 room/cam hops 1 2 9");
    CHECK(client.receive(0, start("mic", "03 01 02 03 00 00")).empty());
    CHECK(client.receive(0, update("01", "02 01 02 00 00")) == list{"broadcast_available 0 room/mic hops 1 2 9"});
    CHECK(client.receive(0, update("01", "03 01 02 03 00 00")) == list{"broadcast_ended 0 room/mic"});

    announcements table;
    subject relay{role::server, version::lite_05, {.bounds = {.route_hops = 3}, .table = &table, .key = 1}};
    begin(relay);
    CHECK(relay.receive(0, "01 02 00 00").empty());
    static_cast<void>(relay.outputs());
    table.set("cam", {{hop_id{1}, hop_id{2}, hop_id{3}}, 7});
    CHECK(relay.outputs().empty());
    table.set("cam", {{hop_id{1}, hop_id{4}}, 8});
    CHECK(relay.outputs().size() == 1);
    CHECK(relay->announce("own", {hop_id{1}, hop_id{2}, hop_id{3}}).error() == errc::too_many_hops);
}

TEST_CASE("a route with 33 hops is not forwarded", "[session][announce][versions]") {
    std::string hops;
    std::vector<hop_id> all;
    for (unsigned i = 16; i < 48; ++i) {
        const auto one = static_cast<std::byte>(i);
        hops += to_hex(byte_view{&one, 1});
        all.push_back(hop_id{i});
    }
    watcher client;
    CHECK(client.receive(0, "02 09 01" + start("cam", "20" + hops + "00 00")) == list{"announcements_synced 0"});
    CHECK(client.receive(0, update("00", "1f" + hops.substr(2) + "20 20")).size() == 1);
    // With our own hop it is as long.
    announcer server{version::lite_05};
    CHECK(server->announce("cam", all).error() == errc::too_many_hops);
    CHECK(server.outputs().empty());
    announcements table;
    subject relay{role::server, version::lite_05, {.table = &table, .key = 1}};
    begin(relay);
    CHECK(relay.receive(0, "01 02 00 00").empty());
    static_cast<void>(relay.outputs());
    table.set("far", {all, 2});
    CHECK(relay.outputs().empty());
    all.pop_back();
    table.set("near", {all, 2});
    CHECK(relay.outputs().size() == 1);
}

TEST_CASE("a route's cost is the announced cost plus that of the link",
    "[session][announce][versions][dialects §16.1.10][dialects §7.7]") {
    SECTION("as it is configured") {
        watcher client{with_ids, {.cost = 10}};
        CHECK(client.receive(0, "02 09 00" + start("cam", "00 02 03")).back() ==
              "broadcast_available 0 room/cam hops 9 cost 12 13");
    }
    SECTION("or from the peer's SETUP") {
        subject server{role::server, with_ids};
        static_cast<void>(server.outputs());
        static_cast<void>(server.receive(2, "01 04 01 04 01 07", true));
        REQUIRE(server->admit({}));
        REQUIRE(server->watch(""));
        static_cast<void>(server.outputs());
        CHECK(server.receive(1, "02 09 00" + start("cam", "00 02 04")).back() ==
              "broadcast_available 0 cam hops 9 cost 9 11");
    }
    SECTION("and on versions without costs, only that of the link is known") {
        watcher client{version::lite_04};
        CHECK(client.receive(0, active("room/cam", "02 07 08")) == list{"broadcast_available 0 room/cam hops 7 8"});
        watcher priced{version::lite_05, {.cost = 4}};
        CHECK(priced.receive(0, "02 09 00" + active("cam")).back() ==
              "broadcast_available 0 room/cam hops 9 cost 4 4611686018427387903");
    }
    SECTION("and never more than can be encoded") {
        watcher client;
        CHECK(client.receive(0, "02 09 00" + start("cam", "00 ffffffffffffffff ffffffffffffffff")).back() ==
              "broadcast_available 0 room/cam hops 9 cost 4611686018427387903 4611686018427387903");
    }
}

TEST_CASE("a sender that omits itself from the hops still counts as one", "[session][announce][versions]") {
    const auto v = GENERATE(version::lite_03, version::lite_04);
    watcher client{v};
    CHECK(client.receive(0, active(has_slash_dialect(v) ? "room/cam" : "cam", "00")) ==
          list{"broadcast_available 0 room/cam hops 0"});
}

TEST_CASE("an endless series of names exceeds the limit, whether used or not", "[session][announce][versions]") {
    limits small;
    small.announcements = 4;
    watcher client{with_ids, {.bounds = small, .origin = hop_id{5}}};
    CHECK(client.receive(0, "02 09 00").size() == 1);
    for (const auto* name : {"a", "b", "c", "d"}) CHECK(client.receive(0, start(name, "01 05 00 00")).empty());
    CHECK(client.receive(0, start("e")) == list{"stream_rejected 0 too_many_announcements"});
}

TEST_CASE("an announcement of an unknown type is skipped by its length and has no id",
    "[session][announce][versions][dialects §16.1.4]") {
    watcher client;
    CHECK(client.receive(0, "02 09 00" + std::string("07 02 6869") + start("cam") + "3f 00" + start("mic")) ==
          list{"announcements_synced 0", "broadcast_available 0 room/cam hops 9",
              "broadcast_available 0 room/mic hops 9"});
    CHECK(client.receive(0, end("01")) == list{"broadcast_ended 0 room/mic"});
    CHECK(without(client.outputs(), "credit").empty());
}

TEST_CASE("a path that is live at the peer is no other's, even if its first announcement was dropped",
    "[session][announce][versions]") {
    watcher client{with_ids, {.origin = hop_id{5}}};
    CHECK(client.receive(0, "02 09 00" + start("cam", "01 05 00 00")).size() == 1); // A loop.
    CHECK(client.receive(0, start("cam")).back() == "session_closed protocol_violation duplicate_announce");
}

// Sent.

TEST_CASE(
    "begin, change and end of an announcement are encoded as the version defines", "[session][announce][versions]") {
    struct row {
        version v;
        std::string came, changed, went;
    };
    const auto r = GENERATE(
        row{version::lite_03, active("cam", "02"), sized("00" + wire_text("cam") + "00") + active("cam", "02"),
            sized("00" + wire_text("cam") + "00")},
        row{version::lite_04, active("cam", "02 07 09"),
            sized("00" + wire_text("cam") + "00") + active("cam", "02 08 09"), sized("00" + wire_text("cam") + "00")},
        row{version::lite_05, active("cam", "01 07"), active("cam", "01 08"), sized("00" + wire_text("cam") + "00")},
        row{version::lite_06, start("cam", "01 07 00 00"), update("00", "01 08 00 00"), end("00")});
    CAPTURE(alpn(r.v));
    announcer server{r.v};
    REQUIRE(server->announce("cam", {hop_id{7}}));
    CHECK(server.outputs() == list{"write 0 " + compact(r.came)});
    REQUIRE(server->announce("cam", {hop_id{8}}));
    CHECK(server.outputs() == list{"write 0 " + compact(r.changed)});
    REQUIRE(server->unannounce("cam"));
    CHECK(server.outputs() == list{"write 0 " + compact(r.went)});
    REQUIRE(server->announce("cam"));
    const auto again = server.outputs();
    if (has_typed_announces(r.v)) CHECK(again == list{"write 0 " + compact(start("cam"))});
    REQUIRE(server->unannounce("cam"));
    if (has_typed_announces(r.v)) CHECK(server.outputs() == list{"write 0 " + compact(end("01"))});
}

TEST_CASE("announce ids are counted per request", "[session][announce][versions]") {
    announcer server{with_ids};
    REQUIRE(server->announce("cam"));
    static_cast<void>(server.outputs());
    CHECK(server.receive(4, "01 04 03 63616d").empty());
    CHECK(without(server.outputs(), "credit") == list{"write 4 " + compact("02 09 01" + start(""))});
    REQUIRE(server->announce("cam/two"));
    CHECK(server.outputs() == list{"write 0 " + compact(start("cam/two")), "write 4 " + compact(start("two"))});
    REQUIRE(server->unannounce("cam"));
    REQUIRE(server->unannounce("cam/two"));
    CHECK(server.outputs() ==
          list{"write 0 " + compact(end("00") + end("01")), "write 4 " + compact(end("00") + end("01"))});
}

TEST_CASE(
    "a peer whose SETUP names its hop gets no announcements that came through it", "[session][announce][versions]") {
    subject server{role::server, with_ids};
    static_cast<void>(server.outputs());
    static_cast<void>(server.receive(2, "01 04 01 05 01 03", true));
    REQUIRE(server->admit({}));
    CHECK(server.receive(0, "01 01 00").empty());
    REQUIRE(server->announce("a", {hop_id{3}}));
    REQUIRE(server->announce("b", {hop_id{4}}));
    CHECK(without(server.outputs(), "credit").back() == "write 0 " + compact("02 00 01" + start("b", "01 04 00 00")));
}

} // namespace moqlite::test::announce_versions_test

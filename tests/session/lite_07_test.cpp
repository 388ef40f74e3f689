// What moq-lite-07 does otherwise: its integers, hidden broadcasts, bases of announcements, and the count of streams.
#include "subject.hpp"

#include <catch2/catch_test_macros.hpp>

namespace moqlite::test::lite_07_test {

namespace {

constexpr auto v = version::lite_07_wip;

/// A client that watches "room", with the request on stream 0.
struct watcher : subject {
    explicit watcher(session_options o = {}) : subject(role::client, v, std::move(o)) {
        begin(*this);
        REQUIRE((*this)->watch("room"));
        request = outputs();
        static_cast<void>(receive(0, "02 09 00"));
    }
    list request;
};

/// `body` after its length, in the integers of the version.
std::string sized(std::string_view body) { return test::sized(v, body); }

std::string start(std::string_view path_base, std::string_view rest, std::string_view hop_base = "00",
    std::string_view hops = "00", std::string_view hop_keep = "00") {
    return "00" + sized(std::string(path_base) + wire_text(rest) + std::string(hop_base) + std::string(hops) +
                        std::string(hop_keep) + "00 00");
}

/// A server whose client requests everything; ANNOUNCE_OK has been sent.
struct announcer : subject {
    announcer() : subject(role::server, v, {.origin = hop_id{9}}) {
        begin(*this);
        CHECK(receive(0, "01 02 00 01").empty());
        CHECK(without(outputs(), "credit") == list{"write 0 020900"});
    }
    std::string said(std::string_view path, std::vector<hop_id> hops) {
        REQUIRE((*this)->announce(path, std::move(hops)));
        return outputs().at(0).substr(8);
    }
};

/// A server with one SUBSCRIBE of the client on stream 0.
struct publisher : subject {
    publisher() : subject(role::server, v) {
        begin(*this);
        REQUIRE(receive(0, subscribe_bytes(v, "00", "room", "video")).size() == 2);
    }
    group_ref group(std::uint64_t sequence) {
        auto g = (*this)->open_group(request_id{}, group_sequence{sequence}).value();
        REQUIRE(g->finish());
        return g;
    }
};

/// A client with one subscription, on stream 0.
struct viewer : subject {
    viewer() : subject(role::client, v) {
        begin(*this);
        REQUIRE((*this)->subscribe({"a", "b"}));
        static_cast<void>(outputs());
        static_cast<void>(all_acked(0));
    }
};

} // namespace

TEST_CASE("integers of moq-lite-07 have as many more bytes as their first one begins with ones",
    "[session][07][dialects §16.3.1]") {
    subject server{role::server, v};
    begin(server);
    CHECK(server.receive(0, "02" + sized("a001 01 61 01 62 7f 83e8 85 0f 00 00 00")).empty() == false);
    publisher p;
    REQUIRE(p->accept(request_id{0}, group_sequence{70000}));
    CHECK(without(p.outputs(), "credit") == list{"write 0 0003c11170"});
    viewer client;
    CHECK(client.receive(3, "00 05 00 c0 4e20 00  c2bf20 05 68656c6c6f").size() == 2);
}

TEST_CASE("an integer above 2^62-1 is refused in every field", "[session][07][dialects §bad.6]") {
    const std::string large = "ff 4000000000000000";
    subject server{role::server, v};
    begin(server);
    CHECK(server.receive(0, "02" + sized(large + "01 61 01 62 00 00 00 00 00 00")) ==
          list{"stream_rejected 0 value_too_large"});
    viewer client;
    CHECK(client.receive(3, "00" + sized("00" + large + "00")) == list{"stream_rejected 3 value_too_large"});
    CHECK(client.receive(7, "00 03 00 07 00" + large).back() == "group_closed 7 of 0 sequence 7 bounds_exceeded");
    CHECK_FALSE(client->is_closed());
}

TEST_CASE(
    "announcements are requested with the hidden ones only by command", "[session][07][hidden][dialects §16.3.2]") {
    watcher client;
    CHECK(client.request == list{"open bidi", "write 0 010604726f6f6d00"});
    REQUIRE(client->watch_hidden("room"));
    CHECK(without(client.outputs(), "credit") == list{"open bidi", "write 4 010604726f6f6d01"});
}

TEST_CASE(
    "an announcement keeps the first segments and the last hops of earlier ones", "[session][07][dialects §16.3.3]") {
    watcher client;
    CHECK(client.receive(0, start("00 00", "x/cam", "00", "02 05 06")) ==
          list{"broadcast_available 0 room/x/cam hops 5 6 9"});
    CHECK(client.receive(0, start("01 01", "mic", "01", "01 07", "01")) ==
          list{"broadcast_available 0 room/x/mic hops 7 6 9"});
    CHECK(client.receive(0, start("02 02", "low", "00")) == list{"broadcast_available 0 room/x/cam/low hops 9"});
    CHECK(client.receive(0, start("03 01", "", "03", "00", "02")) == list{"broadcast_available 0 room/x hops 5 6 9"});
    // An update may build on what it replaces.
    CHECK(client.receive(0, "02" + sized("00 04 01 08 01 00 00")) ==
          list{"broadcast_available 0 room/x/cam hops 8 6 9 restart"});
    CHECK(client.receive(0, start("04 02", "new", "04", "00", "02")).at(0) ==
          "broadcast_available 0 room/x/cam/new hops 8 6 9");
}

TEST_CASE("a base that is not live, or keeps more than there is, ends the session",
    "[session][07][bad input][dialects §bad.1]") {
    const auto ends = [](const std::string& bytes, std::string_view why) {
        watcher client;
        const auto first = start("00 00", "x/cam", "00", "02 05 06");
        CHECK(client.receive(0, first + bytes).back() == "session_closed protocol_violation " + std::string(why));
    };
    ends(start("02 01", "a"), "unknown_announce");
    ends(start("01 03", "a"), "bad_announce_base");
    ends(start("00 01", "a"), "bad_announce_base");
    ends(start("00 00", "a", "01", "00", "03"), "bad_announce_base");
    ends(start("00 00", "a", "00", "00", "01"), "bad_announce_base");
    ends(start("00 00", "a", "02", "00", "01"), "unknown_announce");
    ends(start("00 00", "a", "01", "01 06", "01"), "bad_announce_base"); // Hop 6 twice.
    ends("01 01 00" + start("01 01", "a"), "unknown_announce");          // It has ended.
    ends("02" + sized("00 01 00 03 00 00"), "bad_announce_base");
    std::string deep = "a", many = "20";
    for (int i = 1; i < 32; ++i) deep += "/a";
    for (int i = 16; i < 48; ++i) many += std::to_string(i / 10) + std::to_string(i % 10);
    ends(start("00 00", deep.substr(0, 61)) + start("01 1f", "b/c"), "bad_announce_base"); // 33 segments.
    ends(start("00 00", "b", "00", many) + start("00 00", "c", "01", "01 7e", "20"), "bad_announce_base"); // 33 hops.
}

TEST_CASE("what builds on a refused announcement is refused, too, and nothing else", "[session][07][bad input]") {
    watcher client;
    CHECK(client.receive(0, "00 0a 00 00 02 61ff 00 00 00 00 00") == list{"stream_rejected 0 bad_utf8"});
    CHECK(client.receive(0, start("01 01", "a")) == list{"stream_rejected 0 base_refused"});
    CHECK(client.receive(0, start("00 00", "b")) == list{"broadcast_available 0 room/b hops 9"});
    CHECK(client.receive(0, "01 01 02") == list{"broadcast_ended 0 room/b"});
}

TEST_CASE("updates that lengthen chains of hops count in the bound of bytes", "[session][07][bad input][attack]") {
    limits small;
    small.announced_bytes = 40;
    watcher client{{.bounds = small}};
    CHECK(client.receive(0, start("00 00", "a")).size() == 1); // 6 bytes of its name.
    const auto update = [](std::string_view hops) { return "02" + sized("00 00" + std::string(hops) + "00 00 00"); };
    for (int i = 0; i < 5; ++i) { // 32 bytes of hops, and none again.
        CHECK(
            client.receive(0, update("04 01 02 03 04")) == list{"broadcast_available 0 room/a hops 1 2 3 4 9 restart"});
        CHECK(client.receive(0, update("00")) == list{"broadcast_available 0 room/a hops 9 restart"});
    }
    CHECK(client.receive(0, update("05 01 02 03 04 05")).size() == 1);
    CHECK(client.receive(0, update("05 06 02 03 04 05")).size() == 1); // No longer than before.
    // One that takes more is refused, and the broadcast ends; a shorter one makes it available again.
    CHECK(client.receive(0, update("06 01 02 03 04 05 06")) ==
          list{"stream_rejected 0 too_many_announcements", "broadcast_ended 0 room/a"});
    CHECK(client.receive(0, update("01 01")) == list{"broadcast_available 0 room/a hops 1 9"});
}

TEST_CASE("our announcements keep what makes them shorter", "[session][07][dialects §16.3.3]") {
    announcer server;
    CHECK(server.said("live/room/cam", {hop_id{70000}}) ==
          compact("00" + sized("00 00" + wire_text("live/room/cam") + "00 01 c11170 00 00 00")));
    CHECK(server.said("live/room/cam2", {hop_id{70000}}) ==
          compact("00" + sized("01 02" + wire_text("cam2") + "01 00 01 00 00")));
    CHECK(server.said("live/room/cam2", {hop_id{1}, hop_id{70000}}) ==
          compact("02" + sized("01 01 01 01 01 00 00"))); // The update keeps the last hop.
    CHECK(
        server.said("other", {hop_id{3}}) == compact("00" + sized("00 00" + wire_text("other") + "00 01 03 00 00 00")));
    REQUIRE(server->unannounce("other"));
    static_cast<void>(server.outputs());
    CHECK(server.said("other/x", {}) == compact("00" + sized("00 00" + wire_text("other/x") + "00 00 00 00 00")));
}

TEST_CASE("SUBSCRIBE_END carries the number of group streams, once it is final", "[session][07][dialects §16.3.4]") {
    publisher server;
    server.link.uni_streams = 1;
    server.group(0);
    server.group(1);
    REQUIRE(server->accept(request_id{0}));
    CHECK(without(server.outputs(), "credit").size() == 4); // OK, a stream, a group, and none for the other.
    REQUIRE(server->end_track(request_id{0}, group_sequence{2}));
    CHECK(server.outputs().empty());
    REQUIRE(server->finish(request_id{0}));
    CHECK(without(server.outputs(), "open").empty());
    server.link.uni_streams = 1;
    server->streams_available(direction::uni, server.now);
    const auto said = without(server.outputs(), "open");
    REQUIRE(said.size() == 2);
    CHECK(said[0] == "write 11 0003000000 fin"); // The newest went first.
    CHECK(said[1] == "write 0 01020202");
}

TEST_CASE("a group that was given up before its stream was opened is not counted", "[session][07]") {
    publisher server;
    server.link.uni_streams = 0;
    server.group(0);
    static_cast<void>(server.outputs());
    REQUIRE(server->drop(request_id{0}, group_sequence{3}, group_sequence{4}, app_error::old)); // No message.
    CHECK(without(server.outputs(), "open").empty());
    REQUIRE(server->reject(request_id{0}, app_error::cancel));
}

TEST_CASE("a subscription is complete with the number of streams that END gives",
    "[session][07][end of track][dialects §16.3.4]") {
    viewer client;
    static_cast<void>(client.receive(3, "00 03 00 07 00", true));
    CHECK(client.receive(0, "00 01 07 01 02 14 02", true).size() == 2); // Two groups of 7 to 19.
    CHECK(client.receive(7, "00 03 00 12 00", true).back() ==
          "subscription_ended lacking 0 finished"); // But not 8 to 17.
}

TEST_CASE("a subscription of moq-lite-07 has no DROP", "[session][07][bad input][dialects §16.3.5]") {
    viewer client;
    CHECK(client.receive(0, "00 01 07 02 03 08 08 05").at(1) == "stream_rejected 0 unknown_message_type");
}

} // namespace moqlite::test::lite_07_test

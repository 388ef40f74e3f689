// Differences between the versions: the same session, table by table.
#include "subject.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/generators/catch_generators_range.hpp>

namespace moqlite::test::versions_test {

namespace {

version any_version() { return GENERATE(from_range(quic_versions)); }
version without_setup() { return GENERATE(version::lite_03, version::lite_04); }

/// A client with one subscription to room/cam video, on stream 0.
struct viewer : subject {
    explicit viewer(version v, const subscribe_options& options = {}, session_options o = {})
        : subject(role::client, v, std::move(o)) {
        begin(*this);
        id = (*this)->subscribe({"room/cam", "video"}, options).value();
        request = outputs();
        static_cast<void>(all_acked(0));
    }
    subscribe_id id{};
    list request;
};

/// A server with one SUBSCRIBE of the client on stream 0.
struct publisher : subject {
    explicit publisher(version v) : subject(role::server, v) {
        begin(*this);
        static_cast<void>(receive(0, subscribe_bytes(v, "00", "room/cam", "video")));
        static_cast<void>(outputs());
    }
    request_id id{};
};

} // namespace

TEST_CASE("a version without SETUP neither sends, awaits nor accepts one", "[session][versions]") {
    const auto v = any_version();
    CAPTURE(alpn(v));
    subject client{role::client, v, {.path = "/room", .origin = hop_id{5}}};
    CHECK(client.outputs().empty() != has_setup(v));
    CHECK(client.events() == (has_setup(v) ? list{} : list{"setup_received"}));
    if (has_setup(v)) return;
    CHECK(client.receive(3, "01 01 00") == list{"stream_rejected 3 unknown_stream_type"});
    CHECK_FALSE(client->is_closed());
}

TEST_CASE("a client sends its link cost in SETUP, if the version has one", "[session][versions]") {
    subject client{role::client, version::lite_06, {.cost = 9}};
    CHECK(client.outputs() == list{"open uni", "write 2 010401040109 fin"});
    subject server{role::server, version::lite_06, {.cost = 9}};
    CHECK(server.outputs() == list{"open uni", "write 3 010100 fin"});
}

TEST_CASE("SUBSCRIBE and its UPDATE are the same in every version, except for a slash and the options",
    "[session][versions]") {
    const auto v = any_version();
    viewer client{v, {.priority = 3, .start = group_sequence{6}}};
    const std::string path = has_slash_dialect(v) ? "092f726f6f6d2f63616d" : "08726f6f6d2f63616d";
    const std::string options = has_frame_ranges(v) ? "00 06 00 00 00" : "00 00 07 00"; // After the priority.
    const auto subscribe = "02" + sized("00" + path + "05766964656f 03" + options);
    CHECK(client.request == list{"open bidi", "write 0 " + compact(subscribe)});
    REQUIRE(client->update(client.id, {.priority = 9}));
    CHECK(client.outputs() == list{"write 0 " + compact(sized("09" + options))});
}

TEST_CASE("request_track() works only on versions with TRACK", "[session][versions]") {
    const auto v = any_version();
    CAPTURE(alpn(v));
    subject client{role::client, v};
    begin(client);
    const auto asked = client->request_track({"a", "b"});
    CHECK(asked.has_value() == has_track_info(v));
    if (!asked) CHECK(asked.error() == errc::unsupported);
    subject server{role::server, v};
    begin(server);
    CHECK(server.receive(0, track_bytes("a", "b")) ==
          (has_track_info(v) ? list{"track_requested 0 a b"} : list{"stream_rejected 0 unknown_stream_type"}));
}

TEST_CASE("a group is the same stream in every version, except for timestamps", "[session][versions]") {
    const auto v = any_version();
    CAPTURE(alpn(v));
    publisher server{v};
    const auto g = server->open_group(server.id, group_sequence{7}).value();
    REQUIRE(g->write_frame(timestamp{3}, as_bytes("hi")));
    REQUIRE(g->write_frame(timestamp{4}, as_bytes("ho")));
    REQUIRE(g->finish());
    const std::string frames = has_timestamps(v) ? "06026869"
                                                   "0202686f"
                                                 : "026869"
                                                   "02686f";
    CHECK(without(server.outputs(), "open").back() == "write " + std::to_string(has_setup(v) ? 7 : 3) + " " +
                                                          compact(group_bytes(v, "00", "07")) + frames + " fin");
    viewer client{v};
    const std::string first = has_timestamps(v) ? "3" : "0";
    const std::string second = has_timestamps(v) ? "4" : "0";
    CHECK(client.receive(7, group_bytes(v, "00", "07") + frames, true) ==
          list{"group_opened 7 of 0 sequence 7", "frame_data 7 frame 0 at 0 of 2 time " + first + " 6869",
              "frame_data 7 frame 1 at 0 of 2 time " + second + " 686f", "group_closed 7 of 0 sequence 7 complete"});
}

TEST_CASE("a log with timestamps serves subscribers without, but not the reverse", "[session][versions]") {
    const auto v = any_version();
    CAPTURE(alpn(v));
    publisher server{v};
    for (const auto dialect : quic_versions) {
        auto g = group::make(server->pool(), group_sequence{7}, dialect);
        REQUIRE(g->write_frame(timestamp{100}, as_bytes("hi")));
        REQUIRE(g->write_frame(timestamp{40}, {}));
        REQUIRE(g->finish());
        const auto served = server->serve(server.id, g);
        if (has_timestamps(v) && !has_timestamps(dialect)) {
            CHECK(served.error() == errc::unsupported);
            continue;
        }
        REQUIRE(served);
        const auto said = server.outputs().back();
        const auto* frames = has_timestamps(v) ? "40c8 02 6869 4077 00" : "02 6869 00";
        CHECK(said.ends_with(" " + compact(group_bytes(v, "00", "07") + frames) + " fin"));
    }
}

TEST_CASE("a group served without its timestamps is delivered and freed", "[session][versions]") {
    publisher server{without_setup()};
    REQUIRE(server->accept(server.id));
    auto g = group::make(server->pool(), group_sequence{7}, version::lite_05);
    REQUIRE(server->serve(server.id, g));
    for (std::uint64_t i = 0; i < 50; ++i) {
        REQUIRE(g->write_frame(timestamp{i << i}, as_bytes("some payload that is longer")));
        static_cast<void>(server.outputs());
        if (i % 3 == 0) CHECK(server.all_acked(3).empty());
    }
    REQUIRE(g->finish());
    CHECK(server.outputs() == list{"write 3 fin"});
    CHECK(server.all_acked(3).empty());
    CHECK(server.stream_closed(3) == list{"group_delivered 0 sequence 7"});
    g = {};
    CHECK(server->pool().in_use() == 0);
}

TEST_CASE("frames without a timestamp get the arrival time of their first byte, in a log with timestamps",
    "[session][versions]") {
    viewer client{without_setup(), {}, {.epoch = t0 - 1500us}};
    CHECK(client.receive(3, "00 02 00 07").size() == 1);
    auto log = group::make(client->pool(), group_sequence{7}, version::lite_05);
    REQUIRE(client->collect(group_id{3}, log));
    CHECK(client.receive(3, "02 68").empty()); // 1 ms after the epoch, rounded down
    client.now += 10ms;
    CHECK(client.receive(3, "69 40").empty()); // the beginning of the next frame
    client.now += 10ms;
    CHECK(client.receive(3, "01 2e 00", true) == list{"group_closed 3 of 0 sequence 7 complete"});
    wake_queue nobody;
    group_reader reader;
    reader.attach(log, nobody);
    std::array<byte_view, 1> image;
    REQUIRE(reader.lend(image, 100).all);
    CHECK(to_hex(image[0]) == "02026869" // 1
                              "14012e"   // 11
                              "1400");   // 21
}

// SUBSCRIBE_OK before moq-lite-05.

TEST_CASE("a response before SUBSCRIBE_OK is an error on versions where OK is first", "[session][versions]") {
    viewer client{without_setup()};
    CHECK(client.receive(0, "01 03 08 09 1a") ==
          list{"stream_rejected 0 response_before_ok", "subscription_ended 0 protocol_violation"});
    CHECK_FALSE(client->is_closed());
}

TEST_CASE("a SUBSCRIBE_OK without a start means the requested one", "[session][versions]") {
    viewer client{without_setup(), {.start = group_sequence{7}}};
    CHECK(client.receive(0, "00 05 00 00 00 00 00") == list{"subscription_accepted 0 from 7"});
}

TEST_CASE("without a requested start, it is the first group to arrive", "[session][versions]") {
    viewer client{without_setup()};
    SECTION("after it") {
        CHECK(client.receive(0, "00 05 00 00 00 00 00").empty());
        CHECK(client.receive(3, "00 02 00 09") ==
              list{"subscription_accepted 0 from 9", "group_opened 3 of 0 sequence 9"});
        CHECK(client.receive(7, "00 02 00 0a") == list{"group_opened 7 of 0 sequence 10"});
    }
    SECTION("or arrived before") {
        CHECK(client.receive(3, "00 02 00 09") == list{"group_opened 3 of 0 sequence 9"});
        CHECK(client.receive(7, "00 02 00 08") == list{"group_opened 7 of 0 sequence 8"});
        CHECK(client.receive(0, "00 05 00 00 00 00 00") == list{"subscription_accepted 0 from 8"});
    }
}

TEST_CASE("the publisher's options in a SUBSCRIBE_OK are reported with its start", "[session][versions]") {
    const auto accepted = [](subject& s, std::uint64_t stream, std::string_view bytes) {
        const auto data = hex(bytes);
        s.arrives(stream, data);
        std::optional<subscription_accepted> found;
        while (const auto e = s.told().poll_event())
            if (const auto* ok = std::get_if<subscription_accepted>(&*e)) found = *ok;
        return found;
    };
    const subscribe_options expected{
        .priority = 7, .ordered = true, .max_age = 1500ms, .start = group_sequence{1}, .end = group_sequence{9}};
    SECTION("as they are written") {
        viewer client{without_setup()};
        CHECK(accepted(client, 0, "00 06 07 01 45dc 02 0a") ==
              subscription_accepted{client.id, group_sequence{1}, expected});
    }
    SECTION("also if only the first group tells the start; what is repeated does not change them") {
        viewer client{without_setup()};
        CHECK_FALSE(accepted(client, 0, "00 06 07 01 45dc 00 0a 00 05 00 00 00 03 00"));
        auto without_start = expected;
        without_start.start.reset();
        CHECK(accepted(client, 3, "00 02 00 09") == subscription_accepted{client.id, group_sequence{9}, without_start});
    }
    SECTION("but not where only the start is written") {
        viewer client{GENERATE(version::lite_05, version::lite_06)};
        CHECK(accepted(client, 0, "00 01 05") == subscription_accepted{client.id, group_sequence{5}});
    }
}

TEST_CASE("a repeated SUBSCRIBE_OK is not reported again", "[session][versions]") {
    const auto v = any_version();
    viewer client{v};
    const std::string ok = has_options_in_ok(v) ? "00 05 00 00 00 06 00" : "00 01 05";
    CHECK(client.receive(0, ok + ok) == list{"subscription_accepted 0 from 5"});
}

// The end of a track before moq-lite-05.

TEST_CASE("on versions where a FIN may overtake groups, a track has ended after a time without groups",
    "[session][versions][end of track]") {
    viewer client{without_setup()};
    static_cast<void>(client.receive(3, "00 02 00 07 01"));
    CHECK(client.receive(0, "00 05 00 00 00 08 00", true) == list{"subscription_accepted 0 from 7"});
    static_cast<void>(client.outputs());
    CHECK(client.tick_after(10s).empty()); // A group is still arriving.
    CHECK(client.receive(3, "61", true).back() == "group_closed 3 of 0 sequence 7 complete");
    CHECK(client->deadline() == client.now + 250ms);

    SECTION("for 250 ms at least") {
        CHECK(client.tick_after(250ms - 1ns).empty());
        CHECK(client.tick_after(1ns) == list{"subscription_ended 0 finished"});
        CHECK(client.outputs().back() == "write 0 fin");
        CHECK_FALSE(client->deadline());
    }
    SECTION("and for three round trips") {
        client->path_measured({.rtt = 100ms}, client.now);
        CHECK(client->deadline() == client.now + 300ms);
        CHECK(client.tick_after(250ms).empty());
        CHECK(client.tick_after(50ms) == list{"subscription_ended 0 finished"});
    }
    SECTION("from the last group on") {
        CHECK(client.tick_after(200ms).empty());
        CHECK(client.receive(7, "00 02 00 08").size() == 1);
        CHECK_FALSE(client->deadline());
        CHECK(client.tick_after(5s).empty());
        CHECK(client.reset(7, app_error::old) == list{"group_closed 7 of 0 sequence 8 old"});
        CHECK(client.tick_after(249ms).empty());
        CHECK(client.tick_after(1ms) == list{"subscription_ended 0 finished"});
    }
    SECTION("or when the publisher leaves in peace") {
        client->connection_closed({app_error::cancel, true, ""}, client.now);
        CHECK(client.events() == list{"subscription_ended 0 finished", "session_closed cancel peer_closed by peer"});
    }
    SECTION("but not when it is lost") {
        client->connection_closed({app_error::timeout, false, ""}, client.now);
        CHECK(client.events() == list{"subscription_ended 0 timeout", "session_closed timeout transport_closed"});
    }
    SECTION("unless we have left") {
        REQUIRE(client->unsubscribe(client.id));
        CHECK(client.tick_after(1s).empty());
        CHECK_FALSE(client->deadline());
    }
    SECTION("even if its stream has closed") {
        CHECK(client->update(client.id, {.priority = 1}).error() == errc::not_found); // It would not be read.
        CHECK(client.stopped(0).empty());
        CHECK(client.stream_closed(0, app_error::cancel).empty());
        CHECK(client.tick_after(250ms) == list{"subscription_ended 0 finished"});
    }
}

TEST_CASE("on later versions, too, if an announced group is missing", "[session][versions][end of track]") {
    const auto v = GENERATE(version::lite_05, version::lite_06);
    viewer client{v};
    static_cast<void>(client.receive(3, group_bytes(v, "00", "07"), true));
    // From 7 on, before 9; @moq/net sends its FIN before its last groups.
    CHECK(client.receive(0, "00 01 07 01 01 09", true) ==
          list{"subscription_accepted 0 from 7", "subscription_end_known 0 before 9"});
    SECTION("until it arrives") {
        CHECK(client.receive(7, group_bytes(v, "00", "08")) == list{"group_opened 7 of 0 sequence 8"});
        CHECK(client.tick_after(5s).empty());
        CHECK(client.receive(7, "", true) ==
              list{"group_closed 7 of 0 sequence 8 complete", "subscription_ended 0 finished"});
    }
    SECTION("but not for ever") {
        CHECK(client.tick_after(250ms - 1ns).empty());
        CHECK(client.tick_after(1ns) == list{"subscription_ended lacking 0 finished"});
    }
}

TEST_CASE("a group announced as dropped is not awaited", "[session][versions][end of track]") {
    viewer client{version::lite_05};
    static_cast<void>(client.receive(3, "00 02 00 07", true));
    CHECK(client.receive(0, "00 01 07 02 03 08 08 05 01 01 09", true).back() == "subscription_ended 0 finished");
}

TEST_CASE("groups beyond the Group End are not awaited", "[session][versions][end of track]") {
    viewer client{version::lite_05, {.end = group_sequence{7}}};
    static_cast<void>(client.receive(3, "00 02 00 07", true));
    CHECK(client.receive(0, "00 01 07 01 01 09", true).back() == "subscription_ended 0 finished");
}

TEST_CASE("on later versions a FIN is the end at once", "[session][versions][end of track]") {
    viewer client{GENERATE(version::lite_05, version::lite_06)};
    CHECK(client.receive(0, "01 01 00", true) ==
          list{"subscription_end_known 0 before 0", "subscription_ended 0 finished"});
}

} // namespace moqlite::test::versions_test

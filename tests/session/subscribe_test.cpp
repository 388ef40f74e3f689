// The subscriber's side: requests, their answers, and groups as they arrive.
#include "subject.hpp"

#include <catch2/catch_test_macros.hpp>

namespace moqlite::test::subscribe_test {

namespace {

/// A client with one subscription to room/cam video, on stream 0.
struct viewer : subject {
    explicit viewer(const subscribe_options& options = {}, version v = version::lite_05, limits bounds = {})
        : subject(role::client, v, {.bounds = bounds}) {
        begin(*this);
        id = (*this)->subscribe({"/room//cam/", "video"}, options).value();
        request = outputs();
    }
    subscribe_id id{};
    list request;
};

using ms = milliseconds;

} // namespace

TEST_CASE("a SUBSCRIBE carries all options", "[session][subscribe]") {
    const viewer client{
        {.priority = 3, .ordered = true, .max_age = ms{250}, .start = group_sequence{6}, .end = group_sequence{99}}};
    CHECK(client.request == list{"open bidi", "write 0 021700"
                                              "08726f6f6d2f63616d05766964656f"
                                              "030140fa074064"});
}

TEST_CASE("a change of options is one SUBSCRIBE_UPDATE, no change is none", "[session][subscribe]") {
    viewer client;
    REQUIRE(client->update(client.id, {.priority = 9, .start = group_sequence{7}}));
    CHECK(client.outputs() == list{"write 0 050900000800"});
    REQUIRE(client->update(client.id, {.priority = 9, .start = group_sequence{7}}));
    CHECK(client.outputs().empty());
}

TEST_CASE("SUBSCRIBE_OK, _END and _DROP are reported", "[session][subscribe]") {
    viewer client;
    CHECK(
        client.receive(0, "00 01 07  02 03 08 09 1a  01 01 0a") ==
        list{"subscription_accepted 0 from 7", "groups_dropped 0 8 to 9 lagged", "subscription_end_known 0 before 10"});
    viewer old{{}, version::lite_03};
    CHECK(old.receive(0, "00 05 03 00 00 08 00  01 03 08 09 1a") ==
          list{"subscription_accepted 0 from 7", "groups_dropped 0 8 to 9 lagged"});
}

TEST_CASE("a clean FIN ends a subscription as finished, and is answered", "[session][subscribe]") {
    viewer client;
    CHECK(client.receive(0, "01 01 00", true) ==
          list{"subscription_end_known 0 before 0", "subscription_ended 0 finished"});
    CHECK(without(client.outputs(), "credit") == list{"write 0 fin"});
    CHECK(client->update(client.id, {}).error() == errc::not_found);
    CHECK(client.stream_closed(0).empty());
}

TEST_CASE("a reset ends a subscription with its code", "[session][subscribe]") {
    viewer client;
    CHECK(client.reset(0, app_error::not_found) == list{"subscription_ended 0 not_found"});
    CHECK(client.outputs() == list{"write 0 fin"});
}

TEST_CASE("a subscription that is reset takes its open groups with it", "[session][subscribe]") {
    viewer client;
    CHECK(client.receive(3, "00 02 00 07 02 05 6865").size() == 2);
    CHECK(client.reset(0, app_error::not_found) ==
          list{"group_closed 3 of 0 sequence 7 not_found", "subscription_ended 0 not_found"});
    CHECK(client.receive(3, "6c6c6f 00 01 61", true).empty());
    CHECK(without(client.outputs(), "credit") == list{"stop 3 not_found", "write 0 fin"});
}

TEST_CASE("a subscription stays open while groups sent before the FIN arrive", "[session][subscribe]") {
    viewer client;
    CHECK(client.receive(3, "00 02 00 07").size() == 1);
    CHECK(client.receive(0, "01 01 08", true) == list{"subscription_end_known 0 before 8"});

    SECTION("to their end") {
        CHECK(client.receive(3, "02 01 61", true) == list{"frame_data 3 frame 0 at 0 of 1 time 1 61",
                                                         "group_closed 3 of 0 sequence 7 complete",
                                                         "subscription_ended 0 finished"});
        CHECK(without(client.outputs(), "credit") == list{"write 0 fin"});
    }
    SECTION("unless we unsubscribe, even if the stream has closed") {
        CHECK(client.stopped(0).empty());
        CHECK(client.stream_closed(0, app_error::cancel).empty());
        CHECK(client->update(client.id, {.priority = 5}).error() == errc::not_found);
        REQUIRE(client->unsubscribe(client.id));
        CHECK(without(client.outputs(), "credit") == list{"reset 0 cancel", "stop 3 cancel"});
    }
}

TEST_CASE("after unsubscribe() there are no further events", "[session][subscribe]") {
    viewer client;
    CHECK(client.receive(3, "00 02 00 07 02 05 6865").size() == 2);
    REQUIRE(client->unsubscribe(client.id));
    CHECK(without(client.outputs(), "credit") == list{"stop 3 cancel", "stop 0 cancel", "write 0 fin"});
    CHECK(client.receive(3, "6c6c6f").empty());
    CHECK(client.receive(7, "00 02 00 08").empty());
    CHECK(client.outputs() == list{"stop 7 cancel", "credit 7 4"});
    CHECK(client.receive(0, "00 01 07").empty());
}

TEST_CASE("unsubscribe() before the request was sent leaves no trace", "[session][subscribe]") {
    subject client{role::client};
    begin(client);
    client.link.bidi_streams = 0;
    const auto id = client->subscribe({"room", "video"}).value();
    CHECK(client.outputs() == list{"open bidi in vain"});
    REQUIRE(client->unsubscribe(id));
    client.link.bidi_streams = 1;
    client->streams_available(direction::bidi, client.now);
    CHECK(client.outputs().empty());
}

TEST_CASE("frames are reported as they arrive, with the sum of their deltas as timestamp", "[session][groups]") {
    viewer client;
    CHECK(client.receive(3, "00 02 00 07  8002bf20 05 68656c6c6f  5770 00  4bb7 07 622d667261") ==
          list{"group_opened 3 of 0 sequence 7", "frame_data 3 frame 0 at 0 of 5 time 90000 68656c6c6f",
              "frame_data 3 frame 1 at 0 of 0 time 93000 ", "frame_data 3 frame 2 at 0 of 7 time 91500 622d667261"});
    CHECK(client.receive(3, "6d65", true) ==
          list{"frame_data 3 frame 2 at 5 of 7 time 91500 6d65", "group_closed 3 of 0 sequence 7 complete"});
    CHECK(client.outputs() == list{"credit 3 27"});
    CHECK(client.stream_closed(3).empty());
}

TEST_CASE("moq-lite-03 frames have no time", "[session][groups]") {
    viewer client{{}, version::lite_03};
    CHECK(client.receive(3, "00 02 00 07 02 6869", true) == list{"group_opened 3 of 0 sequence 7",
                                                                "frame_data 3 frame 0 at 0 of 2 time 0 6869",
                                                                "group_closed 3 of 0 sequence 7 complete"});
}

TEST_CASE("an empty group is a group", "[session][groups]") {
    viewer client;
    CHECK(client.receive(3, "00 02 00 07", true) ==
          list{"group_opened 3 of 0 sequence 7", "group_closed 3 of 0 sequence 7 complete"});
}

TEST_CASE("a group that the publisher resets is closed with its code", "[session][groups]") {
    viewer client;
    static_cast<void>(client.receive(3, "00 02 00 07 02 05 6865"));
    CHECK(client.reset(3, app_error::old) == list{"group_closed 3 of 0 sequence 7 old"});
    CHECK(client.stream_closed(3, app_error::old).empty());
}

TEST_CASE("a stopped group is refused on the wire and not reported again", "[session][groups]") {
    viewer client;
    static_cast<void>(client.receive(3, "00 02 00 07 02 05 6865"));
    REQUIRE(client->stop(group_id{3}, app_error::old));
    CHECK(without(client.outputs(), "credit") == list{"stop 3 old"});
    CHECK(client.receive(3, "6c6c6f", true).empty());
    CHECK(client.reset(3).empty());
    CHECK(client->stop(group_id{3}, app_error::old).error() == errc::not_found);
}

TEST_CASE("a collected group goes into the log, not into events", "[session][groups]") {
    viewer client;
    CHECK(client.receive(3, "00 02 00 07").size() == 1);
    auto log = group::make(client->pool(), group_sequence{7}, version::lite_05);
    REQUIRE(client->collect(group_id{3}, log));
    CHECK(client.receive(3, "02 02 6869 04 01").empty());
    CHECK(log->frames() == 2);
    CHECK(log->missing() == 1);
    CHECK(client->collect(group_id{3}, log).error() == errc::invalid_argument);

    SECTION("which ends with it") {
        CHECK(client.receive(3, "2e", true) == list{"group_closed 3 of 0 sequence 7 complete"});
        CHECK(log->ended() == group::state::finished);
        CHECK(log->size() == 7);
    }
    SECTION("and is aborted with it") {
        CHECK(client.reset(3, app_error::old) == list{"group_closed 3 of 0 sequence 7 old"});
        CHECK(log->ended() == group::state::aborted);
        CHECK(log->abort_code() == app_error::old);
    }
    SECTION("and is aborted when we leave") {
        REQUIRE(client->unsubscribe(client.id));
        CHECK(log->ended() == group::state::aborted);
    }
}

TEST_CASE("the credit of a capped subscription is returned as its payload is released", "[session][groups]") {
    viewer client{{.end = group_sequence{9}}};
    CHECK(client.receive(3, "00 02 00 07 02 05 68656c6c6f").size() == 2);
    CHECK(client.outputs() == list{"credit 3 6"});
    CHECK(client->release(group_id{3}, 6).error() == errc::invalid_argument);
    REQUIRE(client->release(group_id{3}, 4));
    CHECK(client.outputs() == list{"credit 3 4"});
    REQUIRE(client->release(group_id{3}, 1));
    CHECK(client->release(group_id{3}, 1).error() == errc::invalid_argument);
    CHECK(client.outputs() == list{"credit 3 1"});
}

TEST_CASE("a TRACK is sent once and answered once", "[session][track]") {
    subject client{role::client};
    begin(client);
    const auto query = client->request_track({"room/cam", "video"});
    REQUIRE(query);
    CHECK(client.outputs() == list{"open bidi", "write 0 060f08726f6f6d2f63616d05766964656f"});
    SECTION("with what it is like") {
        CHECK(client.receive(0, "08 05 01 47d0 80015f90", true) ==
              list{"track_info_received 0 priority 5 ordered latency 2000 timescale 90000"});
        CHECK(without(client.outputs(), "credit") == list{"write 0 fin"});
        CHECK(client.stream_closed(0).empty());
    }
    SECTION("by a reset") { CHECK(client.reset(0, app_error::not_found) == list{"track_refused 0 not_found"}); }
    SECTION("by a FIN without an answer") { CHECK(client.receive(0, "", true) == list{"track_refused 0 cancel"}); }
    SECTION("unless it is taken back") {
        REQUIRE(client->cancel(*query));
        CHECK(client->cancel(*query).error() == errc::not_found);
        CHECK(client.outputs().front() == "stop 0 cancel");
        CHECK(client.receive(0, "08 05 01 47d0 80015f90", true).empty());
    }
    SECTION("a second answer breaks a rule") {
        CHECK(client.receive(0, "06 00 00 53 88 43e8 06 00 00 53 88 43e8") ==
              list{"track_info_received 0 priority 0 unordered latency 5000 timescale 1000",
                  "stream_rejected 0 unexpected_message"});
    }
    SECTION("not at all where the version cannot say it") {
        subject old{role::client, version::lite_04};
        CHECK(old->request_track({"a", "b"}).error() == errc::unsupported);
    }
}

// Found by AddressSanitizer: a track_reader dropped such a group on the event of its end.
TEST_CASE(
    "a group that ended with its session is not found by a command any more", "[session][subscribe][regression]") {
    viewer client;
    REQUIRE(client.receive(3, "00 02 00 07 00 05 68") ==
            list{"group_opened 3 of 0 sequence 7", "frame_data 3 frame 0 at 0 of 5 time 0 68"});
    client->connection_closed({app_error::cancel, true, "bye"}, client.now);
    int ended = 0;
    while (const auto e = client->poll_event()) {
        if (const auto* closed = std::get_if<group_closed>(&*e)) {
            ++ended;
            CHECK(client->stop(closed->group, app_error::cancel).error() == errc::not_found);
            CHECK(client->release(closed->group, 0).error() == errc::not_found);
            CHECK(client->collect(closed->group, {}).error() == errc::not_found);
        }
    }
    CHECK(ended == 1);
}

} // namespace moqlite::test::subscribe_test

// The publisher's side: the peer's requests, and the groups that serve them.
#include "subject.hpp"

#include <catch2/catch_test_macros.hpp>

namespace moqlite::test::publish_test {

namespace {

/// A server with one SUBSCRIBE (id 0) of the client on stream 0.
struct publisher : subject {
    explicit publisher(std::string_view options = "00 00 00 00 00", version v = version::lite_05, limits bounds = {})
        : subject(role::server, v, {.bounds = bounds}) {
        begin(*this);
        asked = receive(0, subscribe_bytes("00", "room/cam", "video", options));
        static_cast<void>(outputs());
    }
    /// Of one frame, and finished.
    group_ref whole(std::uint64_t sequence, std::string_view payload) {
        auto g = (*this)->open_group(id, group_sequence{sequence}).value();
        g->write_frame(timestamp{1}, as_bytes(payload)).value();
        g->finish().value();
        return g;
    }
    list written() { return without(outputs(), "open"); }
    request_id id{};
    list asked;
};

} // namespace

TEST_CASE("a SUBSCRIBE is reported with its range", "[session][publish]") {
    CHECK(publisher{"03 01 40fa 07 4064"}.asked ==
          list{"subscribe_requested 0 room/cam video priority 3 ordered latency 250 6..99", "groups_wanted 0 to 99"});
    CHECK(publisher{}.asked ==
          list{"subscribe_requested 0 room/cam video priority 0 latency 0 ..", "groups_wanted 0 all"});
}

TEST_CASE("OK names the first group as soon as it is known", "[session][publish]") {
    publisher server;
    SECTION("by accept()") {
        REQUIRE(server->accept(server.id, group_sequence{7}));
        CHECK(server.outputs() == list{"write 0 000107"});
        CHECK(server->accept(server.id).error() == errc::already_answered);
    }
    SECTION("by the first group") {
        REQUIRE(server->accept(server.id));
        CHECK(server.outputs().empty());
        static_cast<void>(server.whole(5, "hi"));
        CHECK(server.written() == list{"write 0 000105", "write 7 00020005"
                                                         "02026869"
                                                         " fin"});
    }
    SECTION("by the first of the groups that were served before") {
        static_cast<void>(server.whole(9, "a"));
        static_cast<void>(server.whole(8, "b"));
        REQUIRE(server->accept(server.id));
        CHECK(server.written()[0] == "write 0 000108");
    }
    SECTION("moq-lite-03 gets the options") {
        publisher old{"05 01 40fa 00 00", version::lite_03};
        REQUIRE(old->accept(old.id, group_sequence{7}));
        CHECK(old.outputs() == list{"write 0 0006000140fa0800"});
    }
    SECTION("moq-lite-03 gets OK at once, and a DROP for earlier groups") {
        publisher old{"05 01 40fa 06 00", version::lite_03};
        SECTION("if it is unknown") {
            REQUIRE(old->accept(old.id, {}, 9));
            CHECK(old.outputs() == list{"write 0 0006090140fa0000"});
        }
        SECTION("if it is not the requested one") {
            REQUIRE(old->accept(old.id, group_sequence{7}, 9));
            CHECK(old.outputs() == list{"write 0 0006090140fa0800"
                                        "010305060d"});
        }
    }
}

TEST_CASE("a rejected subscription is stopped and reset", "[session][publish]") {
    publisher server;
    REQUIRE(server->reject(server.id, app_error::not_found));
    CHECK(server.outputs() == list{"stop 0 not_found", "reset 0 not_found"});
    CHECK(server->accept(server.id).error() == errc::not_found);
    CHECK(server.stream_closed(0, app_error::not_found).empty());
}

TEST_CASE(
    "an UPDATE is reported, keeps an omitted start, and reports the range only when it changes", "[session][publish]") {
    publisher server{"00 00 00 07 0a"};
    CHECK(server.receive(0, "05 09 00 00 00 0a") == list{"subscribe_updated 0 priority 9 latency 0 6..9"});
    CHECK(server.receive(0, "05 09 00 00 08 14") ==
          list{"subscribe_updated 0 priority 9 latency 0 7..19", "groups_wanted 0 to 19"});
    CHECK(server.receive(0, "05 09 00 00 00 00") ==
          list{"subscribe_updated 0 priority 9 latency 0 7..", "groups_wanted 0 all"});
}

TEST_CASE("Group End is a cap that an UPDATE raises", "[session][publish][group end]") {
    publisher server{"00 00 00 05 06"};
    REQUIRE(server->accept(server.id, group_sequence{4}));
    const auto make = [&](std::uint64_t n) { return server->open_group(server.id, group_sequence{n}).error(); };
    CHECK(make(3) == errc::before_group_start);
    CHECK(make(4) == errc::ok);
    CHECK(make(5) == errc::ok);
    CHECK(make(6) == errc::beyond_group_end);
    CHECK(server.receive(0, "05 00 00 00 00 07") ==
          list{"subscribe_updated 0 priority 0 latency 0 4..6", "groups_wanted 0 to 6"});
    CHECK(make(6) == errc::ok);
    CHECK(make(7) == errc::beyond_group_end);
}

TEST_CASE("a group is sent as it grows, and reported when it is delivered", "[session][publish]") {
    publisher server;
    REQUIRE(server->accept(server.id, group_sequence{0}));
    static_cast<void>(server.outputs());
    auto g = server->open_group(server.id, group_sequence{0}).value();
    CHECK(server.outputs() == list{"open uni", "write 7 00020000"});
    REQUIRE(g->begin_frame(timestamp{3}, 4));
    CHECK(server.outputs().empty());
    REQUIRE(g->append_payload(as_bytes("ab")));
    CHECK(server.outputs() == list{"write 7 06046162"});
    CHECK(g->finish().error() == errc::frame_incomplete);
    REQUIRE(g->append_payload(as_bytes("cd")));
    REQUIRE(g->write_frame(timestamp{2}, {}));
    REQUIRE(g->finish());
    CHECK(server.outputs() == list{"write 7 63640100 fin"});
    CHECK(server.all_acked(7).empty());
    CHECK(server.stream_closed(7) == list{"group_delivered 0 sequence 0"});
    g = {};
    CHECK(server->pool().in_use() == 0);
}

TEST_CASE("an aborted group is reset and announced as dropped", "[session][publish]") {
    publisher server;
    REQUIRE(server->accept(server.id, group_sequence{0}));
    auto g = server->open_group(server.id, group_sequence{0}).value();
    static_cast<void>(server.outputs());
    g->abort(app_error::old);
    CHECK(server.outputs() == list{"reset 7 old", "write 0 020300"
                                                  "0002"});
    CHECK(server.events() == list{"group_lost 0 sequence 0 old"});
    CHECK(server.stream_closed(7, app_error::old).empty());
}

TEST_CASE("a group that is aborted before its first byte leaves no stream", "[session][publish]") {
    publisher server;
    REQUIRE(server->accept(server.id, group_sequence{0}));
    static_cast<void>(server.outputs());
    auto g = server->open_group(server.id, group_sequence{0}).value();
    g->abort(app_error::old);
    CHECK(server.outputs() == list{"write 0 0203000002"});
}

TEST_CASE("a subscriber that stops a group loses that group and no other", "[session][publish]") {
    publisher server;
    REQUIRE(server->accept(server.id, group_sequence{0}));
    auto a = server->open_group(server.id, group_sequence{0}).value();
    auto b = server->open_group(server.id, group_sequence{1}).value();
    static_cast<void>(server.outputs());
    const auto stream_of_newest = 7u;
    CHECK(server.stopped(stream_of_newest) == list{"group_lost 0 sequence 1 cancel"});
    CHECK(server.outputs() == list{"reset 7 cancel"});
    REQUIRE(a->write_frame(timestamp{0}, as_bytes("x")));
    REQUIRE(b->write_frame(timestamp{0}, as_bytes("x")));
    CHECK(server.outputs() == list{"write 11 000178"});
}

TEST_CASE("a subscriber that leaves takes its groups with it", "[session][publish]") {
    publisher server;
    REQUIRE(server->accept(server.id, group_sequence{0}));
    auto g = server->open_group(server.id, group_sequence{0}).value();
    static_cast<void>(server.outputs());
    SECTION("by FIN") {
        CHECK(server.receive(0, "", true) == list{"request_ended 0"});
        CHECK(server.outputs() == list{"reset 7 cancel", "write 0 fin"});
    }
    SECTION("by reset") {
        CHECK(server.reset(0, app_error::lagged) == list{"request_ended 0 lagged"});
        CHECK(server.outputs() == list{"reset 7 cancel", "write 0 fin"});
    }
    SECTION("by STOP_SENDING") {
        CHECK(server.stopped(0) == list{"request_ended 0 cancel"});
        CHECK(server.outputs() == list{"reset 0 cancel", "reset 7 cancel"});
    }
    REQUIRE(g->write_frame(timestamp{0}, as_bytes("x")));
    CHECK(server.outputs().empty());
    CHECK_FALSE(g->has_readers());
    CHECK(server->open_group(server.id, group_sequence{1}).error() == errc::not_found);
}

TEST_CASE("END is sent at once, the FIN only when every group is acknowledged", "[session][publish][end of track]") {
    publisher server;
    REQUIRE(server->accept(server.id, group_sequence{0}));
    static_cast<void>(server.whole(0, "a"));
    static_cast<void>(server.whole(1, "b"));
    static_cast<void>(server.outputs());
    REQUIRE(server->end_track(server.id, group_sequence{2}));
    REQUIRE(server->finish(server.id));
    CHECK(server->end_track(server.id, group_sequence{3}).error() == errc::already_answered);
    CHECK(server.outputs() == list{"write 0 010102"});
    CHECK(server->open_group(server.id, group_sequence{1}).error() == errc::already_answered);
    CHECK(server.stream_closed(7) == list{"group_delivered 0 sequence 1"});
    CHECK(server.outputs().empty());
    SECTION("acknowledged") { CHECK(server.stream_closed(11) == list{"group_delivered 0 sequence 0"}); }
    SECTION("or reset") {
        CHECK(server.stopped(11) == list{"group_lost 0 sequence 0 cancel"});
        CHECK(server.outputs() == list{"reset 11 cancel"});
        CHECK(server.stream_closed(11, app_error::cancel).empty());
    }
    CHECK(server.outputs() == list{"write 0 fin"});
    CHECK(server.receive(0, "", true).empty());
    CHECK(server.stream_closed(0) == list{"request_ended 0 delivered"});
    CHECK(server->pool().in_use() == 0);
}

TEST_CASE("an ended track without groups is END and FIN, without OK", "[session][publish][end of track]") {
    publisher server;
    REQUIRE(server->end_track(server.id, group_sequence{0}));
    REQUIRE(server->finish(server.id));
    CHECK(server.outputs() == list{"write 0 010100 fin"});
    publisher old{"00 00 00 00 00", version::lite_03};
    REQUIRE(old->end_track(old.id, group_sequence{0}));
    REQUIRE(old->finish(old.id));
    CHECK(old.outputs() == list{"write 0 00050000000000 fin"}); // On these versions OK comes first.
}

TEST_CASE("groups that will not be served are announced as dropped", "[session][publish]") {
    publisher server;
    REQUIRE(server->accept(server.id, group_sequence{5}));
    REQUIRE(server->drop(server.id, group_sequence{5}, group_sequence{7}, app_error::evicted));
    CHECK(server->drop(server.id, group_sequence{7}, group_sequence{5}, app_error::evicted).error() ==
          errc::invalid_argument);
    CHECK(server.outputs() == list{"write 0 000105"
                                   "020305071f"});
}

TEST_CASE("a TRACK is answered once, and its stream finished", "[session][track]") {
    subject server{role::server};
    begin(server);
    CHECK(server.receive(0, track_bytes("room/cam", "video"), true) == list{"track_requested 0 room/cam video"});
    SECTION("with what it is like") {
        REQUIRE(server->answer_track(request_id{0}, {}));
        CHECK(without(server.outputs(), "credit") == list{"write 0 060000538843e8 fin"});
        CHECK(server->answer_track(request_id{0}, {}).error() == errc::not_found);
        CHECK(server.stream_closed(0).empty());
    }
    SECTION("or refused") {
        REQUIRE(server->reject(request_id{0}, app_error::not_found));
        CHECK(without(server.outputs(), "credit") == list{"reset 0 not_found"});
    }
    SECTION("unless the requester has left") {
        CHECK(server.stopped(0) == list{"request_ended 0 cancel"});
        CHECK(server->answer_track(request_id{0}, {}).error() == errc::not_found);
    }
}

} // namespace moqlite::test::publish_test

// The end of a track, and subscriptions that end before it (moq-lite-wire §4.7, §12.10, §12.38).
#include "subject.hpp"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

namespace moqlite::test::end_of_track_test {

namespace {

version with_strict_end() { return GENERATE(version::lite_06, version::lite_07_wip); }

/// A client with one subscription, on stream 0.
struct viewer : subject {
    explicit viewer(version v) : subject(role::client, v) {
        begin(*this);
        REQUIRE((*this)->subscribe({"a", "b"}));
        static_cast<void>(outputs());
        static_cast<void>(all_acked(0));
    }
    list group(std::uint64_t stream, std::string_view sequence, bool fin = true) {
        return receive(stream, group_bytes((*this)->negotiated(), "00", sequence) + "00 01 61", fin);
    }
    /// OK from group 0, and END at 2.
    list end_at_2() {
        return receive(0, has_stream_count((*this)->negotiated()) ? "00 01 00 01 02 02 02" : "00 01 00 01 01 02");
    }
};

/// A server with one accepted subscription of the client, on stream 0.
struct publisher : subject {
    publisher(version v, const subscribe_options& o) : subject(role::server, v) {
        begin(*this);
        REQUIRE(receive(0, subscribe_bytes(v, "00", "a", "b", o)).size() == 2);
        REQUIRE((*this)->accept(id, o.start));
        static_cast<void>(outputs());
        static_cast<void>(all_acked(0));
    }
    /// A group that arrives.
    void deliver(std::uint64_t sequence) {
        auto g = (*this)->open_group(id, group_sequence{sequence});
        REQUIRE(g);
        REQUIRE((*g)->finish());
        static_cast<void>(outputs());
        static_cast<void>(all_acked(next_uni));
        CHECK(stream_closed(next_uni).back() == "group_delivered 0 sequence " + std::to_string(sequence));
        next_uni += 4;
    }
    request_id id{};
    std::uint64_t next_uni = has_setup((*this)->negotiated()) ? 7 : 3;
};

} // namespace

TEST_CASE("a group at or beyond the END of its track fails the track since moq-lite-06",
    "[session][end of track][bad input][dialects §4.7]") {
    const auto v = with_strict_end();
    const auto* beyond = GENERATE("02", "07");
    CAPTURE(alpn(v), beyond);
    viewer client{v};
    static_cast<void>(client.group(3, "00", false));
    CHECK(client.end_at_2().back() == "subscription_end_known 0 before 2");
    CHECK(client.group(7, beyond) == list{"stream_rejected 7 group_out_of_range",
                                         "group_closed 3 of 0 sequence 0 protocol_violation",
                                         "subscription_ended 0 protocol_violation"});
    CHECK_FALSE(client->is_closed());
    const auto said = client.outputs();
    for (const auto* stream : {"stop 3 ", "stop 7 ", "stop 0 ", "reset 0 "})
        CHECK(std::any_of(said.begin(), said.end(), [&](const auto& line) { return line.starts_with(stream); }));
}

TEST_CASE("before moq-lite-06 a group at or beyond the END is refused alone",
    "[session][end of track][bad input][dialects §4.7]") {
    viewer client{version::lite_05};
    static_cast<void>(client.end_at_2());
    CHECK(client.group(3, "02") == list{"stream_rejected 3 group_out_of_range"});
    CHECK(client.group(7, "01").back() == "group_closed 7 of 0 sequence 1 complete");
    CHECK(client->update(subscribe_id{0}, {.priority = 3}));
}

TEST_CASE("a datagram at or beyond the END of its track is dropped", "[session][end of track][datagram]") {
    const auto v = GENERATE(version::lite_05, version::lite_06, version::lite_07_wip);
    viewer client{v};
    static_cast<void>(client.end_at_2());
    const auto beyond = hex("00 02 00 61");
    client.told().datagram_received(beyond, client.now);
    CHECK(client.events().empty());
    const auto last = hex("00 01 00 61");
    client.told().datagram_received(last, client.now);
    CHECK(client.events().size() == 1);
}

TEST_CASE(
    "we send no group at or beyond our END, and since moq-lite-06 no END below our groups", "[session][end of track]") {
    const auto v = GENERATE(version::lite_03, version::lite_05, version::lite_06, version::lite_07_wip);
    subject server{role::server, v};
    begin(server);
    REQUIRE(server.receive(0, subscribe_bytes(v, "00", "a", "b")).size() == 2);
    REQUIRE(server->open_group({}, group_sequence{4}));
    if (must_send_end(v)) CHECK(server->end_track({}, group_sequence{4}).error() == errc::invalid_argument);
    REQUIRE(server->end_track({}, group_sequence{5}));
    CHECK(server->open_group({}, group_sequence{5}).error() == errc::group_ended);
    CHECK(server->open_group({}, group_sequence{3}));
}

TEST_CASE("a subscription that was served up to its Group End is not finished where a FIN requires END",
    "[session][end of track][group end][dialects §12.10]") {
    const auto v = GENERATE(version::lite_03, version::lite_05, version::lite_06, version::lite_07_wip);
    CAPTURE(alpn(v));
    publisher server{v, {.start = group_sequence{3}, .end = group_sequence{4}}};
    server.deliver(3);
    server.deliver(4);
    REQUIRE(server->finish(server.id));
    if (!must_send_end(v)) {
        CHECK(server.outputs() == list{"write 0 fin"});
        return;
    }
    CHECK(server.outputs().empty());
    SECTION("its subscriber leaves") {
        CHECK(server.receive(0, "", true) == list{"request_ended 0 delivered"});
        CHECK(server.outputs() == list{"write 0 fin"});
    }
    SECTION("its subscriber raises the Group End, and the track goes on") {
        CHECK(server.receive(0, update_bytes(v, {.start = group_sequence{3}, .end = group_sequence{5}})).back() ==
              "groups_wanted 0 to 5");
        server.deliver(5);
        REQUIRE(server->end_track(server.id, group_sequence{6}));
        REQUIRE(server->finish(server.id));
        CHECK(server.outputs() == list{has_stream_count(v) ? "write 0 01020603 fin" : "write 0 010106 fin"});
    }
    SECTION("the track ends there after all") {
        REQUIRE(server->end_track(server.id, group_sequence{5}));
        REQUIRE(server->finish(server.id));
        CHECK(server.outputs() == list{has_stream_count(v) ? "write 0 01020502 fin" : "write 0 010105 fin"});
    }
}

TEST_CASE("in a pump that writes both, the END of a track goes before the retraction of its broadcast",
    "[session][end of track][announce][moq-net]") {
    const auto v = GENERATE(version::lite_05, version::lite_06, version::lite_07_wip);
    const bool end_first = GENERATE(false, true);
    CAPTURE(alpn(v), end_first);
    publisher server{v, {.start = group_sequence{0}}};
    REQUIRE(server->announce("a"));
    static_cast<void>(server.receive(4, "01 02 00 00"));
    static_cast<void>(server.outputs());
    static_cast<void>(server.all_acked(4));
    const auto end = [&] {
        REQUIRE((*server->open_group(server.id, group_sequence{0}))->finish());
        REQUIRE(server->end_track(server.id, group_sequence{1}));
        REQUIRE(server->finish(server.id));
    };
    if (end_first) end();
    REQUIRE(server->unannounce("a"));
    if (!end_first) end();
    SECTION("at once") {}
    SECTION("when there is a stream") {
        server.link.uni_streams = 0;
        auto said = without(server.outputs(), "open");
        server.link.uni_streams = 1;
        server->streams_available(direction::uni, server.now);
        if (has_stream_count(v)) { // It does not wait for the peer to grant streams.
            REQUIRE(said.size() == 1);
            CHECK(said[0].starts_with("write 4 "));
            return;
        }
    }
    const auto said = server.outputs();
    const auto place = [&](std::string_view of) {
        return std::find_if(said.begin(), said.end(), [&](const auto& line) { return line.starts_with(of); });
    };
    CHECK((place("write 4 ") == said.end() || place("write 0 ") < place("write 4 ")));
}

} // namespace moqlite::test::end_of_track_test

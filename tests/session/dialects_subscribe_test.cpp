// Where implementations disagree about subscriptions, a row of moq-lite-wire.md §12 each.
#include "desk.hpp"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/generators/catch_generators_range.hpp>

namespace moqlite::test::dialects_subscribe_test {

namespace {

version any_version() { return GENERATE(from_range(quic_versions)); }
version old_version() { return GENERATE(version::lite_03, version::lite_04); }

/// A client with one subscription, on stream 0.
struct viewer : subject {
    explicit viewer(version v, const subscribe_options& o = {}) : subject(role::client, v) {
        begin(*this);
        REQUIRE((*this)->subscribe({"a", "b"}, o));
        request = outputs();
        static_cast<void>(all_acked(0));
    }
    /// A group of one frame, on a stream of its own.
    list group(std::uint64_t stream, std::string_view sequence) {
        const auto v = (*this)->negotiated();
        return receive(stream, group_bytes(v, "00", sequence) + (has_timestamps(v) ? "00 01 61" : "01 61"), true);
    }
    list request;
};

/// A server with one accepted subscription of the client, on stream 0.
struct publisher : subject {
    explicit publisher(version v, const subscribe_options& options = {}, priority own = 0) : subject(role::server, v) {
        begin(*this);
        REQUIRE(receive(0, subscribe_bytes(v, "00", "a", "b", options)).size() == 2);
        REQUIRE((*this)->accept(id, group_sequence{0}, own));
        accepted = without(outputs(), "credit");
        static_cast<void>(all_acked(0));
    }
    group_ref group(std::uint64_t sequence) {
        auto g = (*this)->open_group(id, group_sequence{sequence});
        REQUIRE(g);
        REQUIRE((*g)->write_frame(timestamp{0}, as_bytes("x")));
        REQUIRE((*g)->finish());
        return *g;
    }
    /// Every byte of it arrives.
    void deliver(std::uint64_t stream) {
        static_cast<void>(all_acked(stream));
        CHECK(stream_closed(stream).size() == 1);
    }
    [[nodiscard]] std::uint64_t first_uni() { return has_setup((*this)->negotiated()) ? 7 : 3; }
    request_id id{};
    list accepted;
};

} // namespace

TEST_CASE("a DROP is a hint: a group that it names is accepted when it arrives, here one too many",
    "[session][dialects §12.6][gomoqt]") {
    const auto v = any_version();
    CAPTURE(alpn(v));
    viewer client{v};
    const std::string drop = has_options_in_ok(v) ? "01" : "02";
    const std::string ok = has_options_in_ok(v) ? "00 05 00 00 00 01 00" : "00 01 00";
    // gomoqt means groups 2 to 4 with 3 to 5.
    CHECK(client.receive(0, ok + drop + "03 03 05 00").back().starts_with("groups_dropped 0 3 to 5 "));
    CHECK(client.group(3, "03").size() == 3);
    CHECK(client.group(7, "05").size() == 3);
}

TEST_CASE("a reader continues after a DROP that names one group too many", "[session][dialects §12.6][gomoqt]") {
    desk d{from(0)};
    d.accepted(0);
    d.whole(0);
    d.whole(1);
    d.dropped(3, 5);
    d.whole(5);
    CHECK(d.read() == list{"0.0 x", "1.0 x"});
    d.pass(track_reader_options{}.gap_patience);
    CHECK(d.read() == list{"5.0 x"});
}

TEST_CASE("we send a DROP with the numbers of its groups", "[session][dialects §12.6]") {
    const auto v = any_version();
    publisher server{v};
    REQUIRE(server->drop(server.id, group_sequence{2}, group_sequence{4}, app_error::old));
    CHECK(
        server.outputs() == list{"write 0 " + compact((has_options_in_ok(v) ? "01" : "02") + std::string("03 02 04 ") +
                                                      (has_two_registries(v) ? "34" : "02"))});
}

TEST_CASE("group 0 is a group: it can be requested, and ours begin with it", "[session][dialects §12.7]") {
    const auto v = any_version();
    viewer client{v, {.start = group_sequence{0}, .end = group_sequence{0}}};
    const auto* path = has_slash_dialect(v) ? "/a" : "a";
    const auto* options = has_frame_ranges(v) ? "00 00 00 01 00 00" : "00 00 00 01 01";
    CHECK(client.request.back() == "write 0 " + compact(subscribe_bytes("00", path, "b", options)));
    CHECK(client.group(3, "00").front() == "group_opened 3 of 0 sequence 0");
    publisher server{v, {.start = group_sequence{0}}};
    server.group(0);
    CHECK(without(server.outputs(), "open")
            .front()
            .starts_with("write " + std::to_string(server.first_uni()) + " " + compact(group_bytes(v, "00", "00"))));
}

TEST_CASE("a subscriber waits for SUBSCRIBE_OK without limit, and accepts groups before it",
    "[session][dialects §12.8][gomoqt][dialects §7.8]") {
    const auto v = any_version();
    CAPTURE(alpn(v));
    viewer client{v};
    CHECK(client.tick_after(1h).empty());
    CHECK(client.group(3, "07").size() == 3);
    CHECK(client.receive(0, has_options_in_ok(v) ? "00 05 00 00 00 08 00" : "00 01 07") ==
          list{"subscription_accepted 0 from 7"});
}

TEST_CASE("reaching the Group End ends nothing: it may be raised", "[session][dialects §12.10]") {
    const auto v = any_version();
    CAPTURE(alpn(v));
    publisher server{v, {.start = group_sequence{0}, .end = group_sequence{0}}};
    server.group(0);
    CHECK(server->open_group(server.id, group_sequence{1}).error() == errc::beyond_group_end);
    static_cast<void>(server.outputs());
    server.deliver(server.first_uni());
    CHECK(server.outputs().empty()); // No FIN.
    CHECK(server.receive(0, update_bytes(v, {.end = group_sequence{1}})).back() == "groups_wanted 0 to 1");
    server.group(1);
    CHECK(without(without(server.outputs(), "credit"), "open")
            .front()
            .starts_with(
                "write " + std::to_string(server.first_uni() + 4) + " " + compact(group_bytes(v, "00", "01"))));
}

TEST_CASE("on moq-lite-04 a group beyond the Group End is accepted: one publisher ignores it",
    "[session][dialects §12.10][gomoqt]") {
    const auto v = any_version();
    CAPTURE(alpn(v));
    viewer client{v, {.start = group_sequence{3}, .end = group_sequence{7}}};
    const auto told = client.receive(3, group_bytes(v, "00", "08"));
    if (v == version::lite_04)
        CHECK(told == list{"group_opened 3 of 0 sequence 8"});
    else
        CHECK(told == list{"stream_rejected 3 group_out_of_range"});
    // What was passed already stays unwanted.
    CHECK(client.receive(7, group_bytes(v, "00", "02")) == list{"stream_rejected 7 group_out_of_range"});
}

TEST_CASE("a complete reader reads on beyond its Group End where the publisher ignores it",
    "[session][dialects §12.10][gomoqt]") {
    auto o = from(1);
    o.bounds.read_ahead = 1;
    desk d{o};
    d.session.dialect = version::lite_04;
    d.accepted(1);
    for (std::uint64_t n = 1; n != 9; ++n) d.whole(n, "ab");
    d.ended();
    CHECK(d.read().size() == 8);
    CHECK(d.lost().empty());
    CHECK(d.reader.finished());
}

TEST_CASE("a publisher that ends a subscription at its Group End is subscribed again", "[session][dialects §12.10]") {
    auto o = from(0);
    o.bounds.read_ahead = 1; // Group by group: while one is read, the next is in flight.
    desk d{o};
    d.accepted(0);
    d.whole(0);
    d.whole(1);
    static_cast<void>(d.said());
    d.ended();
    CHECK(d.said() == list{"subscribe room video ordered 2..3"});
    CHECK_FALSE(d.reader.finished());
}

TEST_CASE("SUBSCRIBE_END names the first group that will never exist", "[session][dialects §12.12]") {
    const auto v = GENERATE(version::lite_05, version::lite_06);
    publisher server{v};
    REQUIRE(server->end_track(server.id, group_sequence{9}));
    CHECK(server.outputs() == list{"write 0 010109"});
    viewer client{v};
    CHECK(client.receive(0, "01 01 09") == list{"subscription_end_known 0 before 9"});
    CHECK(client.group(3, "08").size() == 3);
}

TEST_CASE("Subscribe IDs may be any, in any order", "[session][dialects §12.33][gomoqt]") {
    const auto v = any_version();
    subject server{role::server, v};
    begin(server);
    std::uint64_t stream = 0;
    for (const auto* id : {"01", "00", "ffffffffffffffff", "4064"}) {
        CHECK(server.receive(stream, subscribe_bytes(v, id, "a", "b")).size() == 2);
        REQUIRE(server->open_group(request_id{stream / 4}, group_sequence{0}));
        const auto said = without(without(server.outputs(), "open"), "credit").back();
        CHECK(said.find(" " + compact(group_bytes(v, id, "00"))) != std::string::npos);
        stream += 4;
    }
}

TEST_CASE("Ordered decides which group is sent first, and on versions without it a Max Age of a day",
    "[session][dialects §12.36]") {
    const auto v = any_version();
    for (const bool ordered : {false, true}) {
        subscribe_options o{.ordered = ordered};
        if (!has_ordered(v)) o = {.max_age = ordered ? complete_age : complete_age - 1ms};
        publisher server{v, o};
        server.group(0);
        server.group(1);
        const auto first = " " + compact(group_bytes(v, "00", ordered ? "00" : "01"));
        CHECK(without(server.outputs(), "open").front().find(first) != std::string::npos);
    }
}

TEST_CASE("SUBSCRIBE_OK carries the publisher's priority on versions that have it", "[session][dialects §12.37]") {
    const auto v = old_version();
    publisher server{v, {.priority = 9}, 5};
    CHECK(server.accepted == list{"write 0 " + compact("00 05 05 00 00 01 00")});
    for (const auto* echo : {"09", "05", "00"}) {
        viewer client{v, {.priority = 9}};
        CHECK(client.receive(0, "00 05" + std::string(echo) + "00 00 08 00") == list{"subscription_accepted 0 from 7"});
    }
}

TEST_CASE("a subscription that ends without END is complete on moq-lite-05, and has failed since",
    "[session][dialects §12.38][moq-net][dialects §16.1.11][dialects §16.2.5]") {
    const auto v = GENERATE(version::lite_05, version::lite_06, version::lite_07_wip);
    CAPTURE(alpn(v));
    viewer client{v};
    CHECK(client.group(3, "00").size() == 3);
    const auto said = client.receive(0, "00 01 00", true);
    if (!must_send_end(v)) {
        CHECK(said.back() == "subscription_ended 0 finished");
    } else {
        CHECK(said == list{"subscription_accepted 0 from 0", "stream_rejected 0 end_missing",
                          "subscription_ended 0 protocol_violation"});
        CHECK_FALSE(client->is_closed());
    }
    // Ours never does, also if the application does not name the end.
    publisher server{v};
    server.group(0);
    REQUIRE(server->finish(server.id));
    const auto* end = has_stream_count(v) ? "write 0 01020101" : "write 0 010101";
    const auto all = server.outputs();
    CHECK(std::find(all.begin(), all.end(), end) != all.end());
}

TEST_CASE("an END at or below a group that has arrived fails the subscription since moq-lite-06",
    "[session][dialects §16.1.13][bad input]") {
    const auto v = GENERATE(version::lite_06, version::lite_07_wip);
    viewer client{v};
    CHECK(client.group(3, "08").size() == 3);
    const auto* end = has_stream_count(v) ? "01 02 08 01" : "01 01 08";
    CHECK(client.receive(0, "00 01 08" + std::string(end)).at(1) == "stream_rejected 0 group_out_of_range");
    CHECK_FALSE(client->is_closed());
}

TEST_CASE("an update without a Group Start removes the floor since moq-lite-06, and changes nothing before",
    "[session][dialects §16.2.3]") {
    const auto v = GENERATE(version::lite_04, version::lite_05, version::lite_06, version::lite_07_wip);
    publisher server{v, {.start = group_sequence{7}}};
    CHECK(server->open_group(server.id, group_sequence{6}).error() == errc::before_group_start);
    static_cast<void>(server.receive(0, update_bytes(v, {.priority = 3})));
    CHECK(server->open_group(server.id, group_sequence{6}).has_value() == has_start_by_age(v));
}

TEST_CASE("a subscribe stream is finished after its groups are acknowledged, for peers that drop groups in flight",
    "[session][dialects moq-net]") {
    const auto v = any_version();
    CAPTURE(alpn(v));
    publisher server{v};
    server.group(0);
    REQUIRE(server->end_track(server.id, group_sequence{1}));
    REQUIRE(server->finish(server.id));
    for (const auto& line : server.outputs()) CHECK((!line.starts_with("write 0") || !line.ends_with("fin")));
    static_cast<void>(server.all_acked(server.first_uni()));
    CHECK(server.outputs().empty());
    CHECK(server.stream_closed(server.first_uni()) == list{"group_delivered 0 sequence 0"});
    CHECK(server.outputs() == list{"write 0 fin"});
}

} // namespace moqlite::test::dialects_subscribe_test

// Backlogs: replies that a peer does not read, groups that a live reader does not take, missing streams.
#include "subject.hpp"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>

namespace moqlite::test::backlog_test {

namespace {

/// A server with an accepted subscription on stream 0.
struct publisher : subject {
    explicit publisher(limits bounds = {}, std::string_view options = "00 00 00 00 00")
        : subject(role::server, version::lite_05, {.bounds = bounds}) {
        begin(*this);
        CHECK(receive(0, subscribe_bytes("00", "room", "video", options)).size() == 2);
        CHECK((*this)->accept(request_id{0}, group_sequence{0}));
        static_cast<void>(outputs());
        CHECK(all_acked(0).empty());
    }
    group_ref add(std::uint64_t sequence, std::size_t size = 100) {
        auto g = (*this)->open_group(request_id{0}, group_sequence{sequence}).value();
        CHECK(g->write_frame(timestamp{0}, as_bytes(std::string(size, 'x'))));
        CHECK(g->finish());
        return g;
    }
};

} // namespace

TEST_CASE(
    "a live reader that falls behind loses the oldest groups, which are reported, and no other", "[session][backlog]") {
    limits small;
    small.live_backlog = 1000;
    publisher server{small};
    server.link.uni_streams = 0;
    for (std::uint64_t n = 0; n < 12; ++n) static_cast<void>(server.add(n));
    // The last is served while it is still empty: it drops nothing, but those before it are 1 100 bytes and more.
    CHECK(server.events() == list{"group_lost 0 sequence 0 lagged", "group_lost 0 sequence 1 lagged"});
    CHECK(server.outputs() == list{"open uni in vain", "write 0 020300001a"
                                                       "020301011a"});
    server.link.uni_streams = 100;
    server->streams_available(direction::uni, server.now);
    const auto said = without(server.outputs(), "open");
    REQUIRE(said.size() == 10);
    for (std::size_t i = 0; i < said.size(); ++i) {
        const auto newest = to_hex(std::array{static_cast<std::byte>(11 - i)});
        CHECK(said[i].find("000200" + newest) != std::string::npos);
    }
}

TEST_CASE("waiting groups are also bounded in number, and the latest is never dropped",
    "[session][backlog][dialects §7.10]") {
    limits small;
    small.live_groups = 4;
    small.live_backlog = 10;
    publisher server{small};
    server.link.uni_streams = 0;
    for (std::uint64_t n = 0; n < 20; ++n) static_cast<void>(server.add(n));
    static_cast<void>(server.outputs());
    CHECK(server->unsent(request_id{0}) > 0);
    auto lost = server.events();
    CHECK(lost.size() == 19);
    CHECK(lost.back() == "group_lost 0 sequence 18 lagged");
}

TEST_CASE("a capped reader loses nothing", "[session][backlog]") {
    limits small;
    small.live_groups = 4;
    small.live_backlog = 10;
    publisher server{small, "00 00 00 00 40ff"};
    server.link.uni_streams = 0;
    for (std::uint64_t n = 0; n < 20; ++n) static_cast<void>(server.add(n));
    static_cast<void>(server.outputs());
    CHECK(server.events().empty());
}

// Issue 10, B6: they were counted only when another group was served.
TEST_CASE("growing groups of a slow live reader are bounded even without a further group", "[session][backlog]") {
    limits small;
    small.live_backlog = 100'000;
    publisher server{small};
    server.link.uni_streams = 1;
    server.link.stream_room[stream_id{7}] = 50;
    std::vector<group_ref> growing;
    for (std::uint64_t n = 0; n < 20; ++n) {
        growing.push_back(server->open_group(request_id{0}, group_sequence{n}).value());
        REQUIRE(growing.back()->write_frame(timestamp{0}, as_bytes(std::string(100, 'x'))));
    }
    static_cast<void>(server.outputs());
    for (const auto& g : growing) REQUIRE(g->write_frame(timestamp{0}, as_bytes(std::string(20'000, 'x'))));
    CHECK(server.events().empty());
    CHECK(server->unsent(request_id{0}) > 400'000);
    for (int n = 0; n < 10; ++n) {
        server->stream_acked(stream_id{7}, 5, server.now);
        static_cast<void>(server.outputs());
    }
    CHECK(server->unsent(request_id{0}) <= small.live_backlog);
    const auto lost = server.events();
    REQUIRE(lost.size() == 16);
    CHECK(lost.back() == "group_lost 0 sequence 15 lagged");
}

TEST_CASE("a group that is half sent is reset when it is dropped", "[session][backlog]") {
    limits small;
    small.live_backlog = 1000;
    publisher server{small};
    server.link.stream_room[stream_id{7}] = 50;
    static_cast<void>(server.add(0, 1500));
    static_cast<void>(server.outputs());
    static_cast<void>(server.add(1, 10));
    CHECK(server.events() == list{"group_lost 0 sequence 0 lagged"});
    CHECK(server.outputs()[0] == "reset 7 lagged");
}

TEST_CASE("stream ids are requested in order for waiting groups, up to the limit in hand", "[session][backlog]") {
    limits small;
    small.streams_in_hand = 3;
    publisher server{small};
    for (std::uint64_t n = 0; n < 5; ++n) static_cast<void>(server.add(n));
    server.link.budget = 0;
    CHECK(server.outputs() == list{"open uni", "open uni", "open uni"});
    // The most urgent group has taken one.
    CHECK(server.outputs() == list{"open uni"});
    CHECK(server.outputs().empty());
    server.link.budget = SIZE_MAX;
    const auto said = server.outputs();
    CHECK(std::count(said.begin(), said.end(), "open uni") == 0);
    CHECK(said.size() == 4);
    CHECK(said[0].starts_with("write 7 00020004"));
    CHECK(said[1].starts_with("write 11 00020003"));
    CHECK(server.outputs().size() == 2);
}

TEST_CASE("a session stays on its ready list until everything has been sent", "[session][backlog]") {
    limits small;
    small.streams_in_hand = 3;
    small.control_unsent = 64;
    ready_list ready;
    subject server{role::server, version::lite_05, {.bounds = small, .ready = &ready, .key = 5}};
    begin(server);
    CHECK(server.receive(0, subscribe_bytes("00", "room", "video")).size() == 2);
    CHECK(server.receive(4, "01 02 00 00").empty());
    static_cast<void>(server.outputs());
    while (ready.pop()) static_cast<void>(server.outputs());
    std::size_t bytes = 0;
    const auto pump_while_ready = [&] {
        int pumps = 0;
        for (bytes = 0; ready.pop(); ++pumps)
            for (const auto& line : server.outputs()) bytes += line.size() / 2;
        return pumps;
    };
    SECTION("groups that wait for ids") {
        for (std::uint64_t n = 0; n < 10; ++n) REQUIRE(server->open_group(request_id{0}, group_sequence{n}));
        CHECK(pump_while_ready() == 4);
        CHECK(server->unsent(request_id{0}) == 0);
    }
    SECTION("but not if none are granted") {
        server.link.uni_streams = 4;
        for (std::uint64_t n = 0; n < 10; ++n) REQUIRE(server->open_group(request_id{0}, group_sequence{n}));
        CHECK(pump_while_ready() == 2);
    }
    SECTION("nor if the connection takes nothing more") {
        server.link.budget = 5;
        for (std::uint64_t n = 0; n < 10; ++n) REQUIRE(server->open_group(request_id{0}, group_sequence{n}));
        CHECK(pump_while_ready() == 1);
    }
    SECTION("announcements that did not fit") {
        for (std::uint64_t n = 0; n < 100; ++n) REQUIRE(server->announce("broadcast" + std::to_string(n)));
        CHECK(pump_while_ready() > 10);
        CHECK(bytes > 100 * 12);
    }
}

TEST_CASE("a blocked stream is skipped until it is writable, and others continue", "[session][backlog]") {
    publisher server;
    server.link.stream_room[stream_id{7}] = 6;
    static_cast<void>(server.add(0, 4));
    CHECK(without(server.outputs(), "open") == list{"write 7 000200000004"});
    CHECK(server.outputs().empty());
    static_cast<void>(server.add(1, 1));
    CHECK(without(server.outputs(), "open") == list{"write 11 00020001000178 fin"});
    server.link.stream_room.clear();
    server.writable(7);
    CHECK(server.outputs() == list{"write 7 78787878 fin"});
}

TEST_CASE(
    "a peer that does not read our replies is not read either, and is given each credit once", "[session][backlog]") {
    limits small;
    small.control_unsent = 8;
    publisher server{small};
    // Half of an UPDATE arrives without a backlog, the rest with one.
    CHECK(server.receive(0, "05 09 00").empty());
    CHECK(server.outputs() == list{"credit 0 3"});
    server.link.budget = 0;
    REQUIRE(server->drop(request_id{0}, group_sequence{5}, group_sequence{6}, app_error::old));
    REQUIRE(server->drop(request_id{0}, group_sequence{7}, group_sequence{8}, app_error::old));
    CHECK(server.receive(0, "00 00 00  05 08 00 00 00 00").empty());
    CHECK(server.outputs().empty());
    server.link.budget = SIZE_MAX;
    CHECK(server.outputs() == list{"write 0 0203050602"
                                   "0203070802"});
    CHECK(server.events() ==
          list{"subscribe_updated 0 priority 9 latency 0 ..", "subscribe_updated 0 priority 8 latency 0 .."});
    CHECK(server.outputs() == list{"credit 0 9"});
}

TEST_CASE("a backlog that begins between two messages of one input returns their credit once", "[session][backlog]") {
    limits small;
    small.control_unsent = 8;
    publisher server{small};
    server.link.budget = 0;
    const auto bytes = hex("05 09 00 00 00 00  05 08 00 00 00 00");
    server.arrives(0, bytes);
    CHECK(text(server->poll_event().value()) == "subscribe_updated 0 priority 9 latency 0 ..");
    REQUIRE(server->drop(request_id{0}, group_sequence{5}, group_sequence{6}, app_error::old));
    REQUIRE(server->drop(request_id{0}, group_sequence{7}, group_sequence{8}, app_error::old));
    CHECK(server.events().empty());
    CHECK(server.outputs() == list{"credit 0 12"});
    server.link.budget = SIZE_MAX;
    static_cast<void>(server.outputs());
    CHECK(server.events() == list{"subscribe_updated 0 priority 8 latency 0 .."});
    CHECK(server.outputs().empty());
}

} // namespace moqlite::test::backlog_test

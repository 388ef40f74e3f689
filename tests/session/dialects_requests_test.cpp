// Where implementations disagree about FETCH, PROBE, GOAWAY and datagrams, a row of moq-lite-wire.md §12 each.
#include "subject.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/generators/catch_generators_range.hpp>

namespace moqlite::test::dialects_requests_test {

namespace {

version any_version() { return GENERATE(from_range(quic_versions)); }
version old_version() { return GENERATE(version::lite_03, version::lite_04); }
version new_version() { return GENERATE(version::lite_05, version::lite_06); }

struct server_of : subject {
    explicit server_of(version v) : subject(role::server, v) { begin(*this); }
};
struct client_of : subject {
    explicit client_of(version v) : subject(role::client, v) { begin(*this); }
};

/// A recorder that has datagrams.
struct datagrams : recorder {
    using recorder::recorder;
    bool send(byte_view bytes) { return sizes.push_back(bytes.size()), true; }
    std::vector<std::size_t> sizes;
};

} // namespace

TEST_CASE(
    "FETCH is served on every version, before moq-lite-05 in frames without a time", "[session][dialects §12.9]") {
    const auto v = any_version();
    CAPTURE(alpn(v));
    server_of server{v};
    CHECK(server.receive(0, fetch_bytes(v, "a", "b", "4064")) == list{"fetch_requested 0 a b sequence 100 priority 0"});
    static_cast<void>(server.outputs());
    const auto g = server->open_group(request_id{0}, group_sequence{100}).value();
    REQUIRE(g->write_frame(timestamp{3}, as_bytes("hi")));
    REQUIRE(g->write_frame(timestamp{4}, {}));
    REQUIRE(g->finish());
    CHECK(
        server.outputs() == list{std::string("write 0 ") + (has_timestamps(v) ? "060268690200" : "02686900") + " fin"});
    static_cast<void>(server.all_acked(0));
    CHECK(server.stream_closed(0) == list{"group_delivered 0 sequence 100", "request_ended 0 delivered"});
}

TEST_CASE("FETCH is asked on every version", "[session][dialects §12.9]") {
    const auto v = any_version();
    CAPTURE(alpn(v));
    client_of client{v};
    const auto id = client->fetch({"a", "b"}, group_sequence{100}, 0);
    REQUIRE(id);
    CHECK(client.outputs() ==
          list{"open bidi", "write 0 " + compact(fetch_bytes(v, has_slash_dialect(v) ? "/a" : "a", "b", "4064"))});
    const auto name = std::to_string(number(*id));
    const std::string first = has_timestamps(v) ? "06 " : "";
    SECTION("and read") {
        CHECK(client.receive(0, first + "02 6869", true) ==
              list{"frame_data " + name + " frame 0 at 0 of 2 time " + (has_timestamps(v) ? "3" : "0") + " 6869",
                  "group_closed " + name + " of 18446744073709551615 sequence 100 complete"});
        CHECK(client.outputs().back() == "write 0 fin");
    }
    SECTION("or collected, where there is no time with that of arrival") {
        const auto log = group::make(client->pool(), group_sequence{100}, version::lite_05);
        REQUIRE(client->collect(*id, log));
        client.now += 2s; // Since the epoch of 0 it is 3 s.
        CHECK(client.receive(0, first + "02 6869", true).size() == 1);
        CHECK(log->last_time() == timestamp{has_timestamps(v) ? 3u : 3000u});
    }
    SECTION("or refused, and nothing else ends: most publishers before moq-lite-05 do") {
        CHECK(client.reset(0, app_error{0}).size() == 1);
        CHECK_FALSE(client->is_closed());
    }
}

TEST_CASE("a FETCH of gomoqt's is answered, though it never ends its side", "[session][dialects §12.9][gomoqt]") {
    server_of server{version::lite_04};
    CHECK(server.receive(0, "03 13 0f 2f696e7465726f702f736572766572 00 00 00") ==
          list{"fetch_requested 0 interop/server  sequence 0 priority 0"});
    static_cast<void>(server.outputs());
    const auto g = server->open_group(request_id{0}, group_sequence{0}).value();
    REQUIRE(g->write_frame(timestamp{}, as_bytes("HELLO")));
    REQUIRE(g->finish());
    CHECK(server.outputs() == list{"write 0 0548454c4c4f fin"});
    static_cast<void>(server.all_acked(0));
    CHECK(server.tick_after(10s) == list{"group_delivered 0 sequence 0", "request_ended 0 delivered"});
    CHECK(server.outputs() == list{"stop 0 cancel"});
}

TEST_CASE("datagrams are limited to 1200 bytes, even if the path carries more",
    "[session][dialects §12.13][dialects §7.11]") {
    const auto v = new_version();
    server_of server{v};
    static_cast<void>(server.receive(0, subscribe_bytes(v, "03", "a", "b")));
    server->path_measured({.rtt = 1ms, .datagram_size = 9000}, server.now);
    const auto send = [&](std::size_t n) {
        return server->serve_datagram(request_id{0}, group_sequence{7}, timestamp{1}, as_bytes(std::string(n, 'x')));
    };
    CHECK(send(1198).error() == errc::value_too_large); // Three bytes name it.
    CHECK(send(1197));
    datagrams link{role::server};
    pump(*server, link);
    CHECK(link.sizes == std::vector<std::size_t>{1200});
}

TEST_CASE("datagrams of any size and number are accepted", "[session][dialects §12.13][dialects §7.11]") {
    client_of client{new_version()};
    REQUIRE(client->subscribe({"a", "b"}));
    const auto bytes = hex("00 07 01" + to_hex(as_bytes(std::string(9000, 'x'))));
    for (int i = 0; i < 2; ++i) {
        client->datagram_received(bytes, client.now);
        const auto told = client.events();
        REQUIRE(told.size() == 1);
        CHECK(told[0] == "group_datagram 0 sequence 7 time 1 " + to_hex(as_bytes(std::string(9000, 'x'))));
    }
}

TEST_CASE("a request for reports is a stream type and nothing else", "[session][dialects §12.14][moq-rs]") {
    client_of client{any_version()};
    REQUIRE(client->probe());
    CHECK(without(client.outputs(), "credit") == list{"open bidi", "write 0 04"});
    CHECK(client.tick_after(1s).empty());
    CHECK(client.outputs().empty());
}

TEST_CASE("a PROBE from the requester of reports is reported, in whatever pieces it arrives, and answered by none",
    "[session][dialects §12.14][gomoqt]") {
    const auto v = any_version();
    server_of server{v};
    const bool has_rtt = has_probe_rtt(v);
    const std::string body = has_rtt ? "03 4064 00" : "02 4064";
    const list told{"bitrate_wanted 100"};
    SECTION("at once") { CHECK(server.receive(0, "04 " + body, true) == told); }
    SECTION("byte by byte") {
        for (const auto* byte : {"04", has_rtt ? "03" : "02", "40"}) CHECK(server.receive(0, byte).empty());
        CHECK(server.receive(0, has_rtt ? "64 00" : "64") == told);
    }
    SECTION("again and again") {
        for (int i = 0; i < 3; ++i) CHECK(server.receive(0, i == 0 ? "04 " + body : body) == told);
    }
    static_cast<void>(server.outputs());
    server->path_measured({.rtt = 40ms, .rate = 5}, server.now);
    CHECK(server.outputs() == list{has_rtt ? "write 0 020528" : "write 0 0105"});
}

TEST_CASE("before moq-lite-05 reports are requested at once, without waiting for SETUP",
    "[session][dialects §12.15][moq-net]") {
    subject client{role::client, old_version()};
    CHECK(client.outputs().empty());
    REQUIRE(client->probe());
    CHECK(client.outputs() == list{"open bidi", "write 0 04"});
    CHECK(client.all_acked(0) == list{"setup_received"});
    CHECK(client.tick_after(60s).empty());
    CHECK_FALSE(client->is_closed());
}

TEST_CASE("from moq-lite-05 on reports are requested once SETUP offers them", "[session][dialects §12.15]") {
    subject client{role::client, new_version()};
    static_cast<void>(client.outputs());
    REQUIRE(client->probe());
    CHECK(client.outputs().empty());
    static_cast<void>(client.receive(server_uni(0), "01 04 01 01 01 01", true));
    CHECK(without(client.outputs(), "credit") == list{"open bidi", "write 0 04"});
}

TEST_CASE(
    "a GOAWAY is reported to the application; the session does not leave by itself", "[session][dialects §12.27]") {
    client_of client{GENERATE(version::lite_04, version::lite_05, version::lite_06)};
    CHECK(client.receive(server_bidi(0), "05 0a 09 68747470733a2f2f62", true) == list{"goaway_received https://b"});
    CHECK(without(client.outputs(), "credit") == list{"write 1 fin"});
    CHECK(client->subscribe({"a", "b"}).error() == errc::going_away);
    CHECK_FALSE(client->is_closed());
}

TEST_CASE("a GOAWAY whose event was dropped unread is still reported", "[session][dialects §12.27][moq-rs]") {
    server_of server{GENERATE(version::lite_04, version::lite_05, version::lite_06)};
    REQUIRE(server->goaway());
    CHECK(server.outputs() == list{"open bidi", "write 1 050100 fin"});
    CHECK(server.stopped(1).empty());
    CHECK(server.reset(1).empty());
    CHECK(server.stream_closed(1, app_error::cancel).empty());
    CHECK_FALSE(server->is_closed());
}

} // namespace moqlite::test::dialects_requests_test

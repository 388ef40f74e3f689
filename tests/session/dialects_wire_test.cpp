// Where implementations disagree about bytes, SETUP and codes, a row of moq-lite-wire.md §12 each.
#include "subject.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/generators/catch_generators_range.hpp>
#include <tuple>

namespace moqlite::test::dialects_wire_test {

namespace {

version any_version() { return GENERATE(from_range(quic_versions)); }
version with_setup() { return GENERATE(version::lite_05, version::lite_06); }

struct server_of : subject {
    explicit server_of(version v) : subject(role::server, v) { begin(*this); }
};

/// A client with one subscription, on stream 0.
struct viewer : subject {
    explicit viewer(version v) : subject(role::client, v) {
        begin(*this);
        REQUIRE((*this)->subscribe({"a", "b"}));
        static_cast<void>(outputs());
    }
};

std::string repeated(std::string_view piece, int n) {
    std::string out;
    for (; n != 0; --n) out += piece;
    return out;
}
/// A path of `n` segments, as a string on the wire.
std::string path_of(int n) { return sized("61" + repeated("2f61", n - 1)); }

} // namespace

TEST_CASE("a stream's type is a varint that we write in one byte", "[session][dialects §12.16]") {
    const auto v = any_version();
    subject client{role::client, v};
    begin(client);
    REQUIRE(client->subscribe({"a", "b"}));
    CHECK(client.outputs().back().starts_with("write 0 020"));
    server_of server{v};
    CHECK(server.receive(0, "40 02" + subscribe_bytes(v, "00", "a", "b").substr(2)).size() == 2);
    viewer other{v};
    CHECK(other.receive(3, "800000" + group_bytes(v, "00", "07")) == list{"group_opened 3 of 0 sequence 7"});
}

TEST_CASE("Ordered is sent as 0 or 1, and any other value is read as 1", "[session][dialects §12.17]") {
    const auto v = GENERATE(version::lite_03, version::lite_04, version::lite_05);
    server_of server{v};
    CHECK(server.receive(0, subscribe_bytes("00", "a", "b", "00 02 00 00 00")).front() ==
          "subscribe_requested 0 a b priority 0 ordered latency 0 ..");
    CHECK(server.receive(0, "05 00 ff 00 00 00") == list{"subscribe_updated 0 priority 0 ordered latency 0 .."});
    subject client{role::client, v};
    begin(client);
    REQUIRE(client->subscribe({"a", "b"}, {.ordered = true}));
    CHECK(client.outputs().back().ends_with("0162"
                                            "0001000000"));
}

TEST_CASE("text that is not UTF-8 is refused in every field", "[session][dialects §12.18]") {
    const auto v = any_version();
    CAPTURE(alpn(v));
    server_of server{v};
    const std::string hop = has_exclude_hop(v) ? "00" : "";
    CHECK(server.receive(0, "02" + sized("00 01 ff 01 62" + options_bytes(v))) == list{"stream_rejected 0 bad_utf8"});
    CHECK(server.receive(4, "02" + sized("00 01 61 01 ff" + options_bytes(v))) == list{"stream_rejected 4 bad_utf8"});
    CHECK(server.receive(8, "01" + sized("01 80" + hop)) == list{"stream_rejected 8 bad_utf8"});
    if (has_track_info(v)) CHECK(server.receive(12, "06 04 01 61 01 ff") == list{"stream_rejected 12 bad_utf8"});
    subject client{role::client, v};
    begin(client);
    REQUIRE(client->watch(""));
    static_cast<void>(client.outputs());
    const std::string body = has_typed_announces(v) ? "00" + sized("01 ff 00 00 00") : sized("01 01 ff 00");
    CHECK(without(client.receive(0, (has_announce_ok(v) ? "02 09 00" : "") + body), "announcements_synced").front() ==
          "stream_rejected 0 bad_utf8");
}

TEST_CASE("32 segments, 32 hops and 32 MiB are accepted, and one more is not",
    "[session][dialects §12.19][dialects §7.1][dialects §7.2][dialects §7.5]") {
    const auto v = any_version();
    CAPTURE(alpn(v));
    server_of server{v};
    CHECK(server.receive(0, "02" + sized("00" + path_of(32) + "01 62" + options_bytes(v))).size() == 2);
    CHECK(server.receive(4, "02" + sized("01" + path_of(33) + "01 62" + options_bytes(v))) ==
          list{"stream_rejected 4 too_many_segments"});

    subject client{role::client, v};
    begin(client);
    REQUIRE(client->watch(""));
    static_cast<void>(client.outputs());
    const auto announced = [&](std::string_view count, int n) {
        const auto hops = std::string(count) + (has_hop_ids(v) ? repeated("07", n) : "");
        return has_typed_announces(v) ? "00" + sized("01 61" + hops + "00 00") : sized("01 01 61" + hops);
    };
    if (has_announce_ok(v)) static_cast<void>(client.receive(0, "02 09 00"));
    // The sender counts as a hop, listed or not.
    CHECK(client.receive(0, hops_include_sender(v) ? announced("20", 32) : announced("1f", 31)).size() == 1);
    CHECK(client.receive(0, announced("21", 33)).front() == "stream_rejected 0 too_many_hops");

    viewer reader{v};
    const std::string time = has_timestamps(v) ? "00" : "";
    CHECK(reader.receive(3, group_bytes(v, "00", "07") + time + "82000000 61").size() == 2);
    CHECK(
        reader.receive(7, group_bytes(v, "00", "08") + time + "82000001").at(1) == "stream_rejected 7 frame_too_large");
}

TEST_CASE("a client sends its Cost in SETUP, which counts on versions with route costs", "[session][dialects §12.23]") {
    const auto v = with_setup();
    CHECK(subject{role::client, v, {.cost = 9}}.outputs() == list{"open uni", "write 2 010401040109 fin"});
    CHECK(subject{role::client, v, {.cost = 0}}.outputs() == list{"open uni", "write 2 010401040100 fin"});
    CHECK(subject{role::client, v}.outputs() == list{"open uni", "write 2 010100 fin"});
    CHECK(subject{role::server, v, {.cost = 9}}.outputs() == list{"open uni", "write 3 010100 fin"});
    subject server{role::server, v};
    static_cast<void>(server.outputs());
    CHECK(server.receive(2, "01 04 01 04 01 07", true) == list{"setup_received"});
    REQUIRE(server->admit({}));
    REQUIRE(server->watch(""));
    static_cast<void>(server.outputs());
    const auto told = server.receive(
        1, "02 09 00" + (has_typed_announces(v) ? "00" + sized("01 61 00 02 03") : sized("01 01 61 00")));
    CHECK(told.back() ==
          (has_route_cost(v) ? "broadcast_available 0 a hops 9 cost 9 10" : "broadcast_available 0 a hops 9"));
}

TEST_CASE("an empty Path is not sent, and accepted as none", "[session][dialects §12.25]") {
    const auto v = with_setup();
    CHECK(subject{role::client, v, {.path = ""}}.outputs() == list{"open uni", "write 2 010100 fin"});
    CHECK(subject{role::client, v, {.path = "/a"}}.outputs() == list{"open uni", "write 2 01050102022f61 fin"});
    subject server{role::server, v};
    CHECK(server.receive(2, "01 03 01 02 00", true) == list{"setup_received"});
}

TEST_CASE("a second SETUP, and a Path or Role from a server, end the session",
    "[session][dialects §12.26][dialects §16.2.7]") {
    const auto v = with_setup();
    const auto [bytes, why] = GENERATE(std::tuple{"01 05 01 02 02 2f61", "setup_from_server"},
        std::tuple{"01 04 01 03 01 01", "setup_from_server"}, std::tuple{"01 01 00 01 00", "duplicate_setup"});
    subject client{role::client, v};
    CHECK(client.receive(3, bytes, true).back() == "session_closed protocol_violation " + std::string(why));
    CHECK(client.outputs() == list{"close protocol_violation " + std::string(why)});
    subject server{role::server, v};
    CHECK(server.receive(2, "01 01 00", true) == list{"setup_received"});
    CHECK(server.receive(6, "01") == list{"session_closed protocol_violation duplicate_setup"});
}

TEST_CASE("a peer's error code is passed on and does not change the outcome",
    "[session][dialects §12.28][dialects §16.2.1]") {
    const auto v = any_version();
    for (const std::uint64_t code : {0u, 1u, 3u, 5u, 12u, 13u, 15u, 27u, 64u, 100000u}) {
        viewer client{v};
        REQUIRE(client->watch(""));
        static_cast<void>(client.outputs());
        CHECK(client.receive(3, group_bytes(v, "00", "07")).size() == 1);
        const auto ended = client.reset(3, app_error{code});
        REQUIRE(ended.size() == 1);
        CHECK(ended.front().starts_with("group_closed 3 of 0 sequence 7 "));
        CHECK(client.reset(4, app_error{code}).size() == 1); // The announce stream's.
        CHECK(client.reset(0, app_error{code}).size() == 1);
        CHECK_FALSE(client->is_closed());
    }
}

TEST_CASE("a message that is too short or too long is refused when complete, not at the FIN",
    "[session][dialects §12.30][dialects §16.2.17]") {
    const auto v = any_version();
    CAPTURE(alpn(v));
    server_of server{v};
    CHECK(server.receive(0, "02 03 00 01 61") == list{"stream_rejected 0 message_too_short"});
    CHECK(server.receive(4, "02" + sized("00 01 61 01 62" + options_bytes(v) + "00")) ==
          list{"stream_rejected 4 message_too_long"});
    CHECK(server.receive(8, "01 00") == list{"stream_rejected 8 message_too_short"});
    viewer client{v};
    CHECK(client.receive(3, "00 01 00") == list{"stream_rejected 3 message_too_short"});
    CHECK(client.receive(7, "00" + sized("00 07 00" + std::string(has_frame_ranges(v) ? "00" : ""))) ==
          list{"stream_rejected 7 message_too_long"});
    CHECK(client.receive(0, "00 00").front() == "stream_rejected 0 message_too_short");
}

TEST_CASE(
    "our ids are small, and those of peers may be as large as a varint allows", "[session][dialects §12.31][moq-net]") {
    const auto v = any_version();
    subject client{role::client, v};
    begin(client);
    for (std::uint64_t n = 0; n < 1000; ++n) CHECK(client->subscribe({"a", "b"}).value() == subscribe_id{n});
    viewer reader{v};
    const std::string largest = "ffffffffffffffff";
    CHECK(reader.receive(3, group_bytes(v, "00", largest)) == list{"group_opened 3 of 0 sequence 4611686018427387903"});
    server_of server{v};
    const auto edge = wire::varint_max - 1;
    const subscribe_options o{
        .max_age = milliseconds{wire::varint_max}, .start = group_sequence{edge}, .end = group_sequence{edge}};
    const auto* order = has_ordered(v) ? "" : "ordered ";
    CHECK(server.receive(0, subscribe_bytes(v, largest, "a", "b", o)).front() ==
          "subscribe_requested 0 a b priority 0 " + std::string(order) +
              "latency 4611686018427387903 4611686018427387902..4611686018427387902");
}

} // namespace moqlite::test::dialects_wire_test

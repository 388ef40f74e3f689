// Peer errors on all versions: limits of moq-lite-wire.md §7, and bytes that crash other implementations.
#include "subject.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/generators/catch_generators_range.hpp>

namespace moqlite::test::bad_input_versions_test {

namespace {

version any_version() { return GENERATE(from_range(quic_versions)); }

struct server_of : subject {
    explicit server_of(version v, limits bounds = {})
        : subject(role::server, v, {.bounds = bounds, .origin = hop_id{9}}) {
        begin(*this);
    }
    /// A later request is served as usual.
    void check_alive() {
        CHECK_FALSE((*this)->is_closed());
        CHECK(receive(400, subscribe_bytes((*this)->negotiated(), "3e", "a", "b")).size() == 2);
    }
};

/// A client with subscription 0 on stream 0 and a watch on stream 4.
struct client_of : subject {
    explicit client_of(version v) : subject(role::client, v) {
        begin(*this);
        REQUIRE((*this)->subscribe({"a", "b"}));
        REQUIRE((*this)->watch(""));
        static_cast<void>(outputs());
        if (has_announce_ok(v)) static_cast<void>(receive(4, "02 09 00"));
    }
};

constexpr std::string_view too_large = "80010001"; ///< 65537
std::string many(std::string_view piece, int n) {
    std::string out;
    for (; n != 0; --n) out += piece;
    return out;
}

} // namespace

TEST_CASE(
    "the four bytes that crash gomoqt are an ordinary request, or a refused stream", "[session][bad input][gomoqt]") {
    const auto v = any_version();
    CAPTURE(alpn(v));
    server_of server{v};
    const auto said = server.receive(0, "01 02 00 00");
    CHECK(said == (has_exclude_hop(v) ? list{} : list{"stream_rejected 0 message_too_long"}));
    const auto answer = without(server.outputs(), "credit");
    if (!has_exclude_hop(v))
        CHECK(answer == list{"stop 0 decode", "reset 0 decode"});
    else
        CHECK(answer == (has_announce_ok(v) ? list{"write 0 020900"} : list{}));
    CHECK(server.receive(4, "01 05 03 666f6f 00").size() == (has_exclude_hop(v) ? 0 : 1));
    server.check_alive();
    subject client{role::client, v};
    begin(client);
    CHECK(client.receive(1, "01 02 00 00").size() == said.size());
    CHECK_FALSE(client->is_closed());
}

TEST_CASE("a control message above 64 KiB is refused by its length, wherever it stands",
    "[session][bad input][limits][dialects §7.4]") {
    const auto v = any_version();
    CAPTURE(alpn(v));
    server_of server{v};
    const auto large = std::string(too_large);
    CHECK(server.receive(0, "01" + large) == list{"stream_rejected 0 message_too_large"});
    CHECK(server.receive(4, "02" + large) == list{"stream_rejected 4 message_too_large"});
    CHECK(server.receive(8, subscribe_bytes(v, "00", "a", "b") + large).back() == "request_ended 0 bounds_exceeded");
    if (has_track_info(v)) CHECK(server.receive(12, "06" + large) == list{"stream_rejected 12 message_too_large"});
    server.check_alive();
    client_of client{v};
    CHECK(client.receive(0, "00" + large).front() == "stream_rejected 0 message_too_large");
    CHECK_FALSE(client->is_closed());
    // Unread announcements must not be lost silently.
    CHECK(client.receive(4, (has_typed_announces(v) ? "00" : "") + large).back() ==
          "session_closed bounds_exceeded message_too_large");
    if (!has_setup(v)) return;
    subject fresh{role::server, v};
    CHECK(fresh.receive(2, "01" + large) == list{"session_closed bounds_exceeded message_too_large"});
}

TEST_CASE("a SETUP may have 64 parameters, each once, and unknown ones are ignored",
    "[session][bad input][limits][dialects §7.3]") {
    const auto v = GENERATE(version::lite_05, version::lite_06);
    std::string parameters;
    for (int id = 100; id < 164; ++id) {
        const auto two = std::array{std::byte(0x40 | id >> 8), std::byte(id & 255)};
        parameters += to_hex(two) + "00";
    }
    subject server{role::server, v};
    CHECK(server.receive(2, "01" + sized("4040" + parameters), true) == list{"setup_received"});
    subject other{role::server, v};
    CHECK(other.receive(2, "01" + sized("4041" + parameters + "4200 00"), true) ==
          list{"session_closed bounds_exceeded too_many_parameters"});
    subject twice{role::server, v};
    CHECK(twice.receive(2, "01" + sized("02 4064 00 4064 00"), true) ==
          list{"session_closed decode duplicate_parameter"});
}

TEST_CASE("an announced frame of 32 MiB takes no memory before its bytes arrive",
    "[session][bad input][limits][dialects §7.5]") {
    const auto v = any_version();
    client_of client{v};
    const std::string header = (has_timestamps(v) ? "00" : "") + std::string("82000000");
    for (std::uint64_t n = 0; n < 20; ++n) {
        const auto stream = server_uni(n + 1);
        const auto sequence = to_hex(std::array{std::byte(n)});
        CHECK(client.receive(stream, group_bytes(v, "00", sequence)).size() == 1);
        auto log = group::make(client->pool(), group_sequence{n}, with_timestamps(frames_of(v)));
        REQUIRE(client->collect(group_id{stream}, log));
        CHECK(client.receive(stream, header + "61").empty());
    }
    CHECK(client->pool().in_use() < 20 * 2048);
}

TEST_CASE("a second stream for an arriving group is stopped, and the first continues", "[session][bad input]") {
    const auto v = any_version();
    client_of client{v};
    const std::string frame = has_timestamps(v) ? "00 01 61" : "01 61";
    CHECK(client.receive(3, group_bytes(v, "00", "07")) == list{"group_opened 3 of 0 sequence 7"});
    CHECK(client.receive(7, group_bytes(v, "00", "07") + frame) == list{"stream_rejected 7 duplicate_group"});
    CHECK(without(client.outputs(), "credit") == list{"stop 7 duplicate"});
    CHECK(client.receive(3, frame, true).back() == "group_closed 3 of 0 sequence 7 complete");
    CHECK(client.receive(11, group_bytes(v, "00", "07")) ==
          list{"group_opened 11 of 0 sequence 7"}); // Not arriving any more.
}

TEST_CASE("hop lists, statuses and types that a version does not have are refused with a named error",
    "[session][bad input]") {
    const auto v = any_version();
    CAPTURE(alpn(v));
    client_of client{v};
    const auto rejected = [&](std::string_view bytes, std::string_view why) {
        client_of c{v};
        const auto said = c.receive(4, bytes);
        CHECK(said == list{"stream_rejected 4 " + std::string(why)});
        CHECK_FALSE(c->is_closed());
    };
    if (has_typed_announces(v)) {
        rejected("00" + sized("01 61 21" + many("07", 33) + "00 00"), "too_many_hops");
        rejected("00" + sized("01 61 02 07"), "message_too_short");
    } else {
        rejected(sized("03 01 61 00"), "bad_status");
        rejected(sized("01 01 61 21" + (has_hop_ids(v) ? many("07", 33) : "")), "too_many_hops");
        rejected(sized("01 05 61"), "message_too_short");
    }
    CHECK(client.receive(0, has_subscribe_end(v) ? "03 01 00" : "02 03 00 00 00").front() ==
          "stream_rejected 0 unknown_message_type");
}

} // namespace moqlite::test::bad_input_versions_test

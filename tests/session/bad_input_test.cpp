// Peer errors: the stream or the session ends with a named error; nothing else is disturbed.
#include "subject.hpp"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <tuple>

namespace moqlite::test::bad_input_test {

namespace {

/// Either side after SETUP, with a subscription that must not be affected.
struct bystander : subject {
    explicit bystander(role side, version v = version::lite_05, limits bounds = {})
        : subject(side, v, {.bounds = bounds}) {
        begin(*this);
        id = (*this)->subscribe({"room", "video"}).value();
        static_cast<void>(outputs());
        theirs = side == role::client ? 9 : 8;
        group = side == role::client ? 3 : 2;
        CHECK(receive(theirs - 8, subscribe_bytes("3e", "room", "video")).size() == 2);
        CHECK(receive(theirs - 4, "01" + sized(has_exclude_hop(v) ? "00 00" : "00")).empty());
        static_cast<void>(outputs());
    }
    /// Everything else still works; a group arrives on an unused stream.
    void check_undisturbed() {
        CHECK_FALSE((*this)->is_closed());
        const auto stream = group + 400;
        const auto n = std::to_string(stream);
        CHECK(receive(stream, "00 02 00 3f 00 01 61", true) == list{"group_opened " + n + " of 0 sequence 63",
                                                                   "frame_data " + n + " frame 0 at 0 of 1 time 0 61",
                                                                   "group_closed " + n + " of 0 sequence 63 complete"});
        CHECK((*this)->open_group(request_id{0}, group_sequence{0}));
        CHECK((*this)->announce("room"));
        static_cast<void>(outputs());
        CHECK(link.unacked[stream_id{theirs - 4}] > 3);
    }
    subscribe_id id{};
    std::uint64_t theirs = 0; ///< Their next bidirectional stream, after a SUBSCRIBE and an ANNOUNCE_REQUEST.
    std::uint64_t group = 0;  ///< Their first unidirectional one.
};

struct wrong {
    const char* what;
    std::string bytes;
    errc why;
    app_error code;
    bool fin = false;
};

std::string path_of_33() {
    std::string p = "61";
    for (int i = 0; i < 32; ++i) p += "2f61";
    return sized(p);
}

const std::vector<wrong> on_requests{
    {"an unknown stream type", "3f", errc::unknown_stream_type, app_error::unsupported},
    {"an unknown stream type of 8 bytes", "c0000000000000ff", errc::unknown_stream_type, app_error::unsupported},
    {"the type of a session stream of long ago", "00", errc::unknown_stream_type, app_error::unsupported},
    {"a FETCH path with 33 segments", "03" + sized(path_of_33() + "01 62 00 00"), errc::too_many_segments,
        app_error::bounds_exceeded},
    {"a FETCH that ends before its group", "03 05 01 61 01 62 00", errc::message_too_short, app_error::decode},
    {"a GOAWAY that is not UTF-8", "05 02 01 ff", errc::bad_utf8, app_error::decode},
    {"a stream without anything", "", errc::stream_ended_early, app_error::decode, true},
    {"half a type", "40", errc::stream_ended_early, app_error::decode, true},
    {"a type without a request", "02", errc::stream_ended_early, app_error::decode, true},
    {"half a SUBSCRIBE", "02 0a 00 04", errc::stream_ended_early, app_error::decode, true},
    {"a SUBSCRIBE that ends before its last field", "02 03 00 01 61", errc::message_too_short, app_error::decode},
    {"a SUBSCRIBE with a byte too many", "02" + sized("00 01 61 01 62 00 00 00 00 00 ff"), errc::message_too_long,
        app_error::decode},
    {"a message above the limit", "02 80010001", errc::message_too_large, app_error::bounds_exceeded},
    {"a length that can only end above the limit", "02 bf", errc::message_too_large, app_error::bounds_exceeded},
    {"a path that is not UTF-8", "02" + sized("00 01 ff 01 62 00 00 00 00 00"), errc::bad_utf8, app_error::decode},
    {"a SUBSCRIBE path with 33 segments", "02" + sized("00" + path_of_33() + "01 62 00 00 00 00 00"),
        errc::too_many_segments, app_error::bounds_exceeded},
    {"a TRACK path with 33 segments", "06" + sized(path_of_33() + "01 62"), errc::too_many_segments,
        app_error::bounds_exceeded},
    {"an announce prefix with 33 segments", "01" + sized(path_of_33() + "00"), errc::too_many_segments,
        app_error::bounds_exceeded},
    {"bytes after a TRACK", "06 04 01 61 01 62 00", errc::unexpected_message, app_error::unexpected_message},
};

const std::vector<wrong> on_groups{
    {"an unknown type", "3f", errc::unknown_stream_type, app_error::unsupported},
    {"a stream without anything", "", errc::stream_ended_early, app_error::decode, true},
    {"half a GROUP", "00 02 00", errc::stream_ended_early, app_error::decode, true},
    {"a GROUP of impossible length", "00 11", errc::message_too_large, app_error::bounds_exceeded},
    {"a GROUP with a byte too many", "00 03 00 07 00", errc::message_too_long, app_error::decode},
    {"a GROUP that ends before its last field", "00 01 00", errc::message_too_short, app_error::decode},
    {"a group of no subscription", "00 02 05 07", errc::unknown_subscription, app_error::not_found},
};

const std::vector<wrong> in_groups{
    {"a frame above the limit", "00 82000001", errc::frame_too_large, app_error::frame_too_large},
    {"a frame whose length can only end above the limit", "00 c0000001", errc::frame_too_large,
        app_error::frame_too_large},
    {"a time below 0", "01 01 61", errc::timestamp_out_of_range, app_error::bounds_exceeded},
    {"half a frame header", "00", errc::stream_ended_early, app_error::decode, true},
    {"half a frame", "00 05 6865", errc::stream_ended_early, app_error::decode, true},
};

} // namespace

TEST_CASE("a bad request ends its stream with a named error and disturbs nothing else", "[session][bad input]") {
    for (const auto side : {role::client, role::server})
        for (const auto& w : on_requests) {
            CAPTURE(w.what, side == role::client);
            bystander s{side};
            const auto n = std::to_string(s.theirs);
            auto told = without(s.receive(s.theirs, w.bytes, w.fin), "track_requested");
            CHECK(without(told, "request_ended 1") ==
                  list{std::string("stream_rejected ") + n + " " + std::string(to_string(w.why))});
            const auto code = std::string(to_string(w.code));
            const auto said = without(s.outputs(), "credit");
            CHECK(said == (w.fin ? list{"reset " + n + " " + code}
                                 : list{"stop " + n + " " + code, "reset " + n + " " + code}));
            CHECK(s.receive(s.theirs, "00010203").empty());
            CHECK(s.stream_closed(s.theirs, w.code).empty());
            s.check_undisturbed();
        }
}

TEST_CASE("a bad group stream is stopped with a named error and disturbs nothing else", "[session][bad input]") {
    for (const auto side : {role::client, role::server})
        for (const auto& w : on_groups) {
            CAPTURE(w.what, side == role::client);
            bystander s{side};
            const auto n = std::to_string(s.group);
            CHECK(s.receive(s.group, w.bytes, w.fin) ==
                  list{std::string("stream_rejected ") + n + " " + std::string(to_string(w.why))});
            CHECK(without(s.outputs(), "credit") ==
                  (w.fin ? list{} : list{"stop " + n + " " + std::string(to_string(w.code))}));
            CHECK(s.receive(s.group, "00010203").empty());
            CHECK(s.stream_closed(s.group, w.code).empty());
            s.check_undisturbed();
        }
}

TEST_CASE("a group that breaks a rule is closed with its code and disturbs nothing else", "[session][bad input]") {
    for (const auto& w : in_groups) {
        CAPTURE(w.what);
        bystander s{role::client};
        CHECK(s.receive(3, "00 02 00 07").size() == 1);
        auto said = without(s.receive(3, w.bytes, w.fin), "frame_data");
        CHECK(said == list{std::string("stream_rejected 3 ") + std::string(to_string(w.why)),
                          std::string("group_closed 3 of 0 sequence 7 ") + std::string(to_string(w.code))});
        CHECK(without(s.outputs(), "credit") == (w.fin ? list{} : list{"stop 3 " + std::string(to_string(w.code))}));
        s.check_undisturbed();
    }
}

TEST_CASE("a group outside the requested range is stopped", "[session][bad input]") {
    subject client{role::client};
    begin(client);
    REQUIRE(client->subscribe({"room", "video"}, {.start = group_sequence{5}, .end = group_sequence{6}}));
    CHECK(client.receive(3, "00 02 00 04") == list{"stream_rejected 3 group_out_of_range"});
    CHECK(client.receive(7, "00 02 00 07") == list{"stream_rejected 7 group_out_of_range"});
    CHECK(client.receive(11, "00 02 00 06") == list{"group_opened 11 of 0 sequence 6"});
}

TEST_CASE("a Subscribe ID that is in use is refused, and its owner keeps it", "[session][bad input]") {
    subject server{role::server};
    begin(server);
    CHECK(server.receive(0, subscribe_bytes("00", "a", "b")).size() == 2);
    CHECK(server.receive(4, subscribe_bytes("00", "a", "c")) == list{"stream_rejected 4 duplicate_subscription"});
    CHECK(without(server.outputs(), "credit") == list{"stop 4 duplicate", "reset 4 duplicate"});
    REQUIRE(server->accept(request_id{0}, group_sequence{0}));
    CHECK(server.outputs() == list{"write 0 000100"});
}

TEST_CASE("a bad answer ends the request that it answers", "[session][bad input]") {
    for (const auto& [bytes, why, code] : std::vector<std::tuple<std::string, std::string, std::string>>{
             {"03 01 00", "unknown_message_type", "unexpected_message"}, {"00 02 07 07", "message_too_long", "decode"},
             {"02 03 09 08 00", "group_out_of_range", "protocol_violation"},
             {"00 80010001", "message_too_large", "bounds_exceeded"}}) {
        CAPTURE(bytes);
        bystander s{role::client};
        CHECK(s.receive(0, bytes) == list{"stream_rejected 0 " + why, "subscription_ended 0 " + code});
        CHECK(without(s.outputs(), "credit") == list{"stop 0 " + code, "reset 0 " + code});
        CHECK_FALSE(s->is_closed());
    }
}

TEST_CASE("data on a stream that only we may send on closes the session", "[session][bad input]") {
    subject client{role::client};
    begin(client);
    CHECK(client.receive(1, subscribe_bytes("00", "a", "b")).size() == 2);
    REQUIRE(client->accept(request_id{0}));
    REQUIRE(client->open_group(request_id{0}, group_sequence{0}));
    static_cast<void>(client.outputs());
    CHECK(client.receive(6, "00") ==
          list{"request_ended 0 unexpected_stream", "session_closed unexpected_stream unexpected_stream"});
}

TEST_CASE("streams that are opened and never finished are bounded", "[session][bad input]") {
    limits small;
    small.requests = 8;
    small.incoming_groups = 8;
    SECTION("requests") {
        subject server{role::server, version::lite_05, {.bounds = small}};
        begin(server);
        std::uint64_t n = 0;
        while (!server->is_closed() && n < 100) static_cast<void>(server.receive(client_bidi(n++), "02"));
        CHECK(n == 9);
        CHECK(server.outputs().back() == "close bounds_exceeded too_many_requests");
    }
    SECTION("groups") {
        subject server{role::server, version::lite_05, {.bounds = small}};
        begin(server);
        std::uint64_t n = 1;
        while (!server->is_closed() && n < 100) static_cast<void>(server.receive(client_uni(n++), "00"));
        CHECK(n == 10);
        CHECK(server.outputs().back() == "close bounds_exceeded too_many_streams");
    }
}

TEST_CASE("announcements of one peer are bounded", "[session][bad input]") {
    limits small;
    small.announcements = 3;
    subject client{role::client, version::lite_05, {.bounds = small}};
    begin(client);
    REQUIRE(client->watch(""));
    static_cast<void>(client.outputs());
    CHECK(client.receive(0, "02 00 00  04 01 01 61 00  04 01 01 62 00  04 01 01 63 00").size() == 4);
    CHECK(client.receive(0, "04 01 01 64 00") == list{"stream_rejected 0 too_many_announcements"});
}

TEST_CASE("announcements of one peer are bounded in bytes, with its root, and those that ended do not count",
    "[session][bad input]") {
    limits small;
    small.announced_bytes = 20;
    subject client{role::client, version::lite_05, {.bounds = small}};
    begin(client);
    REQUIRE(client->watch(""));
    static_cast<void>(client.outputs());
    const auto announce = [](std::string_view status, const std::string& name) {
        return sized(std::string(status) + wire_text(name) + "00");
    };
    CHECK(client.receive(0, "02 00 00" + announce("01", "0123456789")).size() == 2);
    for (int i = 0; i < 5; ++i) {
        CHECK(client.receive(0, announce("01", "abcdefghij")).size() == 1);
        CHECK(client.receive(0, announce("00", "abcdefghij")).size() == 1);
    }
    CHECK(client.receive(0, announce("01", "abcdefghij")).size() == 1);
    CHECK(client.receive(0, announce("01", "x")) == list{"stream_rejected 0 too_many_announcements"});

    subject server{role::server, version::lite_05, {.bounds = small}};
    begin(server, {.root = "a/root/of/twenty/byte"});
    REQUIRE(server->watch("a/root/of/twenty/byte"));
    static_cast<void>(server.outputs());
    CHECK(server.receive(server_bidi(0), "02 00 00" + announce("01", "x")).size() == 2);
    CHECK(server.receive(server_bidi(0), announce("01", "y")) == list{"stream_rejected 1 too_many_announcements"});
}

TEST_CASE("a stream whose type does not arrive in time is ended, and no other", "[session][bad input]") {
    subject server{role::server};
    begin(server);
    CHECK_FALSE(server->deadline());
    CHECK(server.receive(client_bidi(0), "02 40").empty()); // The beginning of a SUBSCRIBE.
    CHECK(server.receive(client_uni(1), "00 02").empty());  // The beginning of a GROUP.
    CHECK(server.receive(client_bidi(1), subscribe_bytes("00", "room", "video")).size() == 2);
    CHECK(server->deadline() == server.now + 10s);
    CHECK(server.tick_after(9s).empty());
    CHECK(server.receive(client_bidi(2), "01").empty());
    CHECK(server.tick_after(1s) == list{"stream_rejected 0 stream_timeout", "stream_rejected 6 stream_timeout"});
    CHECK(server->deadline() == server.now + 9s);
    const auto said = server.outputs();
    CHECK(std::count(said.begin(), said.end(), "stop 0 timeout") == 1);
    CHECK(std::count(said.begin(), said.end(), "reset 0 timeout") == 1);
    CHECK(std::count(said.begin(), said.end(), "stop 6 timeout") == 1);
    CHECK(server.receive(client_bidi(2), "02 00 00").empty());
    CHECK(server->deadline() != server.now + 9s);
    CHECK_FALSE(server->is_closed());
}

TEST_CASE("a stream that was reset has no deadline any more", "[session][bad input][regression]") {
    subject server{role::server};
    begin(server);
    CHECK(server.receive(client_bidi(0), "02 40").empty());
    CHECK(server.reset(client_bidi(0)).empty());
    CHECK(server.receive(client_uni(1), "00 02").empty());
    CHECK(server.reset(client_uni(1)).empty());
    CHECK(server.tick_after(10s).empty());
}

TEST_CASE("a request that waits for admission has no deadline", "[session][bad input]") {
    subject server{role::server};
    static_cast<void>(server.outputs());
    CHECK(server.receive(client_uni(0), "01 01 00", true).size() == 1);
    CHECK(server.receive(client_bidi(0), subscribe_bytes("00", "room", "video")).empty());
    CHECK(server.receive(client_bidi(1), "01").empty());
    for (const auto& line : server.tick_after(11s)) CHECK(line == "stream_rejected 4 stream_timeout");
    REQUIRE(server->admit({}));
    CHECK(server.events().size() == 2); // TRACK and SUBSCRIBE.
}

TEST_CASE("after any bytes on any stream a session can still be closed", "[session][bad input]") {
    std::uint64_t dice = 1;
    const auto roll = [&](std::uint64_t n) {
        return (dice = dice * 6364136223846793005u + 1442695040888963407u) >> 33 & (n - 1);
    };
    for (int round = 0; round < 2000; ++round) {
        subject s{roll(2) != 0 ? role::client : role::server, static_cast<version>(roll(4))};
        begin(s);
        REQUIRE(s->subscribe({"a", "b"}));
        REQUIRE(s->watch(""));
        static_cast<void>(s.outputs());
        for (int step = 0; step < 20; ++step) {
            std::vector<std::byte> bytes;
            for (auto n = roll(16); n != 0; --n)
                bytes.push_back(static_cast<std::byte>(roll(8) != 0 ? roll(8) : roll(256)));
            static_cast<void>(s.receive(roll(32), to_hex(bytes), roll(8) == 0));
            static_cast<void>(s.outputs());
        }
        const bool closed = s->is_closed();
        s->close(app_error::cancel);
        const auto last = s.events();
        if (closed) CHECK(last.empty());
        if (!closed) CHECK(last.back() == "session_closed cancel closed");
    }
}

} // namespace moqlite::test::bad_input_test

// Bad input of one peer of a relay, on moq-lite-06 and 07: a named error of the stream or of the session, and nothing
// lost elsewhere, neither of that peer's other requests nor of other peers.
#include "scene.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

namespace moqlite::test::relay_bad_input_test {

namespace {

constexpr auto latest = version::lite_07_wip;
constexpr std::uint64_t unused = 100; ///< Streams from here on are not the guest's own.

/// `body` after its length, in the integers of moq-lite-07.
std::string sized(std::string_view body) { return test::sized(latest, body); }
/// ANNOUNCE_START of moq-lite-07.
std::string start(std::string_view path_base, std::string_view rest, std::string_view hop_base = "00",
    std::string_view hops = "00", std::string_view hop_keep = "00") {
    return "00" + sized(std::string(path_base) + wire_text(rest) + std::string(hop_base) + std::string(hops) +
                        std::string(hop_keep) + "00 00");
}

/// A camera with a viewer; and a guest that watches it too, publishes, and sends what it wants.
struct house {
    explicit house(version v)
        : camera(s.publisher()),
          viewer(s.viewer({.start = at(0)})),
          hostile(s.join({}, v, hop_id{66})),
          other(s.join()) {
        hostile.subscribe({"room/cam", "video"}, {.start = at(0)});
        hostile.announce("evil");
        s.settle();
        other.subscribe({"evil", "video"}, {.start = at(0)});
        s.settle();
        camera.accept(0, 0);
        hostile.accept(0, 0);
        s.settle();
        static_cast<void>(s.notices());
        hostile.relay_end.acknowledges = false; // Its session knows nothing of the bytes.
    }
    /// Bytes of the hostile peer; returns what the relay reports.
    list receive(std::uint64_t stream, std::string_view bytes) {
        hostile.relay_end.hear({.what = fact::kind::data, .id = stream_id{stream}, .bytes = hex(bytes)});
        s.settle();
        return s.notices();
    }
    /// On the stream on which it announces to the relay.
    list announces(std::string_view bytes) { return receive(server_bidi(0), bytes); }
    [[nodiscard]] list misbehaved(std::string_view why) const {
        return {"peer_misbehaved " + std::to_string(hostile.key) + " " + std::string(why)};
    }
    [[nodiscard]] list ended(std::string_view why) const {
        return {"session_ended " + std::to_string(hostile.key) + " " + std::string(why)};
    }
    /// Of the other peers.
    void check_others() {
        camera.send(0, 0, "hello");
        s.settle();
        CHECK(viewer.groups() == list{"0: hello"});
        CHECK_FALSE(camera->is_closed());
    }
    /// Of everybody, the hostile one included.
    void check_all() {
        check_others();
        CHECK(hostile.groups() == list{"0: hello"});
        hostile.send(0, 0, "its own");
        s.settle();
        CHECK(other.groups() == list{"0: its own"});
    }
    scene s;
    guest& camera;
    guest& viewer;
    guest& hostile;
    guest& other;
};

/// The hostile peer's session ends, for `why`, and its viewers are told.
void ends_session(std::string_view bytes, std::string_view why) {
    CAPTURE(bytes);
    house h{latest};
    const auto told = without(h.announces(bytes), "broadcast_changed");
    CHECK(told == h.ended(why));
    CHECK(h.hostile->is_closed());
    const auto heard = h.other.heard();
    REQUIRE(heard.size() == 2);
    CHECK(heard[1].starts_with("subscription_ended 0 "));
    h.check_others();
}

} // namespace

// "evil" is announce id 0: each base below counts from id 1 on.

TEST_CASE("a base that names a retired id ends the session", "[relay][bad input][07][dialects §bad.1]") {
    const auto pair = start("00 00", "x/y", "00", "01 05"); // Id 1.
    ends_session(pair + "01 01 01" + start("01 01", "z"), "unknown_announce");
    ends_session(pair + "01 01 01" + start("00 00", "z", "01", "00", "01"), "unknown_announce");
    ends_session(pair + "01 01 01" + "02" + sized("00 01 00 01 00 00"), "unknown_announce");
}

TEST_CASE("a base that was never given ends the session", "[relay][bad input][07][dialects §bad.2]") {
    ends_session(start("02 01", "z"), "unknown_announce");
    ends_session(start("00 00", "z", "02", "00", "01"), "unknown_announce");
    ends_session("02" + sized("07 00 00 00 00 00"), "unknown_announce");
    ends_session("01 01 07", "unknown_announce");
}

TEST_CASE("a keep that is longer than the base ends the session", "[relay][bad input][07][dialects §bad.3]") {
    ends_session(start("01 02", "z"), "bad_announce_base");                   // "evil" has one segment,
    ends_session(start("00 00", "z", "01", "00", "01"), "bad_announce_base"); // and no hops.
    ends_session("02" + sized("00 01 00 05 00 00"), "bad_announce_base");
    ends_session(start("01 ff3fffffffffffffff", "z"), "bad_announce_base");
    ends_session(start("00 01", "z"), "bad_announce_base"); // Without a base.
}

TEST_CASE("a path of 33 segments by composition ends the session, and one of 32 does not",
    "[relay][bad input][07][dialects §bad.4]") {
    std::string deep = "a";
    for (int i = 1; i < 31; ++i) deep += "/a";
    const auto first = start("00 00", deep);
    ends_session(first + start("01 1f", "b/c"), "bad_announce_base");
    house h{latest};
    CHECK(without(h.announces(first + start("01 1f", "b")), "broadcast_changed").empty());
    CHECK(h.s.r.broadcasts().find(deep + "/b") != nullptr);
    h.check_all();
}

TEST_CASE("a hop chain of 33 by keep ends the session", "[relay][bad input][07][dialects §bad.5]") {
    std::string chain = "1f";
    for (int i = 0; i < 31; ++i) chain += to_hex(std::array{std::byte(i + 1)});
    const auto first = start("00 00", "x", "00", chain);
    ends_session(first + start("00 00", "y", "01", "02 70 71", "1f"), "bad_announce_base");
    ends_session(first + "02" + sized("01 01 02 70 71 1f 00 00"), "bad_announce_base");
    ends_session(first + start("00 00", "y", "01", "01 05", "1f"), "bad_announce_base"); // Hop 5 twice.
}

TEST_CASE("an integer of 9 bytes above 2^62-1 ends its stream, in every field of a request",
    "[relay][bad input][07][dialects §bad.6]") {
    const std::string large = "ff 4000000000000000";
    const std::string names = "08 726f6f6d2f63616d 05 766964656f";
    const auto message = GENERATE_COPY("02" + sized(large + names + "00 00 00 00 00 00"),
        "02" + sized("40" + names + "00" + large + "00 00 00 00"),
        "02" + sized("40" + names + "00 00" + large + "00 00 00"),
        "02" + sized("40" + names + "00 00 00" + large + "00 00"),
        "02" + sized("40" + names + "00 00 00 00" + large + "00"),
        "02" + sized("40" + names + "00 00 00 01 00" + large), "03" + sized(names + "00" + large + "00 00"),
        "03" + sized(names + "00 00" + large + "00"), "03" + sized(names + "00 00 00" + large));
    CAPTURE(message);
    house h{latest};
    CHECK(h.receive(client_bidi(unused), message) == h.misbehaved("value_too_large"));
    h.check_all();
}

TEST_CASE(
    "an integer of 9 bytes above 2^62-1 in a group ends that group alone", "[relay][bad input][07][dialects §bad.6]") {
    const std::string large = "ff 4000000000000000";
    const auto [bytes, why] = GENERATE_COPY(std::pair{"00" + sized(large + "07 00"), "value_too_large"},
        std::pair{"00" + sized("00" + large + "00"), "value_too_large"},
        std::pair{"00" + sized("00 07" + large), "value_too_large"},
        std::pair{"00 03 00 07 00" + large, "timestamp_out_of_range"},
        std::pair{"00 03 00 07 00 00" + large, "frame_too_large"});
    CAPTURE(bytes);
    house h{latest};
    CHECK(without(h.receive(client_uni(unused), bytes), "reader_lost_group") == h.misbehaved(why));
    h.check_all();
}

TEST_CASE("an integer of 9 bytes above 2^62-1 in an announcement ends the session, or the announcement alone",
    "[relay][bad input][07][dialects §bad.6]") {
    const std::string large = "ff 4000000000000000";
    house h{latest};
    CHECK(without(h.announces(start("00 00", "x", "00", "01" + large)), "broadcast_changed") ==
          h.misbehaved("value_too_large"));
    h.check_all();
    ends_session("01" + sized(large), "value_too_large");
}

TEST_CASE("a range of frames that is reversed ends its stream", "[relay][bad input][frames][dialects §bad.7]") {
    const auto v = GENERATE(version::lite_06, version::lite_07_wip);
    const std::string names = "08 726f6f6d2f63616d 05 766964656f";
    house h{v};
    SECTION("FETCH") {
        CHECK(h.receive(client_bidi(unused), "03" + sized(names + "00 00 06 03")) == h.misbehaved("bad_frame_range"));
    }
    SECTION("SUBSCRIBE within one group") {
        CHECK(h.receive(client_bidi(unused), "02" + sized("40" + names + "00 00 07 08 05 05")) ==
              h.misbehaved(v == version::lite_06 ? "message_too_short" : "bad_frame_range"));
    }
    h.check_all();
}

TEST_CASE("a Frame End without a Group End ends its stream", "[relay][bad input][frames][dialects §bad.9]") {
    const auto v = GENERATE(version::lite_06, version::lite_07_wip);
    house h{v};
    CHECK(h.receive(client_bidi(unused), "02" + sized("20 08 726f6f6d2f63616d 05 766964656f 00 00 00 00 00 03")) ==
          h.misbehaved("bad_frame_range"));
    h.check_all();
}

TEST_CASE("a range of frames beyond the end of the group is refused, and costs nobody else anything",
    "[relay][bad input][frames][dialects §bad.8]") {
    const auto v = GENERATE(version::lite_06, version::lite_07_wip);
    house h{v};
    h.camera.send(0, 0, "hello"); // One frame.
    h.s.settle();
    CHECK(h.viewer.groups() == list{"0: hello"});
    CHECK(h.hostile.groups() == list{"0: hello"});
    REQUIRE(h.hostile->fetch({"room/cam", "video"}, at(0), 0, {object_id{1}, std::nullopt}));
    h.s.settle();
    REQUIRE(h.camera->reject(request_id{1}, app_error::not_found)); // It is asked, too.
    h.s.settle();
    CHECK(h.hostile.groups() == list{"0:  cut not_found"});
    h.camera.send(0, 1, "again");
    h.s.settle();
    CHECK(h.viewer.groups() == list{"1: again"});
    CHECK(h.hostile.groups() == list{"1: again"});
}

TEST_CASE(
    "a GROUP with a Frame Start that nobody asked for is stopped", "[relay][bad input][frames][dialects §bad.10]") {
    const auto v = GENERATE(version::lite_06, version::lite_07_wip);
    house h{v};
    CHECK(h.receive(client_uni(unused), "00 03 00 07 04 00 01 61") == h.misbehaved("bad_frame_range"));
    CHECK(h.other.groups().empty());
    h.check_all();
}

TEST_CASE("a second START for a live path, and an unknown announce id, end the session",
    "[relay][bad input][dialects §bad.11]") {
    ends_session(start("00 00", "x") + start("00 00", "x"), "duplicate_announce");
    ends_session("02" + sized("05 00 00 00 00 00"), "unknown_announce");
    house h{version::lite_06};
    const auto live = "00" + sized(wire_text("x") + "00 00 00");
    CHECK(without(h.announces(live + live), "broadcast_changed") == h.ended("duplicate_announce"));
    h.check_others();
}

} // namespace moqlite::test::relay_bad_input_test

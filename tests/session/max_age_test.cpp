// Max Age: which groups a slow live subscriber loses for their age, and when. Issue 12.
#include "subject.hpp"

#include <catch2/catch_test_macros.hpp>

namespace moqlite::test::max_age_test {

namespace {

struct how {
    version v = version::lite_05;
    milliseconds max_age{1000};
    std::optional<std::uint64_t> timescale = {};
    subscribe_options options = {};
};

/// A server with an accepted subscription on stream 0, and a peer that grants no stream.
struct publisher : subject {
    explicit publisher(how h = {}) : subject(role::server, h.v, {.bounds = patient()}) {
        begin(*this);
        h.options.max_age = h.max_age;
        std::vector<std::byte> bytes;
        wire::lite::encode(wire::lite::bidi_type::subscribe, bytes);
        const wire::lite::subscribe message{0, "room", "video", h.options};
        REQUIRE(wire::lite::encode(h.v, message, bytes) == errc::ok);
        CHECK(receive(0, to_hex(bytes)).size() == 2);
        CHECK((*this)->accept(request_id{0}, group_sequence{0}));
        if (h.timescale) CHECK((*this)->set_timescale(request_id{0}, *h.timescale));
        static_cast<void>(outputs());
        static_cast<void>(all_acked(0));
        link.uni_streams = 0;
    }
    static limits patient() {
        limits l;
        l.stall_timeout = 1'000'000s;
        return l;
    }
    group_ref open(std::uint64_t sequence, std::uint64_t time = 0) {
        auto g = (*this)->open_group(request_id{0}, group_sequence{sequence}).value();
        CHECK(g->write_frame(timestamp{time}, as_bytes("frame")));
        return g;
    }
    group_ref add(std::uint64_t sequence, std::uint64_t time = 0) {
        auto g = open(sequence, time);
        CHECK(g->finish());
        return g;
    }
    /// The peer is heard of: commands until the next call count as of this time.
    list pass(duration d) {
        auto said = tick_after(d);
        static_cast<void>(outputs());
        for (auto& line : events()) said.push_back(std::move(line));
        return said;
    }
    void grant_streams() {
        link.uni_streams = 100;
        (*this)->streams_available(direction::uni, now);
        static_cast<void>(events());
    }
};

[[nodiscard]] list old(std::uint64_t sequence) {
    return {"group_lost 0 sequence " + std::to_string(sequence) + " old"};
}

} // namespace

TEST_CASE("without timestamps a group is too old when its successor was served longer ago than Max Age",
    "[session][max age][dialects §12.11]") {
    for (const auto v : all_versions) {
        publisher server{{.v = v}};
        static_cast<void>(server.add(0));
        CHECK(server.pass(5s).empty()); // It is the latest.
        static_cast<void>(server.add(1));
        CHECK(server.pass(0ms).empty()); // This input dates it.
        CHECK(server.pass(1000ms).empty());
        CHECK(server.pass(2ms) == old(0));
        CHECK(server.pass(60s).empty()); // The latest stays.
        server.grant_streams();
        const auto said = server.outputs();
        REQUIRE(!said.empty());
        CHECK(without(said, "open").size() == 1);
    }
}

TEST_CASE("a deadline resets a group that is too old, without any other input", "[session][max age]") {
    publisher server;
    CHECK(!server->deadline());
    static_cast<void>(server.add(0));
    CHECK(server.pass(0ms).empty());
    CHECK(!server->deadline()); // The latest has no age.
    static_cast<void>(server.add(1));
    // It may have been served later than the last input: an early tick dates it.
    REQUIRE(server->deadline());
    CHECK(*server->deadline() < server.now + 100ms);
    server.now += 10s;
    CHECK(*server->deadline() <= server.now);
    CHECK(server.pass(0ms).empty());
    REQUIRE(server->deadline());
    CHECK(*server->deadline() > server.now + 1000ms);
    CHECK(*server->deadline() < server.now + 1010ms);
    CHECK(server.tick_after(*server->deadline() - server.now) == old(0));
    CHECK(!server->deadline());
}

TEST_CASE("with timestamps age is media time: from the beginning of the successor to the newest frame of the latest",
    "[session][max age][dialects §12.11]") {
    publisher server{{.timescale = 90'000}};
    static_cast<void>(server.add(0, 0));
    static_cast<void>(server.add(1, 2 * 90'000));
    const auto latest = server.open(2, 3 * 90'000);
    CHECK(server.pass(60s).empty()); // No media time passes: the successor of 0 began exactly 1 s before.
    REQUIRE(latest->write_frame(timestamp{3 * 90'000 + 90}, as_bytes("frame")));
    CHECK(server.pass(1s) == old(0));
    REQUIRE(latest->write_frame(timestamp{4 * 90'000}, as_bytes("frame")));
    CHECK(server.pass(1s).empty()); // That of 1 began at 3 s.
    REQUIRE(latest->write_frame(timestamp{9 * 90'000}, as_bytes("frame")));
    CHECK(server.pass(1s) == old(1));
    CHECK(server.pass(60s).empty());
}

TEST_CASE(
    "what is too old is lost when it is about to be written, however fast media time passes", "[session][max age]") {
    for (const bool ordered : {false, true}) {
        publisher server{{.timescale = 1000, .options = {.ordered = ordered}}};
        for (std::uint64_t n = 0; n != 10; ++n) static_cast<void>(server.add(n, n * 500));
        CHECK(server.outputs() == list{"open uni in vain"}); // No time passes.
        server.grant_streams();
        static_cast<void>(server.outputs());
        // Group 6 is 4500 - 3500 ms old.
        const auto lost = server.events();
        REQUIRE(lost.size() == 6);
        for (std::uint64_t n = 0; n != 6; ++n) CHECK(std::count(lost.begin(), lost.end(), old(n)[0]) == 1);
    }
}

TEST_CASE("a subscriber that keeps up loses nothing, whatever the timestamps are", "[session][max age]") {
    publisher server{{.max_age = milliseconds{0}, .timescale = 1000}};
    server.grant_streams();
    const auto first = server.open(0, 1);
    static_cast<void>(server.outputs());
    for (std::uint64_t n = 1; n != 20; ++n) {
        static_cast<void>(server.add(n, n * 60'000));
        // The first group goes on while others come and go.
        REQUIRE(first->write_frame(timestamp{n}, as_bytes("frame")));
        CHECK(server.pass(3s).empty());
    }
    REQUIRE(first->finish());
    CHECK(server.pass(3s).empty());
    CHECK(!server->deadline() == server.link.unacked.empty());
}

TEST_CASE("a complete reader loses no group for its age", "[session][max age]") {
    const subscribe_options capped{.end = group_sequence{100}};
    for (const auto& h : {how{.max_age = complete_age, .timescale = 1000},
             how{.max_age = milliseconds{0}, .timescale = 1000, .options = capped}}) {
        publisher server{h};
        for (std::uint64_t n = 0; n != 50; ++n) {
            static_cast<void>(server.add(n, n * 10'000));
            CHECK(server.pass(3600s).empty());
        }
        server.grant_streams();
        for (int pump = 0; pump != 2; ++pump) CHECK(server.pass(0s).empty());
        CHECK(server->unsent(request_id{0}) == 0);
    }
}

TEST_CASE("a Max Age below the least counts as that", "[session][max age][dialects §12.11]") {
    publisher server{{.max_age = milliseconds{0}}};
    static_cast<void>(server.add(0));
    static_cast<void>(server.add(1));
    CHECK(server.pass(0ms).empty());
    CHECK(server.pass(500ms).empty());
    CHECK(server.pass(2ms) == old(0));
}

TEST_CASE(
    "a group that its reader is in the middle of is reset when it is too old, and reported", "[session][max age]") {
    publisher server;
    server.link.uni_streams = 1;
    server.link.stream_room[stream_id{7}] = 5;
    static_cast<void>(server.add(0));
    static_cast<void>(server.outputs());
    static_cast<void>(server.add(1));
    CHECK(server.pass(0ms).empty());
    CHECK(server.tick_after(1002ms) == old(0));
    const auto said = server.outputs();
    REQUIRE(said.size() == 2);
    CHECK(said[0] == "reset 7 old");
    CHECK(said[1].starts_with("write 0 0203000002")); // SUBSCRIBE_DROP.
}

TEST_CASE("a group whose bytes are all written is not reset", "[session][max age]") {
    publisher server;
    server.link.uni_streams = 1;
    static_cast<void>(server.add(0));
    static_cast<void>(server.add(1));
    static_cast<void>(server.outputs()); // The newest is written, and not acknowledged.
    CHECK(server.pass(0ms).empty());
    CHECK(server.pass(1002ms) == old(0));
    static_cast<void>(server.add(2));
    CHECK(server.pass(0ms).empty());
    CHECK(server.pass(5s).empty());
}

TEST_CASE("when the latest group is lost, the one before it is the latest", "[session][max age]") {
    publisher server;
    static_cast<void>(server.add(0));
    static_cast<void>(server.add(1));
    const auto cut = server.open(2);
    cut->abort(app_error::dropped);
    CHECK(server.pass(0ms) == list{"group_lost 0 sequence 2 dropped"});
    CHECK(server.pass(2s) == old(0));
    CHECK(server.pass(60s).empty());
    static_cast<void>(server.add(3));
    CHECK(server.pass(0ms).empty());
    CHECK(server.pass(1002ms) == old(1));
}

TEST_CASE("a group that arrives late has the whole Max Age", "[session][max age]") {
    publisher server;
    static_cast<void>(server.add(5));
    CHECK(server.pass(10s).empty());
    static_cast<void>(server.add(4));
    CHECK(server.pass(0s).empty());
    CHECK(server.pass(1000ms).empty());
    CHECK(server.pass(2ms) == old(4));
}

TEST_CASE("SUBSCRIBE_UPDATE changes Max Age for the groups that wait", "[session][max age]") {
    publisher server{{.max_age = milliseconds{20'000}}};
    static_cast<void>(server.add(0));
    static_cast<void>(server.add(1));
    CHECK(server.pass(0s).empty());
    CHECK(server.pass(10s).empty());
    const auto before = *server->deadline();
    std::vector<std::byte> bytes;
    const wire::lite::subscribe_update message{{.max_age = milliseconds{2000}}};
    REQUIRE(wire::lite::encode(version::lite_05, message, bytes) == errc::ok);
    CHECK(server.receive(0, to_hex(bytes)).size() == 1);
    CHECK(*server->deadline() < before);
    CHECK(server.tick_after(*server->deadline() - server.now) == old(0));
}

TEST_CASE("while media stands still, the age of a group is looked at seldom", "[session][max age]") {
    publisher server{{.timescale = 1000}};
    static_cast<void>(server.add(0, 1));
    static_cast<void>(server.add(1, 10));
    static_cast<void>(server.add(2, 1010));
    int ticks = 0;
    for (const auto until = server.now + 10s; server->deadline() && *server->deadline() < until; ++ticks)
        CHECK(server.tick_after(*server->deadline() - server.now).empty());
    CHECK(ticks < 100);
}

} // namespace moqlite::test::max_age_test

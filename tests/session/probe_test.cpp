// PROBE: a publisher's measurements of the path, as they change.
#include "subject.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

namespace moqlite::test::probe_test {

namespace {

/// A server with a request for reports on stream 0.
struct publisher : subject {
    explicit publisher(version v = version::lite_05) : subject(role::server, v, {.reports_path = true}) {
        begin(*this);
        static_cast<void>(receive(0, "04"));
        static_cast<void>(outputs());
    }
    list measure(std::uint64_t rate, duration rtt, duration later = 100ms) {
        now += later;
        (*this)->path_measured({.rtt = rtt, .rate = rate}, now);
        CHECK(events().empty());
        return outputs();
    }
};

/// A client whose server's SETUP says whether it reports.
struct subscriber : subject {
    explicit subscriber(std::string_view setup, version v = version::lite_05) : subject(role::client, v) {
        static_cast<void>(outputs());
        if (!setup.empty()) static_cast<void>(receive(server_uni(0), setup, true));
        static_cast<void>(events());
    }
};
constexpr std::string_view can_tell = "01 04 01 01 01 01";
constexpr std::string_view cannot_tell = "01 01 00";

} // namespace

TEST_CASE("a requester gets the measurement, and again when it changes by a quarter", "[session][probe]") {
    publisher server;
    CHECK(server.measure(1'000'000, 40ms) == list{"write 0 05800f424028"});
    CHECK(server.measure(1'000'000, 40ms).empty());
    CHECK(server.measure(1'000'000, 49ms).empty());
    CHECK(server.measure(1'000'000, 50ms) == list{"write 0 05800f424032"});
    CHECK(server.measure(700'000, 50ms) == list{"write 0 05800aae6032"});
    SECTION("at most ten times a second") {
        CHECK(server.measure(100, 50ms, 99ms).empty());
        CHECK(server.measure(100, 50ms, 1ms) == list{"write 0 03406432"});
    }
    SECTION("a rate by ever less, as the report gets old") {
        CHECK(server.measure(630'000, 50ms, 5s).empty());
        CHECK(server.measure(630'000, 50ms, 2s) == list{"write 0 0580099cf032"});
    }
    SECTION("and after ten seconds in any case") {
        CHECK(server->deadline() == server.now + 10s);
        CHECK(server.tick_after(10s).empty());
        CHECK(server.outputs() == list{"write 0 05800aae6032"});
    }
}

TEST_CASE("a value that is no longer known is not reported, and sets no deadline", "[session][probe]") {
    publisher server;
    CHECK(server.measure(1'000'000, 40ms).size() == 1);
    static_cast<void>(server.all_acked(0));
    CHECK(server->deadline() == server.now + 10s);
    CHECK(server.measure(0, {}).empty());
    CHECK_FALSE(server->deadline());
    CHECK(server.tick_after(10s).empty());
    CHECK_FALSE(server->deadline());
    CHECK(server.measure(1'000'000, 40ms) == list{"write 0 05800f424028"});
}

TEST_CASE("unmeasured values are not reported; a measured zero is reported as one", "[session][probe]") {
    publisher server;
    CHECK(server.measure(0, {}).empty());
    CHECK(server.measure(0, 100us) == list{"write 0 020001"});
    CHECK(publisher{version::lite_03}.measure(5, 40ms) == list{"write 0 0105"});
}

TEST_CASE("an existing measurement is reported at once", "[session][probe]") {
    subject server{role::server};
    begin(server);
    server->path_measured({.rtt = 40ms}, server.now);
    CHECK(server.receive(0, "04").empty());
    CHECK(server.outputs() == list{"credit 0 1", "write 0 020028"});
}

TEST_CASE("a PROBE from the subscriber is reported and changes nothing, nor does its FIN", "[session][probe]") {
    publisher server;
    CHECK(server.receive(0, "03 4064 00", GENERATE(false, true)) == list{"bitrate_wanted 100"});
    CHECK(server.outputs() == list{"credit 0 4"});
    CHECK(server.measure(5, 40ms) == list{"write 0 020528"});
}

TEST_CASE("a requester that stops reading or leaves gets no more reports", "[session][probe]") {
    publisher server;
    SECTION("stopped") {
        CHECK(server.stopped(0).empty());
        CHECK(server.outputs() == list{"reset 0 cancel"});
        CHECK(server.measure(5, 40ms).empty());
        CHECK_FALSE(server->deadline());
    }
    SECTION("requested again elsewhere") {
        CHECK(server.receive(4, "04").empty());
        CHECK(server.measure(5, 40ms) == list{"credit 4 1", "write 0 fin", "write 4 020528"});
    }
    SECTION("blocked") {
        server.link.stream_room[stream_id{0}] = 0;
        CHECK(server.measure(5, 40ms).empty());
        for (int i = 0; i < 100; ++i) CHECK(server.measure(i % 2 != 0 ? 5 : 500, 40ms).empty());
        server.link.stream_room.clear();
        server.writable(0);
        CHECK(server.outputs() == list{"write 0 020528"});
    }
}

TEST_CASE("what is no PROBE from the subscriber is ignored, and no reason to reset", "[session][probe]") {
    publisher server;
    CHECK(server.receive(0, GENERATE("02 4064", "00", "80010001 00", "02 00 00", "04 4064 00 00"), true).empty());
    CHECK(without(server.outputs(), "credit") == list{});
    CHECK(server.measure(5, 40ms) == list{"write 0 020528"});
}

TEST_CASE("probe() tells a target, and another one on the same stream", "[session][probe]") {
    const bool early = GENERATE(false, true); // Before their SETUP.
    subscriber client{early ? "" : can_tell};
    REQUIRE(client->probe(100));
    if (early) {
        REQUIRE(client->probe(200));
        static_cast<void>(client.receive(server_uni(0), can_tell, true));
    }
    CHECK(
        without(client.outputs(), "credit") == list{"open bidi", early ? "write 0 040340c800" : "write 0 0403406400"});
    REQUIRE(client->probe(1'000'000));
    CHECK(client->probe().error() == errc::already_answered);
    CHECK(without(client.outputs(), "credit") == list{"write 0 05800f424000"});
}

TEST_CASE("probe() is sent once the publisher is known to support it", "[session][probe]") {
    SECTION("it can") {
        subscriber client{can_tell};
        REQUIRE(client->probe());
        CHECK(without(client.outputs(), "credit") == list{"open bidi", "write 0 04"});
        CHECK(client.receive(0, "05 800f4240 28 02 00") == list{"path_reported bitrate 1000000 rtt 40"});
        CHECK(client.receive(0, "00", true) == list{"path_reported", "probe_ended cancel"});
        CHECK(without(client.outputs(), "credit") == list{"write 0 fin"});
    }
    SECTION("it cannot") {
        CHECK(subscriber { cannot_tell } -> probe().error() == errc::unsupported);
    }
    SECTION("its SETUP has not arrived yet") {
        subscriber client{""};
        REQUIRE(client->probe());
        CHECK(client.outputs().empty());
        const bool can = GENERATE(false, true);
        const auto told = client.receive(server_uni(0), can ? can_tell : cannot_tell, true);
        CHECK(told.back() == (can ? "setup_received" : "probe_ended unsupported"));
        CHECK(without(client.outputs(), "credit") == (can ? list{"open bidi", "write 0 04"} : list{}));
    }
    SECTION("its version cannot say so") {
        subscriber client{"", version::lite_03};
        REQUIRE(client->probe());
        CHECK(without(client.outputs(), "credit") == list{"open bidi", "write 0 04"});
        CHECK(client.receive(0, "01 05") == list{"path_reported bitrate 5"});
    }
}

TEST_CASE("our SETUP offers reports of what we measure", "[session][probe]") {
    subject server{role::server, version::lite_05, {.reports_path = true}};
    CHECK(server.outputs() == list{"open uni", "write 3 010401010101 fin"});
}

TEST_CASE("a probe that ends badly ends nothing else", "[session][probe]") {
    subscriber client{can_tell};
    REQUIRE(client->probe());
    static_cast<void>(client.outputs());
    SECTION("reset") { CHECK(client.reset(0) == list{"probe_ended cancel"}); }
    SECTION("nonsense") { CHECK(client.receive(0, "01 05").back().starts_with("probe_ended")); }
    SECTION("the connection") {
        client->connection_closed({}, client.now);
        CHECK(client.events()[0] == "probe_ended cancel");
        return;
    }
    SECTION("stopped by us") {
        client->stop_probe();
        CHECK(client.outputs() == list{"stop 0 cancel", "write 0 fin"});
        CHECK(client.receive(0, "01 05").empty());
    }
    CHECK_FALSE(client->is_closed());
    CHECK(client->probe());
}

} // namespace moqlite::test::probe_test

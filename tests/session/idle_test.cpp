// Sessions that are idle for long: nothing ends them, and timeouts of later requests start at the request.
#include "subject.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/generators/catch_generators_range.hpp>
#include <functional>

namespace moqlite::test::idle_test {

namespace {

/// A server whose peer watches, probes and subscribes, all of it answered and acknowledged.
struct idle : subject {
    explicit idle(version v) : subject(role::server, v, {.reports_path = true}) {
        begin(*this);
        const bool setup = has_setup(v);
        receive(client_bidi(0), has_exclude_hop(v) ? "01 02 00 00" : "01 01 00");
        receive(client_bidi(1), subscribe_bytes(v, "00", "room", "video"));
        receive(client_bidi(2), "04");
        if (setup) receive(client_bidi(3), track_bytes("room", "video"));
        CHECK((*this)->accept(request_id{0}, group_sequence{0}));
        log = (*this)->open_group(request_id{0}, group_sequence{0}).value();
        settle();
    }
    /// Sends everything; it is acknowledged one round trip later.
    void settle() {
        outputs();
        tell(tick_after(40ms));
        while (!link.unacked.empty()) {
            const auto stream = number(link.unacked.begin()->first);
            tell(all_acked(stream));
            link.unacked.erase(stream_id{stream});
        }
    }
    void tell(const list& events) {
        for (const auto& e : events)
            if (e.starts_with("session_closed")) closed = e;
    }
    group_ref log;
    std::string closed;
};

struct command {
    const char* name;
    std::function<bool(idle&)> run;
};
const std::vector<command> commands{
    {"announce", [](idle& s) { return bool(s->announce("room")); }},
    {"watch", [](idle& s) { return bool(s->watch("")); }},
    {"subscribe", [](idle& s) { return bool(s->subscribe({"room", "audio"})); }},
    {"fetch", [](idle& s) { return bool(s->fetch({"room", "audio"}, group_sequence{3})); }},
    {"request_track", [](idle& s) { return bool(s->request_track({"room", "audio"})); }},
    {"probe", [](idle& s) { return bool(s->probe()); }},
    {"goaway", [](idle& s) { return bool(s->goaway()); }},
    {"answer_track", [](idle& s) { return bool(s->answer_track(request_id{1}, {})); }},
    {"drop",
        [](idle& s) { return bool(s->drop(request_id{0}, group_sequence{5}, group_sequence{6}, app_error::old)); }},
    {"end_track", [](idle& s) { return bool(s->end_track(request_id{0}, group_sequence{9})); }},
    {"serve", [](idle& s) { return bool(s->open_group(request_id{0}, group_sequence{1})); }},
    {"a frame", [](idle& s) { return bool(s.log->write_frame(timestamp{1}, as_bytes("frame"))); }},
};

} // namespace

TEST_CASE("a day of idle sessions whose peers probe ends none, whatever their version", "[session][idle][regression]") {
    const auto v = GENERATE(from_range(quic_versions));
    CAPTURE(alpn(v));
    idle server{v};
    int reports = 0;
    for (int turn = 0; server.now < t0 + 24h; ++turn) {
        // The path changes now and then, which is reported.
        server->path_measured({.rtt = turn % 3 == 0 ? 40ms : 90ms, .rate = 1'000'000}, server.now);
        server.tell(server.events());
        const auto at = server->deadline().value_or(server.now + 10s);
        server.tell(server.tick_after(std::max<duration>(at - server.now, 1ms)));
        for (const auto& line : server.outputs())
            if (line.starts_with("write 8 ")) ++reports;
        server.settle();
        REQUIRE(server.closed == "");
    }
    CHECK(reports > 5000);
}

TEST_CASE(
    "a report that is due while the path is silent is measured from when it is made", "[session][idle][regression]") {
    const auto v = GENERATE(from_range(quic_versions));
    CAPTURE(alpn(v));
    idle server{v};
    server->path_measured({.rtt = 40ms, .rate = 1'000'000}, server.now);
    server.tell(server.events());
    server.settle();
    for (int hour = 0; hour < 24; ++hour) {
        CHECK(server.tick_after(1h).empty());
        static_cast<void>(server.outputs());
        CHECK(server.tick_after(0s).empty()); // Requested by the deadline, so that the report has a time.
        CHECK(server->deadline() > server.now);
        server.settle();
        REQUIRE(server.closed == "");
    }
    SECTION("and 15 s without an acknowledgement later the peer is disconnected") {
        CHECK(server.tick_after(1h).empty());
        static_cast<void>(server.outputs());
        CHECK(server.tick_after(0s).empty());
        server.tell(server.tick_after(14s));
        CHECK(server.closed == "");
        server.tell(server.tick_after(1s));
        CHECK(server.closed == "session_closed lagged lagged");
    }
}

TEST_CASE("timeouts of requests made after hours of silence start at the request", "[session][idle][regression]") {
    const auto v = GENERATE(from_range(quic_versions));
    const auto which = GENERATE(range(std::size_t{0}, commands.size()));
    CAPTURE(alpn(v), commands[which].name);
    idle server{v};
    server.now += 5h;
    if (!commands[which].run(server)) return; // The version has no such message.
    SECTION("where the transport is pumped before it tells the time") { static_cast<void>(server.outputs()); }
    SECTION("or after") {}
    SECTION("or with an input just before") {
        server.tell(server.tick_after(0s));
        static_cast<void>(server.outputs());
    }
    // The host may be late to tick.
    server.tell(server.tick_after(0s));
    REQUIRE(server.closed == "");
    server.settle();
    for (int hour = 0; hour < 5; ++hour) {
        server.tell(server.tick_after(1h));
        server.settle();
        REQUIRE(server.closed == "");
    }
}

} // namespace moqlite::test::idle_test

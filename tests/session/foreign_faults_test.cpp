// Faults that other implementations have had, and this one has not (tests/parity.md).
#include "subject.hpp"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/generators/catch_generators_range.hpp>
#include <moqlite/session/frame_cursor.hpp>
#include <moqlite/session/memory_transport.hpp>
#include <set>
#include <string>

namespace moqlite::test::foreign_faults_test {

namespace {

/// A client and a server, joined in memory, with the lines of the client's events.
struct pair {
    explicit pair(version v)
        : client{role::client, v, {.origin = hop_id{1}}, t0}, server{role::server, v, {.origin = hop_id{2}}, t0} {
        run();
    }
    template <class OnEvent>
    static bool turn(session& s, memory_transport& wire, time_point now, OnEvent&& on_event) {
        const auto drain = [&] {
            while (const auto e = s.poll_event()) on_event(*e);
        };
        drain();
        const bool any = wire.deliver(s, now, drain);
        const bool all = pump(s, wire);
        drain();
        return any || !all;
    }
    /// Until nothing happens any more.
    void run() {
        for (int quiet = 0; quiet < 2; now += 1ms) {
            const bool c = turn(client, link.client, now, [this](const event& e) { told.push_back(text(e)); });
            const bool s = turn(server, link.server, now, [this](const event& e) { serve(e); });
            quiet = c || s ? 0 : quiet + 1;
        }
    }
    /// The server admits, and answers each FETCH with a group of one frame.
    void serve(const event& e) {
        if (std::holds_alternative<setup_received>(e)) server.admit({}).value();
        const auto* f = std::get_if<fetch_requested>(&e);
        if (f == nullptr) return;
        const auto g = server.open_group(f->request, f->sequence).value();
        g->write_frame(timestamp{0}, as_bytes("frame")).value();
        g->finish().value();
    }
    [[nodiscard]] std::size_t count(std::string_view word) const {
        return static_cast<std::size_t>(
            std::count_if(told.begin(), told.end(), [&](const auto& l) { return l.starts_with(word); }));
    }

    memory_link link; ///< With 100 streams of each kind.
    session client;
    session server;
    time_point now = t0;
    list told;
};

version any_version() { return GENERATE(from_range(all_versions)); }

} // namespace

TEST_CASE("broadcasts that are announced in a burst are all reported, each once", "[session][parity]") {
    pair p{any_version()};
    REQUIRE(p.client.watch(""));
    p.run();
    for (int n = 0; n < 200; ++n) p.server.announce("room/" + std::to_string(n)).value();
    p.run();
    CHECK(p.count("broadcast_available") == 200);
    const std::set<std::string> different{p.told.begin(), p.told.end()};
    CHECK(different.size() == p.told.size());
    CHECK_FALSE(p.client.is_closed());
}

TEST_CASE("a watcher goes on after the last broadcast below its prefix has ended", "[session][parity]") {
    pair p{any_version()};
    REQUIRE(p.client.watch("room"));
    for (std::size_t n = 1; n <= 5; ++n) {
        p.server.announce("room/cam").value();
        p.run();
        CHECK(p.count("broadcast_available") == n);
        p.server.unannounce("room/cam").value();
        p.run();
        CHECK(p.count("broadcast_ended") == n);
        p.now += 10s; // No retraction holds the next announcement back.
    }
}

TEST_CASE("announcing a broadcast twice changes nothing, and ending it twice is an error", "[session][parity]") {
    pair p{any_version()};
    REQUIRE(p.client.watch(""));
    p.server.announce("room").value();
    p.run();
    p.server.announce("room").value();
    p.now += 10s;
    p.run();
    CHECK(p.count("broadcast_available") == 1);
    CHECK(p.count("broadcast_ended") == 0);
    p.server.unannounce("room").value();
    p.run();
    CHECK(p.count("broadcast_ended") == 1);
    CHECK(p.server.unannounce("room").error() == errc::not_found);
}

TEST_CASE("a session that has received GOAWAY can be closed at once, with its code", "[session][parity]") {
    subject client{role::client};
    begin(client);
    CHECK(client.receive(server_bidi(0), "05 01 00", true) == list{"goaway_received "});
    static_cast<void>(client.outputs());
    client->close(app_error::cancel, "moving");
    CHECK(client.events() == list{"session_closed cancel closed"});
    CHECK(client.outputs() == list{"close cancel moving"});
}

TEST_CASE("fetches one after another need no more streams than one", "[session][parity]") {
    pair p{any_version()};
    for (std::uint64_t n = 0; n < 1000; ++n) {
        REQUIRE(p.client.fetch({"film", "video"}, group_sequence{n}));
        p.run();
    }
    CHECK(p.count("frame_data") == 1000);
    CHECK(p.count("group_closed") == 1000);
    CHECK_FALSE(p.client.is_closed());
}

TEST_CASE("a second probe is refused while one is open", "[session][parity]") {
    pair p{version::lite_03}; // Which asks without waiting for SETUP.
    REQUIRE(p.client.probe());
    p.run();
    CHECK(p.client.probe().error() == errc::already_answered);
    p.client.stop_probe();
    CHECK(p.client.probe());
}

TEST_CASE("every DROP of a subscription is reported, and what follows them", "[session][parity]") {
    const auto v = GENERATE(version::lite_03, version::lite_04, version::lite_05, version::lite_06);
    subject client{role::client, v};
    begin(client);
    REQUIRE(client->subscribe({"room", "video"}));
    static_cast<void>(client.outputs());
    const std::string ok = has_options_in_ok(v) ? "00 05 03 00 00 01 00" : "00 01 00";
    const std::string drop = has_subscribe_end(v) ? "02" : "01";
    CHECK(client.receive(0, ok).size() == 1);
    for (int n = 1; n <= 3; ++n) {
        const auto group = std::to_string(2 * n);
        const auto told = client.receive(0, drop + "03 0" + group + "0" + group + "00");
        REQUIRE(told.size() == 1);
        CHECK(told[0].starts_with("groups_dropped 0 " + group + " to " + group + " "));
        if (has_options_in_ok(v)) CHECK(client.receive(0, ok).empty()); // It may be repeated.
    }
    CHECK(client.receive(server_uni(1), group_bytes(v, "00", "07")) == list{"group_opened 7 of 0 sequence 7"});
}

TEST_CASE("a frame without payload is written, sent and reported as a frame", "[session][parity]") {
    const auto v = any_version();
    slab_pool pool{1 << 20};
    const auto g = group::make(pool, group_sequence{0}, v);
    for (const auto* payload : {"", "a", "", ""}) g->write_frame(timestamp{1}, as_bytes(payload)).value();
    g->finish().value();
    CHECK(g->frames() == 4);
    frame_cursor cursor{g};
    std::string read;
    while (const auto piece = cursor.next()) {
        read += std::to_string(number(piece->object)) + "=" + std::string(as_text(piece->data)) + " ";
        cursor.consume(piece->data.size());
    }
    CHECK(read == "0= 1=a 2= 3= ");
}

TEST_CASE("group numbers may be skipped, and nothing is sent for those left out", "[session][parity]") {
    subject server{role::server};
    begin(server);
    static_cast<void>(server.receive(0, subscribe_bytes("00", "room", "video")));
    server->accept(request_id{0}, group_sequence{1}).value();
    static_cast<void>(server.outputs());
    for (const auto* sequence : {"01", "05", "04"}) { // Also backwards: relays get groups in any order.
        const auto g = server->open_group(request_id{0}, group_sequence(std::stoul(sequence))).value();
        g->finish().value();
        const auto lines = without(server.outputs(), "open");
        REQUIRE(lines.size() == 1);
        CHECK(lines[0].ends_with(" 00"
                                 "0200" +
                                 std::string(sequence) + " fin"));
    }
}

} // namespace moqlite::test::foreign_faults_test

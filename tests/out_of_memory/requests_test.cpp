// A command in which an allocation fails: its message is sent whole or not at all, and it can be repeated.
#include "failing.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators_range.hpp>
#include <chrono>
#include <functional>
#include <map>
#include <moqlite/session/session.hpp>
#include <moqlite/session/transport.hpp>
#include <new>
#include <string>

using namespace moqlite;
using namespace moqlite::test;
using namespace std::chrono_literals;

namespace {

constexpr time_point start{1s};

/// A transport that records everything. Its own allocations do not fail.
struct recording_transport {
    std::optional<stream_id> open(direction kind) {
        return stream_id{4 * next++ + (kind == direction::uni ? 2u : 0u) + (side == role::server ? 1u : 0u)};
    }
    std::optional<std::size_t> write(const write_stream& w) {
        const infallible ours;
        for (const auto part : w.data) said[number(w.stream)].append(as_text(part));
        if (w.fin) said[number(w.stream)] += "(FIN)";
        return w.size;
    }
    void reset(stream_id id, app_error) { said[number(id)] += "(reset)"; }
    void stop(stream_id id, app_error) { said[number(id)] += "(stop)"; }
    void credit(stream_id, std::uint64_t) {}
    void close(app_error, std::string_view) { said[UINT64_MAX] += "(close)"; }
    void flush() {}

    role side;
    std::uint64_t next = 0;
    std::map<std::uint64_t, std::string> said; ///< On each stream.
};

/// A session that has done its handshake.
struct peer {
    peer(role side, version v) : session{side, v, {.reports_path = true}, start}, link{side, 0, {}} {
        write();
        const auto setup = side == role::client ? std::string_view{"\x01\x04\x01\x01\x01\x01", 6}
                                                : std::string_view{"\x01\x01\x00", 3};
        if (has_setup(v)) receive(side == role::client ? 3 : 2, setup, true);
        events();
        write();
        link.said.clear();
    }
    void receive(std::uint64_t id, std::string_view bytes, bool fin = false) {
        session.stream_received(stream_id{id}, as_bytes(bytes), fin, start);
        events();
    }
    void events() {
        while (const auto e = session.poll_event()) {
            if (std::holds_alternative<setup_received>(*e)) static_cast<void>(session.admit({}));
            if (const auto* s = std::get_if<subscribe_requested>(&*e)) request = s->request;
            if (const auto* t = std::get_if<track_requested>(&*e)) request = t->request;
        }
    }
    void write() { pump(session, link); }

    moqlite::session session;
    recording_transport link;
    std::optional<request_id> request;
};

using command = std::function<bool(peer&)>;
struct scene {
    const char* name;
    std::function<void(peer&)> prepare;
    command run; ///< True: it succeeded.
};

// Longer together than a block of a send buffer.
const std::string long_name(4000, 'x');

const scene requests[] = {
    {"subscribe", [](peer&) {},
        [](peer& p) { return bool(p.session.subscribe({"room", long_name}, {.start = group_sequence{7}})); }},
    {"watch", [](peer&) {}, [](peer& p) { return bool(p.session.watch(long_name)); }},
    {"request_track", [](peer&) {}, [](peer& p) { return bool(p.session.request_track({long_name, long_name})); }},
    {"fetch", [](peer&) {}, [](peer& p) { return bool(p.session.fetch({"room", "video"}, group_sequence{7})); }},
    {"probe", [](peer&) {}, [](peer& p) { return bool(p.session.probe()); }},
    {"goaway", [](peer&) {}, [](peer& p) { return bool(p.session.goaway("https://elsewhere.example/")); }},
    {"the fourth subscribe",
        [](peer& p) {
            for (const char* track : {"1", "2", "3"}) static_cast<void>(p.session.subscribe({"room", track}));
        },
        [](peer& p) { return bool(p.session.subscribe({"room", "4"})); }},
    {"the fourth fetch",
        [](peer& p) {
            for (std::uint64_t i = 0; i < 3; ++i)
                static_cast<void>(p.session.fetch({"room", "video"}, group_sequence{i}));
        },
        [](peer& p) { return bool(p.session.fetch({"room", "video"}, group_sequence{3})); }},
};

void expect_subscriber(peer& p) { p.receive(0, std::string_view{"\x02\x0d\x00\x04room\x01v\x00\x00\x00\x00\x00", 15}); }
void expect_track(peer& p) { p.receive(0, std::string_view{"\x06\x07\x04room\x01v", 9}); }
void accept_subscriber(peer& p) {
    expect_subscriber(p);
    static_cast<void>(p.session.accept(*p.request, group_sequence{0}));
}
bool drop(peer& p, std::uint64_t from) {
    return bool(p.session.drop(*p.request, group_sequence{from}, group_sequence{UINT64_C(1) << 60}, app_error::cancel));
}

const scene answers[] = {
    {"accept", expect_subscriber, [](peer& p) { return bool(p.session.accept(*p.request, group_sequence{5})); }},
    {"end_track", expect_subscriber, [](peer& p) { return bool(p.session.end_track(*p.request, group_sequence{5})); }},
    {"drop", accept_subscriber, [](peer& p) { return drop(p, 3); }},
    {"answer_track", expect_track, [](peer& p) { return bool(p.session.answer_track(*p.request, {})); }},
    {"reject", expect_subscriber, [](peer& p) { return bool(p.session.reject(*p.request, app_error::not_found)); }},
};

using transcript = std::map<std::uint64_t, std::string>;

transcript all_written(peer& p) {
    p.write();
    p.events();
    return p.link.said;
}

/// Repeats the command until no allocation fails, in a new session each time.
void fail_each_allocation(role side, version v, const scene& s) {
    CAPTURE(s.name, alpn(v));
    peer before{side, v};
    s.prepare(before);
    const auto without = all_written(before);
    peer whole{side, v};
    s.prepare(whole);
    if (!s.run(whole)) return; // This version has no such message.
    const auto with = all_written(whole);
    REQUIRE(with != without);
    bool threw = true;
    for (std::size_t nth = 1; threw; ++nth) {
        CAPTURE(nth);
        for (const bool at_once : {true, false}) { // Repeated.
            peer p{side, v};
            s.prepare(p);
            threw = false;
            fail_allocation(nth);
            try {
                const fallible from_here;
                static_cast<void>(s.run(p));
            } catch (const std::bad_alloc&) {
                threw = true;
            }
            fail_allocation(0);
            if (!threw) continue;
            if (!at_once) CHECK(all_written(p) == without);
            CHECK(s.run(p));
            CHECK(all_written(p) == with);
        }
    }
}

} // namespace

TEST_CASE("a request in which an allocation fails is not sent, not even its stream type, and can be repeated",
    "[out_of_memory]") {
    const auto v = GENERATE(from_range(all_versions));
    for (const auto& s : requests) fail_each_allocation(role::client, v, s);
}

TEST_CASE("an answer in which an allocation fails is not sent in part, and can be repeated", "[out_of_memory]") {
    const auto v = GENERATE(version::lite_05, version::lite_06, version::lite_07_wip);
    for (const auto& s : answers) fail_each_allocation(role::server, v, s);
}

TEST_CASE("a message in two blocks of its stream's buffer is not sent in part", "[out_of_memory]") {
    for (std::uint64_t before = 0; before < 24; ++before) { // The first block has less and less room.
        CAPTURE(before);
        const auto fill = [before](peer& p) {
            accept_subscriber(p);
            for (std::uint64_t i = 0; i < before; ++i)
                static_cast<void>(p.session.drop(*p.request, group_sequence{i}, group_sequence{i}, app_error::cancel));
        };
        fail_each_allocation(role::server, version::lite_05, {"drop", fill, [](peer& p) { return drop(p, 1000); }});
    }
}

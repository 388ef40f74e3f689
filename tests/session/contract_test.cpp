// The contract between a session and its transport: what each may do, and the result of violations.
#include "subject.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/generators/catch_generators_range.hpp>
#include <functional>
#include <utility>

namespace moqlite::test::contract_test {

namespace {

/// The recorder of a subject, with hooks inside open(), write() and flush().
struct meddler {
    recorder& link;
    std::function<void(const write_stream&, std::optional<std::size_t>)> on_write{};
    std::function<void()> on_open{};
    std::function<void()> on_flush{};

    std::optional<stream_id> open(direction kind) {
        if (on_open) on_open();
        return link.open(kind);
    }
    std::optional<std::size_t> write(const write_stream& w) {
        const auto taken = link.write(w);
        if (on_write) on_write(w, taken);
        return taken;
    }
    void reset(stream_id id, app_error code) { link.reset(id, code); }
    void stop(stream_id id, app_error code) { link.stop(id, code); }
    void credit(stream_id id, std::uint64_t n) { link.credit(id, n); }
    void close(app_error code, std::string_view reason) { link.close(code, reason); }
    void flush() {
        if (on_flush) on_flush();
        link.flush();
    }
};

list pumped(subject& s, meddler m) {
    s.link.said.clear();
    pump(*s, m);
    return std::exchange(s.link.said, {});
}
/// Acknowledges written bytes at once, like a transport that copies.
meddler copying(subject& s) {
    return {s.link, [&s](const write_stream& w, std::optional<std::size_t> taken) {
                if (taken.value_or(0) == 0) return;
                s.link.lent.acked(w.stream, *taken);
                s->stream_acked(w.stream, *taken, s.now);
            }};
}

struct shared_pool {
    slab_pool memory{limits{}.memory};
};
/// A server with a SUBSCRIBE on stream 0.
struct publisher : shared_pool, subject {
    explicit publisher(version v = version::lite_05, std::string_view options = "00 00 00 00 00")
        : subject(role::server, v, {.pool = &memory}) {
        begin(*this);
        static_cast<void>(receive(0, subscribe_bytes("00", "a", "b", options)));
        REQUIRE((*this)->accept(request_id{0}, group_sequence{0}));
        static_cast<void>(outputs());
        static_cast<void>(all_acked(0));
    }
    group_ref group_of(std::size_t frames, std::size_t size = 3000) {
        auto g = group::make(memory, next, version::lite_05);
        next = moqlite::next(next);
        REQUIRE((*this)->serve(request_id{0}, g));
        for (std::size_t i = 0; i != frames; ++i) {
            const std::string payload(size, static_cast<char>('a' + i % 26));
            REQUIRE(g->write_frame(timestamp{i}, as_bytes(payload)));
        }
        REQUIRE(g->finish());
        return g;
    }
    group_sequence next{};
};

} // namespace

// Acknowledgements.

TEST_CASE("an acknowledgement inside write() counts once the write is answered", "[session][contract]") {
    const auto v = GENERATE(version::lite_03, version::lite_05);
    CAPTURE(alpn(v));
    publisher late{v};
    publisher early{v};
    for (auto* p : {&late, &early}) p->group_of(100), p->group_of(1, 1);
    SECTION("of all that was offered") {}
    SECTION("of a part of it") {
        for (auto* p : {&late, &early}) p->link.stream_room[stream_id{server_uni(has_setup(v) ? 1 : 0)}] = 70'001;
    }
    const auto said = late.outputs();
    CHECK(pumped(early, copying(early)) == said);
    CHECK(early.events().empty());
    CHECK(early.memory.in_use() < late.memory.in_use() / 2);
    early.link.lent.compare_all();
    if (early.link.stream_room.empty()) CHECK(early.link.lent.bytes() == 0);
}

TEST_CASE("an acknowledgement inside write() counts once for control messages too", "[session][contract]") {
    subject server{role::server};
    begin(server);
    for (std::uint64_t i = 0; i != 40; ++i) REQUIRE(server->announce(std::string(100, 'x') + std::to_string(i)));
    static_cast<void>(server.receive(0, "01 02 00 00"));
    CHECK(pumped(server, copying(server)).size() > 2); // The request's credit, and its answer.
    CHECK(server.link.lent.bytes() == 0);
    REQUIRE(server->announce("one more"));
    CHECK(pumped(server, copying(server)).size() == 1);
    CHECK_FALSE(server->is_closed());
}

TEST_CASE("an acknowledgement of a write that was not taken, before its pump is over, counts with it",
    "[session][contract]") {
    publisher server;
    const auto g = server.group_of(1, 100);
    server.link.budget = 50;
    static_cast<void>(server.outputs());
    auto m = meddler{server.link};
    m.on_write = [&](const write_stream& w, std::optional<std::size_t> taken) {
        REQUIRE_FALSE(taken);
        server.link.lent.acked(w.stream, 50); // Of what was written before.
        server->stream_acked(w.stream, 50, server.now);
    };
    server.link.budget = 0;
    CHECK(pumped(server, m).empty());
    server.link.budget = SIZE_MAX;
    CHECK(server.outputs().size() == 1);
    CHECK_FALSE(server->is_closed());
}

TEST_CASE(
    "a transport that acknowledges more than was written ends the session with a named error", "[session][contract]") {
    publisher server{GENERATE(version::lite_03, version::lite_05)};
    const auto g = server.group_of(3, 100);
    const auto id = server_uni(has_setup(server->negotiated()) ? 1 : 0);
    SECTION("of a group") {
        static_cast<void>(server.outputs());
        server->stream_acked(stream_id{id}, server.link.unacked[stream_id{id}] + 1, server.now);
    }
    SECTION("of a group that is written only in part") {
        server.link.budget = 60;
        static_cast<void>(server.outputs());
        server->stream_acked(stream_id{id}, 61, server.now);
    }
    SECTION("of control messages") {
        REQUIRE(server->drop(request_id{0}, group_sequence{8}, group_sequence{9}, app_error::old));
        static_cast<void>(server.outputs());
        server->stream_acked(stream_id{0}, server.link.unacked[stream_id{0}] + 1, server.now);
    }
    SECTION("inside write()") {
        auto m = meddler{server.link};
        m.on_write = [&](const write_stream& w, std::optional<std::size_t> taken) {
            server->stream_acked(w.stream, *taken + 1, server.now);
        };
        static_cast<void>(pumped(server, m));
    }
    CHECK(server.events().back() == "session_closed protocol_violation more_than_written");
    server.link.lent.compare_all();
    CHECK(server.outputs() == list{"close protocol_violation more_than_written"});
}

TEST_CASE(
    "a transport that takes more than it was offered ends the session with a named error", "[session][contract]") {
    publisher server;
    const auto g = server.group_of(1, 100);
    while (const auto o = server->poll_output()) {
        if (const auto* open = std::get_if<open_stream>(&*o))
            server->stream_opened(open->kind, server.link.open(open->kind));
        if (const auto* w = std::get_if<write_stream>(&*o)) server->stream_written(w->stream, w->size + 1);
    }
    server->flushed();
    CHECK(server.events().back() == "session_closed protocol_violation more_than_written");
}

// Inputs inside outputs.

TEST_CASE("an input inside open() or write() ends the session with a named error, and does no damage",
    "[session][contract]") {
    publisher server;
    server.group_of(3);
    const auto id = stream_id{server_uni(1)};
    const auto bytes = hex("02 01");
    const std::vector<std::function<void()>> inputs{
        [&] { server->stream_closed(id, app_error::cancel, server.now); },
        [&] { server->stream_closed(stream_id{0}, {}, server.now); },
        [&] { server->stream_stopped(id, app_error::cancel, server.now); },
        [&] { server->stream_reset(stream_id{0}, app_error::cancel, server.now); },
        [&] { server->stream_received(stream_id{4}, bytes, false, server.now); },
        [&] { server->stream_writable(id, server.now); },
        [&] { server->streams_available(direction::uni, server.now); },
        [&] { server->datagram_received(bytes, server.now); },
        [&] { server->path_measured({}, server.now); },
        [&] { server->tick(server.now); },
    };
    const auto& input = inputs[GENERATE(range(0u, 10u))];
    const auto meddle = [&] {
        input();
        while (server->poll_event()) {
        } // Its events are polled there, too.
    };
    auto m = meddler{server.link};
    SECTION("inside write()") {
        m.on_write = [&](auto&, auto) { meddle(); };
    }
    SECTION("inside open()") { m.on_open = meddle; }
    const bool writing = m.on_write != nullptr;
    const auto said = pumped(server, m);
    CHECK(server->is_closed());
    CHECK(said.back() == (writing ? said.back() : "close protocol_violation input_inside_output"));
    if (writing)
        CHECK(server.outputs() == list{"close protocol_violation input_inside_output"}); // In a pump of its own.
}

TEST_CASE("the end of the connection may be found inside any output", "[session][contract]") {
    publisher server;
    server.group_of(3);
    const auto end = [&] {
        server.link.lent.over();
        server->connection_closed({app_error::timeout, false, "idle"}, server.now);
    };
    auto m = meddler{server.link};
    SECTION("write()") {
        m.on_write = [&](auto&, auto) { end(); };
    }
    SECTION("open()") { m.on_open = end; }
    SECTION("flush()") { m.on_flush = end; }
    SECTION("write(), and its events are polled there") {
        m.on_write = [&](auto&, auto) {
            end();
            while (server->poll_event()) {
            }
        };
    }
    static_cast<void>(pumped(server, m));
    CHECK(server.memory.in_use() == 0);
    static_cast<void>(server.events());
    CHECK(server->is_closed());
    CHECK(server.outputs().empty());
}

TEST_CASE("events are not given out before an output is answered, as commands on them may end its stream",
    "[session][contract]") {
    publisher server;
    auto lost = group::make(server.memory, server.next, version::lite_05);
    server.next = next(server.next);
    REQUIRE(server->serve(request_id{0}, lost));
    REQUIRE(lost->write_frame(timestamp{0}, as_bytes("a")));
    static_cast<void>(server.outputs());
    server.group_of(3);
    lost->abort(app_error::dropped);
    auto m = meddler{server.link};
    list inside;
    m.on_write = [&](const write_stream& w, std::optional<std::size_t> taken) {
        server.link.lent.acked(w.stream, *taken);
        server->stream_acked(w.stream, *taken, server.now);
        while (const auto e = server->poll_event()) {
            inside.push_back(text(*e));
            static_cast<void>(server->reject(request_id{0}, app_error::dropped));
        }
    };
    static_cast<void>(pumped(server, m));
    CHECK(inside.empty());
    CHECK(server.events() == list{"group_lost 0 sequence 0 dropped"});
    CHECK_FALSE(server->is_closed());
}

TEST_CASE("a request may be cancelled when opening its stream finds the connection ended", "[session][contract]") {
    subject client{role::client};
    begin(client);
    REQUIRE(client->subscribe({"a", "b"}));
    static_cast<void>(client.outputs());
    const auto waits = client->subscribe({"a", "c"});
    REQUIRE(waits);
    auto m = meddler{client.link};
    m.on_open = [&] {
        client.link.lent.over();
        client->connection_closed({app_error::timeout, false, "idle"}, client.now);
        while (client->poll_event()) static_cast<void>(client->unsubscribe(*waits));
    };
    static_cast<void>(pumped(client, m));
    CHECK(client->is_closed());
    CHECK(client.outputs().empty());
}

// What write() answers.

TEST_CASE("0 of a non-empty write is a blocked stream: it waits until it is writable", "[session][contract]") {
    publisher server;
    server.group_of(1, 10);
    server.link.stream_room[stream_id{server_uni(1)}] = 5;
    CHECK(server.outputs().size() == 2); // The stream, and what of it was taken.
    CHECK(server.outputs().empty());
    server.link.stream_room.clear();
    CHECK(server.outputs().empty());
    server.writable(server_uni(1));
    CHECK(server.outputs().size() == 1);
    server.writable(server_uni(1)); // A redundant stream_writable.
    CHECK(server.outputs().empty());
}

TEST_CASE("a part of a write is a part: the rest is offered in the same pump", "[session][contract]") {
    publisher server;
    server.group_of(1, 10);
    auto m = meddler{server.link};
    list offers;
    m.on_write = [&](const write_stream& w, std::optional<std::size_t>) {
        offers.push_back(std::to_string(w.size) + (w.fin ? " fin" : ""));
        server.link.budget = 4;
    };
    server.link.budget = 4;
    static_cast<void>(pumped(server, m));
    CHECK(offers == list{"16 fin", "12 fin", "8 fin", "4 fin"}); // FIN is taken with the last byte.
    CHECK(server.outputs().empty());
}

TEST_CASE("a FIN alone is taken by 0, and only nullopt refuses it", "[session][contract]") {
    publisher server;
    auto g = group::make(server.memory, group_sequence{0}, version::lite_05);
    REQUIRE(server->serve(request_id{0}, g));
    static_cast<void>(server.outputs());
    REQUIRE(g->finish());
    auto m = meddler{server.link};
    m.on_write = [](const write_stream& w, std::optional<std::size_t>) {
        CHECK(w.size == 0);
        CHECK(w.fin);
    };
    server.link.budget = 0; // The connection takes nothing more.
    CHECK(pumped(server, m).empty());
    server.link.budget = SIZE_MAX;
    CHECK(pumped(server, m) == list{"write 7 fin"});
    CHECK(pumped(server, m).empty());
}

// Streams.

TEST_CASE("a stack may open its streams later than requested", "[session][contract]") {
    subject client{role::client};
    begin(client);
    client.link.bidi_streams = 0;
    REQUIRE(client->watch(""));
    CHECK(client.outputs() == list{"open bidi in vain"});
    CHECK(client.outputs().empty()); // Not asked again before streams_available.
    client.link.bidi_streams = 1;
    client->streams_available(direction::bidi, client.now);
    CHECK(client.outputs().size() == 2);
}

TEST_CASE("what is reset, stopped or credited may have just closed", "[session][contract]") {
    publisher server;
    static_cast<void>(server.receive(4, track_bytes("a", "c")));
    REQUIRE(server->reject(request_id{1}, app_error::not_found));
    static_cast<void>(server.stream_closed(4, app_error::cancel));
    CHECK(server.outputs() == list{"stop 4 not_found", "reset 4 not_found"});
}

TEST_CASE("a stream that was stopped and closed before anything was sent on it is not used", "[session][contract]") {
    publisher server;
    server.group_of(1, 10);
    server.group_of(1, 10);
    server.link.budget = 0;
    CHECK(server.outputs() == list{"open uni", "open uni"});
    server.link.budget = SIZE_MAX;
    CHECK(server.stopped(server_uni(2)).empty());
    CHECK(server.stream_closed(server_uni(2), app_error::cancel).empty());
    const auto said = server.outputs();
    REQUIRE(said.size() == 3);
    CHECK(said[0] == "open uni");
    CHECK(said[1].starts_with("write 7 "));
    CHECK(said[2].starts_with("write 15 "));
}

// Time.

TEST_CASE("a deadline may lie in the past; one tick advances it", "[session][contract]") {
    subject client{role::client};
    static_cast<void>(client.outputs());
    REQUIRE(client->deadline()); // Timers started in that pump begin with the next input.
    CHECK(*client->deadline() <= client.now);
    static_cast<void>(client.tick_after(0ms));
    REQUIRE(client->deadline());
    CHECK(*client->deadline() > client.now);
    static_cast<void>(client.tick_after(1h)); // Long after it.
    CHECK_FALSE(client->deadline());
}

} // namespace moqlite::test::contract_test

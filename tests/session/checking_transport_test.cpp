// Each rule of the contract, violated: the checking transport or session names it. Conforming code is tested by every
// simulation.
#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <functional>
#include <moqlite/session/checking_transport.hpp>
#include <moqlite/session/detail/id_ranges.hpp>
#include <string>
#include <vector>

namespace moqlite::test::checking_transport_test {

namespace {

using namespace std::chrono_literals;

struct write_down {
    std::vector<std::string>* faults;
    void operator()(std::string_view rule) const { faults->emplace_back(rule); }
};

/// A scripted transport and session.
struct puppet {
    std::optional<stream_id> open(direction) { return next; }
    std::optional<std::size_t> write(const write_stream& w) {
        return taken ? std::min(*taken, most) : std::optional{w.size};
    }
    void reset(stream_id, app_error) {}
    void stop(stream_id, app_error) {}
    void credit(stream_id, std::uint64_t) {}
    void close(app_error, std::string_view) {}
    void flush() {}
    bool send(byte_view) { return true; }
    stream_id next{2};
    std::optional<std::size_t> taken;
    std::size_t most = SIZE_MAX;
};

/// A client's books.
struct table {
    std::vector<std::string> faults;
    contract_checker<write_down> books{role::client, {&faults}};
    puppet transport;
    checking_transport<puppet, write_down> wire{transport, books};
    session real{role::client, version::lite_05, {}, t0};
    checking_session<session, write_down> told{real, books};
    static constexpr time_point t0{1s};
    const std::vector<std::byte> bytes{4};

    void write(std::uint64_t id, std::size_t size = 4, bool fin = false) {
        const byte_view one[] = {byte_view{bytes}.first(std::min<std::size_t>(size, 4))};
        wire.write({stream_id{id}, one, size, fin});
    }
    /// Opens a stream and writes four bytes on it.
    void begin(std::uint64_t id) {
        transport.next = stream_id{id};
        wire.open(direction_of(transport.next));
        write(id);
        wire.flush();
    }
    void drain() {
        while (told.poll_event()) {
        }
    }
};

struct misdeed {
    std::string_view rule;
    std::function<void(table&)> how;
};
const std::vector<misdeed> misdeeds{
    // The session.
    {"outputs: the order is close, credit, open, datagrams, write",
        [](table& t) { t.begin(0), t.write(0), t.wire.send({}); }},
    {"outputs: the order is close, credit, open, datagrams, write",
        [](table& t) { t.transport.next = stream_id{2}, t.wire.open(direction::uni), t.wire.close({}, ""); }},
    {"outputs: nothing follows close", [](table& t) { t.wire.close({}, ""), t.wire.open(direction::uni); }},
    {"outputs: nothing follows close",
        [](table& t) { t.begin(0), t.wire.close({}, ""), t.wire.reset(stream_id{0}, {}); }},
    {"write: size is the sum of the parts", [](table& t) { t.begin(0), t.write(0, 5); }},
    {"write: there are bytes or FIN", [](table& t) { t.begin(0), t.write(0, 0); }},
    {"write: the stream is open, and we send on it", [](table& t) { t.write(0); }},
    {"write: nothing follows FIN", [](table& t) { t.begin(0), t.write(0, 0, true), t.write(0); }},
    {"write: nothing follows a reset", [](table& t) { t.begin(0), t.wire.reset(stream_id{0}, {}), t.write(0); }},
    {"write: a blocked stream waits until it is writable",
        [](table& t) { t.begin(0), t.transport.taken = 0, t.write(0), t.write(0); }},
    {"reset: we send on the stream",
        [](table& t) { t.told.stream_received(stream_id{3}, {}, true, t.t0), t.wire.reset(stream_id{3}, {}); }},
    {"reset: a stream is reset once",
        [](table& t) { t.begin(0), t.wire.reset(stream_id{0}, {}), t.wire.reset(stream_id{0}, {}); }},
    {"stop: the peer sends on the stream", [](table& t) { t.begin(2), t.wire.stop(stream_id{2}, {}); }},
    {"stop: a stream is stopped once",
        [](table& t) { t.begin(0), t.wire.stop(stream_id{0}, {}), t.wire.stop(stream_id{0}, {}); }},
    {"reset, stop: the stream has been opened", [](table& t) { t.wire.stop(stream_id{0}, {}); }},
    {"credit: n is above 0", [](table& t) { t.begin(0), t.wire.credit(stream_id{0}, 0); }},
    {"credit: the stream has been opened", [](table& t) { t.wire.credit(stream_id{3}, 1); }},
    {"credit: the peer sends on the stream", [](table& t) { t.begin(2), t.wire.credit(stream_id{2}, 1); }},
    {"credit: it is returned once for each received byte",
        [](table& t) { t.begin(0), t.wire.credit(stream_id{0}, 1); }},
    // What the transport answers.
    {"open: an id is below 2^62",
        [](table& t) { t.transport.next = stream_id{1ull << 62 | 2}, t.wire.open(direction::uni); }},
    {"open: the low bits of an id are its side and kind", [](table& t) { t.wire.open(direction::bidi); }},
    {"open: the low bits of an id are its side and kind",
        [](table& t) { t.transport.next = stream_id{3}, t.wire.open(direction::uni); }},
    {"open: an id is used once", [](table& t) { t.wire.open(direction::uni), t.wire.open(direction::uni); }},
    {"write: no more bytes are accepted than offered", [](table& t) { t.begin(0), t.transport.taken = 5, t.write(0); }},
    // What it tells.
    {"stream_acked: no more bytes are acknowledged than accepted",
        [](table& t) { t.begin(0), t.told.stream_acked(stream_id{0}, 5, t.t0); }},
    {"stream_acked: n is above 0", [](table& t) { t.begin(0), t.told.stream_acked(stream_id{0}, 0, t.t0); }},
    {"stream_received: not on a stream that only we send on",
        [](table& t) { t.begin(2), t.told.stream_received(stream_id{2}, t.bytes, false, t.t0); }},
    {"stream_received: nothing follows FIN or RESET_STREAM",
        [](table& t) {
            t.told.stream_received(stream_id{3}, {}, true, t.t0), t.drain();
            t.told.stream_received(stream_id{3}, t.bytes, false, t.t0);
        }},
    {"stream_reset: not on a stream that only we send on",
        [](table& t) { t.begin(2), t.told.stream_reset(stream_id{2}, {}, t.t0); }},
    {"stream_reset: nothing follows FIN or RESET_STREAM",
        [](table& t) {
            t.told.stream_reset(stream_id{3}, {}, t.t0), t.drain();
            t.told.stream_reset(stream_id{3}, {}, t.t0);
        }},
    {"stream_stopped: not on a stream that only the peer sends on",
        [](table& t) { t.told.stream_stopped(stream_id{3}, {}, t.t0); }},
    {"stream_writable: not on a stream that only the peer sends on",
        [](table& t) { t.told.stream_writable(stream_id{3}, t.t0); }},
    {"stream_closed: without a code all our bytes and FIN are acknowledged",
        [](table& t) { t.begin(2), t.told.stream_closed(stream_id{2}, {}, t.t0); }},
    {"stream_closed: without a code the peer's side has ended",
        [](table& t) {
            t.begin(0), t.write(0, 0, true), t.wire.flush(), t.told.stream_acked(stream_id{0}, 4, t.t0), t.drain();
            t.told.stream_closed(stream_id{0}, {}, t.t0);
        }},
    {"inputs: none on a stream after stream_closed",
        [](table& t) {
            t.told.stream_closed(stream_id{3}, app_error{}, t.t0), t.drain();
            t.told.stream_closed(stream_id{3}, app_error{}, t.t0);
        }},
    {"inputs: none on a stream of ours that was not opened",
        [](table& t) { t.told.stream_writable(stream_id{0}, t.t0); }},
    {"inputs: a stream id is below 2^62",
        [](table& t) { t.told.stream_received(stream_id{1ull << 62 | 3}, {}, false, t.t0); }},
    {"inputs: only stream_acked and connection_closed inside a pump",
        [](table& t) { t.begin(2), t.write(2), t.told.streams_available(direction::uni, t.t0); }},
    {"inputs: all events are polled before the next",
        [](table& t) { t.told.path_measured({}, t.t0), t.told.path_measured({}, t.t0); }},
    {"inputs: time never goes back", [](table& t) { t.books.fact(t.t0), t.books.drained(), t.books.fact(t.t0 - 1ns); }},
    {"deadline: a tick moves it beyond now", [](table& t) { t.books.ticked(t.t0, t.t0); }},
    {"inputs: none follows connection_closed",
        [](table& t) { t.told.connection_closed({}, t.t0), t.drain(), t.told.path_measured({}, t.t0); }},
};

} // namespace

TEST_CASE("each broken rule is named", "[session][contract][checking transport]") {
    for (const auto& m : misdeeds) {
        CAPTURE(m.rule);
        table t;
        m.how(t);
        CHECK(t.faults == std::vector<std::string>{std::string(m.rule)});
    }
}

TEST_CASE("a transport that follows the rules passes", "[session][contract][checking transport]") {
    table t;
    t.begin(0);
    t.transport.taken = 0;
    t.write(0), t.wire.flush();
    t.told.stream_writable(stream_id{0}, t.t0), t.drain();
    t.transport.taken.reset();
    t.write(0, 4, true);
    t.told.stream_acked(stream_id{0}, 8, t.t0); // Inside of a pump.
    t.wire.flush(), t.drain();
    t.told.stream_received(stream_id{0}, t.bytes, true, t.t0 + 1s), t.drain();
    t.wire.credit(stream_id{0}, 4), t.wire.flush();
    t.told.stream_closed(stream_id{0}, {}, t.t0 + 1s), t.drain();
    t.wire.stop(stream_id{0}, {}), t.wire.reset(stream_id{0}, {}), t.wire.credit(stream_id{0}, 1);
    t.wire.flush();
    t.wire.close({}, "");
    t.wire.flush();
    t.told.connection_closed({}, t.t0 + 1s), t.drain();
    CHECK(t.faults.empty());
}

TEST_CASE("closed streams take memory for their gaps alone", "[session][contract][checking transport]") {
    moqlite::detail::id_ranges ids;
    for (const std::uint64_t n : {0u, 8u, 12u, 4u, 20u, 3u}) ids.add(stream_id{n});
    for (const std::uint64_t n : {0u, 4u, 8u, 12u, 20u, 3u}) CHECK(ids.contains(stream_id{n}));
    for (const std::uint64_t n : {16u, 24u, 7u, 1u, 2u}) CHECK_FALSE(ids.contains(stream_id{n}));
    ids.add(stream_id{4}), ids.add(stream_id{16});
    CHECK(ids.contains(stream_id{16}));
    CHECK(ids.contains(stream_id{20}));
}

} // namespace moqlite::test::checking_transport_test

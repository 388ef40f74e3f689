// Answering ANNOUNCE_REQUEST from a large table: matching entries, a bounded number per turn.
#include "subject.hpp"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

namespace moqlite::test::announce_reply_test {

namespace {

/// A server with a table that the test fills, and whose peer asks.
struct answerer : subject {
    explicit answerer(
        announcements& t, ready_list& ready, limits bounds = {}, scope allowed = {}, version v = version::lite_05)
        : subject(role::server, v, {.bounds = bounds, .table = &t, .ready = &ready, .key = 50}) {
        begin(*this, std::move(allowed));
        while (ready.pop()) {
        }
    }
    /// Bytes of a stream in the time for which a change is held back.
    std::string changed(std::uint64_t stream) {
        CHECK(pumped(stream).empty());
        CHECK(tick_after(300ms).empty());
        return pumped(stream);
    }
    /// Bytes of one pump for a stream.
    std::string pumped(std::uint64_t stream) {
        std::string bytes;
        for (const auto& line : outputs())
            if (const auto head = "write " + std::to_string(stream) + " "; line.starts_with(head))
                bytes += line.substr(head.size());
        return bytes;
    }
};

void put(announcements& table, const std::string& path, std::uint64_t source = 1) { table.set(path, {{}, source}); }
std::string request(std::string_view prefix) { return "01 " + sized(wire_text(prefix) + "00"); }
std::string announced(std::string_view suffix) { return to_hex(hex(sized("01" + wire_text(suffix) + "00"))); }
std::string ended(std::string_view suffix) { return to_hex(hex(sized("00" + wire_text(suffix) + "00"))); }

} // namespace

TEST_CASE("a request is answered with matching paths, by whole segments", "[session][announce][tables]") {
    announcements table;
    ready_list ready;
    for (const auto* path : {"a", "a-b", "a/b", "a/b/c", "ab", "b"}) put(table, path);
    answerer server{table, ready};
    CHECK(server.receive(0, request("a/b")).empty());
    CHECK(server.pumped(0) == "020002" + announced("") + announced("c"));
    CHECK(server.receive(4, request("zz")).empty());
    CHECK(server.pumped(4) == "020000");
    put(table, "zz/1");
    CHECK(server.pumped(4) == announced("1"));
    put(table, "a/c");
    CHECK(server.outputs().empty());
}

TEST_CASE("a scope of several prefixes is read below each of them, once", "[session][announce][tables]") {
    announcements table;
    ready_list ready;
    for (const auto* path : {"r/a", "r/a/x", "r/b", "r/b/y", "r/c/z", "s/a"}) put(table, path);
    answerer server{table, ready, {}, {.root = "r", .publish = {}, .subscribe = {"a", "b/y", "a/x"}}};
    CHECK(server.receive(0, request("")).empty());
    CHECK(server.pumped(0) == "020003" + announced("a") + announced("a/x") + announced("b/y"));
    CHECK(server.receive(4, request("b")).empty());
    CHECK(server.pumped(4) == "020001" + announced("y"));
    CHECK(server.receive(8, request("c")).empty());
    CHECK(server.pumped(8) == "020000");
    table.remove("r/a/x", 1);
    put(table, "r/c/w");
    CHECK(server.outputs() == list{"write 0 " + ended("a/x")});
}

TEST_CASE("a turn visits a bounded number of entries, interleaved with other requests and sessions",
    "[session][announce][tables]") {
    announcements table;
    ready_list ready;
    // The peer's own broadcasts are not announced to it: entries that are visited without writing a byte.
    for (int n = 0; n < 10000; ++n) put(table, "many/" + std::to_string(n), 50);
    put(table, "many/z");
    put(table, "one");
    answerer server{table, ready};
    CHECK(server.receive(0, request("many")).empty());
    CHECK(server.receive(4, request("one")).empty());
    std::string many;
    std::string one;
    std::size_t turns = 0;
    for (; ready.pop(); ++turns) {
        for (const auto& line : server.outputs()) {
            if (line.starts_with("write 0 ")) many += line.substr(8);
            if (line.starts_with("write 4 ")) one += line.substr(8);
        }
        if (turns == 1) CHECK(one == "020001" + announced(""));
    }
    CHECK(turns >= 9);
    CHECK(turns < 20);
    CHECK(many == "020000" + announced("z"));
}

TEST_CASE("the announcements in transit to one peer are bounded: a request beyond is refused, and no other ends",
    "[session][announce][tables][bad input]") {
    announcements table;
    ready_list ready;
    for (int n = 0; n < 20; ++n) put(table, std::to_string(n));
    answerer server{table, ready, {.announced_to_peer = 10}};
    // Four requests for everything: others that announce more than the bound do not harm an honest listener.
    for (std::uint64_t n = 0; n < 4; ++n) CHECK(server.receive(client_bidi(n), request("")).empty());
    static_cast<void>(server.outputs());
    CHECK(server.events().empty());
    CHECK(server.receive(client_bidi(4), request("")).empty());
    static_cast<void>(server.outputs());
    CHECK(server.events() == list{"stream_rejected 16 too_many_requests"});
    CHECK(server.reset(client_bidi(0)).empty());
    CHECK(server.receive(client_bidi(5), request("")).empty());
    CHECK(server.pumped(client_bidi(5)).starts_with("020014"));
    CHECK(server.events().empty());
    CHECK_FALSE(server->is_closed());
}

TEST_CASE("a peer that stops reading announcements is disconnected when too many ended ones wait",
    "[session][announce][tables]") {
    announcements table;
    ready_list ready;
    for (int n = 0; n < 100; ++n) put(table, std::to_string(n));
    answerer server{table, ready, {.control_unsent = 100}};
    CHECK(server.receive(0, request("")).empty());
    while (ready.pop()) static_cast<void>(server.outputs());
    server.link.budget = 0;
    for (int n = 0; n < 100; ++n) table.remove(std::to_string(n), 1);
    static_cast<void>(server.outputs());
    CHECK(table.size() == 0);
    CHECK(table.ended() > 80);
    SECTION("it reads on") {
        server.link.budget = SIZE_MAX;
        static_cast<void>(server.outputs());
        while (ready.pop()) static_cast<void>(server.outputs());
    }
    SECTION("it cancels its request") { CHECK(server.reset(0).empty()); }
    SECTION("it leaves") {
        server->connection_closed({app_error::cancel, true, ""}, server.now);
        static_cast<void>(server.events());
    }
    CHECK(table.ended() == 0);
}

TEST_CASE("announce ids are not reused when paths end and begin again", "[session][announce][tables][versions]") {
    announcements table;
    ready_list ready;
    put(table, "a");
    answerer server{table, ready, {}, {}, version::lite_06};
    CHECK(server.receive(0, "01 01 00").empty());
    static_cast<void>(server.outputs());
    table.remove("a", 1);
    put(table, "a");
    // A broadcast that ended and began anew between two turns has a new route.
    CHECK(server.outputs().size() == 1);
    table.remove("a", 1);
    CHECK(server.outputs() == list{"write 0 010100"});
    put(table, "a");
    CHECK(server.outputs().size() == 1);
    table.remove("a", 1);
    CHECK(server.outputs() == list{"write 0 010101"});
}

TEST_CASE("a path above the prefix is announced as the prefix itself, the most specific only",
    "[session][announce][tables]") {
    const auto v = GENERATE(version::lite_04, version::lite_05, version::lite_06);
    CAPTURE(alpn(v));
    announcements table;
    ready_list ready;
    put(table, "room");
    put(table, "room/camera");
    answerer server{table, ready, {}, {}, v};
    CHECK(server.receive(0, "01 " + sized(wire_text("room/cam") + (v == version::lite_06 ? "" : "00"))).empty());
    struct {
        std::string begins, changes, ends;
    } says;
    if (v == version::lite_04) {
        const auto active = to_hex(hex(sized("01 00 01 00")));
        says = {active, ended("") + active, ended("")};
    } else if (v == version::lite_05) {
        says = {announced(""), announced(""), ended("")};
    } else {
        says = {to_hex(hex("00 04 00 00 00 00")), to_hex(hex("02 04 00 00 00 00")), to_hex(hex("01 01 00"))};
    }
    const auto ok = v == version::lite_04 ? "" : "020001";
    CHECK(server.pumped(0) == ok + says.begins);
    put(table, "room/cam");
    CHECK(server.changed(0) == says.changes);
    put(table, ""); // It is further away,
    table.remove("room", 1);
    put(table, "room");
    CHECK(server.outputs().empty());
    table.remove("room/cam", 1);
    CHECK(server.changed(0) == says.changes);
    table.remove("room", 1);
    CHECK(server.changed(0) == says.changes);
    table.remove("", 1);
    CHECK(server.pumped(0) == says.ends);
    CHECK(table.ended() == 0);
}

TEST_CASE("a path above is announced only within the peer's scope and root, and not back to its source",
    "[session][announce][tables]") {
    announcements table;
    ready_list ready;
    put(table, "");
    put(table, "r/a");
    answerer server{table, ready, {}, {.root = "r", .publish = {}, .subscribe = {"a/b", "c"}}};
    CHECK(server.receive(0, request("a/b/1")).empty());
    CHECK(server.pumped(0) == "020001" + announced(""));
    CHECK(server.receive(4, request("a")).empty());
    CHECK(server.pumped(4) == "020000");
    CHECK(server.receive(8, request("c/1")).empty());
    CHECK(server.pumped(8) == "020000");
    put(table, "r");
    CHECK(server.pumped(8) == announced(""));
    table.set("r/c", {{}, 50}); // Its own.
    CHECK(server.pumped(8) == ended(""));
}

TEST_CASE("a path above is announced again when a narrower hidden one ends", "[session][announce][tables][attack]") {
    const bool present = GENERATE(false, true); // When it asks.
    announcements table;
    ready_list ready;
    put(table, "r");
    if (present) put(table, "r/c", 50); // Its own.
    answerer server{table, ready};
    CHECK(server.receive(0, request("r/c/1")).empty());
    CHECK(server.pumped(0) == (present ? "020000" : "020001" + announced("")));
    if (!present) {
        put(table, "r/c", 50);
        CHECK(server.pumped(0) == ended(""));
    }
    table.remove("r/c", 50);
    CHECK(server.pumped(0) == announced(""));
    table.remove("r", 1);
    CHECK(server.pumped(0) == ended(""));
    CHECK(table.ended() == 0);
}

} // namespace moqlite::test::announce_reply_test

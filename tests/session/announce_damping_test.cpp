// Route changes are held back for 300 ms, and stale routes for 2 s after a retraction (moq-lite-wire §10, "Damping").
#include "subject.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/generators/catch_generators_range.hpp>

namespace moqlite::test::announce_damping_test {

namespace {

/// A server with a table that the test changes, and a peer that requests everything below `prefix` on stream 0.
struct teller {
    explicit teller(version v = version::lite_06, std::string_view prefix = "")
        : server(role::server, v, {.origin = hop_id{9}, .table = &table, .key = 50}) {
        begin(server);
        CHECK(server.receive(0, "01 " + sized(wire_text(prefix) + (has_exclude_hop(v) || has_hidden(v) ? "00" : "")))
                .empty());
        static_cast<void>(server.outputs());
    }
    void set(std::vector<hop_id> hops, std::uint64_t source = 1, std::uint64_t cost = 0) {
        table.set("cam", {std::move(hops), source, {cost, cost}});
    }
    void remove(std::uint64_t source = 1) { table.remove("cam", source); }
    /// Time passes, on this session alone.
    void pass(duration d) {
        CHECK(server.tick_after(d).empty());
        if (const auto next = server->deadline()) CHECK(*next > server.now);
    }
    /// Bytes since the last call.
    std::string said() {
        std::string bytes;
        for (const auto& line : without(server.outputs(), "credit")) bytes += line.substr(line.rfind(' ') + 1);
        return bytes;
    }
    announcements table;
    subject server;
};

constexpr hop_id p{3}; ///< The publisher.
constexpr hop_id b{4};
constexpr hop_id c{5};

std::string hex_of(std::string_view spaced) { return to_hex(hex(spaced)); }
std::string start(std::string_view hops, std::string_view cost = "00 00") {
    return hex_of("00" + sized(wire_text("cam") + std::string(hops) + std::string(cost)));
}
std::string update(std::string_view id, std::string_view hops, std::string_view cost = "00 00") {
    return hex_of("02" + sized(std::string(id) + std::string(hops) + std::string(cost)));
}
std::string end(std::string_view id) { return hex_of("01" + sized(id)); }

} // namespace

TEST_CASE("new and removed routes are announced at once", "[session][announce][damping]") {
    teller s;
    s.set({p});
    CHECK(s.said() == start("01 03"));
    s.remove();
    CHECK(s.said() == end("00"));
    s.set({p});
    CHECK(s.said() == start("01 03"));
}

TEST_CASE("a changed best route is held back 300 ms, and a newer change replaces it",
    "[session][announce][damping][dialects §16.2.13]") {
    const auto v = GENERATE(from_range(all_versions));
    CAPTURE(alpn(v));
    teller s{v};
    s.set({p});
    CHECK_FALSE(s.said().empty());
    s.set({p, b});
    CHECK(s.said().empty());
    CHECK(s.server->deadline() <= s.server.now + 300ms);
    s.pass(200ms);
    s.set({p, b, c});
    CHECK(s.said().empty());
    s.pass(99ms);
    CHECK(s.said().empty());
    s.pass(1ms);
    const auto said = s.said();
    if (v == version::lite_06) CHECK(said == update("00", "03 03 04 05"));
    CHECK_FALSE(said.empty());
    CHECK(s.said().empty());
    // The next change is held back anew.
    s.set({p});
    CHECK(s.said().empty());
    s.pass(300ms);
    CHECK_FALSE(s.said().empty());
}

TEST_CASE("a change that is undone in time is not announced", "[session][announce][damping]") {
    teller s;
    s.set({p});
    static_cast<void>(s.said());
    s.set({p, b});
    CHECK(s.said().empty());
    s.pass(100ms);
    s.set({p});
    CHECK(s.said().empty());
    s.pass(1s);
    CHECK(s.said().empty());
}

TEST_CASE("a retraction does not wait for a change that is held back", "[session][announce][damping]") {
    teller s;
    s.set({p}, 1);
    s.set({p, b}, 2);
    CHECK(s.said() == start("01 03"));
    s.remove(1); // The next best remains.
    CHECK(s.said().empty());
    s.pass(100ms);
    s.remove(2);
    CHECK(s.said() == end("00"));
    s.pass(1s);
    CHECK(s.said().empty());
}

TEST_CASE("the time of a change is that of the input that caused it, also if it came to another session",
    "[session][announce][damping]") {
    teller s;
    s.set({p});
    static_cast<void>(s.said());
    s.table.note_time(t0 + 10s);
    s.set({p, b});
    CHECK(s.said().empty());
    CHECK(s.server->deadline() <= t0 + 10s + 300ms);
    s.pass(10s + 299ms);
    CHECK(s.said().empty());
    s.pass(1ms);
    CHECK(s.said() == update("00", "02 03 04"));
}

TEST_CASE("for 2 s after a retraction a strictly worse route to the same publisher is held back",
    "[session][announce][damping][dialects §16.2.13]") {
    const auto [hops, cost] = GENERATE(std::pair{2, 0}, std::pair{1, 7});
    teller s;
    s.set({p});
    CHECK(s.said() == start("01 03"));
    s.remove();
    CHECK(s.said() == end("00"));
    s.pass(500ms);
    s.set(hops == 2 ? std::vector{p, b} : std::vector{p}, 2, static_cast<std::uint64_t>(cost));
    CHECK(s.said().empty());
    SECTION("until then") {
        s.pass(1499ms);
        CHECK(s.said().empty());
        s.pass(1ms);
        CHECK(s.said() == start(hops == 2 ? "02 03 04" : "01 03", cost == 7 ? "07 07" : "00 00"));
    }
    SECTION("and, if it ends before, it is never announced") {
        s.pass(1s);
        s.remove(2);
        s.pass(5s);
        CHECK(s.said().empty());
        CHECK(s.table.ended() == 0);
    }
    SECTION("but not a better one that follows") {
        s.set({p}, 3);
        CHECK(s.said() == start("01 03"));
        s.pass(5s);
        CHECK(s.said().empty());
    }
}

TEST_CASE("a republish of equal rank, a better route, and a new first hop are announced at once after a retraction",
    "[session][announce][damping]") {
    teller s;
    s.set({p, b}, 1, 3);
    static_cast<void>(s.said());
    s.remove();
    CHECK(s.said() == end("00"));
    SECTION("equal, by another session") {
        s.set({p, c}, 2, 3);
        CHECK(s.said() == start("02 03 05", "03 03"));
    }
    SECTION("better") {
        s.set({p, b, c}, 2, 2);
        CHECK(s.said() == start("03 03 04 05", "02 02"));
    }
    SECTION("another publisher") {
        s.set({c, b, hop_id{6}}, 2, 9);
        CHECK(s.said() == start("03 05 04 06", "09 09"));
    }
    SECTION("an unnamed publisher, of which nothing is known") {
        s.set({hop_id{}, b, c}, 2, 9);
        CHECK(s.said() == start("03 00 04 05", "09 09"));
    }
}

TEST_CASE("a stale route that follows a retraction before either was read is held back, and the retraction is not",
    "[session][announce][damping]") {
    teller s;
    s.set({p});
    static_cast<void>(s.said());
    s.remove();
    s.set({p, b}, 2);
    CHECK(s.said() == end("00"));
    s.pass(2s);
    CHECK(s.said() == start("02 03 04"));
}

TEST_CASE("what was retracted and announced anew before either was read is announced at once",
    "[session][announce][damping]") {
    teller s{version::lite_05};
    s.set({p});
    static_cast<void>(s.said());
    s.remove();
    s.set({p});
    CHECK(s.said() == hex_of(sized("01" + wire_text("cam") + "01 03")));
}

TEST_CASE("a request that began after the retraction gets the route at once", "[session][announce][damping]") {
    teller s;
    s.set({p});
    s.remove();
    static_cast<void>(s.said());
    s.pass(10ms);
    CHECK(s.server.receive(4, "01 01 00").empty());
    static_cast<void>(s.said());
    s.set({p, b}, 2);
    CHECK(s.said() == start("02 03 04"));
}

TEST_CASE("a changed cover of the requested prefix is held back, too", "[session][announce][damping]") {
    teller s{version::lite_06, "room/alice"};
    s.table.set("room", {{p}, 1});
    CHECK(s.said() == hex_of("00 05 00 01 03 00 00"));
    s.table.set("room/alice", {{b}, 2});
    CHECK(s.said().empty());
    s.pass(300ms);
    CHECK(s.said() == update("00", "01 04"));
    s.table.remove("room/alice", 2);
    CHECK(s.said().empty());
    s.table.remove("room", 1);
    CHECK(s.said() == end("00"));
    s.pass(300ms);
    CHECK(s.said().empty());
}

TEST_CASE("28k announcements that change all the time are passed on once in 300 ms each, and what is held is bounded",
    "[session][announce][damping][bad input]") {
    constexpr int many = 28 * 1024; // As many as a session announces of one peer (detail::announce_shares).
    teller s{version::lite_05};
    const auto name = [](int n) { return "n" + std::to_string(n); };
    for (int n = 0; n != many; ++n) s.table.set(name(n), {{p}, 1});
    std::size_t bytes = 0;
    const auto read = [&] {
        for (int pumps = 0; pumps != 200; ++pumps) { // Each visits 1024 entries.
            bytes += s.said().size() / 2;
            static_cast<void>(s.server.all_acked(0));
        }
        return std::exchange(bytes, 0);
    };
    const auto first = read();
    CHECK(first > many * 6);
    std::size_t later = 0;
    for (std::uint64_t round = 0; round != 10; ++round) { // In 1 s.
        for (int n = 0; n != many; ++n) s.table.set(name(n), {{p, hop_id{100 + round}}, 1});
        later += read();
        s.pass(100ms);
        later += read();
    }
    CHECK(later > first);
    CHECK(later < 5 * first); // Without the hold ten times as much.
    s.pass(300ms);
    read();
}

} // namespace moqlite::test::announce_damping_test

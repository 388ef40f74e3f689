// Paths that are hidden from discovery, and wildcards, which are not announced (moq-lite-wire §6.1).
#include "subject.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/generators/catch_generators_range.hpp>

namespace moqlite::test::announce_hidden_test {

namespace {

/// A server whose table the test fills; its peer requests announcements with each call, on a new stream.
struct announcer {
    explicit announcer(version v) : server(role::server, v, {.origin = hop_id{9}, .table = &table, .key = 50}) {
        begin(server);
    }
    void put(std::string_view path) { table.set(path, {{hop_id{3}}, 1}); }
    /// What the peer is sent for a new request.
    std::string listed(std::string_view prefix) {
        const auto body = wire_text(prefix) + (has_exclude_hop(server->negotiated()) ? "00" : "");
        CHECK(server.receive(client_bidi(requests++), "01 " + sized(body)).empty());
        return sent();
    }
    std::string sent() {
        std::string bytes;
        for (const auto& line : without(server.outputs(), "credit")) bytes += line;
        return bytes;
    }
    announcements table;
    subject server;
    std::uint64_t requests = 0;
};

bool contains(const std::string& bytes, std::string_view suffix) {
    return bytes.find(to_hex(hex(wire_text(suffix)))) != std::string::npos;
}

} // namespace

TEST_CASE("a segment that begins with a dot, below the requested prefix, hides an announcement",
    "[session][announce][hidden][dialects §12.39]") {
    const auto v = GENERATE(from_range(quic_versions));
    CAPTURE(alpn(v));
    announcer s{v};
    for (const auto* path : {"a/.b", "a/.b/c", ".d", "a/x.y", "a/e"}) s.put(path);
    const auto all = s.listed("");
    CHECK_FALSE(contains(all, "a/.b"));
    CHECK_FALSE(contains(all, "a/.b/c"));
    CHECK_FALSE(contains(all, ".d"));
    CHECK(contains(all, "a/x.y"));
    CHECK(contains(all, "a/e"));
    CHECK_FALSE(contains(s.listed("a"), ".b"));
    // Also when it is announced, changes and ends later: no listener above it learns of it.
    s.put("a/.later/c");
    s.table.set("a/.later/c", {{hop_id{4}}, 1});
    s.table.remove("a/.later/c", 1);
    CHECK(s.sent().empty());
    if (has_announce_ok(v)) CHECK(s.listed("a/zz") == "write 8 020900"); // Hidden ones are not counted either.
}

TEST_CASE("a prefix that names the segment lists what is below it", "[session][announce][hidden][dialects §12.39]") {
    const auto v = GENERATE(from_range(quic_versions));
    CAPTURE(alpn(v));
    announcer s{v};
    for (const auto* path : {"a/.b/c", "a/.b/.d/e"}) s.put(path);
    const auto listed = s.listed("a/.b");
    CHECK(contains(listed, "c"));
    CHECK_FALSE(contains(listed, ".d/e"));
    CHECK(contains(s.listed("a/.b/.d"), "e"));
    // An announcement at the prefix or above it has an empty suffix.
    s.put("a/.f");
    CHECK_FALSE(s.listed("a/.f/g").empty());
    s.put("a/.b/late");
    CHECK(contains(s.sent(), "late"));
}

TEST_CASE("from moq-lite-07 on a request says whether it wants hidden broadcasts, too",
    "[session][announce][hidden][dialects §12.39]") {
    announcements table;
    subject server{role::server, version::lite_07_wip, {.origin = hop_id{9}, .table = &table, .key = 50}};
    begin(server);
    table.set("a/.b", {{hop_id{3}}, 1});
    CHECK(server.receive(client_bidi(0), "01 02 00 00").empty());
    CHECK(without(server.outputs(), "credit") == list{"write 0 020900"});
    CHECK(server.receive(client_bidi(1), "01 02 00 01").empty());
    const auto said = without(server.outputs(), "credit");
    REQUIRE(said.size() == 1);
    CHECK(contains(said[0], "a/.b"));
}

TEST_CASE("a client announces its own hidden broadcasts to its server, and no others", "[session][announce][hidden]") {
    const auto side = GENERATE(role::client, role::server);
    announcements table;
    subject s{side, version::lite_05, {.origin = hop_id{9}, .table = &table, .key = 50}};
    begin(s);
    table.set("a/.forwarded", {{hop_id{3}}, 1});
    REQUIRE(s->announce("a/.own"));
    const std::uint64_t request = side == role::client ? server_bidi(0) : client_bidi(0);
    CHECK(s.receive(request, "01 02 00 00").empty());
    const auto said = without(s.outputs(), "credit");
    REQUIRE(said.size() == 1);
    CHECK(contains(said[0], "a/.own") == (side == role::client));
    CHECK_FALSE(contains(said[0], "a/.forwarded"));
}

TEST_CASE("a watch reports no broadcast that is hidden below its prefix, whatever the peer announces",
    "[session][announce][hidden]") {
    const auto v = GENERATE(from_range(quic_versions));
    const bool wanted = GENERATE(false, true);
    CAPTURE(alpn(v), wanted);
    subject client{role::client, v, {.origin = hop_id{5}}};
    begin(client);
    REQUIRE((wanted ? client->watch_hidden("a/.b") : client->watch("a/.b")));
    static_cast<void>(client.outputs());
    if (has_announce_ok(v)) static_cast<void>(client.receive(0, "02 09 00"));
    const auto announced = [&](std::string_view suffix) {
        const std::string hops = has_hop_ids(v) ? "01 07" : "01";
        const auto said = [&](std::string_view before, std::string_view after) {
            return sized(std::string(before) + wire_text(suffix) + std::string(after));
        };
        if (has_announce_bases(v)) return "00" + said("00 00", "00" + hops + "00 00 00");
        return has_typed_announces(v) ? "00" + said("", hops + "00 00") : said("01", hops);
    };
    CHECK(without(client.receive(0, announced("")), "announcements_synced").size() == 1); // The prefix names it.
    CHECK(client.receive(0, announced("c")).size() == 1);
    CHECK(client.receive(0, announced(".d")).size() == (wanted ? 1 : 0));
    CHECK(client.receive(0, announced("c/.d/e")).size() == (wanted ? 1 : 0));
    if (has_typed_announces(v)) CHECK(client.receive(0, "01 01 02").size() == (wanted ? 1 : 0)); // It has its id.
}

TEST_CASE("a path with a wildcard as a whole segment is not announced", "[session][announce][hidden]") {
    subject client{role::client, version::lite_05, {}};
    begin(client);
    for (const auto* path : {"*", "**", "a/*", "*/b", "a/**/b"})
        CHECK(client->announce(path).error() == errc::invalid_argument);
    for (const auto* path : {"a*", "*a", "***", "a/b*c", "*.*"}) CHECK(client->announce(path));
}

TEST_CASE("a received announcement with a wildcard segment is dropped, and keeps its announce id",
    "[session][announce][hidden][bad input]") {
    const auto v = GENERATE(from_range(quic_versions));
    CAPTURE(alpn(v));
    subject client{role::client, v, {.origin = hop_id{5}}};
    begin(client);
    REQUIRE(client->watch("a"));
    static_cast<void>(client.outputs());
    if (has_announce_ok(v)) static_cast<void>(client.receive(0, "02 09 00"));
    const auto announced = [&](std::string suffix) {
        if (has_slash_dialect(v)) suffix.insert(0, "a/"); // There the prefix above is asked for.
        const std::string hops = has_hop_ids(v) ? "01 07" : "01";
        if (has_typed_announces(v)) return "00" + sized(wire_text(suffix) + hops + "00 00");
        return sized("01" + wire_text(suffix) + hops);
    };
    CHECK(without(client.receive(0, announced("*")), "announcements_synced").empty());
    CHECK(client.receive(0, announced("x/**/y")).empty());
    CHECK(client.receive(0, announced("x*")).size() == 1);
    if (has_typed_announces(v)) {
        CHECK(client.receive(0, "01 01 00").empty());
        CHECK(client.receive(0, "01 01 02") == list{"broadcast_ended 0 a/x*"});
    }
    CHECK_FALSE(client->is_closed());
}

} // namespace moqlite::test::announce_hidden_test

// When a broadcast is announced again, and when not.
#include "subject.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

namespace moqlite::test::announce_again_test {

namespace {

/// A server whose table the test changes, and whose peer watches all of it.
struct teller {
    explicit teller(version v = version::lite_05)
        : server(role::server, v, {.origin = hop_id{9}, .table = &table, .key = 50}) {
        begin(server);
        CHECK(server.receive(0, v == version::lite_04 || v == version::lite_05 ? "01 02 00 00" : "01 01 00").empty());
        static_cast<void>(server.outputs());
    }
    void set(std::vector<hop_id> hops, std::uint64_t source, route_cost cost = {}) {
        table.set("cam", {std::move(hops), source, cost});
    }
    /// What is sent in the time for which a change is held back.
    list sent() {
        auto lines = server.outputs();
        CHECK(server.tick_after(300ms).empty());
        for (auto& later : server.outputs()) lines.push_back(std::move(later));
        return lines;
    }
    /// Number of announcements since then.
    std::size_t told() {
        std::string bytes;
        for (const auto& line : sent()) bytes += line;
        std::size_t n = 0;
        for (std::size_t at = bytes.find("63616d"); at != std::string::npos; at = bytes.find("63616d", at + 1)) ++n;
        return n;
    }
    announcements table;
    subject server;
};

} // namespace

TEST_CASE("a route's cost is announced only to peers whose version has costs", "[session][announce]") {
    const auto v = GENERATE(version::lite_03, version::lite_04, version::lite_05);
    teller old{v};
    old.set({hop_id{3}}, 1, {5, 9});
    CHECK(old.told() == 1);
    old.set({hop_id{3}}, 1, {});
    CHECK(old.told() == 0);
    teller with_costs{version::lite_06};
    with_costs.set({hop_id{3}}, 1, {5, 9});
    CHECK(with_costs.told() == 1);
    with_costs.set({hop_id{3}}, 1, {5, 8});
    CHECK(with_costs.sent() == list{"write 0 02050001030508"});
}

TEST_CASE("routes that are not the announced one may begin, change and end silently", "[session][announce]") {
    teller s;
    s.set({hop_id{3}}, 1);
    CHECK(s.told() == 1);
    s.set({hop_id{4}, hop_id{5}}, 2, {7, 7});
    s.set({hop_id{4}, hop_id{6}}, 2, {8, 8});
    CHECK(s.told() == 0);
    s.table.remove("cam", 2);
    CHECK(s.told() == 0);
    s.set({hop_id{7}}, 1);
    CHECK(s.told() == 1);
}

TEST_CASE("another publisher is announced, even with the same route", "[session][announce]") {
    teller s;
    s.set({}, 1);
    CHECK(s.told() == 1);
    SECTION("it took over") { s.set({}, 2); }
    SECTION("it follows another") {
        s.table.remove("cam", 1);
        s.set({}, 2);
    }
    SECTION("it is the same, and began anew") {
        s.table.remove("cam", 1);
        s.set({}, 1);
    }
    CHECK(s.told() == 1);
}

TEST_CASE("a peer may watch a bounded number of prefixes", "[session][announce][bad input]") {
    subject server{role::server, version::lite_05, {.bounds = {.watches = 2}}};
    begin(server);
    CHECK(server.receive(0, "01 02 00 00").empty());
    CHECK(server.receive(4, "01 02 00 00").empty());
    CHECK(server.receive(8, "01 02 00 00") == list{"stream_rejected 8 too_many_requests"});
    CHECK(server.receive(0, "", true).empty());
    CHECK(server.receive(12, "01 02 00 00").empty());
}

} // namespace moqlite::test::announce_again_test

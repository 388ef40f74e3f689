// What builds on an announcement that we refused, moq-lite-07: a sender does not know of the refusal.
#include "subject.hpp"

#include <catch2/catch_test_macros.hpp>

namespace moqlite::test::announce_base_refused_test {

namespace {

constexpr auto v = version::lite_07_wip;

limits with(std::size_t name, std::size_t hops = 32) {
    limits out;
    out.name = name;
    out.hops = hops;
    return out;
}

/// A client that watches everything, with the request on stream 0.
struct watcher : subject {
    explicit watcher(const limits& bounds) : subject(role::client, v, {.bounds = bounds}) {
        begin(*this);
        REQUIRE((*this)->watch(""));
        static_cast<void>(outputs());
        static_cast<void>(receive(0, "02 09 00"));
    }
};

/// Short lengths only: one byte in every version.
std::string start(std::string_view path_base, std::string_view rest, std::string_view hops) {
    return "00" + sized(std::string(path_base) + wire_text(rest) + std::string(hops) + "00 00");
}
std::string update(std::string_view fields) { return "02" + sized(std::string(fields) + "00 00"); }

} // namespace

TEST_CASE("a path that is too long for us does not take those with it that keep a part of it",
    "[session][announce][07][regression]") {
    watcher client{with(8)};
    CHECK(client.receive(0, start("00 00", "a", "00 02 05 06 00")) == list{"broadcast_available 0 a hops 5 6 9"});
    CHECK(client.receive(0, start("00 00", "live/toolong", "01 00 02")) == list{"stream_rejected 0 name_too_long"});
    SECTION("of its hops") {
        CHECK(client.receive(0, start("00 00", "b", "01 00 02")) == list{"broadcast_available 0 b hops 5 6 9"});
    }
    SECTION("of its path") {
        CHECK(client.receive(0, start("01 01", "b", "00 00 00")) == list{"broadcast_available 0 live/b hops 9"});
    }
    SECTION("in an update") {
        CHECK(client.receive(0, update("00 01 01 07 01")) == list{"broadcast_available 0 a hops 7 6 9 restart"});
    }
    SECTION("after an update of it, which is not reported") {
        CHECK(client.receive(0, update("01 00 01 07 00")).empty());
        CHECK(client.receive(0, start("00 00", "b", "01 00 01")) == list{"broadcast_available 0 b hops 7 9"});
    }
    SECTION("and its id ends") {
        CHECK(client.receive(0, "01 01 01").empty());
        CHECK(client.receive(0, start("01 01", "b", "00 00 00")).back() ==
              "session_closed protocol_violation unknown_announce");
    }
}

TEST_CASE(
    "what two of our sessions say of a long path does not end the others", "[session][announce][07][regression]") {
    announcements table;
    subject server{role::server, v, {.origin = hop_id{9}, .table = &table, .key = 1}};
    begin(server);
    CHECK(server.receive(0, "01 02 00 01").empty());
    static_cast<void>(server.outputs());
    watcher client{with(16)};
    const auto passed = [&] {
        std::string bytes;
        for (const auto& line : without(server.outputs(), "credit")) bytes += line.substr(line.rfind(' ') + 1);
        return client.receive(0, bytes);
    };
    const std::vector<hop_id> way{hop_id{70000}, hop_id{80000}};
    table.set("a", {way, 2});
    CHECK(passed() == list{"broadcast_available 0 a hops 70000 80000 9"});
    table.set("b/which/is/too/long/by/far", {way, 2});
    CHECK(passed() == list{"stream_rejected 0 name_too_long"});
    table.set("c", {way, 2});
    CHECK(passed() == list{"broadcast_available 0 c hops 70000 80000 9"});
}

TEST_CASE(
    "after an update that we refused nothing is built on the chain before it", "[session][announce][07][regression]") {
    watcher client{with(100, 4)};
    CHECK(client.receive(0, start("00 00", "a", "00 01 05 00")) == list{"broadcast_available 0 a hops 5 9"});
    CHECK(client.receive(0, update("00 00 05 01 02 03 04 05 00")) ==
          list{"stream_rejected 0 too_many_hops", "broadcast_ended 0 a"});
    SECTION("of one") {
        CHECK(client.receive(0, start("00 00", "b", "01 00 01")) == list{"stream_rejected 0 base_refused"});
    }
    SECTION("of more than it had") {
        CHECK(client.receive(0, start("00 00", "b", "01 00 02")) == list{"stream_rejected 0 base_refused"});
    }
    SECTION("but its path is known") {
        CHECK(client.receive(0, start("01 01", "b", "00 00 00")) == list{"broadcast_available 0 a/b hops 9"});
    }
    SECTION("until the next update") {
        CHECK(client.receive(0, update("00 00 01 03 00")) == list{"broadcast_available 0 a hops 3 9"});
        CHECK(client.receive(0, start("00 00", "b", "01 00 01")) == list{"broadcast_available 0 b hops 3 9"});
    }
}

} // namespace moqlite::test::announce_base_refused_test

// Where the reference implementation of today does otherwise than that of yesterday on the same bytes, a row of
// moq-lite-wire.md §16.2 each: what we do works with both.
#include "subject.hpp"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/generators/catch_generators_range.hpp>

namespace moqlite::test::dialects_peers_test {

namespace {

version any_version() { return GENERATE(from_range(all_versions)); }

struct client_of : subject {
    explicit client_of(version v) : subject(role::client, v) { begin(*this); }
    bool has_fin(std::string_view stream) {
        for (const auto& line : outputs())
            if (line.starts_with("write " + std::string(stream)) && line.ends_with("fin")) return true;
        return false;
    }
};

} // namespace

TEST_CASE("an update repeats the Group Start of its subscription", "[session][dialects §16.2.3][moq-rs]") {
    const auto v = any_version();
    CAPTURE(alpn(v));
    client_of client{v};
    const auto id = client->subscribe({"a", "b"}, {.start = group_sequence{7}}).value();
    static_cast<void>(client.outputs());
    for (const auto p : {priority{3}, priority{4}}) {
        REQUIRE(client->update(id, {.priority = p}));
        CHECK(client.outputs() ==
              list{"write 0 " + compact(update_bytes(v, {.priority = p, .start = group_sequence{7}}))});
    }
}

TEST_CASE("the requester of TRACK and FETCH ends its side only when it has the answer",
    "[session][dialects §16.2.6][moq-rs]") {
    const auto v = GENERATE(version::lite_05, version::lite_06, version::lite_07_wip);
    CAPTURE(alpn(v));
    client_of client{v};
    SECTION("TRACK") {
        REQUIRE(client->request_track({"a", "b"}));
        CHECK_FALSE(client.has_fin("0"));
        CHECK(client.tick_after(5s).empty());
        CHECK_FALSE(client.has_fin("0"));
        CHECK(client.receive(0, has_ordered(v) ? "04 00 00 05 06" : "03 00 05 06", true).size() == 1);
        CHECK(client.has_fin("0"));
    }
    SECTION("FETCH") {
        REQUIRE(client->fetch({"a", "b"}, group_sequence{7}));
        CHECK_FALSE(client.has_fin("0"));
        CHECK(client.receive(0, "00 01 61").size() == 1);
        CHECK_FALSE(client.has_fin("0"));
        CHECK(client.receive(0, "", true).back().starts_with("group_closed"));
        CHECK(client.has_fin("0"));
    }
}

TEST_CASE("a subscriber that left is served again when it returns", "[session][dialects §16.2.15][moq-rs]") {
    const auto v = any_version();
    CAPTURE(alpn(v));
    subject server{role::server, v};
    begin(server);
    for (const std::uint64_t n : {0u, 1u, 2u}) {
        const auto stream = client_bidi(n);
        const auto id = to_hex(std::array{std::byte(n)});
        CHECK(server.receive(stream, subscribe_bytes(v, id, "a", "b")).size() == 2);
        REQUIRE(server->accept(request_id{n}, group_sequence{0}));
        const auto g = server->open_group(request_id{n}, group_sequence{0}).value();
        REQUIRE(g->finish());
        const auto said = server.outputs();
        CHECK(std::ranges::any_of(said,
            [&](const auto& line) { return line.find(" " + compact(group_bytes(v, id, "00"))) != std::string::npos; }));
        static_cast<void>(server.receive(stream, "", true));
        static_cast<void>(server.stopped(stream));
        static_cast<void>(server.outputs());
        static_cast<void>(server.stream_closed(stream));
        CHECK_FALSE(server->is_closed());
    }
}

} // namespace moqlite::test::dialects_peers_test

// Watching a peer whose prefixes end with a slash (gomoqt, moq-lite-04): "/room/" is no prefix of "/room", so the
// prefix above is asked for, and what is not wanted is dropped here.
#include "subject.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

namespace moqlite::test::announce_above_test {

namespace {

constexpr auto v = version::lite_04;

std::string request(std::string_view prefix) { return compact("01" + sized(wire_text(prefix) + "00")); }
std::string active(std::string_view suffix, std::string_view hops = "01 07") {
    return sized("01" + wire_text(suffix) + std::string(hops));
}
std::string ended(std::string_view suffix) { return sized("00" + wire_text(suffix) + "00"); }

/// A client with a watch of `prefix`, on stream 0.
struct watcher : subject {
    explicit watcher(std::string_view prefix, limits bounds = {}) : subject(role::client, v, {.bounds = bounds}) {
        begin(*this);
        REQUIRE((*this)->watch(prefix));
        asked = without(outputs(), "open");
    }
    list available() {
        list out;
        (*this)->for_each_available([&](std::string_view path) { out.emplace_back(path); });
        return out;
    }
    list asked;
};

} // namespace

TEST_CASE("the prefix above the wanted one is asked for, and only what is wanted is reported",
    "[session][announce][gomoqt]") {
    watcher client{"room"};
    CHECK(client.asked == list{"write 0 " + request("/")});
    CHECK(client.receive(0, active("room/cam")) == list{"broadcast_available 0 room/cam hops 7"});
    CHECK(client.receive(0, active("room")) == list{"broadcast_available 0 room hops 7"});
    for (const auto* other : {"lab", "roomy", "roomy/cam", "r", "lab/room"}) {
        CHECK(client.receive(0, active(other)).empty());
        CHECK(client.receive(0, active(other)).empty()); // Nobody asked whether it is there already.
        CHECK(client.receive(0, ended(other)).empty());
    }
    CHECK(client.available() == list{"room", "room/cam"});
    CHECK(client.receive(0, ended("room")) == list{"broadcast_ended 0 room"});
    CHECK(client.receive(0, "", true) == list{"broadcast_ended 0 room/cam", "watch_ended 0 cancel"});
}

TEST_CASE("the prefix above ends with a slash, whatever the wanted one is", "[session][announce][gomoqt]") {
    CHECK(watcher{"a/b/c"}.asked == list{"write 0 " + request("/a/b/")});
    CHECK(watcher{"/a/b/"}.asked == list{"write 0 " + request("/a/")});
    CHECK(watcher{"a.b"}.asked == list{"write 0 " + request("/")});
    CHECK(watcher{""}.asked == list{"write 0 " + request("/")});
}

TEST_CASE(
    "what is below a hidden segment is asked for by name: peers that ignore slashes hide it from the prefix above",
    "[session][announce][hidden][gomoqt]") {
    watcher client{GENERATE("a/.b", "/a/.b/")};
    CHECK(client.asked == list{"write 0 " + request("/a/.b/")});
    CHECK(client.receive(0, active("c")) == list{"broadcast_available 0 a/.b/c hops 7"});
    CHECK(client.receive(0, active("")) == list{"broadcast_available 0 a/.b hops 7"});
    CHECK(watcher{".b"}.asked == list{"write 0 " + request("/.b/")});
    CHECK(watcher{".b/c"}.asked == list{"write 0 " + request("/.b/")});
}

TEST_CASE("a peer that has written a path without slashes is asked for the wanted prefix",
    "[session][announce][dialects §12.5]") {
    subject server{role::server, v};
    begin(server);
    static_cast<void>(server.receive(0, "01 02 00 00"));
    static_cast<void>(server.outputs());
    REQUIRE(server->watch("room"));
    CHECK(without(server.outputs(), "open") == list{"write 1 " + request("room")});
    CHECK(server.receive(1, active("cam")) == list{"broadcast_available 0 room/cam hops 7"});
    CHECK(server.receive(1, active("")) == list{"broadcast_available 0 room hops 7"});
}

TEST_CASE("a peer that writes its first path later changes nothing about a prefix that was asked for",
    "[session][announce][dialects §12.5]") {
    watcher client{"room"};
    static_cast<void>(client.receive(1, "01 02 00 00"));
    CHECK(client.receive(0, active("room/cam")) == list{"broadcast_available 0 room/cam hops 7"});
    CHECK(client.receive(0, active("cam")).empty());
}

TEST_CASE("several watches with one prefix above them see what is theirs", "[session][announce][gomoqt]") {
    subject client{role::client, v};
    begin(client);
    for (const auto* prefix : {"a/room", "a/lab", "a/room", "a"}) REQUIRE(client->watch(prefix));
    CHECK(without(client.outputs(), "open") == list{"write 0 " + request("/a/"), "write 4 " + request("/a/"),
                                                   "write 8 " + request("/a/"), "write 12 " + request("/")});
    const auto everywhere = [&](const std::string& message) {
        list all;
        for (const auto stream : {0u, 4u, 8u})
            for (auto& line : client.receive(stream, message)) all.push_back(line);
        return all;
    };
    CHECK(everywhere(active("room/cam")) ==
          list{"broadcast_available 0 a/room/cam hops 7", "broadcast_available 2 a/room/cam hops 7"});
    CHECK(everywhere(active("lab")) == list{"broadcast_available 1 a/lab hops 7"});
    CHECK(client.receive(12, active("a/lab")) == list{"broadcast_available 3 a/lab hops 7"});
    REQUIRE(client->unwatch(watch_id{0}));
    CHECK(everywhere(ended("room/cam")) == list{"broadcast_ended 2 a/room/cam"});
}

// Announcements are prefixes: what is announced above the wanted prefix, of which peers report only the nearest, is
// there.

TEST_CASE("what is announced above the wanted prefix is there", "[session][announce][prefix]") {
    watcher client{"room/3/desk"};
    CHECK(client.asked == list{"write 0 " + request("/room/3/")});
    CHECK(client.receive(0, active("", "01 05")) == list{"broadcast_available 0 room/3/desk hops 5"});
    CHECK(client.available() == list{"room/3/desk"});
    CHECK(client.receive(0, active("chair")).empty());
    CHECK(client.receive(0, active("desk/lamp")) == list{"broadcast_available 0 room/3/desk/lamp hops 7"});
    SECTION("until that ends") {
        CHECK(client.receive(0, ended("")) == list{"broadcast_ended 0 room/3/desk"});
        CHECK(client.available() == list{"room/3/desk/lamp"});
    }
    SECTION("or its stream") {
        CHECK(client.receive(0, "", true) ==
              list{"broadcast_ended 0 room/3/desk", "broadcast_ended 0 room/3/desk/lamp", "watch_ended 0 cancel"});
    }
    SECTION("but what is announced at the prefix itself is nearer") {
        CHECK(client.receive(0, active("desk")) == list{"broadcast_available 0 room/3/desk hops 7 restart"});
        CHECK(client.available() == list{"room/3/desk", "room/3/desk/lamp"});
        SECTION("and replaced when it ends") {
            CHECK(client.receive(0, ended("desk")) == list{"broadcast_available 0 room/3/desk hops 5 restart"});
            CHECK(client.receive(0, ended("")) == list{"broadcast_ended 0 room/3/desk"});
        }
        SECTION("and stays when the other one ends") {
            CHECK(client.receive(0, ended("")).empty());
            CHECK(client.receive(0, active("", "01 05")).empty());
            CHECK(client.receive(0, ended("")).empty());
            CHECK(client.receive(0, ended("desk")) == list{"broadcast_ended 0 room/3/desk"});
        }
        SECTION("and ends once with the session") {
            client->connection_closed({app_error::cancel, true, ""}, client.now);
            CHECK(client.events() == list{"broadcast_ended 0 room/3/desk", "broadcast_ended 0 room/3/desk/lamp",
                                         "watch_ended 0 cancel", "session_closed cancel peer_closed by peer"});
        }
    }
}

TEST_CASE("a route above the prefix that loops is not there", "[session][announce][prefix]") {
    subject client{role::client, v, {.origin = hop_id{5}}};
    begin(client);
    REQUIRE(client->watch("room/3"));
    static_cast<void>(client.outputs());
    CHECK(client.receive(0, active("", "02 05 07")).empty());
    CHECK(client.receive(0, active("3")) == list{"broadcast_available 0 room/3 hops 7"});
    CHECK(client.receive(0, ended("3")) == list{"broadcast_ended 0 room/3"});
}

TEST_CASE("a peer's other announcements take no memory, and what is wanted is bounded",
    "[session][announce][bad input][limits]") {
    watcher client{"room", {.announcements = 2}};
    for (int i = 0; i < 100; ++i) CHECK(client.receive(0, active("lab/" + std::to_string(i))).empty());
    CHECK(client.receive(0, active("room/1")).size() == 1);
    CHECK(client.receive(0, active("room/2")).size() == 1);
    CHECK(client.receive(0, active("room/3")) == list{"stream_rejected 0 too_many_announcements"});
}

TEST_CASE("a second announcement of what is wanted ends the session, also above the prefix",
    "[session][announce][bad input]") {
    watcher client{"room/3"};
    const auto* suffix = GENERATE("", "3", "3/cam");
    CHECK(client.receive(0, active(suffix)).size() == 1);
    CHECK(client.receive(0, active(suffix)).back() == "session_closed protocol_violation duplicate_announce");
}

TEST_CASE("a peer that may read only below the prefix that it asks for hears what covers that, and nothing beside it",
    "[session][announce][prefix][scope]") {
    subject server{role::server, v, {.origin = hop_id{9}}};
    begin(server, {.root = "", .publish = {}, .subscribe = {"a/b"}});
    for (const auto* path : {"a", "x", "a/c", "a/b/d"}) REQUIRE(server->announce(path));
    watcher client{"a/b"};
    CHECK(server.receive(0, client.asked.front().substr(8)).empty());
    const auto said = without(server.outputs(), "credit");
    REQUIRE(said.size() == 1);
    CHECK(client.receive(0, said.front().substr(8)).size() == 2);
    CHECK(client.available() == list{"a/b", "a/b/d"});
    // One that writes no slashes asks for what it wants.
    CHECK(server.receive(4, "01" + sized(wire_text("a") + "00")).empty());
    CHECK(without(server.outputs(), "credit") == list{"write 4 " + compact(active("b/d", "01 09"))});
}

TEST_CASE("two of our own sessions tell each other everything about a prefix, at it, below it and above it",
    "[session][announce][prefix]") {
    subject server{role::server, v, {.origin = hop_id{9}}};
    begin(server);
    const std::string_view there = GENERATE("", "a", "a/b", "a/b/c", "a/b/c/d", "a/x", "a/b/cc");
    REQUIRE(server->announce(there));
    watcher client{"a/b/c"};
    CHECK(server.receive(0, client.asked.front().substr(8)).empty());
    const auto said = without(server.outputs(), "credit");
    list told;
    if (!said.empty()) told = client.receive(0, said.front().substr(8));
    if (there == "a/x" || there == "a/b/cc")
        CHECK(told.empty());
    else
        CHECK(told == list{"broadcast_available 0 " + std::string(there.size() > 5 ? there : "a/b/c") + " hops 9"});
}

} // namespace moqlite::test::announce_above_test

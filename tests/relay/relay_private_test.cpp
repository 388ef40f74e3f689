// Broadcasts for one session alone.
#include "local_guest.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

namespace moqlite::test {
namespace {

/// Two peers, the first of which has broadcasts for itself alone.
struct confidants {
    explicit confidants(scope allowed = {}, version v = version::lite_06) {
        s.alone = path::private_root(7);
        friend_ = &s.join(allowed, v);
        s.alone = path::private_root(8);
        stranger = &s.join(allowed, v);
    }
    void settle() { test::settle(s, {&app}); }
    scene s;
    local_guest app{s};
    guest* friend_;
    guest* stranger;
};

std::string for_friend(std::string_view name) { return path::join(path::private_root(7), name); }

list said(guest& g, std::string_view what) {
    list out;
    for (auto& line : g.heard())
        if (line.find(what) != line.npos) out.push_back(line.substr(0, line.find(" hops")));
    return out;
}

TEST_CASE("what is published for one session alone is announced to its peer, and to nobody else", "[relay][local]") {
    const auto v =
        GENERATE(version::lite_03, version::lite_04, version::lite_05, version::lite_06, version::lite_07_wip);
    const std::string root = GENERATE("", "rooms");
    const bool before = GENERATE(false, true); // They ask before it is published.
    confidants c{{.root = root}, v};
    if (before) c.friend_->watch(), c.stranger->watch(), c.settle();
    REQUIRE(c.app.end.announce(for_friend(path::join(root, "call"))));
    c.settle();
    if (!before) c.friend_->watch(), c.stranger->watch(), c.settle();
    CHECK(said(*c.friend_, "broadcast_available").size() == 1);
    CHECK(c.stranger->heard().empty());
    CHECK(c.app.heard.empty());
    auto& late = c.s.join({.root = root}, v);
    late.watch();
    c.settle();
    CHECK(late.heard().empty());
    REQUIRE(c.app.end.unannounce(for_friend(path::join(root, "call"))));
    c.settle();
    CHECK(c.friend_->heard() == list{"broadcast_ended 0 call"});
}

TEST_CASE("only its peer can subscribe to it, fetch from it, or ask for its tracks", "[relay][local]") {
    confidants c;
    REQUIRE(c.app.end.announce(for_friend("call")));
    auto& writer = c.app.write({for_friend("call"), "audio"});
    c.settle();
    c.friend_->subscribe({"call", "audio"});
    c.settle();
    put(writer, "secret");
    c.settle();
    CHECK(c.friend_->groups() == list{"0: secret"});
    c.stranger->heard();
    SECTION("by its name") {
        c.stranger->subscribe({"call", "audio"});
        c.settle();
        CHECK(c.stranger->heard().back().starts_with("subscription_ended 0 unroutable"));
    }
    SECTION("or by that which it has here") { // Ours would not send it.
        const std::string name = for_friend("call");
        const auto before = c.s.r.stats().tracks;
        c.s.r.handle(c.stranger->key, subscribe_requested{request_id{9}, {name, "audio"}, {}}, c.s.now);
        c.s.r.handle(
            c.stranger->key, fetch_requested{request_id{10}, {name, "audio"}, group_sequence{0}, 0, {}}, c.s.now);
        c.s.r.handle(c.stranger->key, track_requested{request_id{11}, {name, "audio"}}, c.s.now);
        c.settle();
        CHECK(c.s.r.stats().tracks == before);
        CHECK(c.stranger->groups().empty());
    }
    SECTION("or a group of it") {
        REQUIRE((*c.stranger)->fetch({"call", "audio"}, group_sequence{0}));
        c.settle();
        CHECK(c.stranger->groups().back().find("secret") == std::string::npos);
    }
    SECTION("or what is told of it") {
        REQUIRE((*c.stranger)->request_track({"call", "audio"}));
        c.settle();
        CHECK(c.stranger->heard().back().starts_with("track_refused"));
    }
}

TEST_CASE("the operator reads its name as its peer knows it, and of this process as session 0", "[relay][local]") {
    confidants c;
    CHECK(c.friend_->key == 1);
    c.s.notices();
    REQUIRE(c.app.end.announce(for_friend("call")));
    REQUIRE(c.app.end.announce("open"));
    auto& writer = c.app.write({for_friend("call"), "audio"});
    c.settle();
    c.friend_->subscribe({"call", "audio"});
    c.settle();
    put(writer, "secret");
    c.settle();
    CHECK(c.s.notices() == list{"broadcast_changed 0 open"});
    for (std::uint64_t request = 0; request != 4; ++request)
        c.s.r.handle(c.friend_->key, group_lost{request_id{request}, group_sequence{0}, app_error::lagged}, c.s.now);
    CHECK(c.s.notices() == list{"reader_lost_group 1 call audio 0 lagged"});
}

TEST_CASE("it takes the place of a broadcast of the same name for its peer alone, while it lives", "[relay][local]") {
    const auto v = GENERATE(version::lite_03, version::lite_05, version::lite_06);
    confidants c{{}, v};
    const bool under = GENERATE(false, true); // What everyone sees covers it.
    auto& everyone = c.s.publisher(under ? "" : "call");
    c.settle();
    c.friend_->watch("call"), c.stranger->watch("call");
    c.settle();
    CHECK(said(*c.friend_, "broadcast_available") == list{"broadcast_available 0 call"});
    CHECK(said(*c.stranger, "broadcast_available") == list{"broadcast_available 0 call"});
    REQUIRE(c.app.end.announce(for_friend("call")));
    auto& writer = c.app.write({for_friend("call"), "audio"});
    c.settle();
    c.s.pass_for_all(std::chrono::seconds{1}); // Changes of a route wait for others.
    CHECK(said(*c.friend_, "broadcast_available") == list{"broadcast_available 0 call"});
    c.friend_->subscribe({"call", "audio"});
    c.settle();
    put(writer, "secret");
    c.settle();
    CHECK(c.friend_->groups() == list{"0: secret"});
    CHECK(c.stranger->heard().empty());
    everyone.heard();
    c.stranger->subscribe({"call", "audio"});
    c.settle();
    CHECK(everyone.heard().front().find("call audio") != std::string::npos);
    static_cast<void>(c.friend_->heard());
    REQUIRE(c.app.end.unannounce(for_friend("call")));
    c.settle();
    c.s.pass_for_all(std::chrono::seconds{1});
    c.settle();
    CHECK(said(*c.friend_, "broadcast_available") == list{"broadcast_available 0 call"});
}

TEST_CASE("a peer publishes nothing for another alone", "[relay][local]") {
    confidants c;
    c.friend_->watch();
    c.settle();
    static_cast<void>(c.friend_->heard());
    const std::string name = for_friend("call"); // Ours would not announce it.
    c.s.r.handle(c.stranger->key, broadcast_available{watch_id{}, name, {}, false, {}}, c.s.now);
    c.settle();
    CHECK(c.friend_->heard().empty());
    CHECK(c.s.r.stats().broadcasts == 0);
}

TEST_CASE("a broadcast that everyone hears of, below one for a session alone, is still everyone's", "[relay][local]") {
    confidants c{{}, GENERATE(version::lite_03, version::lite_06)};
    auto& everyone = c.s.publisher("call/screen");
    REQUIRE(c.app.end.announce(for_friend("call")));
    c.settle();
    c.friend_->watch("call/screen");
    c.settle();
    CHECK(said(*c.friend_, "broadcast_available") == list{"broadcast_available 0 call/screen"});
    everyone.heard();
    c.friend_->subscribe({"call/screen", "video"});
    c.settle();
    REQUIRE(!everyone.heard().empty());
}

TEST_CASE(
    "the initial set has one announcement for what is above or at the prefix, whoever it is for", "[relay][local]") {
    const auto v = GENERATE(version::lite_05, version::lite_06);
    confidants c{{}, v};
    c.s.publisher(GENERATE("", "call"));
    if (GENERATE(false, true)) REQUIRE(c.app.end.announce(for_friend("call")));
    c.settle();
    c.friend_->heard();
    c.friend_->watch("call");
    c.settle();
    CHECK(c.friend_->synced == 1);
}

TEST_CASE("names take turns at a peer in the right order, whatever else has changed", "[relay][local]") {
    const auto v =
        GENERATE(version::lite_03, version::lite_04, version::lite_05, version::lite_06, version::lite_07_wip);
    confidants c{{}, v};
    c.friend_->watch();
    REQUIRE(c.app.end.announce(for_friend("call")));
    auto& everyone = c.s.publisher("call");
    c.settle();
    c.s.pass_for_all(std::chrono::seconds{1});
    c.friend_->heard();
    // All of that between two pumps.
    c.s.r.handle(
        everyone.key, broadcast_available{watch_id{}, "call", std::vector{hop_id{3}, hop_id{4}}, false, {}}, c.s.now);
    REQUIRE(c.app.end.unannounce(for_friend("call")));
    c.s.r.tick(c.s.now);
    c.settle();
    c.s.pass_for_all(std::chrono::seconds{1});
    auto heard = c.friend_->heard();
    for (auto& h : heard) UNSCOPED_INFO(h);
    REQUIRE(!heard.empty());
    CHECK(heard.back().starts_with("broadcast_available 0 call"));
}

TEST_CASE("broadcasts for others alone cost a peer nothing, however many there are", "[relay][local]") {
    confidants c;
    c.s.publisher("show");
    c.friend_->watch();
    for (int i = 0; i != 2000; ++i) REQUIRE(c.app.end.announce(path::join(path::private_root(100), std::to_string(i))));
    c.settle();
    c.friend_->heard();
    c.stranger->heard();
    SECTION("in the initial set") {
        c.stranger->watch();
        c.settle();
        CHECK(c.stranger->synced == 1);
        CHECK(c.stranger->heard_before == 1);
    }
    SECTION("as they change") {
        c.s.pumped.clear();
        REQUIRE(c.app.end.announce(path::join(path::private_root(100), "more")));
        c.settle();
        CHECK(c.s.pumped.empty());
    }
}

} // namespace
} // namespace moqlite::test

// A session's memory for a peer that reads nothing: bounds of groups, drops and requests.
#include "subject.hpp"
#include <map>
#include <moqlite/session/read_ahead.hpp>

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/generators/catch_generators_range.hpp>
#include <random>
#include <set>

namespace moqlite::test::held_back_test {

namespace {

/// A server with an accepted subscription on stream 0.
struct publisher : subject {
    explicit publisher(limits bounds = {}, std::string_view options = "00 00 00 00 00", version v = version::lite_05,
        slab_pool* pool = nullptr)
        : subject(role::server, v, {.bounds = bounds, .pool = pool}) {
        begin(*this);
        CHECK(receive(0, subscribe_bytes("00", "room", "video", options)).size() == 2);
        CHECK((*this)->accept(request_id{0}, group_sequence{0}));
        static_cast<void>(outputs());
        CHECK(all_acked(0).empty());
    }
    void drop(std::uint64_t first, std::uint64_t last, app_error code = app_error::old) {
        REQUIRE((*this)->drop(request_id{0}, group_sequence{first}, group_sequence{last}, code));
    }
    /// The SUBSCRIBE_DROPs that are written on stream 0.
    list drops() {
        std::string all;
        for (const auto& line : outputs())
            if (line.starts_with("write 0 ")) all += line.substr(8);
        list out;
        const auto bytes = hex(all);
        for (byte_view in = bytes; !in.empty();) {
            const auto m = wire::take_typed_message(wire::integers::quic, in);
            REQUIRE(m);
            const auto d = wire::lite::decode<wire::lite::subscribe_drop>(version::lite_05, m->body);
            REQUIRE(d);
            out.push_back(std::to_string(number(d->start)) + " to " + std::to_string(number(d->end)));
            in = in.subspan(m->size);
        }
        return out;
    }
};

constexpr std::string_view capped = "00 01 00 00 bfffffff";

} // namespace

// Groups.

TEST_CASE("groups that wait for a capped reader are bounded, too: the oldest is dropped and reported",
    "[session][held back][regression]") {
    limits small;
    small.capped_groups = 10;
    publisher server{small, capped};
    server.link.uni_streams = 0;
    for (std::uint64_t n = 0; n < 30; ++n)
        REQUIRE(server->open_group(request_id{0}, group_sequence{n}).value()->finish());
    const auto lost = server.events();
    CHECK(lost.size() == 20);
    CHECK(lost.front() == "group_lost 0 sequence 0 lagged");
    CHECK(server.drops() == list{"0 to 0", "1 to 1", "2 to 2", "3 to 3", "4 to 4", "5 to 5", "6 to 6", "7 to 7",
                                "8 to 8", "9 to 9", "10 to 10", "11 to 11", "12 to 12", "13 to 13", "14 to 14",
                                "15 to 15", "16 to 16", "17 to 17", "18 to 18", "19 to 19"});
    CHECK(limits{}.capped_groups >= 2 * read_ahead::groups_max);
}

TEST_CASE(
    "groups without a byte, and what serves them, count in the limit of memory", "[session][held back][regression]") {
    slab_pool pool{100'000};
    limits small;
    small.live_groups = 100'000;
    publisher server{small, "00 00 00 00 00", version::lite_05, &pool};
    server.link.uni_streams = 0;
    std::uint64_t made = 0;
    std::vector<group_ref> kept;
    for (; made < 10'000; ++made) {
        auto g = server->open_group(request_id{0}, group_sequence{made});
        if (!g) break;
        kept.push_back(*g);
    }
    CHECK(made < 1000);
    CHECK(pool.charged() <= 100'000);
    kept.clear();
    server->close(app_error::cancel);
    static_cast<void>(server.events());
    static_cast<void>(server.outputs());
    CHECK(pool.charged() == 0);
}

TEST_CASE("the groups that one session sends at once are bounded, whatever its subscriptions are",
    "[session][held back][regression]") {
    limits small;
    small.served_groups = 50;
    publisher server{small, capped};
    server.link.uni_streams = 0;
    for (std::uint64_t n = 0; n < 50; ++n) REQUIRE(server->open_group(request_id{0}, group_sequence{n}));
    CHECK(server->open_group(request_id{0}, group_sequence{50}).error() == errc::out_of_memory_limit);
    CHECK(server.events().empty());
}

TEST_CASE("a live reader loses the same groups as if all were counted each time", "[session][held back][backlog]") {
    const auto seed = GENERATE(range(0u, 40u));
    CAPTURE(seed);
    std::mt19937 dice{seed};
    const auto up_to = [&](unsigned n) { return dice() % (n + 1); };
    limits small;
    small.live_groups = 1 + up_to(6);
    small.live_backlog = 100 + up_to(2000);
    publisher server{small};
    struct copy {
        group_ref log;
        std::size_t written = 0;
        bool begun = false;
    };
    std::map<std::uint64_t, copy> model; // What is not lost.
    std::set<std::uint64_t> lost;
    const auto waits = [](const copy& c) {
        return !c.begun || c.log->size() > c.written || c.log->ended() == group::state::finished;
    };
    server.link.uni_streams = 0;
    std::uint64_t next = 0;
    for (int step = 0; step < 200; ++step) {
        if (up_to(2) == 0 && !model.empty()) { // An open group grows or ends.
            auto i = model.begin();
            std::advance(i, static_cast<std::ptrdiff_t>(up_to(static_cast<unsigned>(model.size()) - 1)));
            auto& g = i->second.log;
            if (g->ended() != group::state::open) continue;
            if (up_to(3) == 0)
                REQUIRE(g->finish());
            else
                REQUIRE(g->write_frame(timestamp{0}, as_bytes(std::string(up_to(300), 'x'))));
            continue;
        }
        const auto sequence = next++;
        auto g = server->open_group(request_id{0}, group_sequence{sequence}).value();
        model[sequence] = {g};
        for (;;) {
            std::uint64_t unsent = 0;
            std::size_t waiting = 0;
            std::optional<std::uint64_t> oldest;
            for (const auto& [n, c] : model) {
                if (!waits(c)) continue;
                ++waiting;
                unsent += c.log->size() - c.written;
                if (!oldest) oldest = n;
            }
            if ((unsent <= small.live_backlog && waiting <= small.live_groups) || *oldest == model.rbegin()->first)
                break;
            lost.insert(*oldest);
            model.erase(*oldest);
        }
        std::set<std::uint64_t> said;
        for (const auto& line : server.events())
            if (line.starts_with("group_lost")) said.insert(std::stoull(line.substr(22)));
        CHECK(said == lost);
        lost.clear();
    }
}

// SUBSCRIBE_DROP.

TEST_CASE("drops that a peer has not read become ranges", "[session][held back][regression]") {
    publisher server;
    server.link.stream_room[stream_id{0}] = 0;
    for (std::uint64_t n = 0; n < 200'000; ++n) server.drop(n, n);
    CHECK(server.drops().empty());
    server.link.stream_room.clear();
    server.writable(0);
    CHECK(server.events().empty());
    const auto said = server.drops();
    CHECK(said.size() < 500);
    CHECK(said.front() == "0 to 0");
    CHECK(said.back().ends_with(" to 199999"));
    CHECK_FALSE(server->is_closed());
}

TEST_CASE("ranges of drops meet, overlap and contain each other in any order", "[session][held back]") {
    const auto seed = GENERATE(range(0u, 20u));
    std::mt19937 dice{seed};
    moqlite::detail::drop_ranges ranges;
    std::set<std::uint64_t> model;
    for (int i = 0; i < 60; ++i) {
        const auto first = dice() % 200, last = first + dice() % 6;
        ranges.add({group_sequence{first}, group_sequence{last}, app_error::old});
        for (auto n = first; n <= last; ++n) model.insert(n);
    }
    std::set<std::uint64_t> said;
    std::optional<std::uint64_t> before;
    while (!ranges.empty()) {
        const auto r = ranges.take();
        if (before) CHECK(number(r.first) > *before + 1);
        before = number(r.last);
        for (auto n = number(r.first); n <= number(r.last); ++n) said.insert(n);
    }
    CHECK(said == model);
}

TEST_CASE("a drop that no message can express is refused, whether it could be written now or not",
    "[session][held back][regression]") {
    publisher server;
    const auto drop_rest = [&] {
        return server->drop(request_id{0}, group_sequence{9000}, group_sequence{UINT64_MAX}, app_error::old).error();
    };
    CHECK(drop_rest() == errc::value_too_large);
    server.link.stream_room[stream_id{0}] = 0;
    for (std::uint64_t n = 0; n < 1000; ++n) server.drop(2 * n, 2 * n);
    for (int n = 0; n < 20; ++n) CHECK(drop_rest() == errc::value_too_large);
    server.link.stream_room.clear();
    server.writable(0);
    static_cast<void>(server.events());
    CHECK(server.drops().size() == 1000);
    CHECK_FALSE(server->is_closed());
}

TEST_CASE("too many separate drops end the request of the peer that has not read them, and no other",
    "[session][held back][regression]") {
    publisher server;
    CHECK(server.receive(4, subscribe_bytes("01", "room", "audio", "00 00 00 00 00")).size() == 2);
    CHECK(server->accept(request_id{1}, group_sequence{0}));
    static_cast<void>(server.outputs());
    server.link.stream_room[stream_id{0}] = 0;
    for (std::uint64_t n = 0; n < 100'000; ++n) {
        if (!server->drop(request_id{0}, group_sequence{3 * n}, group_sequence{3 * n}, app_error::old)) break;
        if (n % 1000 == 0) static_cast<void>(server.outputs());
    }
    REQUIRE(server->finish(request_id{1}));
    CHECK(server.events() == list{"request_ended 0 lagged"});
    CHECK_FALSE(server->is_closed());
    CHECK(server->drop(request_id{0}, group_sequence{0}, group_sequence{0}, app_error::old).error() == errc::not_found);
}

TEST_CASE("a request with too many drops is cut off, not ended as delivered", "[session][held back]") {
    publisher server;
    for (std::uint64_t n = 0; n < 10'000; ++n) server.drop(3 * n, 3 * n);
    REQUIRE(server->finish(request_id{0}));
    const auto out = server.outputs();
    CHECK(std::ranges::any_of(out, [](const auto& l) { return l.starts_with("reset 0 "); }));
    CHECK(std::ranges::none_of(out, [](const auto& l) { return l.ends_with("fin"); }));
    CHECK(server.events() == list{"request_ended 0 lagged"});
}

TEST_CASE("the end of a subscription follows the drops that were held back", "[session][held back]") {
    publisher server;
    server.link.stream_room[stream_id{0}] = 0;
    for (std::uint64_t n = 0; n < 1000; ++n) server.drop(2 * n, 2 * n);
    REQUIRE(server->end_track(request_id{0}, group_sequence{2000}));
    REQUIRE(server->finish(request_id{0}));
    CHECK(server.drops().empty());
    server.link.stream_room.clear();
    server.writable(0);
    CHECK(server.events().empty());
    list said;
    for (int i = 0; i < 20; ++i)
        for (auto& line : server.outputs()) said.push_back(line);
    REQUIRE(!said.empty());
    CHECK(said.back().ends_with("fin"));
    CHECK(std::count_if(said.begin(), said.end(), [](const auto& l) { return l.ends_with("fin"); }) == 1);
}

// Requests of our own.

TEST_CASE("our requests that wait for a stream are bounded, and further ones are refused with a named error",
    "[session][held back][regression]") {
    limits small;
    small.waiting_requests = 5;
    subject client{role::client, version::lite_05, {.bounds = small}};
    begin(client);
    client.link.bidi_streams = 0;
    const auto first = client->subscribe({"room", "0"}).value();
    for (int n = 1; n < 5; ++n) REQUIRE(client->subscribe({"room", std::to_string(n)}));
    static_cast<void>(client.outputs());
    CHECK(client->subscribe({"room", "5"}).error() == errc::too_many_requests);
    CHECK(client->fetch({"room", "5"}, group_sequence{0}).error() == errc::too_many_requests);
    CHECK(client->request_track({"room", "5"}).error() == errc::too_many_requests);
    CHECK(client->watch("").error() == errc::too_many_requests);
    SECTION("until one is taken back") { REQUIRE(client->unsubscribe(first)); }
    SECTION("or the peer grants a stream") {
        client.link.bidi_streams = 1;
        client->streams_available(direction::bidi, client.now);
        CHECK(client.events().empty());
        static_cast<void>(client.outputs());
    }
    CHECK(client->subscribe({"room", "5"}));
    CHECK(client->subscribe({"room", "6"}).error() == errc::too_many_requests);
}

TEST_CASE("an application may wait for 300 streams that its peer does not grant", "[session][held back][regression]") {
    subject client{role::client};
    begin(client);
    client.link.bidi_streams = 0;
    for (int n = 0; n < 300; ++n) REQUIRE(client->subscribe({"room", std::string(2000, 'x') + std::to_string(n)}));
    for (int n = 0; n < 60; ++n) {
        static_cast<void>(client.outputs());
        CHECK(client.tick_after(1min).empty());
    }
    // The peer's requests are still read.
    CHECK(client.receive(1, subscribe_bytes("00", "a", "b")).size() == 2);
}

// The end of a track.

TEST_CASE("END is always sent before FIN, on versions that have it", "[session][end][regression]") {
    const auto v = GENERATE(version::lite_05, version::lite_06);
    const auto groups = GENERATE(0u, 3u);
    publisher server{{}, options_bytes(v), v};
    for (std::uint64_t n = 0; n < groups; ++n)
        REQUIRE(server->open_group(request_id{0}, group_sequence{7 + n}).value()->finish());
    static_cast<void>(server.outputs());
    for (std::uint64_t n = 0; n < groups; ++n) {
        static_cast<void>(server.all_acked(server_uni(n + 1)));
        static_cast<void>(server.stream_closed(server_uni(n + 1)));
    }
    SECTION("by drop() of the application") {
        REQUIRE(server->end_track(request_id{0}, group_sequence{10}));
        REQUIRE(server->finish(request_id{0}));
        CHECK(server.outputs() == list{"write 0 01010a fin"});
    }
    SECTION("or of served groups") {
        REQUIRE(server->finish(request_id{0}));
        CHECK(server.outputs() == list{groups == 0 ? "write 0 010100 fin" : "write 0 01010a fin"});
    }
}

TEST_CASE("the Group Start that a subscription named is repeated in each update", "[session][subscribe][regression]") {
    const auto v = GENERATE(from_range(quic_versions));
    subject client{role::client, v};
    begin(client);
    const auto id = client->subscribe({"a", "b"}, {.start = group_sequence{7}}).value();
    static_cast<void>(client.outputs());
    REQUIRE(client->update(id, {.priority = 9, .end = group_sequence{20}}));
    CHECK(client.outputs() ==
          list{"write 0 " +
               compact(update_bytes(v, {.priority = 9, .start = group_sequence{7}, .end = group_sequence{20}}))});
    REQUIRE(client->update(id, {.priority = 9, .end = group_sequence{30}}));
    CHECK(client.outputs() ==
          list{"write 0 " +
               compact(update_bytes(v, {.priority = 9, .start = group_sequence{7}, .end = group_sequence{30}}))});
    const auto other = client->subscribe({"a", "c"}).value();
    static_cast<void>(client.outputs());
    REQUIRE(client->update(other, {.priority = 9, .end = no_end}));
    CHECK(client.outputs() == list{"write 4 " + compact(update_bytes(v, {.priority = 9}))});
}

} // namespace moqlite::test::held_back_test

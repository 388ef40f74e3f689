// FETCH, PROBE and datagrams through the relay as it ships, over real QUIC.
#include "relay_stage.hpp"

namespace moqlite::test::relay_fetch_test {

namespace {

/// A visitor of the relay, and the answers to its requests.
struct asker {
    explicit asker(stage& s) : scene{s}, who{s.guests.emplace_back()} {
        s.welcome(who);
        who.on_event = [this](const event& e) { note(e); };
    }
    ~asker() { who.on_event = nullptr; }
    void note(const event& e) {
        if (const auto* f = std::get_if<frame_data>(&e)) bytes.append(as_text(f->data));
        if (const auto* g = std::get_if<group_closed>(&e)) closed = *g;
        if (const auto* p = std::get_if<path_reported>(&e)) path = *p;
        if (const auto* d = std::get_if<group_datagram>(&e)) datagrams.emplace_back(as_text(d->data));
    }
    void fetch(const track_ref& track, std::uint64_t sequence) {
        bytes.clear();
        closed.reset();
        REQUIRE(who.session->fetch(track, group_sequence{sequence}));
        who.connection->wake();
        REQUIRE(scene.run([&] { return closed.has_value(); }));
    }

    stage& scene;
    guest& who; ///< The stage's: its connection outlives us.
    std::string bytes;
    std::optional<group_closed> closed;
    std::optional<path_reported> path;
    std::vector<std::string> datagrams;
};

/// A publisher of radio/talk, whose groups are fetched one by one, and which sends datagrams.
struct radio {
    explicit radio(stage& s) : who{s.guests.emplace_back()} {
        s.welcome(who);
        who.on_event = [this](const event& e) {
            if (const auto* f = std::get_if<fetch_requested>(&e)) answer(*f);
            if (const auto* r = std::get_if<subscribe_requested>(&e)) {
                request = r->request;
                REQUIRE(who.session->accept(r->request, group_sequence{0}));
            }
        };
        REQUIRE(who.session->announce("radio"));
        who.connection->wake();
        REQUIRE(s.run([&] { return s.watcher.there.contains("radio"); }));
    }
    ~radio() { who.on_event = nullptr; }
    void answer(const fetch_requested& f) {
        ++fetches;
        if (f.sequence >= group_sequence{100})
            return static_cast<void>(who.session->reject(f.request, app_error::not_found));
        const auto g = who.session->open_group(f.request, f.sequence);
        REQUIRE(g);
        const auto all = talk(number(f.sequence));
        for (std::size_t at = 0; at < all.size(); at += 10'000)
            REQUIRE((*g)->write_frame(
                timestamp{at}, as_bytes(all).subspan(at, std::min<std::size_t>(10'000, all.size() - at))));
        REQUIRE((*g)->finish());
    }
    static std::string talk(std::uint64_t sequence) { return noise(1'000'000, sequence); }

    guest& who;
    std::optional<request_id> request;
    int fetches = 0;
};

} // namespace

TEST_CASE("FETCH, PROBE and datagrams work through the relay over real QUIC, beside a transfer", "[relay]") {
    std::string why_not;
    const auto program = relay_process::program(why_not);
    if (program.empty()) SKIP(why_not);
    stage s{program};
    asker visitor{s};

    SECTION("a group is fetched from the publisher, and a missing one is refused") {
        radio source{s};
        for (const std::uint64_t n : {7u, 3u}) {
            visitor.fetch({"radio", "talk"}, n);
            CHECK(visitor.closed->complete);
            CHECK(visitor.bytes == radio::talk(n));
        }
        visitor.fetch({"radio", "talk"}, 100);
        CHECK_FALSE(visitor.closed->complete);
        CHECK(visitor.closed->code == app_error::not_found);
        visitor.fetch({"nobody", "talk"}, 1);
        CHECK(visitor.closed->code == app_error::unroutable);
        CHECK(source.fetches == 3);
    }
    SECTION("a group that passed a moment ago is fetched from the log") {
        visitor.fetch({"well", "video"}, s.media.received() - 1);
        CHECK(visitor.closed->complete);
        CHECK(visitor.bytes.size() == transfer::frame_size * transfer::frames);
    }
    SECTION("the relay reports its measurements of the path") {
        REQUIRE(visitor.who.session->probe());
        visitor.who.connection->wake();
        REQUIRE(s.run([&] { return visitor.path.has_value(); }));
        CHECK(visitor.path->bitrate > 100'000u);
        CHECK(visitor.path->rtt.has_value());
    }
    SECTION("a datagram of a publisher reaches its subscriber") {
        radio source{s};
        REQUIRE(visitor.who.session->subscribe({"radio", "talk"}));
        visitor.who.connection->wake();
        REQUIRE(s.run([&] { return source.request.has_value(); }));
        // Single ones may be lost, even on loopback.
        std::uint64_t sequence = 0;
        CHECK(s.run([&] {
            static_cast<void>(source.who.session->serve_datagram(
                *source.request, group_sequence{sequence++}, timestamp{5}, as_bytes("on air")));
            source.who.connection->wake();
            return !visitor.datagrams.empty();
        }));
        CHECK(visitor.datagrams.at(0) == "on air");
    }
    CHECK(visitor.who.complaints == std::vector<std::string>{});
    s.must_be_undisturbed();
}

} // namespace moqlite::test::relay_fetch_test

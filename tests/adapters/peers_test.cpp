// Peers: one session with each, whoever dials.
#include "peers_stage.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>

namespace moqlite::test::peers_test {

using namespace peers_stage;

TEST_CASE("a peer is dialled once, however many ask, and a live session is used again", "[api][peers]") {
    stage s;
    node a{s}, b{s};
    s.run([&]() -> net::awaitable<void> {
        outcomes all;
        for (int i = 0; i < 4; ++i) a.async_connect(b.at(), all.handler());
        a.async_connect("moqt://" + b.at(), b.key(), all.handler());
        const bool done = co_await s.until([&] { return all.size() == 5; });
        REQUIRE(done);
        auto again = co_await connect(a, b);
        a.async_connect("127.0.0.1:1", b.key(), all.handler()); // Known by its key, wherever.
        const bool last = co_await s.until([&] { return all.size() == 6; });
        CHECK(last);
        for (const auto& e : all.errors) CHECK(!e);
        for (const auto& each : all.sessions) CHECK(each.local() == again.local());
        CHECK(again.tls().peer_fingerprint == b.key().text());
        CHECK(moq::peers::key_of(again) == b.key());
        CHECK(a.connected() == std::vector{b.key()});
        const bool seen = co_await s.until([&] { return b.connected() == std::vector{a.key()}; });
        CHECK(seen);
        CHECK(a.sessions() == 1);
        CHECK(b.sessions() == 1);
    });
}

TEST_CASE("a dial that fails is the failure of all its callers, and is not remembered", "[api][peers]") {
    stage s;
    node a{s};
    std::string there;
    {
        node gone{s};
        there = gone.at();
    }
    s.run([&]() -> net::awaitable<void> {
        outcomes all;
        for (int i = 0; i < 3; ++i) a.async_connect(there, all.handler());
        const bool failed = co_await s.until([&] { return all.size() == 3; });
        REQUIRE(failed);
        for (const auto& e : all.errors) CHECK(e == net::error::connection_refused);
        node b{s, {}, there};
        const auto session = co_await connect(a, b);
        CHECK(session.is_open());
    });
}

TEST_CASE("another peer than the one expected is refused, and harms no other caller", "[api][peers]") {
    stage s;
    node a{s}, b{s}, c{s};
    s.run([&]() -> net::awaitable<void> {
        outcomes all;
        a.async_connect(b.at(), all.handler());
        const auto wrong = co_await failure(connect_error(a, b.at(), c.key()));
        CHECK(wrong == errc::unauthorized);
        const bool done = co_await s.until([&] { return all.size() == 1; });
        REQUIRE(done);
        CHECK(!all.errors[0]);
        const auto nobody = co_await failure(connect_error(a, c.at(), b.key()));
        CHECK(!nobody); // b is there already.
        const auto alone = co_await failure(connect_error(a, c.at(), moq::peer_key{std::string(64, 'a')}));
        CHECK(alone == errc::unauthorized);
        CHECK(c.connected().empty());
        const auto itself = co_await failure(connect_error(a, a.at()));
        CHECK(itself == errc::invalid_argument);
        const auto nonsense = co_await failure(connect_error(a, "nonsense://x"));
        CHECK(nonsense == errc::invalid_argument);
    });
}

TEST_CASE(
    "a caller that gives up disturbs no other, and when the last one does, nobody hears of the dial", "[api][peers]") {
    stage s;
    node a{s}, b{s};
    const silent_port silent{s.io};
    s.run([&]() -> net::awaitable<void> {
        outcomes all;
        net::cancellation_signal stop;
        a.async_connect(b.at(), net::bind_cancellation_slot(stop.slot(), all.handler()));
        a.async_connect(b.at(), all.handler());
        stop.emit(net::cancellation_type::total);
        const bool done = co_await s.until([&] { return all.size() == 2; });
        REQUIRE(done);
        CHECK(all.errors[0] == net::error::operation_aborted);
        CHECK(!all.errors[1]);
        // Callers of one dial have time-outs of their own.
        a.async_connect(silent.at(), moq::peer_request{20ms}, all.handler());
        a.async_connect(silent.at(), moq::peer_request{60ms}, all.handler());
        const bool first = co_await s.until([&] { return all.size() == 3; });
        REQUIRE(first);
        co_await s.pause(10ms);
        CHECK(all.size() == 3);
        const bool second = co_await s.until([&] { return all.size() == 4; });
        REQUIRE(second);
        for (const int i : {2, 3}) CHECK(all.errors[static_cast<std::size_t>(i)] == net::error::timed_out);
    });
}

TEST_CASE("who waits for a peer gets the session that this peer has begun", "[api][peers]") {
    stage s;
    node a{s}, b{s};
    const silent_port silent{s.io};
    s.run([&]() -> net::awaitable<void> {
        auto listener = a.incoming();
        outcomes all;
        a.async_connect(silent.at(), b.key(), all.handler());
        a.async_connect(silent.at(), moq::peer_request{50ms}, all.handler()); // Waits for whoever is there.
        co_await s.pause(5ms);
        CHECK(all.size() == 0);
        auto from_b = co_await connect(b, a);
        const bool fulfilled = co_await s.until([&] { return all.size() == 1; });
        REQUIRE(fulfilled);
        CHECK(!all.errors[0]);
        CHECK(moq::peers::key_of(all.sessions[0]) == b.key());
        auto seen = co_await arrives(listener);
        CHECK(seen.is_accepted());
        const bool other = co_await s.until([&] { return all.size() == 2; });
        REQUIRE(other);
        CHECK(all.errors[1] == net::error::timed_out);
    });
}

TEST_CASE("a late failure of one dial is not that of the next", "[api][peers]") {
    stage s;
    moq::peers_options impatient;
    impatient.transport.quic.handshake_timeout = 300ms;
    node a{s, impatient}, b{s};
    const silent_port silent{s.io};
    s.run([&]() -> net::awaitable<void> {
        outcomes all;
        a.async_connect(silent.at(), b.key(), all.handler());
        auto from_b = co_await connect(b, a); // Fulfils it; the first dial is given up.
        const bool fulfilled = co_await s.until([&] { return all.size() == 1; });
        REQUIRE(fulfilled);
        from_b.close(app_error{70}, "bye");
        const bool gone = co_await s.until([&] { return a.connected().empty(); });
        REQUIRE(gone);
        co_await s.pause(150ms);
        const auto begun = std::chrono::steady_clock::now();
        a.async_connect(silent.at(), b.key(), all.handler());
        const bool failed = co_await s.until([&] { return all.size() == 2; });
        REQUIRE(failed);
        CHECK(all.errors[1]);
        CHECK(std::chrono::steady_clock::now() - begun >= 290ms);
    });
}

TEST_CASE("dials of both sides settle on one connection, and no session ends", "[api][peers]") {
    for (int round = 0; round < 6; ++round) {
        stage s;
        node a{s}, b{s};
        INFO("the lower key is " << (a.key() < b.key() ? "a" : "b"));
        s.run([&]() -> net::awaitable<void> {
            auto here = a.publish("call"), there = b.publish("call");
            auto voice = here.track("audio"), answer = there.track("audio");
            put(voice, "from a"), put(answer, "from b");
            outcomes ab, ba;
            const bool keys = round % 2 == 0;
            a.async_connect(b.at(), keys ? moq::peer_request{b.key()} : moq::peer_request{}, ab.handler());
            if (round >= 2) co_await s.pause(std::chrono::milliseconds{round - 2});
            b.async_connect(a.at(), keys ? moq::peer_request{a.key()} : moq::peer_request{}, ba.handler());
            const bool done = co_await s.until([&] { return ab.size() == 1 && ba.size() == 1; });
            REQUIRE(done);
            CHECK(!ab.errors[0]);
            CHECK(!ba.errors[0]);
            int ends = 0;
            const auto count = [&](error_code) { ++ends; };
            ab.sessions[0].async_closed(count);
            ba.sessions[0].async_closed(count);
            const auto heard = co_await read(ab.sessions[0], {"call", "audio"});
            const auto replied = co_await read(ba.sessions[0], {"call", "audio"});
            CHECK(heard == "from b");
            CHECK(replied == "from a");
            const bool settled = co_await s.until([&] { return a.sessions() == 1 && b.sessions() == 1; });
            CHECK(settled);
            CHECK(ends == 0);
            CHECK(ab.sessions[0].is_open());
            CHECK(ab.sessions[0].local() == ba.sessions[0].remote());
            ab.sessions[0].close(app_error{70}, "bye");
            const bool over = co_await s.until([&] { return ends == 2; });
            CHECK(over);
        });
    }
}

TEST_CASE("a session that has ended is not handed out, and the next connect dials", "[api][peers]") {
    stage s;
    node a{s};
    const auto who = an_identity();
    std::optional<node> b{std::in_place, s, known_as(who)};
    const auto there = b->at();
    s.run([&]() -> net::awaitable<void> {
        auto before = co_await connect(a, *b);
        before.close(app_error{70}, "bye");
        CHECK(!a.find(b->key())); // At once, though the peer does not know yet.
        auto next = co_await connect(a, *b);
        CHECK(next.is_open());
        CHECK(a.sessions() <= 2);
        const bool one = co_await s.until([&] { return a.sessions() == 1 && b->sessions() == 1; });
        CHECK(one);
        CHECK(next.is_open());
        // And by the peer.
        b->find(a.key()).close(app_error{71}, "bye");
        const auto end = co_await failure(closed(next));
        CHECK(remote_code(end) == 71);
        CHECK(!a.find(b->key()));
        auto last = co_await connect(a, *b);
        CHECK(last.is_open());
    });
}

TEST_CASE(
    "a peer that nobody decides about is rejected in the end, and one that leaves is no session", "[api][peers]") {
    stage s;
    moq::peers_options o;
    o.node.bounds.handshake_timeout = 60ms;
    node b{s, o};
    s.run([&]() -> net::awaitable<void> {
        auto listener = b.incoming();
        node a{s}, c{s}, d{s};
        auto dropped = co_await connect(a, b);
        static_cast<void>(co_await arrives(listener)); // Looked at, and dropped.
        const auto end = co_await failure(closed(dropped));
        CHECK(remote_code(end) == 1);
        auto kept = co_await connect(c, b);
        auto held = co_await arrives(listener);
        const auto late = co_await failure(closed(kept));
        CHECK(remote_code(late) == 1);
        CHECK(!held.accept());
        auto leaver = co_await connect(d, b);
        auto left = co_await arrives(listener);
        leaver.close();
        const bool gone = co_await s.until([&] { return b.sessions() == 0; });
        CHECK(gone);
        CHECK(!left.accept());
    });
}

TEST_CASE("what is published is announced to every peer, now and later, listed, and not passed on", "[api][peers]") {
    stage s;
    node a{s}, b{s}, c{s};
    s.run([&]() -> net::awaitable<void> {
        std::optional<moq::broadcast> film{a.publish("film")};
        CHECK(film->path() == "film");
        auto ab = co_await connect(a, b);
        const bool there = co_await s.until([&] { return !b.connected().empty(); });
        REQUIRE(there);
        auto in_b = b.find(a.key());
        auto news = in_b.announcements();
        const auto first_one = co_await news.async_next(net::use_awaitable);
        CHECK(first_one->path == "film");
        auto song = a.publish("song"), again = a.publish("song"), mine = b.publish("film");
        CHECK(a.published() == std::vector<std::string>{"film", "song"});
        const auto second = co_await news.async_next(net::use_awaitable);
        CHECK(second->path == "song");
        auto later = co_await connect(c, a);
        auto list = later.announcements();
        const auto one = co_await list.async_next(net::use_awaitable);
        const auto two = co_await list.async_next(net::use_awaitable);
        CHECK(one->path == "film");
        CHECK(two->path == "song");
        film.reset();
        CHECK(a.published() == std::vector<std::string>{"song"});
        const auto ended = co_await list.async_next(net::use_awaitable);
        CHECK(ended->path == "film");
        CHECK_FALSE(ended->available); // b's, which has the same name, is b's alone.
        CHECK_THROWS(a.publish("\xff"));
        const auto stranger = co_await failure(subscribe(later, {"film", "t"}, {.timeout = 20ms}));
        CHECK(stranger == net::error::timed_out);
    });
}

TEST_CASE("peers publish under one name, and each reads the one that it asks", "[api][peers]") {
    for (const auto* scheme : {"moqt://", "https://"}) {
        stage s;
        node a{s}, b{s}, c{s};
        s.run([&]() -> net::awaitable<void> {
            std::vector<moq::broadcast> calls;
            std::vector<moq::track_writer> tracks;
            for (auto* each : {&a, &b, &c}) {
                calls.push_back(each->publish("call"));
                tracks.push_back(calls.back().track("audio"));
            }
            put(tracks[0], "I am a"), put(tracks[1], "I am b"), put(tracks[2], "I am c");
            auto ab = co_await a.async_connect(scheme + b.at(), net::use_awaitable);
            auto ac = co_await a.async_connect(scheme + c.at(), net::use_awaitable);
            CHECK(ab.is_webtransport() == (scheme[0] == 'h'));
            auto reader = co_await a.async_subscribe(c.key(), {"call", "audio"}, net::use_awaitable);
            const auto said_c = co_await first(reader);
            const auto said_b = co_await read(ab, {"call", "audio"});
            CHECK(said_b == "I am b");
            CHECK(said_c == "I am c");
            auto back = c.find(a.key());
            REQUIRE(back);
            const auto said_a = co_await read(back, {"call", "audio"});
            CHECK(said_a == "I am a");
            outcomes none;
            error_code unknown;
            bool answered = false;
            b.async_subscribe(c.key(), {"call", "audio"}, [&](error_code e, moq::track_reader) {
                unknown = e;
                answered = true;
            });
            const bool told = co_await s.until([&] { return answered; });
            CHECK(told);
            CHECK(unknown == errc::not_found);
        });
    }
}

TEST_CASE("the shutdown of peers tells every peer, refuses later ones, and may be repeated", "[api][peers]") {
    stage s;
    node a{s}, b{s}, c{s};
    s.run([&]() -> net::awaitable<void> {
        auto ab = co_await connect(a, b);
        auto ca = co_await connect(c, a);
        const bool met = co_await s.until([&] { return a.connected().size() == 2; });
        REQUIRE(met);
        auto film = a.publish("film");
        int done = 0;
        for (int i = 0; i < 3; ++i)
            a.async_shutdown([&](error_code e) {
                CHECK(!e);
                ++done;
            });
        const auto end = co_await failure(closed(ca));
        INFO(end.message());
        CHECK(!end); // Code 0.
        const auto own = co_await failure(closed(ab));
        CHECK(!own);
        const bool all = co_await s.until([&] { return done == 3; });
        CHECK(all);
        const auto after = co_await failure(connect_error(a, b.at()));
        CHECK(after == errc::closed);
        const auto to_it = co_await failure(connect_error(c, "127.0.0.1:9", moq::peer_request{50ms}));
        CHECK(to_it);
        auto song = a.publish("song");
        CHECK(a.published().size() == 2);
        CHECK(a.connected().empty());
        co_await a.async_shutdown(net::use_awaitable);
    });
}

TEST_CASE("sessions live while a copy of the peers does, and what is left is inert", "[api][peers]") {
    stage s;
    node b{s};
    s.run([&]() -> net::awaitable<void> {
        std::optional<node> a{std::in_place, s};
        std::optional<moq::peers> copy{*a};
        auto session = co_await connect(*a, b);
        auto film = a->publish("film");
        a.reset();
        co_await s.pause(5ms);
        CHECK(session.is_open());
        const silent_port silent{s.io};
        outcomes all;
        copy->async_connect(silent.at(), all.handler());
        bool closed_too = false;
        session.async_closed([&](error_code) { closed_too = true; });
        copy.reset();
        const bool told = co_await s.until([&] { return all.size() == 1 && closed_too; });
        CHECK(told);
        CHECK(all.errors[0] == net::error::operation_aborted);
        CHECK_FALSE(session.is_open());
        session.close();
        auto writer = film.track("t");
    });
}

TEST_CASE("what is of one session alone works with a peer, too: its broadcasts, and PROBE", "[api][peers]") {
    stage s;
    node a{s}, b{s};
    s.run([&]() -> net::awaitable<void> {
        auto session = co_await connect(a, b);
        auto call = session.publish("call");
        auto track = call.track("audio");
        put(track, "for b alone");
        const bool seen = co_await s.until([&] { return b.connected() == std::vector{a.key()}; });
        REQUIRE(seen);
        auto there = b.find(a.key());
        moq::subscribe_request brief;
        brief.timeout = 1s;
        std::optional<std::string> got;
        there.async_subscribe(
            {"call", "audio"}, brief, [&](error_code e, moq::track_reader) { got = e ? e.message() : ""; });
        std::optional<bool> reported;
        auto probe = session.probe();
        probe.async_next([&](error_code e, std::optional<moq::probe_report> r) { reported = !e && r; });
        const bool has_got = co_await s.until([&] { return got.has_value(); });
        CHECK(has_got);
        CHECK(got == "");
        const bool answered = co_await s.until([&] { return reported.has_value(); });
        CHECK(answered);
        CHECK(reported == true);
        std::optional<std::uint64_t> wanted;
        there.async_wanted_bitrate([&](error_code e, std::uint64_t w) { wanted = e ? 0 : w; });
        auto second = session.probe(1000);
        const bool told = co_await s.until([&] { return wanted.has_value(); });
        CHECK(told);
        CHECK(wanted == 1000u);
    });
}

} // namespace moqlite::test::peers_test

// Peers that dial us: who decides about them, and what they can do before and without that.
#include "peers_stage.hpp"

namespace moqlite::test::peers_incoming_test {

using namespace peers_stage;

TEST_CASE("each listener sees each incoming peer, and nothing is announced before an answer", "[api][peers]") {
    stage s;
    node a{s}, b{s}, early{s};
    s.run([&]() -> net::awaitable<void> {
        auto show = b.publish("show");
        auto earlier = co_await connect(early, b);
        const bool there = co_await s.until([&] { return b.connected().size() == 1; });
        REQUIRE(there); // Without a listener.
        auto one = b.incoming(), other = b.incoming();
        auto session = co_await connect(a, b);
        auto list = session.announcements();
        std::optional<std::string> announced;
        list.async_next([&](error_code e, std::optional<moq::announcement> what) {
            if (!e && what) announced = what->path;
        });
        auto seen = co_await arrives(one);
        auto also = co_await arrives(other);
        CHECK(seen.key() == a.key()); // Not the earlier one.
        CHECK(also.key() == a.key());
        CHECK(seen.tls().peer_fingerprint == a.key().text());
        CHECK_FALSE(also.is_accepted());
        co_await s.pause(20ms);
        CHECK(!announced);
        CHECK(!b.find(a.key()));
        auto accepted = also.accept();
        REQUIRE(accepted);
        CHECK(seen.is_accepted());
        auto same = seen.accept();
        CHECK(same.remote() == accepted.remote());
        seen.reject(); // Too late.
        const bool told = co_await s.until([&] { return announced.has_value(); });
        REQUIRE(told);
        CHECK(*announced == "show");
        CHECK(session.is_open());
        // A session of our own dial is no incoming one.
        node c{s};
        auto outgoing = co_await connect(b, c);
        auto d = co_await connect(early, b);
        std::optional<moq::incoming_peer> none;
        one.async_next([&](error_code, std::optional<moq::incoming_peer> p) { none = std::move(p); });
        co_await s.pause(5ms);
        CHECK(!none);
    });
}

TEST_CASE("a rejected peer gets code 1 and the reason, in each version, and is announced nothing", "[api][peers]") {
    for (const auto* version : {"moq-lite-06", "moq-lite-04"}) {
        stage s;
        moq::peers_options o;
        o.protocols = {version};
        o.node = s.logging({});
        node a{s, o}, b{s};
        s.run([&]() -> net::awaitable<void> {
            auto show = b.publish("show");
            auto listener = b.incoming();
            auto session = co_await connect(a, b);
            auto list = session.announcements();
            bool announced = false;
            list.async_next([&](error_code, std::optional<moq::announcement> what) { announced = what.has_value(); });
            auto seen = co_await arrives(listener);
            seen.reject();
            const auto end = co_await failure(closed(session));
            CHECK(remote_code(end) == 1);
            CHECK(!announced);
            CHECK(!seen.accept());
            CHECK(b.connected().empty());
            CHECK(a.connected().empty());
        });
    }
}

TEST_CASE("a listener that is not read skips peers, counts them, and goes on", "[api][peers]") {
    stage s;
    moq::peers_options o;
    o.node.bounds.undecided_peers = 2;
    node b{s, o};
    s.run([&]() -> net::awaitable<void> {
        auto listener = b.incoming(), reader = b.incoming();
        std::vector<std::unique_ptr<node>> all;
        std::vector<moq::session> sessions;
        std::vector<moq::incoming_peer> held;
        for (int i = 0; i < 4; ++i) {
            all.push_back(std::make_unique<node>(s));
            sessions.push_back(co_await connect(*all.back(), b));
            held.push_back(co_await arrives(reader));
        }
        CHECK(listener.skipped() == 2);
        CHECK(listener.skipped() == 0);
        auto third = co_await arrives(listener);
        CHECK(third.key() == all[2]->key());
        auto skipped = held[0].accept(); // Another listener has seen it.
        CHECK(skipped.is_open());
    });
}

TEST_CASE("a listener ends with the peers, and with their shutdown", "[api][peers]") {
    stage s;
    std::optional<node> a{std::in_place, s};
    node b{s};
    auto one = a->incoming(), other = b.incoming();
    s.run([&]() -> net::awaitable<void> {
        bool ended = false;
        one.async_next([&](error_code e, std::optional<moq::incoming_peer> p) { ended = !e && !p; });
        a.reset();
        const bool told = co_await s.until([&] { return ended; });
        CHECK(told);
        co_await b.async_shutdown(net::use_awaitable);
        const auto last = co_await other.async_next(net::use_awaitable);
        CHECK(!last);
        auto after = b.incoming();
        const auto none = co_await after.async_next(net::use_awaitable);
        CHECK(!none);
    });
}

TEST_CASE("a peer that connects again and again under one key keeps one session, and harms no other", "[api][peers]") {
    stage s;
    node b{s}, honest{s};
    const auto who = an_identity();
    s.run([&]() -> net::awaitable<void> {
        auto good = co_await connect(honest, b);
        auto show = b.publish("show");
        auto track = show.track("t");
        put(track, "on air");
        std::vector<std::unique_ptr<moq::client>> clients;
        std::vector<moq::session> sessions;
        for (int i = 0; i < 6; ++i) {
            moq::client_options o{.trusted = moq::trust::any_certificate(), .who = who};
            clients.push_back(std::make_unique<moq::client>(s.io.get_executor(), o));
            sessions.push_back(co_await clients.back()->async_connect("moqt://" + b.at(), net::use_awaitable));
        }
        const bool few = co_await s.until([&] { return b.sessions() <= 3; });
        CHECK(few);
        CHECK(b.connected().size() == 2);
        const auto end = co_await failure(closed(sessions[0]));
        CHECK(remote_code(end) == static_cast<std::uint64_t>(moq::connection_superseded));
        CHECK(sessions.back().is_open());
        const auto heard = co_await read(good, {"show", "t"});
        CHECK(heard == "on air");
    });
}

TEST_CASE("a peer without a certificate is known by its address, unless one is required", "[api][peers]") {
    stage s;
    moq::peers_options strict;
    strict.certificates_required = true;
    node a{s}, b{s, strict};
    s.run([&]() -> net::awaitable<void> {
        auto client = s.client();
        auto session = co_await client.async_connect("moqt://" + a.at(), net::use_awaitable);
        const bool there = co_await s.until([&] { return a.connected().size() == 1; });
        REQUIRE(there);
        CHECK(a.connected()[0].text().starts_with("127.0.0.1:"));
        auto film = a.publish("film");
        auto list = session.announcements();
        const auto told = co_await list.async_next(net::use_awaitable);
        CHECK(told->path == "film");
        std::optional<moq::session> refused; // TLS 1.3: a client is done before it is judged.
        const auto error = co_await failure([](moq::client& c, std::string to) -> net::awaitable<void> {
            auto made = co_await c.async_connect(std::move(to), net::use_awaitable);
            co_await made.async_closed(net::use_awaitable);
        }(client, "moqt://" + b.at()));
        CHECK(error);
        CHECK(b.connected().empty());
    });
}

} // namespace moqlite::test::peers_incoming_test

// The application API: origin, server, client, writers and readers, over real QUIC on loopback.
#include "api_stage.hpp"

#include <catch2/generators/catch_generators.hpp>
#include <memory>

namespace moqlite::test::api {

using namespace api_stage;

namespace {

/// All frames, one a line.
net::awaitable<std::string> read_all(moq::track_reader reader) {
    std::string out;
    while (auto group = co_await reader.async_next_group())
        while (auto frame = co_await group->async_next_frame()) out.append(frame->text()).append("\n");
    co_return out;
}

TEST_CASE("a client's broadcast is watched through the server by another client, on both transports", "[api]") {
    stage s;
    const auto* scheme = GENERATE("moqt", "https");
    auto publisher = s.client();
    auto watcher = s.client();
    s.run([&]() -> net::awaitable<void> {
        auto to = co_await publisher.async_connect(s.url(scheme, "/demo"));
        auto clock = to.origin().publish("clock");
        auto seconds = clock.track("seconds");
        auto from = co_await watcher.async_connect(s.url(scheme, "/demo"));
        CHECK(from.protocol() == "moq-lite-06");
        auto reader = co_await from.async_subscribe({"clock", "seconds"}, {.mode = reading::complete});
        for (int i = 0; i != 3; ++i) {
            auto group = co_await seconds.async_open_group();
            CHECK(!group.write("tick " + std::to_string(i)));
            CHECK(!group.finish());
        }
        seconds.finish();
        const auto all = co_await read_all(std::move(reader));
        CHECK(all == "tick 0\ntick 1\ntick 2\n");
    });
}

TEST_CASE("what the server's own process publishes is read by clients, and the reverse", "[api]") {
    stage s;
    auto peer = s.client();
    s.run([&]() -> net::awaitable<void> {
        auto here = s.origin.publish("server");
        auto news = here.track("news");
        auto session = co_await peer.async_connect(s.url("moqt"));
        auto there = session.origin().publish("client");
        auto replies = there.track("replies");
        auto reader = co_await session.async_subscribe({"server", "news"});
        auto back = co_await s.origin.async_subscribe({"client", "replies"});
        auto group = news.open_group();
        CHECK(!group.write("hello"));
        auto first = co_await reader.async_next_group();
        auto frame = co_await first->async_next_frame(); // Before the group has ended.
        CHECK(frame->text() == "hello");
        const auto kept = frame->share();
        CHECK(!group.finish());
        const auto got1 = co_await first->async_next_frame();
        CHECK(!got1);
        CHECK(first->is_complete());
        CHECK(std::string(reinterpret_cast<const char*>(kept.bytes().data()), kept.bytes().size()) == "hello");
        auto answer = replies.open_group();
        CHECK(!answer.write("bye"));
        auto second = co_await back.async_next_group();
        const auto got2 = co_await second->async_next_frame();
        REQUIRE(got2);
        CHECK(got2->text() == "bye");
    });
}

TEST_CASE("a frame larger than a slab arrives whole", "[api]") {
    stage s;
    auto peer = s.client();
    s.run([&]() -> net::awaitable<void> {
        auto here = s.origin.publish("big");
        auto track = here.track("t");
        auto session = co_await peer.async_connect(s.url("moqt"));
        auto reader = co_await session.async_subscribe({"big", "t"});
        std::string big(3'000'000, 'a');
        for (std::size_t i = 0; i < big.size(); i += 7) big[i] = static_cast<char>('b' + i % 20);
        auto group = track.open_group();
        CHECK(!group.write("small"));
        CHECK(!group.write(big));
        CHECK(!group.write(""));
        CHECK(!group.finish());
        auto got = co_await reader.async_next_group();
        const auto got3 = co_await got->async_next_frame();
        REQUIRE(got3);
        CHECK(got3->text() == "small");
        const auto got4 = co_await got->async_next_frame();
        REQUIRE(got4);
        CHECK(got4->text() == big);
        const auto got5 = co_await got->async_next_frame();
        REQUIRE(got5);
        CHECK(got5->text().empty());
        const auto got6 = co_await got->async_next_frame();
        CHECK(!got6);
    });
}

TEST_CASE("a file is written no faster than a complete reader reads, through the server, without a loss", "[api]") {
    stage s;
    auto publisher = s.client();
    auto watcher = s.client();
    s.run([&]() -> net::awaitable<void> {
        auto to = co_await publisher.async_connect(s.url("moqt"));
        auto film = to.origin().publish("film");
        auto video = film.track("video");
        auto from = co_await watcher.async_connect(s.url("moqt"));
        auto reader = co_await from.async_subscribe({"film", "video"}, {.mode = reading::complete});
        constexpr int groups = 300;
        net::co_spawn(
            s.io,
            [&]() -> net::awaitable<void> {
                for (int i = 0; i != groups; ++i) {
                    auto group = co_await video.async_open_group();
                    static_cast<void>(group.write(std::string(100'000, static_cast<char>('a' + i % 26))));
                    static_cast<void>(group.finish());
                }
                video.finish();
            },
            net::detached);
        int got = 0;
        while (auto group = co_await reader.async_next_group()) {
            CHECK(number(group->sequence()) == static_cast<std::uint64_t>(got));
            std::size_t size = 0;
            while (auto frame = co_await group->async_next_frame()) size += frame->bytes().size();
            CHECK(size == 100'000);
            ++got;
        }
        CHECK(got == groups);
        CHECK(!reader.lost());
    });
}

TEST_CASE("an on-demand handler makes a track when somebody subscribes, and hears when the last one leaves", "[api]") {
    stage s;
    auto peer = s.client();
    int made = 0, ended = 0;
    s.run([&]() -> net::awaitable<void> {
        auto cameras = s.origin.on_demand("camera", [&](moq::track_request r) -> net::awaitable<void> {
            ++made;
            CHECK(r.broadcast() == "camera/3");
            auto track = r.accept();
            while (!track.unwanted()) {
                const auto error = co_await failure([](moq::track_writer& t) -> net::awaitable<void> {
                    auto group = co_await t.async_open_group();
                    static_cast<void>(group.write("frame"));
                    static_cast<void>(group.finish());
                }(track));
                if (error) break;
                net::steady_timer pause{co_await net::this_coro::executor, 10ms};
                co_await pause.async_wait(net::deferred);
            }
            ++ended;
        });
        auto session = co_await peer.async_connect(s.url("moqt"));
        CHECK(made == 0);
        {
            auto reader = co_await session.async_subscribe({"camera/3", "video"});
            auto group = co_await reader.async_next_group();
            const auto got7 = co_await group->async_next_frame();
            REQUIRE(got7);
            CHECK(got7->text() == "frame");
        }
        for (int i = 0; i != 200 && ended == 0; ++i) {
            net::steady_timer pause{co_await net::this_coro::executor, 10ms};
            co_await pause.async_wait(net::deferred);
        }
        CHECK(made == 1);
        CHECK(ended == 1);
    });
}

TEST_CASE("a subscription waits for its broadcast, up to its time-out, and can be cancelled by destroying the client",
    "[api]") {
    stage s;
    s.run([&]() -> net::awaitable<void> {
        auto peer = s.client();
        auto session = co_await peer.async_connect(s.url("moqt"));
        const auto error = co_await failure([](moq::session& from) -> net::awaitable<void> {
            co_await from.async_subscribe({"nobody", "t"}, {.timeout = 50ms});
        }(session));
        CHECK(error == net::error::timed_out);
    });
}

TEST_CASE("a subscription that waits on a session ends with it", "[api]") {
    stage s;
    s.run([&]() -> net::awaitable<void> {
        auto peer = s.client();
        auto session = co_await peer.async_connect(s.url("moqt"));
        net::co_spawn(
            s.io,
            [&]() -> net::awaitable<void> {
                while (s.server.sessions() == 0) co_await net::post(s.io, net::use_awaitable);
                s.server.close(app_error{79}, "enough");
            },
            net::detached);
        const auto error = co_await failure([](moq::session& from) -> net::awaitable<void> {
            co_await from.async_subscribe({"nobody", "t"});
        }(session));
        INFO(error.message());
        CHECK(remote_code(error) == 79);
    });
}

TEST_CASE("a peer's refusal has its code, its meaning and a message", "[api]") {
    stage s;
    auto peer = s.client();
    s.run([&]() -> net::awaitable<void> {
        auto here = s.origin.publish("a");
        auto session = co_await peer.async_connect(s.url("moqt"));
        const auto error = co_await failure([](moq::session& from) -> net::awaitable<void> {
            co_await from.async_subscribe({"a", "no such track"});
        }(session));
        CHECK(error == errc::not_found);
        CHECK(remote_code(error));
        CHECK(error.message().find("not_found") != std::string::npos);
    });
}

TEST_CASE("announcements are told and taken back, and hidden ones are not told", "[api]") {
    stage s;
    auto peer = s.client();
    s.run([&]() -> net::awaitable<void> {
        auto first = s.origin.publish("room/a");
        auto hidden = s.origin.publish("room/.b");
        auto other = s.origin.publish("hall/c");
        auto session = co_await peer.async_connect(s.url("moqt"));
        auto rooms = session.announcements("room");
        auto a = co_await rooms.async_next();
        CHECK(a->path == "room/a");
        CHECK(a->available);
        first = {};
        a = co_await rooms.async_next();
        CHECK(a->path == "room/a");
        CHECK_FALSE(a->available);
    });
}

TEST_CASE("a group of any age that the publisher or a relay still has can be fetched", "[api]") {
    stage s;
    auto peer = s.client();
    s.run([&]() -> net::awaitable<void> {
        auto here = s.origin.publish("film");
        auto video = here.track("video");
        auto group = video.open_group(group_sequence{17});
        CHECK(!group.write("seventeen"));
        CHECK(!group.finish());
        auto session = co_await peer.async_connect(s.url("moqt"));
        auto got = co_await session.async_fetch({"film", "video"}, 17);
        const auto got8 = co_await got.async_next_frame();
        REQUIRE(got8);
        CHECK(got8->text() == "seventeen");
        const auto got9 = co_await got.async_next_frame();
        CHECK(!got9);
        const auto error = co_await failure([](moq::session& from) -> net::awaitable<void> {
            co_await from.async_fetch({"film", "video"}, 18);
        }(session));
        CHECK(error == errc::not_found);
    });
}

TEST_CASE("a fetched group that is too large fails alone, and takes no memory from others", "[api]") {
    limits bounds;
    bounds.memory = 16 * 1024 * 1024;
    bounds.cache = 8 * 1024 * 1024;
    stage s{{}, bounds};
    s.run([&]() -> net::awaitable<void> {
        auto here = s.origin.publish("film");
        auto video = here.track("video");
        auto group = video.open_group();
        for (int i = 0; i != 6; ++i) static_cast<void>(group.write(std::string(1'000'000, 'x')));
        CHECK(!group.finish());
        const auto before = s.origin.stats().memory;
        auto got = co_await s.origin.async_fetch({"film", "video"}, 0);
        const auto error = co_await failure([](moq::group_reader& g) -> net::awaitable<void> {
            while (co_await g.async_next_frame()) {
            }
        }(got));
        CHECK(error == errc::out_of_memory_limit);
        CHECK(s.origin.stats().memory < 2 * before);
        auto reader = co_await s.origin.async_subscribe({"film", "video"});
        auto whole = co_await reader.async_next_group();
        REQUIRE(whole);
    });
}

TEST_CASE(
    "the server decides who is admitted, by path and query, and a refusal reaches the client with its code", "[api]") {
    stage s;
    const auto* scheme = GENERATE("moqt", "https");
    s.server.on_admission([](const moq::admission& a) {
        CHECK(a.path() == "/room");
        return a.query("token") == "s3 cret" ? a.accept({.root = "shared"}) : a.refuse(app_error{77}, "no");
    });
    auto peer = s.client();
    s.run([&]() -> net::awaitable<void> {
        auto refused = co_await peer.async_connect(s.url(scheme, "/room?token=x"));
        const auto error =
            co_await failure([](moq::session& x) -> net::awaitable<void> { co_await x.async_closed(); }(refused));
        CHECK(remote_code(error) == 77);
        auto admitted = co_await peer.async_connect(s.url(scheme, "/room?a=b&token=s3%20cret"));
        auto mine = admitted.origin().publish("mine");
        auto all = s.origin.announcements();
        const auto got10 = co_await all.async_next();
        REQUIRE(got10);
        CHECK(got10->path == "shared/mine");
        admitted.close(app_error{78}, "bye");
        const auto closed =
            co_await failure([](moq::session& x) -> net::awaitable<void> { co_await x.async_closed(); }(admitted));
        CHECK(closed);
        const auto got12 = co_await all.async_next();
        CHECK_FALSE(got12->available);
    });
}

TEST_CASE("a WebTransport request's headers are for whoever admits it, and other requests have a handler", "[api]") {
    moq::server_options o;
    o.http = [](const moq::http_request& r) {
        return moq::http_response{.status = r.path == "/health" ? 200 : 404, .body = r.method};
    };
    stage s{o};
    std::string seen;
    s.server.on_admission([&](const moq::admission& a) {
        for (const auto& [name, value] : a.headers())
            if (name == "authorization") seen = value;
        CHECK(a.tls().version == "TLS 1.3");
        return a.accept();
    });
    auto peer = s.client();
    s.run([&]() -> net::awaitable<void> {
        moq::connect_request how;
        how.headers.emplace_back("authorization", "Bearer token");
        auto session = co_await peer.async_connect(s.url("https", "/room"), how);
        CHECK(session.tls().peer_fingerprint == s.server.fingerprint());
        while (seen.empty()) co_await net::post(s.io, net::use_awaitable);
        CHECK(seen == "Bearer token");
    });
}

TEST_CASE("a connect that nobody answers ends with its time-out, and one to a closed port is refused", "[api]") {
    stage s;
    auto peer = s.client();
    s.run([&]() -> net::awaitable<void> {
        auto error = co_await failure([](moq::client& c) -> net::awaitable<void> {
            co_await c.async_connect("moqt://192.0.2.1:4443", {.timeout = 100ms});
        }(peer));
        CHECK((error == net::error::timed_out || error == net::error::connection_refused));
        error = co_await failure(
            [](moq::client& c) -> net::awaitable<void> { co_await c.async_connect("moqt://127.0.0.1:1"); }(peer));
        CHECK(error == net::error::connection_refused);
        error = co_await failure(
            [](moq::client& c) -> net::awaitable<void> { co_await c.async_connect("nonsense"); }(peer));
        CHECK(error == errc::invalid_argument);
    });
}

TEST_CASE("a server that shuts down asks its peers to leave, and closes those that stay", "[api]") {
    stage s;
    auto polite = s.client();
    auto rude = s.client();
    s.run([&]() -> net::awaitable<void> {
        auto leaves = co_await polite.async_connect(s.url("moqt"));
        auto stays = co_await rude.async_connect(s.url("https"));
        net::co_spawn(
            s.io,
            [&]() -> net::awaitable<void> {
                const auto got13 = co_await leaves.async_goaway();
                CHECK(got13 == "moqt://other.example/");
                leaves.close();
            },
            net::detached);
        const auto begun = std::chrono::steady_clock::now();
        co_await s.server.async_shutdown(300ms, "moqt://other.example/");
        CHECK(std::chrono::steady_clock::now() - begun < 2s);
        const auto error =
            co_await failure([](moq::session& x) -> net::awaitable<void> { co_await x.async_closed(); }(stays));
        CHECK(remote_code(error));
    });
}

TEST_CASE("a session that reconnects outlives its connection: what was published is announced again, and readers go on",
    "[api]") {
    stage s;
    auto other = std::make_unique<moq::server>(s.origin);
    REQUIRE(!other->listen("127.0.0.1:0"));
    const auto url = "moqt://" + other->addresses().front();
    s.run([&]() -> net::awaitable<void> {
        auto peer = moq::client{s.io.get_executor(), {.trusted = moq::trust::insecure()}};
        auto here = s.origin.publish("news");
        auto news = here.track("t");
        moq::connect_request how;
        how.reconnect = 5s;
        auto session = co_await peer.async_connect(url, how);
        auto mine = session.origin().publish("mine");
        auto all = s.origin.announcements("mine");
        auto a = co_await all.async_next();
        CHECK(a->available);
        auto reader = co_await session.async_subscribe({"news", "t"});
        const auto port = other->addresses().front();
        other->close(app_error::going_away);
        a = co_await all.async_next();
        CHECK_FALSE(a->available);
        other.reset();
        other = std::make_unique<moq::server>(s.origin);
        REQUIRE(!other->listen(port));
        a = co_await all.async_next();
        CHECK(a->available);
        CHECK(session.is_open());
        auto group = news.open_group();
        static_cast<void>(group.write("again"));
        static_cast<void>(group.finish());
        const auto got = co_await reader.async_next_group();
        REQUIRE(got);
        session.close();
        co_await session.async_closed();
    });
}

TEST_CASE("a session that follows GOAWAY goes on at the server's successor", "[api]") {
    stage s;
    auto successor = std::make_unique<moq::server>(s.origin);
    REQUIRE(!successor->listen("127.0.0.1:0"));
    const auto uri = "moqt://" + successor->addresses().front();
    s.run([&]() -> net::awaitable<void> {
        auto peer = moq::client{s.io.get_executor(), {.trusted = moq::trust::insecure()}};
        std::string asked;
        moq::connect_request how;
        how.follow_goaway = [&](const std::string& to) { return asked = to, true; };
        auto session = co_await peer.async_connect(s.url("moqt"), how);
        while (s.server.sessions() == 0) co_await net::post(s.io, net::use_awaitable);
        co_await s.server.async_shutdown(5s, uri);
        CHECK(asked == uri);
        while (successor->sessions() == 0) co_await net::post(s.io, net::use_awaitable);
        CHECK(session.is_open());
        CHECK(successor->sessions() == 1);
    });
}

TEST_CASE("handles can be destroyed while operations wait: these complete with operation_aborted", "[api]") {
    stage s;
    s.run([&]() -> net::awaitable<void> {
        auto peer = s.client();
        auto session = co_await peer.async_connect(s.url("moqt"));
        auto here = s.origin.publish("a");
        auto track = here.track("t");
        int aborted = 0;
        const auto count = [&](error_code error, const auto&...) { aborted += error == net::error::operation_aborted; };
        {
            auto reader = co_await session.async_subscribe({"a", "t"});
            auto all = session.announcements();
            auto file = here.track("file");
            reader.async_next_group(count);
            all.async_next([&](error_code, const auto&) {}); // "a" is there.
            auto rest = session.announcements("nothing");
            rest.async_next(count);
            file.async_open_group(count);
        }
        for (int i = 0; i != 100 && aborted != 3; ++i) co_await net::post(s.io, net::use_awaitable);
        CHECK(aborted == 3);
    });
}

TEST_CASE("an execution context that ends with operations pending leaks nothing and calls nothing", "[api]") {
    stage s;
    auto reader = std::make_shared<std::optional<moq::track_reader>>();
    auto client = std::make_shared<moq::client>(s.client());
    net::co_spawn(
        s.io,
        [&s, client]() -> net::awaitable<void> {
            auto session = co_await client->async_connect(s.url("moqt"));
            auto r = co_await session.async_subscribe({"never", "t"});
            FAIL("nobody publishes it");
        },
        net::detached);
    s.io.run_for(100ms);
}

} // namespace
} // namespace moqlite::test::api

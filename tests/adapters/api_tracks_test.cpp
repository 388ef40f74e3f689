// Rows of tests/parity.md about broadcasts, tracks and subscriptions of the application API.
#include "api_stage.hpp"

#include <boost/asio/use_awaitable.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <memory>
#include <optional>
#include <stdexcept>

namespace moqlite::test::api_tracks {
namespace {

using namespace api_stage;

/// Every group, in order, and no successor of the publisher.
moq::subscribe_request complete() {
    moq::subscribe_request how;
    how.mode = reading::complete;
    how.follow = {};
    return how;
}

TEST_CASE("announcements that were asked of a session end with it, after all that it has told", "[api]") {
    for (const app_error code : {app_error{app_error::cancel}, app_error{79}}) {
        stage s;
        s.run([&]() -> net::awaitable<void> {
            auto peer = s.client();
            auto here = s.origin.publish("room");
            auto session = co_await peer.async_connect(s.url("moqt"));
            auto all = session.announcements();
            auto a = co_await all.async_next();
            CHECK(a->available);
            s.server.close(code, "enough");
            a = co_await all.async_next();
            CHECK((a && a->path == "room" && !a->available));
            std::optional<moq::announcement> none;
            const auto error = co_await failure([](moq::announcements& from, auto& out) -> net::awaitable<void> {
                out = co_await from.async_next();
            }(all, none));
            CHECK(!none);
            CHECK(remote_code(error) == (code == app_error::cancel ? std::nullopt : std::optional<std::uint64_t>{79}));
            CHECK(!error == (code == app_error::cancel));
        });
    }
}

TEST_CASE("a reader in the middle of a group goes on when its publisher is gone", "[api]") {
    for (const auto mode : {reading::live, reading::complete})
        for (const bool with_frame : {true, false}) {
            CAPTURE(int(mode), with_frame);
            stage s;
            s.run([&]() -> net::awaitable<void> {
                std::optional<moq::client> first{s.client()};
                auto session = co_await first->async_connect(s.url("moqt"));
                auto film = session.origin().publish("film");
                auto video = film.track("video");
                auto whole = video.open_group();
                whole.write(std::string_view{"0"});
                whole.finish();
                auto in = co_await s.origin.async_subscribe({"film", "video"}, {.mode = mode, .follow = 300ms});
                auto group = co_await in.async_next_group();
                auto frame = co_await group->async_next_frame();
                frame = co_await group->async_next_frame();
                auto half = co_await video.async_open_group();
                if (with_frame) half.write(std::string_view{"1"});
                group = co_await in.async_next_group();
                if (with_frame) {
                    frame = co_await group->async_next_frame();
                    CHECK(frame->text() == "1");
                }
                net::co_spawn(
                    s.io,
                    [&]() -> net::awaitable<void> {
                        co_await s.pause(20ms);
                        session.close(app_error{79});
                    },
                    net::detached);
                frame = co_await group->async_next_frame();
                CHECK_FALSE(frame);
                CHECK_FALSE(group->is_complete());
                const auto error = co_await failure(
                    [](moq::track_reader& from) -> net::awaitable<void> { co_await from.async_next_group(); }(in));
                CHECK(error);
            });
        }
}

TEST_CASE("a track may have any name", "[api]") {
    stage s;
    const std::string name = GENERATE("", "a b", "video/1080p", "/", ".hidden", "\xE2\x99\xAB ?#%20");
    auto here = s.origin.publish("a");
    auto track = here.track(name);
    put(track, "got it");
    auto peer = s.client();
    s.run([&]() -> net::awaitable<void> {
        auto session = co_await peer.async_connect(s.url("moqt"), net::use_awaitable);
        auto reader = co_await session.async_subscribe({"a", name}, net::use_awaitable);
        const auto got = co_await first(reader);
        CHECK(got == "got it");
    });
}

TEST_CASE("a second writer of a track replaces the first, whose readers are told", "[api]") {
    stage s;
    auto here = s.origin.publish("a");
    auto before = here.track("t");
    auto peer = s.client();
    s.run([&]() -> net::awaitable<void> {
        auto session = co_await peer.async_connect(s.url("moqt"), net::use_awaitable);
        auto reader = co_await session.async_subscribe({"a", "t"}, complete(), net::use_awaitable);
        put(before, "old");
        const auto old = co_await first(reader);
        CHECK(old == "old");
        auto after = here.track("t");
        CHECK_FALSE(before.open_group());
        const auto told = co_await failure(first(reader));
        CHECK(remote_code(told));
        auto later = co_await session.async_subscribe({"a", "t"}, complete(), net::use_awaitable);
        put(after, "new");
        const auto got = co_await first(later);
        CHECK(got == "new");
        before = {}; // Ends nothing of its successor.
        put(after, "newer");
        const auto more = co_await first(later);
        CHECK(more == "newer");
    });
}

TEST_CASE("a track that is removed ends for its readers with a code, one that is finished without", "[api]") {
    stage s;
    const bool finished = GENERATE(false, true);
    auto here = s.origin.publish("a");
    auto track = here.track("t");
    auto peer = s.client();
    s.run([&]() -> net::awaitable<void> {
        auto session = co_await peer.async_connect(s.url("moqt"), net::use_awaitable);
        auto reader = co_await session.async_subscribe({"a", "t"}, complete(), net::use_awaitable);
        put(track, "one");
        const auto one = co_await first(reader);
        CHECK(one == "one");
        if (finished) {
            put(track, "two");
            track.finish();
            const auto two = co_await first(reader);
            CHECK(two == "two");
            const auto end = co_await first(reader);
            CHECK(end == "-");
        } else {
            track = {};
            const auto told = co_await failure(first(reader));
            CHECK(remote_code(told));
        }
    });
}

TEST_CASE("a broadcast that ends is found no more; its tracks end with their writers", "[api]") {
    stage s;
    auto here = s.origin.publish("a");
    auto track = here.track("t");
    auto peer = s.client();
    s.run([&]() -> net::awaitable<void> {
        auto session = co_await peer.async_connect(s.url("moqt"), net::use_awaitable);
        auto reader = co_await session.async_subscribe({"a", "t"}, complete(), net::use_awaitable);
        auto names = session.announcements();
        auto name = co_await names.async_next(net::use_awaitable);
        CHECK(name->available);
        here = {};
        name = co_await names.async_next(net::use_awaitable);
        CHECK_FALSE(name->available);
        put(track, "still");
        const auto still = co_await first(reader);
        CHECK(still == "still");
        auto how = complete();
        how.timeout = 50ms;
        const auto late = co_await failure(subscribe(session, {"a", "t"}, how));
        CHECK(late == net::error::timed_out);
        track = {};
        const auto told = co_await failure(first(reader));
        CHECK(told);
    });
}

TEST_CASE("a group that is destroyed unfinished is cut off for its readers, and the next one follows", "[api]") {
    stage s;
    auto here = s.origin.publish("a");
    auto track = here.track("t");
    auto peer = s.client();
    s.run([&]() -> net::awaitable<void> {
        auto session = co_await peer.async_connect(s.url("moqt"), net::use_awaitable);
        auto reader = co_await session.async_subscribe({"a", "t"}, complete(), net::use_awaitable);
        auto writing = track.open_group();
        REQUIRE(!writing.write("half"));
        auto group = co_await reader.async_next_group(net::use_awaitable);
        REQUIRE(group);
        const auto half = co_await next(*group);
        CHECK(half == "half");
        writing = {};
        CHECK(writing.write("more") == errc::closed);
        const auto end = co_await next(*group);
        CHECK(end == "-");
        CHECK_FALSE(group->is_complete());
        CHECK(reader.lost());
        put(track, "whole");
        const auto whole = co_await first(reader);
        CHECK(whole == "whole");
    });
}

TEST_CASE("an on-demand track ends when its handler returns, and is refused if it did not accept", "[api]") {
    stage s;
    auto cameras = s.origin.on_demand("camera", [&](moq::track_request r) -> net::awaitable<void> {
        if (r.track() == "none") co_return;
        const bool finishes = r.track() == "film";
        auto track = r.accept();
        put(track, "frame");
        co_await s.pause(20ms);
        if (finishes) track.finish();
    });
    auto peer = s.client();
    s.run([&]() -> net::awaitable<void> {
        auto session = co_await peer.async_connect(s.url("moqt"), net::use_awaitable);
        auto film = co_await session.async_subscribe({"camera", "film"}, complete(), net::use_awaitable);
        auto got = co_await first(film);
        CHECK(got == "frame");
        got = co_await first(film);
        CHECK(got == "-");
        auto live = co_await session.async_subscribe({"camera", "live"}, complete(), net::use_awaitable);
        got = co_await first(live);
        CHECK(got == "frame");
        const auto cut = co_await failure(first(live));
        CHECK(remote_code(cut));
        const auto refused = co_await failure(subscribe(session, {"camera", "none"}));
        CHECK(refused == errc::not_found);
    });
}

TEST_CASE("an exception of an on-demand handler refuses its track alone, and is logged", "[api]") {
    stage s;
    const bool coroutine = GENERATE(false, true);
    moq::broadcast cameras;
    if (coroutine)
        cameras = s.origin.on_demand("camera", [](moq::track_request r) -> net::awaitable<void> {
            if (r.track() == "bad") throw std::runtime_error{"the maker's own"};
            co_return;
        });
    else
        cameras = s.origin.on_demand("camera", [](const moq::track_request& r) {
            if (r.track() == "bad") throw std::runtime_error{"the maker's own"};
        });
    auto peer = s.client();
    auto here = s.origin.publish("a");
    auto track = here.track("t");
    put(track, "undisturbed");
    s.run([&]() -> net::awaitable<void> {
        auto session = co_await peer.async_connect(s.url("moqt"), net::use_awaitable);
        const auto refused = co_await failure(subscribe(session, {"camera", "bad"}));
        CHECK(refused == errc::not_found);
        CHECK(s.logged("the maker's own"));
        auto reader = co_await session.async_subscribe({"a", "t"}, net::use_awaitable);
        const auto got = co_await first(reader);
        CHECK(got == "undisturbed");
    });
}

TEST_CASE("an on-demand handler that is empty is refused, and disturbs no other of its prefix", "[api]") {
    stage s;
    auto cameras = s.origin.on_demand("camera", [](moq::track_request r) { r.reject(app_error{79}); });
    error_code refused;
    try {
        auto none = s.origin.on_demand("camera", std::function<void(moq::track_request)>{});
    } catch (const boost::system::system_error& e) {
        refused = e.code();
    }
    CHECK(refused == errc::invalid_argument);
    auto peer = s.client();
    s.run([&]() -> net::awaitable<void> {
        auto session = co_await peer.async_connect(s.url("moqt"), net::use_awaitable);
        const auto asked = co_await failure(subscribe(session, {"camera", "t"}));
        CHECK(remote_code(asked) == 79);
    });
}

TEST_CASE("the last on-demand handler of a prefix is asked, also after the first one's handle has gone", "[api]") {
    stage s;
    auto first_one = s.origin.on_demand("camera", [](moq::track_request r) { r.reject(app_error{78}); });
    auto second_one = s.origin.on_demand("camera", [](moq::track_request r) { r.reject(app_error{79}); });
    auto peer = s.client();
    s.run([&]() -> net::awaitable<void> {
        auto session = co_await peer.async_connect(s.url("moqt"), net::use_awaitable);
        auto asked = co_await failure(subscribe(session, {"camera", "t"}));
        CHECK(remote_code(asked) == 79);
        first_one = {};
        asked = co_await failure(subscribe(session, {"camera", "u"}));
        CHECK(remote_code(asked) == 79);
    });
}

TEST_CASE("everybody who waits for a broadcast reads it once it is announced", "[api]") {
    stage s;
    auto peer = s.client();
    int reading = 0;
    s.run([&]() -> net::awaitable<void> {
        auto session = co_await peer.async_connect(s.url("moqt"), net::use_awaitable);
        const auto wait = [&](moq::origin from) -> net::awaitable<void> {
            auto reader = co_await from.async_subscribe({"late", "t"}, net::use_awaitable);
            const auto got = co_await first(reader);
            if (got == "at last") ++reading;
        };
        net::co_spawn(s.io, wait(session.origin()), net::detached);
        net::co_spawn(s.io, wait(session.origin()), net::detached);
        net::co_spawn(s.io, wait(s.origin), net::detached);
        auto other = s.origin.publish("other"); // Is not what they wait for.
        co_await s.pause(20ms);
        auto here = s.origin.publish("late");
        auto track = here.track("t");
        put(track, "at last");
        const bool all = co_await s.until([&] { return reading == 3; });
        CHECK(all);
    });
}

TEST_CASE("a subscription that its publisher never answered ends with the publisher", "[api]") {
    stage s;
    auto peer = s.client();
    auto watcher = s.client();
    std::optional<moq::track_request> held;
    s.run([&]() -> net::awaitable<void> {
        auto to = co_await peer.async_connect(s.url("moqt"), net::use_awaitable);
        auto there = to.origin().on_demand("camera", [&](moq::track_request r) { held.emplace(std::move(r)); });
        auto from = co_await watcher.async_connect(s.url("moqt"), net::use_awaitable);
        net::co_spawn(
            s.io,
            [&]() -> net::awaitable<void> {
                const bool asked = co_await s.until([&] { return held.has_value(); });
                CHECK(asked);
                to.close();
            },
            net::detached);
        const auto told = co_await failure(subscribe(from, {"camera", "t"}, complete()));
        INFO(told.message());
        CHECK(told);
    });
}

TEST_CASE("an origin publishes and reads on after its server and client have shut down", "[api]") {
    stage s;
    s.run([&]() -> net::awaitable<void> {
        co_await s.server.async_shutdown(0ms, "", net::use_awaitable);
        auto here = s.origin.publish("a");
        auto track = here.track("t");
        put(track, "here");
        auto reader = co_await s.origin.async_subscribe({"a", "t"}, net::use_awaitable);
        const auto got = co_await first(reader);
        CHECK(got == "here");
    });
}

TEST_CASE("a complete reader of a session that reconnects goes on within its group: every frame once", "[api]") {
    stage s;
    auto other = std::make_unique<moq::server>(s.origin);
    REQUIRE(!other->listen("127.0.0.1:0"));
    const auto port = other->addresses().front();
    s.run([&]() -> net::awaitable<void> {
        auto peer = moq::client{s.io.get_executor(), {.trusted = moq::trust::insecure()}};
        auto here = s.origin.publish("news");
        auto news = here.track("t");
        const moq::subscribe_request whole{.mode = reading::complete};
        auto stays = co_await s.origin.async_subscribe(
            {"news", "t"}, whole, net::use_awaitable); // The relay's subscription goes on.
        moq::connect_request how;
        how.reconnect = 5s;
        auto session = co_await peer.async_connect("moqt://" + port, how, net::use_awaitable);
        auto reader = co_await session.async_subscribe({"news", "t"}, whole, net::use_awaitable);
        auto writes = news.open_group();
        CHECK_FALSE(writes.write("a"));
        CHECK_FALSE(writes.write("b"));
        auto group = co_await reader.async_next_group(net::use_awaitable);
        REQUIRE(group);
        auto got = co_await next(*group);
        CHECK(got == "a");
        got = co_await next(*group);
        CHECK(got == "b");
        other->close(app_error::going_away);
        const bool parted = co_await s.until([&] { return session.origin().stats().sessions == 0; });
        CHECK(parted);
        other.reset();
        CHECK_FALSE(writes.write("c"));
        CHECK_FALSE(writes.finish());
        put(news, "d");
        other = std::make_unique<moq::server>(s.origin);
        REQUIRE(!other->listen(port));
        got = co_await next(*group);
        CHECK(got == "c");
        got = co_await next(*group);
        CHECK(got == "-");
        CHECK(group->is_complete());
        got = co_await first(reader);
        CHECK(got == "d");
        CHECK_FALSE(reader.lost());
        CHECK(reader.restarts() == 0);
        session.close();
        co_await session.async_closed();
    });
}

TEST_CASE("a reader whose publisher goes in the middle of a group reads the next publisher", "[api]") {
    stage s;
    s.run([&]() -> net::awaitable<void> {
        auto first_peer = s.client();
        auto one = co_await first_peer.async_connect(s.url("moqt"), net::use_awaitable);
        auto camera = one.origin().publish("camera");
        auto video = camera.track("video");
        auto half = video.open_group();
        CHECK_FALSE(half.write("half"));
        auto reader = co_await s.origin.async_subscribe({"camera", "video"}, net::use_awaitable);
        auto group = co_await reader.async_next_group(net::use_awaitable);
        REQUIRE(group);
        auto got = co_await next(*group);
        CHECK(got == "half");
        one.close();
        auto second_peer = s.client();
        auto two = co_await second_peer.async_connect(s.url("moqt"), net::use_awaitable);
        auto again = two.origin().publish("camera");
        auto other = again.track("video");
        put(other, "whole");
        got = co_await next(*group);
        CHECK(got == "-");
        CHECK_FALSE(group->is_complete());
        got = co_await first(reader);
        CHECK(got == "whole");
        CHECK(reader.restarts() != 0);
    });
}

} // namespace
} // namespace moqlite::test::api_tracks

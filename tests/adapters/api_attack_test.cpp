// Careless applications and unfriendly peers of the application API.
#include "../../adapters/asio/detail/origin_state.hpp"
#include "api_stage.hpp"

#include <algorithm>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>
#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <moqlite/asio/client.hpp>
#include <moqlite/asio/error.hpp>
#include <moqlite/asio/server.hpp>
#include <optional>
#include <string>
#include <vector>

namespace moqlite::test::api_attack {
namespace {

namespace moq = moqlite::asio;
namespace net = boost::asio;
using boost::system::error_code;
using namespace std::chrono_literals;

struct stage {
    stage() : origin(io.get_executor()) {
        server.emplace(origin);
        REQUIRE(!server->listen("127.0.0.1:0"));
        url = "moqt://" + server->addresses().front();
    }
    [[nodiscard]] moq::client client() {
        return moq::client{io.get_executor(), {.trusted = moq::trust::fingerprint(server->fingerprint())}};
    }
    /// False: it did not end in time.
    bool run_until(const std::function<bool()>& done, std::chrono::milliseconds most = 5s) {
        const auto until = std::chrono::steady_clock::now() + most;
        while (!done() && std::chrono::steady_clock::now() < until) io.run_one_for(20ms);
        return done();
    }
    moq::session connect(moq::client& from, const moq::connect_request& how = {}) {
        std::optional<moq::session> made;
        from.async_connect(url, how, [&](error_code error, moq::session s) {
            REQUIRE(!error);
            made.emplace(std::move(s));
        });
        REQUIRE(run_until([&] { return made.has_value(); }));
        return std::move(*made);
    }

    net::io_context io{1};
    moq::origin origin;
    std::optional<moq::server> server;
    std::string url;
};

moq::connect_request reconnecting(duration d) {
    moq::connect_request how;
    how.reconnect = d;
    how.timeout = std::min<duration>(d, 5s);
    return how;
}

TEST_CASE("a client that is destroyed ends its sessions, also those that would reconnect", "[api][attack]") {
    stage s;
    std::optional<moq::client> client{s.client()};
    auto session = s.connect(*client, reconnecting(10s));
    std::optional<error_code> closed;
    session.async_closed([&](error_code error) { closed = error; });
    client.reset();
    CHECK(s.run_until([&] { return closed.has_value(); }, 1s));
    CHECK_FALSE(session.is_open());
}

TEST_CASE("a server that refuses every session is asked with growing pauses, and no longer than `reconnect`",
    "[api][attack]") {
    stage s;
    int asked = 0;
    s.server->on_admission([&](const moq::admission&) { return ++asked, moq::admission::refuse(); });
    auto client = s.client();
    auto session = s.connect(client, reconnecting(1s));
    std::optional<error_code> closed;
    session.async_closed([&](error_code error) { closed = error; });
    CHECK(s.run_until([&] { return closed.has_value(); }, 4s));
    CHECK(closed != error_code{});
    CHECK(asked >= 2);
    CHECK(asked < 12);
}

TEST_CASE("a server that never answers a reconnecting client's connections is given up in time", "[api][attack]") {
    stage s;
    auto client = s.client();
    auto how = reconnecting(1s);
    how.timeout = 500ms;
    auto session = s.connect(client, how);
    std::optional<error_code> closed;
    session.async_closed([&](error_code error) { closed = error; });
    const auto port = s.server->addresses().front();
    s.server->close(app_error::going_away);
    s.run_until([] { return false; }, 50ms);
    s.server.reset();
    // Somebody else's socket, which is silent.
    net::ip::udp::socket silent{s.io};
    silent.open(net::ip::udp::v4());
    silent.bind(
        {net::ip::make_address("127.0.0.1"), static_cast<std::uint16_t>(std::stoi(port.substr(port.find(':') + 1)))});
    CHECK(s.run_until([&] { return closed.has_value(); }, 4s));
}

TEST_CASE("a context may end while coroutines that own everything wait", "[api][attack]") {
    net::io_context outside{1};
    net::ip::udp::socket silent{outside, {net::ip::make_address("127.0.0.1"), 0}};
    const auto nobody = "moqt://127.0.0.1:" + std::to_string(silent.local_endpoint().port());
    stage s;
    const auto connecting = [&]() -> net::awaitable<void> {
        auto client = s.client();
        static_cast<void>(co_await client.async_connect(nobody, net::use_awaitable));
    };
    const auto reading = [&](std::string name) -> net::awaitable<void> {
        auto client = s.client();
        auto session = co_await client.async_connect(s.url, net::use_awaitable);
        auto here = session.origin().publish(name);
        auto track = here.track("t");
        auto reader = co_await session.origin().async_subscribe({name, "t"}, net::use_awaitable);
        auto all = session.announcements();
        auto other = co_await session.origin().async_subscribe({name, "t"}, net::use_awaitable);
        other.async_next_group([&, client = std::move(client), session = std::move(session), all = std::move(all)](
                                   error_code, std::optional<moq::group_reader>) {});
        static_cast<void>(co_await reader.async_next_group(net::use_awaitable));
    };
    const auto waiting = [&]() -> net::awaitable<void> {
        auto client = s.client();
        auto session = co_await client.async_connect(s.url, reconnecting(5s), net::use_awaitable);
        co_await session.async_closed(net::use_awaitable);
    };
    for (int i = 0; i != 3; ++i) {
        net::co_spawn(s.io, connecting(), net::detached);
        net::co_spawn(s.io, reading("b" + std::to_string(i)), net::detached);
        net::co_spawn(s.io, waiting(), net::detached);
    }
    s.run_until([] { return false; }, 300ms);
}

TEST_CASE("a context may end while handlers that own everything wait", "[api][attack]") {
    net::io_context outside{1};
    net::ip::udp::socket silent{outside, {net::ip::make_address("127.0.0.1"), 0}};
    const auto nobody = "moqt://127.0.0.1:" + std::to_string(silent.local_endpoint().port());
    stage s;
    for (int i = 0; i != 3; ++i) {
        auto client = std::make_shared<moq::client>(s.client());
        auto& at = *client;
        at.async_connect(nobody, [client](error_code, moq::session) {});
        at.async_connect(nobody, [client](error_code, moq::session) {});
        auto list = std::make_shared<moq::announcements>(s.origin.announcements("nothing"));
        auto next = std::make_shared<moq::announcements>(s.origin.announcements("nothing"));
        auto& first = *list;
        first.async_next([list, next = std::move(next), client = std::move(client)](error_code, const auto&) {});
    }
    s.run_until([] { return false; }, 50ms);
}

TEST_CASE("cancelling one wait for a session's end leaves the others", "[api][attack]") {
    stage s;
    auto client = s.client();
    auto session = s.connect(client);
    net::cancellation_signal signal;
    std::optional<error_code> first, second;
    session.async_closed(net::bind_cancellation_slot(signal.slot(), [&](error_code error) { first = error; }));
    session.async_closed([&](error_code error) { second = error; });
    signal.emit(net::cancellation_type::total);
    CHECK(s.run_until([&] { return first.has_value(); }, 1s));
    CHECK(first == net::error::operation_aborted);
    s.run_until([&] { return second.has_value(); }, 50ms);
    CHECK_FALSE(second);
    session.close();
    CHECK(s.run_until([&] { return second.has_value(); }, 2s));
    CHECK(second == error_code{});
}

TEST_CASE("whoever is asked whether to follow GOAWAY may destroy the client", "[api][attack]") {
    stage s;
    std::optional<moq::client> client{s.client()};
    moq::connect_request how;
    bool asked = false;
    how.follow_goaway = [&](const std::string&) {
        asked = true;
        client.reset();
        return true;
    };
    auto session = s.connect(*client, how);
    std::optional<error_code> closed;
    session.async_closed([&](error_code error) { closed = error; });
    REQUIRE(s.run_until([&] { return s.server->sessions() == 1; }));
    bool is_down = false;
    s.server->async_shutdown(1s, "", [&](error_code) { is_down = true; });
    CHECK(s.run_until([&] { return asked && closed && is_down; }));
}

TEST_CASE("a session that does not follow GOAWAY reports it", "[api][attack]") {
    stage s;
    auto client = s.client();
    moq::connect_request how;
    how.follow_goaway = [](const std::string&) { return false; };
    auto session = s.connect(client, how);
    std::optional<std::string> uri;
    session.async_goaway([&](error_code error, std::string where) {
        CHECK(!error);
        uri = where;
    });
    REQUIRE(s.run_until([&] { return s.server->sessions() == 1; }));
    s.server->async_shutdown(1s, "moqt://elsewhere.example", [](error_code) {});
    CHECK(s.run_until([&] { return uri.has_value(); }));
    CHECK(uri == "moqt://elsewhere.example");
}

TEST_CASE("a scope without a root is below the path that the peer asked for", "[api][attack]") {
    stage s;
    s.server->on_admission([](const moq::admission& a) { return a.accept(scope{}); });
    auto mine = s.origin.publish("secret");
    s.url += "/room";
    auto client = s.client();
    auto session = s.connect(client);
    auto theirs = session.origin().publish("cam");
    auto all = s.origin.announcements();
    std::vector<std::string> paths;
    std::function<void()> more = [&] {
        all.async_next([&](error_code error, std::optional<moq::announcement> a) {
            if (error || !a) return;
            paths.push_back(a->path);
            more();
        });
    };
    more();
    CHECK(s.run_until([&] { return paths.size() == 2; }));
    CHECK(std::count(paths.begin(), paths.end(), "room/cam") == 1);
}

TEST_CASE("a complete viewer that stops holds back the others of a file only for a while", "[api][attack]") {
    api_stage::stage s{{}, {.hold_back = 100ms}};
    auto stopping = s.client();
    auto watching = s.client();
    s.run([&]() -> net::awaitable<void> {
        auto film = s.origin.publish("film");
        auto video = film.track("video");
        auto from = co_await stopping.async_connect(s.url("moqt"));
        const auto stopped = co_await from.async_subscribe({"film", "video"}, {.mode = reading::complete});
        auto to = co_await watching.async_connect(s.url("moqt"));
        auto watched = co_await to.async_subscribe({"film", "video"});
        int written = 0;
        net::co_spawn(
            s.io,
            [&]() -> net::awaitable<void> {
                while (written != 100) { // 10 MB: several times what it may read ahead.
                    auto group = co_await video.async_open_group();
                    static_cast<void>(group.write(std::string(100'000, 'x')));
                    static_cast<void>(group.finish());
                    ++written;
                }
                video.finish();
            },
            net::detached);
        const bool all = co_await s.until([&] { return written == 100; });
        CHECK(all);
        int got = 0;
        while (co_await watched.async_next_group()) ++got;
        CHECK(got > 1);
    });
}

TEST_CASE("whoever waits in vain for broadcasts leaves nothing behind", "[api][attack]") {
    stage s;
    int ended = 0;
    const std::weak_ptr<int> gone = [&] {
        auto alive = std::make_shared<int>();
        moq::subscribe_request how;
        how.timeout = 1ms;
        for (int i = 0; i != 100; ++i)
            s.origin.async_subscribe({"nobody", "t"}, how, [&, alive](error_code, moq::track_reader) { ++ended; });
        return alive;
    }();
    CHECK(s.run_until([&] { return ended == 100; }));
    CHECK(gone.expired());
    CHECK(s.origin.state()->waiting() == 0);
}

TEST_CASE("tracks that an on-demand handler does not answer are bounded, each peer's by half of what is left",
    "[api][attack]") {
    api_stage::stage s{{}, {.unanswered_tracks = 8}};
    std::vector<moq::track_request> asked;
    const auto made = s.origin.on_demand("b", [&](moq::track_request r) { asked.push_back(std::move(r)); });
    auto greedy = s.client();
    auto modest = s.client();
    s.run([&]() -> net::awaitable<void> {
        auto many = co_await greedy.async_connect(s.url("moqt"));
        auto one = co_await modest.async_connect(s.url("moqt"));
        std::vector<error_code> refused;
        const auto ask = [&](moq::session& from, const std::string& track) {
            from.async_subscribe({"b", track}, [&](error_code e, const auto&) {
                if (e) refused.push_back(e);
            });
        };
        for (int i = 0; i != 20; ++i) ask(many, std::to_string(i));
        const bool bounded = co_await s.until([&] { return refused.size() == 16; });
        CHECK(bounded);
        CHECK(asked.size() == 4);
        CHECK(std::ranges::all_of(refused, [](const error_code& e) { return remote_code(e).has_value(); }));
        ask(one, "modest");
        const bool heard = co_await s.until([&] { return asked.size() == 5; });
        CHECK(heard);
        asked.clear(); // All are answered, and refused.
        const bool answered = co_await s.until([&] { return refused.size() == 21; });
        CHECK(answered);
        ask(many, "again");
        const bool again = co_await s.until([&] { return asked.size() == 1; });
        CHECK(again);
    });
}

TEST_CASE("several may wait for a session's end and for its GOAWAY", "[api][attack]") {
    api_stage::stage s;
    auto client = s.client();
    s.run([&]() -> net::awaitable<void> {
        auto session = co_await client.async_connect(s.url("moqt"));
        int told = 0, aborted = 0;
        const auto goaway = [&](error_code e, const auto&) { e ? ++aborted : ++told; };
        net::cancellation_signal signal;
        session.async_goaway(goaway);
        session.async_goaway(net::bind_cancellation_slot(signal.slot(), goaway));
        session.async_goaway(goaway);
        signal.emit(net::cancellation_type::total);
        const bool admitted = co_await s.until([&] { return s.server.sessions() == 1; });
        CHECK(admitted);
        s.server.async_shutdown(1s, "moqt://other.example", [](error_code) {});
        const bool all = co_await s.until([&] { return told == 2; });
        CHECK(all);
        CHECK(aborted == 1);
    });
}

TEST_CASE("an on-demand handler that replaces another of its prefix outlives it", "[api][attack]") {
    stage s;
    int first = 0, second = 0;
    auto here = s.origin.on_demand("camera", [&](moq::track_request) { ++first; });
    here = s.origin.on_demand("camera", [&](moq::track_request) { ++second; });
    s.origin.async_subscribe({"camera/1", "t"}, [](error_code, moq::track_reader) {});
    CHECK(s.run_until([&] { return second != 0; }, 1s));
    CHECK(first == 0);
}

TEST_CASE("a group for which there is no memory is an error", "[api][attack]") {
    net::io_context io{1};
    moq::origin_options o;
    o.bounds.memory = 64 * 1024;
    moq::origin origin{io.get_executor(), o};
    auto here = origin.publish("b");
    auto track = here.track("t");
    std::optional<error_code> how;
    std::optional<moq::track_reader> reader;
    origin.async_subscribe({"b", "t"}, [&](error_code error, moq::track_reader r) {
        REQUIRE(!error);
        reader.emplace(std::move(r));
    });
    io.run_for(100ms);
    REQUIRE(reader);
    std::vector<moq::group_writer> open;
    for (auto g = track.open_group(); g && open.size() != 10'000; g = track.open_group()) open.push_back(std::move(g));
    REQUIRE(open.size() < 10'000);
    track.async_open_group([&](error_code error, moq::group_writer g) {
        how = error;
        CHECK_FALSE(g);
    });
    io.restart();
    io.run_for(100ms);
    if (how) CHECK(*how != error_code{});
}

} // namespace
} // namespace moqlite::test::api_attack

// Rows of tests/parity.md about servers, clients and sessions of the application API.
#include "api_stage.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <stdexcept>
#include <vector>

namespace moqlite::test::api_parity {
namespace {

using namespace api_stage;

TEST_CASE("a server whose certificate cannot be read does not listen, and logs which files", "[api]") {
    stage s;
    moq::server_options o;
    o.tls = moq::server_identity::files("/no/chain.pem", "/no/key.pem");
    moq::server server{s.origin, std::move(o)};
    CHECK(server.listen("127.0.0.1:0") == errc::invalid_argument);
    CHECK(s.logged("/no/chain.pem"));
}

TEST_CASE("after its shutdown a server does not listen, and a client does not connect", "[api]") {
    stage s;
    auto peer = s.client();
    s.run([&]() -> net::awaitable<void> {
        const auto at = s.url("moqt");
        co_await s.server.async_shutdown(0ms, "", net::use_awaitable);
        CHECK(s.server.listen("127.0.0.1:0") == errc::closed);
        const auto served = co_await failure([](moq::server& x) -> net::awaitable<void> {
            co_await x.async_serve("127.0.0.1:0", net::use_awaitable);
        }(s.server));
        CHECK(served == errc::closed);
        co_await s.server.async_shutdown(1h, "", net::use_awaitable); // It is over.
        co_await peer.async_shutdown(net::use_awaitable);
        const auto connected = co_await failure(connect(peer, at));
        CHECK(connected == errc::closed);
    });
}

TEST_CASE("serving completes when the server has shut down", "[api]") {
    stage s;
    bool served = false;
    s.run([&]() -> net::awaitable<void> {
        s.server.async_serve("127.0.0.1:0", [&](error_code error) { served = !error; });
        CHECK(s.server.addresses().size() == 2);
        co_await s.pause(5ms);
        CHECK_FALSE(served);
        co_await s.server.async_shutdown(0ms, "", net::use_awaitable);
        const bool ended = co_await s.until([&] { return served; });
        CHECK(ended);
    });
}

TEST_CASE("the server reports each session once, with its path and peer, on both transports", "[api]") {
    stage s;
    const std::string scheme = GENERATE("moqt", "https");
    std::vector<moq::session> reported;
    s.server.on_session([&](moq::session x) { reported.push_back(std::move(x)); });
    auto peer = s.client();
    s.run([&]() -> net::awaitable<void> {
        auto mine = co_await peer.async_connect(s.url(scheme, "/room?x=1"), net::use_awaitable);
        auto other = co_await peer.async_connect(s.url(scheme, "/hall"), net::use_awaitable);
        const bool came = co_await s.until([&] { return reported.size() >= 2; });
        REQUIRE(came);
        co_await s.pause(5ms);
        REQUIRE(reported.size() == 2);
        const auto& theirs = reported[reported[0].path() == "/hall" ? 1 : 0];
        CHECK(theirs.path() == "/room?x=1");
        CHECK(theirs.protocol() == mine.protocol());
        CHECK(theirs.is_webtransport() == (scheme == "https"));
        CHECK(theirs.remote() == mine.local());
        CHECK(theirs.local() == mine.remote());
        CHECK(theirs.tls().version == "TLS 1.3");
        CHECK(mine.tls().peer_fingerprint == s.server.fingerprint());
    });
}

TEST_CASE("a client's session ends with its handle, a server's does not", "[api]") {
    stage s;
    int reported = 0;
    s.server.on_session([&](const moq::session&) { ++reported; });
    auto peer = s.client();
    auto here = s.origin.publish("a");
    auto track = here.track("t");
    put(track, "still here");
    s.run([&]() -> net::awaitable<void> {
        auto session = co_await peer.async_connect(s.url("moqt"), net::use_awaitable);
        const bool came = co_await s.until([&] { return reported == 1; });
        CHECK(came);
        auto reader = co_await session.async_subscribe({"a", "t"}, net::use_awaitable);
        const auto got = co_await first(reader);
        CHECK(got == "still here");
        CHECK(s.server.sessions() == 1);
        session = {};
        const bool left = co_await s.until([&] { return s.server.sessions() == 0; });
        CHECK(left);
    });
}

TEST_CASE("a session has statistics of its path, on both transports, until it is over", "[api]") {
    stage s;
    const std::string scheme = GENERATE("moqt", "https");
    auto peer = s.client();
    s.run([&]() -> net::awaitable<void> {
        auto session = co_await peer.async_connect(s.url(scheme), net::use_awaitable);
        const bool measured = co_await s.until([&] { return session.stats().rtt.has_value(); });
        CHECK(measured);
        const auto now = session.stats();
        CHECK(now.congestion_window > 0);
        CHECK(now.packet_size >= 1200);
        session.close();
        const auto how = co_await failure(closed(session));
        CHECK(!how);
        const bool gone = co_await s.until([&] { return !session.stats().rtt; });
        CHECK(gone);
        CHECK(session.stats().congestion_window == 0);
    });
}

TEST_CASE("each connect makes a session of its own, and a failure is not remembered", "[api]") {
    stage s;
    auto peer = s.client();
    s.run([&]() -> net::awaitable<void> {
        auto one = co_await peer.async_connect(s.url("moqt"), net::use_awaitable);
        auto two = co_await peer.async_connect(s.url("moqt"), net::use_awaitable);
        const bool both = co_await s.until([&] { return s.server.sessions() == 2; });
        CHECK(both);
        one.close();
        const auto how = co_await failure(closed(one));
        CHECK(!how);
        CHECK_FALSE(one.is_open());
        CHECK(two.is_open());
        auto other = std::make_unique<moq::server>(s.origin);
        REQUIRE(!other->listen("127.0.0.1:0"));
        const auto at = other->addresses().front();
        other.reset();
        const auto refused = co_await failure(connect(peer, "moqt://" + at));
        CHECK(refused == net::error::connection_refused);
        other = std::make_unique<moq::server>(s.origin);
        REQUIRE(!other->listen(at));
        auto three = co_await peer.async_connect("moqt://" + at, net::use_awaitable);
        CHECK(three.is_open());
    });
}

TEST_CASE("a connect that is cancelled disturbs no other", "[api]") {
    stage s;
    auto peer = s.client();
    s.run([&]() -> net::awaitable<void> {
        net::cancellation_signal signal;
        error_code given_up, stayed = net::error::in_progress;
        peer.async_connect(s.url("moqt"), net::bind_cancellation_slot(signal.slot(),
                                              [&](error_code error, const moq::session&) { given_up = error; }));
        moq::session kept;
        peer.async_connect(s.url("moqt"), [&](error_code error, moq::session x) {
            stayed = error;
            kept = std::move(x);
        });
        signal.emit(net::cancellation_type::total);
        const bool ended = co_await s.until([&] { return given_up && stayed != net::error::in_progress; });
        CHECK(ended);
        CHECK(given_up == net::error::operation_aborted);
        CHECK(!stayed);
        CHECK(kept.is_open());
    });
}

TEST_CASE("the shutdown of a client ends each of its sessions, once", "[api]") {
    stage s;
    auto peer = s.client();
    int ends = 0;
    s.run([&]() -> net::awaitable<void> {
        auto one = co_await peer.async_connect(s.url("moqt"), net::use_awaitable);
        auto two = co_await peer.async_connect(s.url("https"), net::use_awaitable);
        one.async_closed([&](error_code) { ++ends; });
        two.async_closed([&](error_code) { ++ends; });
        const bool both = co_await s.until([&] { return s.server.sessions() == 2; });
        CHECK(both);
        co_await peer.async_shutdown(net::use_awaitable);
        const bool gone = co_await s.until([&] { return ends == 2 && s.server.sessions() == 0; });
        CHECK(gone);
        co_await s.pause(5ms);
        CHECK(ends == 2);
        CHECK_FALSE(one.is_open());
    });
}

TEST_CASE("who waits for a session's end and is cancelled disturbs no other", "[api]") {
    stage s;
    auto peer = s.client();
    s.run([&]() -> net::awaitable<void> {
        auto session = co_await peer.async_connect(s.url("moqt"), net::use_awaitable);
        net::cancellation_signal signal;
        error_code given_up, stayed = net::error::in_progress;
        session.async_closed([&](error_code error) { stayed = error; });
        session.async_closed(net::bind_cancellation_slot(signal.slot(), [&](error_code error) { given_up = error; }));
        signal.emit(net::cancellation_type::total);
        const bool told = co_await s.until([&] { return !!given_up; });
        CHECK(told);
        CHECK(given_up == net::error::operation_aborted);
        CHECK(stayed == net::error::in_progress);
        session.close();
        const bool ended = co_await s.until([&] { return !stayed; });
        CHECK(ended);
    });
}

TEST_CASE("a server reports incoming sessions only, also where a client shares its origin", "[api]") {
    stage s;
    int here = 0, there = 0;
    s.server.on_session([&](const moq::session&) { ++here; });
    moq::server other{s.origin};
    other.on_session([&](const moq::session&) { ++there; });
    REQUIRE(!other.listen("127.0.0.1:0"));
    moq::client_options o;
    o.trusted = moq::trust::insecure();
    moq::client peer{s.origin, std::move(o)};
    s.run([&]() -> net::awaitable<void> {
        auto session = co_await peer.async_connect("moqt://" + other.addresses().front(), net::use_awaitable);
        const bool came = co_await s.until([&] { return there == 1; });
        CHECK(came);
        co_await s.pause(5ms);
        CHECK(here == 0);
        CHECK(there == 1);
    });
}

TEST_CASE("a shutdown waits for no handler, and who stays is told that its time was over", "[api]") {
    stage s;
    bool handled = false;
    s.server.on_session([&](moq::session) -> net::awaitable<void> {
        handled = true;
        co_await s.pause(1h);
    });
    auto peer = s.client();
    s.run([&]() -> net::awaitable<void> {
        auto session = co_await peer.async_connect(s.url("moqt"), net::use_awaitable);
        const bool began = co_await s.until([&] { return handled; });
        CHECK(began);
        const auto begun = std::chrono::steady_clock::now();
        co_await s.server.async_shutdown(50ms, "", net::use_awaitable);
        CHECK(std::chrono::steady_clock::now() - begun < 2s);
        const auto how = co_await failure(closed(session));
        INFO(how.message());
        CHECK(how.message().find("goaway_timeout") != std::string::npos);
    });
}

TEST_CASE("an exception of a session's handler closes that session alone, and is logged", "[api]") {
    stage s;
    const bool coroutine = GENERATE(false, true);
    if (coroutine)
        s.server.on_session([](moq::session x) -> net::awaitable<void> {
            if (x.path() == "/bad") throw std::runtime_error{"the handler's own"};
            co_return;
        });
    else
        s.server.on_session([](const moq::session& x) {
            if (x.path() == "/bad") throw std::runtime_error{"the handler's own"};
        });
    auto peer = s.client();
    s.run([&]() -> net::awaitable<void> {
        auto good = co_await peer.async_connect(s.url("moqt", "/good"), net::use_awaitable);
        auto bad = co_await peer.async_connect(s.url("moqt", "/bad"), net::use_awaitable);
        const bool ended = co_await s.until([&] { return !bad.is_open(); });
        CHECK(ended);
        const auto how = ended ? co_await failure(closed(bad)) : error_code{};
        CHECK(remote_code(how));
        CHECK(good.is_open());
        CHECK(s.logged("the handler's own"));
    });
}

TEST_CASE("an exception of the admission refuses that peer alone, and is logged", "[api]") {
    stage s;
    s.server.on_admission([](const moq::admission& a) {
        if (a.path() == "/bad") throw std::runtime_error{"the admission's own"};
        if (a.path() == "/worse") throw 1;
        return a.accept();
    });
    auto peer = s.client();
    s.run([&]() -> net::awaitable<void> {
        auto good = co_await peer.async_connect(s.url("moqt", "/good"), net::use_awaitable);
        auto bad = co_await peer.async_connect(s.url("moqt", "/bad"), net::use_awaitable);
        const auto how = co_await failure(closed(bad));
        CHECK(remote_code(how));
        auto worse = co_await peer.async_connect(s.url("moqt", "/worse"), net::use_awaitable);
        const auto again = co_await failure(closed(worse));
        CHECK(remote_code(again));
        CHECK(good.is_open());
        CHECK(s.logged("the admission's own"));
    });
}

} // namespace
} // namespace moqlite::test::api_parity

// The calls of a client_link that ends at a bad moment. Real sockets on loopback.
#include "memory_pair.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <list>
#include <memory>
#include <moqlite/asio/client_link.hpp>
#include <moqlite/asio/quic_server.hpp>
#include <moqlite/link/session_handler.hpp>
#include <optional>

namespace moqlite::test::client_link_test {

namespace net = boost::asio;

namespace {

struct recording_user final : asio::client_user {
    void connected(const link::connection&) override { ++connections; }
    void parted(const session_closed*) override {
        ++partings;
        if (on_parted) on_parted();
    }
    void on_event(const event& e, time_point) override {
        if (std::holds_alternative<session_closed>(e)) ++closed;
    }
    void turn(time_point) override { ++turns; }
    void failed(const std::string& why) override { failures.push_back(why); }

    int connections = 0, partings = 0, closed = 0, turns = 0;
    std::vector<std::string> failures;
    std::function<void()> on_parted;
};

/// A server, with a session on each connection.
struct far_end {
    explicit far_end(net::io_context& context) : server{context.get_executor()} {
        std::string why;
        REQUIRE(server.listen("127.0.0.1:0", server_tls(), accept(), why));
    }
    link::accept_function accept() {
        return [this](link::connection& c, time_point now) {
            auto& s = sessions.emplace_back(role::server, version::lite_05, session_options{}, now);
            connections.push_back(&c);
            const auto ignore = [](const event&) {};
            return std::make_unique<link::session_handler<session*, decltype(ignore)>>(&s, ignore);
        };
    }
    std::list<session> sessions;
    std::vector<link::connection*> connections;
    asio::quic_server server;
};

asio::client_link_options to_port(std::uint16_t port) {
    std::string why;
    asio::client_link_options o{.where = *asio::parse_url("moqt://127.0.0.1:" + std::to_string(port), why),
        .protocols = {"moq-lite-05"},
        .tls = client_tls()};
    return o;
}

/// True: `done` within the limit.
bool run(net::io_context& context, const std::function<bool()>& done, std::chrono::milliseconds limit = 20s) {
    const auto end = std::chrono::steady_clock::now() + limit;
    context.restart();
    while (!done() && std::chrono::steady_clock::now() < end)
        if (context.run_one_for(10ms) == 0) context.restart();
    return done();
}

constexpr std::uint16_t closed_port = 9;

} // namespace

TEST_CASE("a client_link that is destroyed after its connect timeout has passed makes no calls") {
    net::io_context context;
    recording_user user;
    std::optional<asio::client_link> link;
    auto o = to_port(closed_port);
    o.connect_timeout = duration{};
    net::steady_timer sooner{context, std::chrono::steady_clock::time_point::min()};
    sooner.async_wait([&](const auto&) { link.reset(); });
    link.emplace(context.get_executor(), o, user);
    link->connect();
    run(context, [] { return false; }, 50ms);
    CHECK(user.failures.empty());
}

TEST_CASE("a client_link may be destroyed right after close(): `done` goes with it") {
    net::io_context context;
    recording_user user;
    bool done = false;
    std::optional<asio::client_link> link{std::in_place, context.get_executor(), to_port(closed_port), user};
    link->connect();
    link->close(app_error::cancel, "done", [&] { done = true; });
    link.reset();
    run(context, [] { return false; }, 50ms);
    CHECK_FALSE(done);
    CHECK(user.failures.empty());
}

TEST_CASE("a server that cannot be reached is reported once, though the connect timeout passes afterwards") {
    net::io_context context;
    recording_user user;
    auto o = to_port(closed_port);
    o.connect_timeout = 300ms;
    asio::client_link link{context.get_executor(), o, user};
    link.connect();
    REQUIRE(run(context, [&] { return !user.failures.empty(); }));
    run(context, [] { return false; }, 400ms);
    CHECK(user.failures.size() == 1);
}

TEST_CASE("after the connect timeout was reported an answer makes no session") {
    net::io_context near;
    net::io_context far;
    far_end server{far};
    recording_user user;
    auto o = to_port(server.server.local_address().port());
    o.connect_timeout = 50ms;
    asio::client_link link{near.get_executor(), o, user};
    link.connect();
    REQUIRE(run(near, [&] { return !user.failures.empty(); }));
    for (int i = 0; i != 20; ++i) {
        run(far, [] { return false; }, 10ms);
        run(near, [] { return false; }, 10ms);
    }
    CHECK(user.failures.size() == 1);
    CHECK(user.connections == 0);
}

TEST_CASE("an answer that is read in the same round as the connect timeout makes a session and no failure") {
    net::io_context near;
    net::io_context far;
    far_end server{far};
    recording_user user;
    auto o = to_port(server.server.local_address().port());
    o.connect_timeout = 2s;
    const auto passed = std::chrono::steady_clock::now() + 2100ms;
    asio::client_link link{near.get_executor(), o, user};
    link.connect();
    run(near, [] { return false; }, 50ms);
    run(far, [&] { return std::chrono::steady_clock::now() > passed; }); // The client's thread is busy.
    REQUIRE(run(near, [&] { return user.connections + static_cast<int>(user.failures.size()) != 0; }));
    run(near, [] { return false; }, 50ms);
    CHECK(user.connections == 1);
    CHECK(user.failures.empty());
}

TEST_CASE("a user that closes when its session is replaced is not connected again") {
    net::io_context context;
    far_end server{context};
    recording_user user;
    std::optional<asio::client_link> link{
        std::in_place, context.get_executor(), to_port(server.server.local_address().port()), user};
    bool done = false;
    user.on_parted = [&] { link->close(app_error::cancel, "enough", [&] { done = true; }); };
    link->connect();
    REQUIRE(run(context, [&] { return user.connections == 1 && server.connections.size() == 1; }));
    REQUIRE(server.sessions.front().goaway());
    server.connections.front()->wake();
    REQUIRE(run(context, [&] { return done; }));
    CHECK(user.partings == 1);
    CHECK(user.connections == 1);
}

} // namespace moqlite::test::client_link_test

// Allocations of a server on an executor fail, four in a row from each in turn, also while it only waits: it
// can go on.
#include "adapters/memory_pair.hpp"
#include "failing.hpp"

#include <boost/asio/io_context.hpp>
#include <catch2/catch_template_test_macros.hpp>
#include <memory>
#include <moqlite/asio/host_port.hpp>
#include <moqlite/asio/notice.hpp>
#include <moqlite/asio/quic_client.hpp>
#include <moqlite/asio/quic_server.hpp>
#include <moqlite/asio/server.hpp>
#include <new>

using namespace moqlite;
using namespace moqlite::test;

namespace {

/// What a failed allocation loses is sent again at once, as on loopback it should be, and not after the 0.3 s of a path
/// that nothing is known of.
asio::options of_loopback() {
    asio::options o;
    o.quic.initial_rtt = 5ms;
    return o;
}

/// A server that is given connections.
class connection_server {
public:
    explicit connection_server(boost::asio::io_context& io) : server_(io.get_executor(), of_loopback()) {
        std::string why;
        const bool listens = server_.listen(
            "127.0.0.1:0", server_tls(), [](link::connection& c, time_point) { return std::make_unique<recorder>(c); },
            why);
        INFO(why);
        REQUIRE(listens);
    }
    void resume() { server_.resume(); }
    [[nodiscard]] std::uint16_t port() const { return server_.local_address().port(); }

private:
    asio::quic_server server_;
};

/// A server of the application API, whose operator hears of sessions.
class session_server {
public:
    explicit session_server(boost::asio::io_context& io)
        : origin_(io.get_executor(), {.on_notice = [this](const asio::notice&) { ++notices_; }}),
          server_(origin_, {.tls = asio::server_identity::of(test_identity()), .transport = of_loopback()}) {
        REQUIRE(!server_.listen("127.0.0.1:0"));
    }
    void resume() { server_.resume(); }
    [[nodiscard]] std::uint16_t port() const {
        std::string why;
        return asio::parse_host_port(server_.addresses().front(), 0, why)->port;
    }

private:
    std::size_t notices_ = 0;
    asio::origin origin_;
    asio::server server_;
};

template <class Server>
class listening_server {
public:
    /// Like the relay's service.
    void poll() {
        const fallible from_here;
        try {
            io_.restart();
            io_.poll();
        } catch (const std::bad_alloc&) {
            while (!resumed()) {
            }
        }
    }
    [[nodiscard]] std::uint16_t port() const { return server_.port(); }

private:
    bool resumed() {
        try {
            server_.resume();
            return true;
        } catch (const std::bad_alloc&) {
            return false;
        }
    }
    boost::asio::io_context io_{1};
    Server server_{io_};
};

enum class outcome : std::uint8_t { none, connected, failed };

/// Whether a new client is served within seconds.
template <class Server>
outcome connect_to(Server& server, const ngtcp2::tls& with) {
    boost::asio::io_context io{1};
    asio::quic_client client{io.get_executor(), of_loopback()};
    auto result = outcome::none;
    client.connect(
        {.host = "127.0.0.1", .port = server.port(), .server_name = "localhost", .alpn = {"moq-lite-04"}, .tls = with},
        [&](link::connection& c, time_point) {
            result = outcome::connected;
            return std::make_unique<recorder>(c);
        },
        [&](const link::closed&) { result = outcome::failed; });
    for (const auto end = std::chrono::steady_clock::now() + 10s;
        result == outcome::none && std::chrono::steady_clock::now() < end;) {
        io.restart();
        io.run_one_for(100us);
        server.poll();
    }
    return result;
}

} // namespace

// moq-lite-04 has no SETUP: a session is admitted at once.
TEMPLATE_TEST_CASE(
    "a server whose wait failed for lack of memory continues", "[out_of_memory]", connection_server, session_server) {
    const auto with = client_tls();
    std::size_t nth = 0;
    for (bool all_failed = false; !all_failed;) {
        ++nth;
        CAPTURE(nth);
        listening_server<TestType> server;
        fail_allocation(nth, 3);
        const auto first = connect_to(server, with);
        all_failed = !has_failed();
        fail_allocation(0);
        if (all_failed) CHECK(first == outcome::connected);
        CHECK(connect_to(server, with) == outcome::connected);
    }
    CHECK(nth > 10);
}

// Allocations of a server on an executor fail, four in a row from each in turn, also while it only waits: it
// can go on.
#include "adapters/memory_pair.hpp"
#include "failing.hpp"

#include <boost/asio/io_context.hpp>
#include <catch2/catch_test_macros.hpp>
#include <memory>
#include <moqlite/asio/quic_client.hpp>
#include <moqlite/asio/quic_server.hpp>
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

class listening_server {
public:
    listening_server() {
        std::string why;
        const bool listens = server_.listen(
            "127.0.0.1:0", server_tls(), [](link::connection& c, time_point) { return std::make_unique<recorder>(c); },
            why);
        INFO(why);
        REQUIRE(listens);
    }
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
    [[nodiscard]] std::uint16_t port() const { return server_.local_address().port(); }

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
    asio::quic_server server_{io_.get_executor(), of_loopback()};
};

enum class outcome : std::uint8_t { none, connected, failed };

/// Whether a new client is served within seconds.
outcome connect_to(listening_server& server, const ngtcp2::tls& with) {
    boost::asio::io_context io{1};
    asio::quic_client client{io.get_executor(), of_loopback()};
    auto result = outcome::none;
    client.connect(
        {.host = "127.0.0.1", .port = server.port(), .server_name = "localhost", .alpn = {"moq-lite-05"}, .tls = with},
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

TEST_CASE("a server whose wait failed for lack of memory continues", "[out_of_memory]") {
    const auto with = client_tls();
    std::size_t nth = 0;
    for (bool all_failed = false; !all_failed;) {
        ++nth;
        CAPTURE(nth);
        listening_server server;
        fail_allocation(nth, 3);
        const auto first = connect_to(server, with);
        all_failed = !has_failed();
        fail_allocation(0);
        if (all_failed) CHECK(first == outcome::connected);
        CHECK(connect_to(server, with) == outcome::connected);
    }
    CHECK(nth > 10);
}

// The facts of a connection: TLS, certificates, addresses, the path.
#include "memory_pair.hpp"

#include <moqlite/ngtcp2/tls.hpp>

namespace moqlite::test::facts_test {

namespace {

std::string fingerprint(const ngtcp2::identity& of) {
    std::string why;
    return ngtcp2::fingerprint(of, why).value();
}

} // namespace

TEST_CASE("both ends know TLS version, cipher, server name and the server's certificate") {
    memory_pair pair;
    pair.connect(client_tls(), "LocalHost");
    REQUIRE(pair.run([&] { return !pair.client.handlers.empty() && !pair.server.handlers.empty(); }));
    const auto& client = pair.client.handlers[0]->connection.tls();
    const auto& server = pair.server.handlers[0]->connection.tls();
    for (const auto* facts : {&client, &server}) {
        CHECK(facts->version == "TLS 1.3");
        CHECK(facts->cipher == "TLS_AES_128_GCM_SHA256");
        CHECK(facts->server_name == "localhost");
        CHECK_FALSE(facts->resumed);
        CHECK(facts->early == link::early_data::none);
    }
    CHECK(client.peer_fingerprint == fingerprint(test_identity()));
    REQUIRE(client.peer_certificate.size() > 100);
    CHECK(client.peer_certificate[0] == std::byte{0x30}); // SEQUENCE
    CHECK(server.peer_fingerprint.empty());
    CHECK(server.peer_certificate.empty());
}

TEST_CASE("a client that asks for an IP address sends no server name") {
    memory_pair pair;
    pair.connect(client_tls(), "127.0.0.1");
    REQUIRE(pair.run([&] { return !pair.server.handlers.empty(); }));
    CHECK(pair.server.handlers[0]->connection.tls().server_name.empty());
    CHECK(pair.client.handlers[0]->connection.tls().server_name.empty());
}

TEST_CASE("both ends know both addresses, a client also when its socket is bound to the wildcard") {
    memory_pair pair;
    const auto wildcard = *link::address::parse("0.0.0.0", pair.client.address.port());
    std::string why;
    auto* made =
        pair.client.endpoint.connect(client_tls(), {pair.server.address, wildcard, "localhost", {"moq-lite-05"}},
            pair.client.accept(), pair.client.failed(), why, pair.now);
    REQUIRE(made != nullptr);
    CHECK(made->local() == wildcard);
    REQUIRE(pair.run([&] { return !pair.client.handlers.empty() && !pair.server.handlers.empty(); }));
    const auto& client = pair.client.handlers[0]->connection;
    const auto& server = pair.server.handlers[0]->connection;
    CHECK(client.local() == pair.client.address);
    CHECK(client.remote() == pair.server.address);
    CHECK(server.local() == pair.server.address);
    CHECK(server.remote() == pair.client.address);
}

TEST_CASE("the path is measured, and what is not known is not made up") {
    memory_pair pair;
    auto* made = pair.connect();
    CHECK_FALSE(made->stats().rtt.has_value());
    CHECK_FALSE(made->stats().min_rtt.has_value());
    CHECK_FALSE(made->stats().bitrate.has_value());
    REQUIRE(pair.run([&] { return !pair.client.handlers.empty() && !pair.server.handlers.empty(); }));
    pair.run_for(100ms);
    for (auto* end : {&pair.client, &pair.server}) {
        const auto s = end->handlers[0]->connection.stats();
        REQUIRE(s.rtt.has_value());
        CHECK(*s.rtt >= 10ms);
        CHECK(*s.rtt < 40ms);
        CHECK(s.min_rtt.value() >= 10ms);
        const auto window = static_cast<double>(s.congestion_window);
        const auto seconds = std::chrono::duration<double>(*s.rtt).count();
        CHECK(static_cast<double>(s.bitrate.value()) >= 7.9 * window / seconds);
        CHECK(static_cast<double>(s.bitrate.value()) <= 8.1 * window / seconds);
    }
}

TEST_CASE("packets and bytes are counted", "[ngtcp2-1.24]") {
    memory_pair pair;
    const auto [client, server] = pair.connected();
    pair.run_for(100ms);
    const auto s = client->connection.stats(), r = server->connection.stats();
    CHECK(s.packets_sent.value() > 2);
    CHECK(s.bytes_sent.value() >= 1200);
    CHECK(r.bytes_received.value() >= 1200);
    CHECK(s.packets_lost.value() == 0);
    CHECK(s.bytes_lost.value() == 0);
}

} // namespace moqlite::test::facts_test

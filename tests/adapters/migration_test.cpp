// A client's address changes, by a NAT or on purpose, and the connection migrates; an attacker cannot
// cause that.
#include "../../adapters/ngtcp2/detail/connection_state.hpp"
#include "memory_pair.hpp"

namespace moqlite::test::migration_test {

namespace {

constexpr std::uint16_t new_port = 2000, attacker_port = 666;
const auto data = noise(3'000'000);

bool is_complete(const recorder* r) { return !r->received.empty() && r->received.begin()->second.fin; }

/// An attacker on the path from the client to the server, who copies each `nth` packet.
struct overheard {
    explicit overheard(std::size_t nth) : every{nth} {
        pair.options.drop = [this](std::string& bytes) {
            const auto& sent = pair.client.outbox; // The server's packets are not copied.
            if (!listening || sent.empty() || &sent.front().bytes != &bytes) return false;
            if (++heard % every == 0) copies.push_back(bytes);
            return false;
        };
    }
    /// Sends it to the server, from his own address.
    void replay() {
        for (const auto& bytes : std::exchange(copies, {})) pair.inject(pair.server, attacker, bytes);
    }

    const link::address attacker = *link::address::parse("127.0.0.9", attacker_port);
    memory_pair pair;
    std::vector<std::string> copies;
    bool listening = false;
    std::size_t every, heard = 0;
};

} // namespace

TEST_CASE("a download goes on when the downloader's address has changed") {
    memory_pair pair;
    const auto [client, server] = pair.connected();
    pair.run_for(1s);
    server->send(direction::uni, data);
    pair.run_for(20ms);
    REQUIRE_FALSE(is_complete(client));
    pair.client.address.port(new_port);
    REQUIRE(pair.run([c = client] { return is_complete(c); }, 5s));
    CHECK(client->received.begin()->second.bytes == data);
    CHECK(pair.server.astray[1000] > 0); // Until the server has migrated.
    CHECK(server->connection.remote().port() == new_port);
}

TEST_CASE("an address that changes ten times during a transfer costs no byte") {
    memory_pair pair;
    const auto [client, server] = pair.connected();
    pair.run_for(1s);
    server->send(direction::uni, data);
    client->send(direction::uni, data);
    for (std::uint16_t i = 0; i < 10; ++i) {
        pair.run_for(30ms);
        pair.client.address.port(static_cast<std::uint16_t>(new_port + i));
    }
    REQUIRE(pair.run([c = client, s = server] { return is_complete(c) && is_complete(s); }, 60s));
    CHECK(client->received.begin()->second.bytes == data);
    CHECK(server->received.begin()->second.bytes == data);
    pair.run_for(5s);
    CHECK(server->connection.remote().port() == new_port + 9);
}

TEST_CASE("an idle client behind a forgetful NAT is found again by its keep-alive") {
    memory_pair pair;
    const auto [client, server] = pair.connected();
    pair.run_for(60s);
    pair.client.address.port(new_port);
    pair.run_for(60s);
    REQUIRE(pair.server.endpoint.connections() == 1);
    server->send(direction::uni, "found");
    REQUIRE(pair.run([c = client] { return is_complete(c); }, 1s));
}

TEST_CASE("active migration is allowed, and followed") {
    memory_pair pair;
    const auto [client, server] = pair.connected();
    pair.run_for(1s);
    auto& inner = ngtcp2::detail::state_of(client->connection);
    CHECK(ngtcp2_conn_get_remote_transport_params(inner.conn)->disable_active_migration == 0);
    client->send(direction::uni, data);
    server->send(direction::uni, data);
    pair.run_for(20ms);

    pair.client.address.port(new_port);
    inner.bound = pair.client.address;
    const ngtcp2_path path{
        ngtcp2::detail::to_ngtcp2(inner.bound), ngtcp2::detail::to_ngtcp2(pair.server.address), nullptr};
    REQUIRE(ngtcp2_conn_initiate_immediate_migration(inner.conn, &path, ngtcp2::detail::to_ngtcp2(pair.now)) == 0);
    client->connection.wake();
    REQUIRE(pair.run([c = client, s = server] { return is_complete(c) && is_complete(s); }, 10s));
    CHECK(client->received.begin()->second.bytes == data);
    CHECK(server->received.begin()->second.bytes == data);
    CHECK(server->connection.remote().port() == new_port);
}

TEST_CASE("a client gets a token for its new IP address") {
    pair_options options;
    options.server.retry = true;
    int retries = 0;
    options.drop = [&](std::string& bytes) { return retries += is_retry(bytes), false; };
    memory_pair pair{std::move(options)};
    const auto [client, server] = pair.connected();
    pair.run_for(1s);
    CHECK(retries == 1);
    pair.client.address = *link::address::parse("127.0.0.2", 1000);
    client->send(direction::uni, "from elsewhere");
    pair.run_for(1s);
    CHECK(server->connection.remote() == pair.client.address);
    pair.connect();
    REQUIRE(pair.run([&] { return pair.server.handlers.size() == 2; }));
    CHECK(retries == 1);
}

TEST_CASE("packets replayed or forged from another address cause no migration and no answer") {
    overheard scene{1};
    auto& pair = scene.pair;
    const auto [client, server] = pair.connected();
    pair.run_for(1s);
    client->send(direction::uni, data);
    scene.listening = true;
    for (int i = 0; i < 20; ++i) {
        pair.run_for(10ms);
        auto overheard_now = std::exchange(scene.copies, {});
        pair.run_for(10ms); // They have arrived.
        scene.copies = overheard_now;
        scene.replay();
        for (auto& bytes : overheard_now) bytes.back() = static_cast<char>(bytes.back() ^ 1);
        scene.copies = std::move(overheard_now);
        scene.replay();
    }
    REQUIRE(scene.heard > 1000);
    REQUIRE(pair.run([s = server] { return is_complete(s); }, 10s));
    CHECK(server->received.begin()->second.bytes == data);
    CHECK(server->connection.remote().port() == 1000);
    CHECK(pair.server.astray[attacker_port] == 0);
}

TEST_CASE("an attacker that outruns the client's packets cannot take over its connection") {
    overheard scene{20};
    auto& pair = scene.pair;
    const auto [client, server] = pair.connected();
    pair.run_for(1s);
    client->send(direction::uni, data);
    server->send(direction::uni, data);
    scene.listening = true;
    // Their copies arrive before them.
    const auto both = [c = client, s = server] { return is_complete(c) && is_complete(s); };
    for (int i = 0; i < 1000 && !both(); ++i) {
        pair.run_for(1ms);
        scene.replay();
    }
    CHECK(pair.server.astray[attacker_port] > 0); // It worked for a moment.
    scene.listening = false;
    REQUIRE(pair.run(both, 30s));
    CHECK(client->received.begin()->second.bytes == data);
    CHECK(server->received.begin()->second.bytes == data);
    pair.run_for(3s);
    CHECK(server->connection.remote().port() == 1000);
}

TEST_CASE("a server does not migrate: packets in its name from elsewhere are neither accepted nor answered") {
    memory_pair pair;
    const auto elsewhere = *link::address::parse("127.0.0.9", attacker_port);
    bool diverted = false;
    std::vector<std::string> copies;
    pair.options.drop = [&](std::string& bytes) {
        const auto& sent = pair.server.outbox;
        if (!diverted || sent.empty() || &sent.front().bytes != &bytes) return false;
        copies.push_back(bytes);
        return true;
    };
    const auto [client, server] = pair.connected();
    pair.run_for(1s);
    server->send(direction::uni, data);
    pair.run_for(20ms);
    diverted = true;
    pair.run_for(10ms); // Packets in flight have arrived.
    const auto before = client->received.begin()->second.bytes.size();
    for (int i = 0; i < 1000; ++i) {
        pair.run_for(1ms);
        for (const auto& bytes : std::exchange(copies, {})) pair.inject(pair.client, elsewhere, bytes);
    }
    CHECK(client->received.begin()->second.bytes.size() == before);
    CHECK(pair.client.astray[attacker_port] == 0);
    diverted = false;
    REQUIRE(pair.run([c = client] { return is_complete(c); }));
    CHECK(client->received.begin()->second.bytes == data);
    CHECK(client->connection.remote() == pair.server.address);
}

} // namespace moqlite::test::migration_test

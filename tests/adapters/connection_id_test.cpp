// Connection ids are issued and retired; none is left behind. Uses private members, as nothing public counts them.
#include "../../adapters/ngtcp2/detail/endpoint_state.hpp"
#include "memory_pair.hpp"

#include <algorithm>
#include <catch2/generators/catch_generators.hpp>
#include <memory>

namespace moqlite::test::connection_id_test {

namespace {

ngtcp2::detail::endpoint_state& home_of(const recorder* r) { return ngtcp2::detail::state_of(r->connection).endpoint; }

/// The client moves to another port, and to another connection id; false: it has none yet.
bool migrate(memory_pair& pair, recorder* client, std::uint16_t port) {
    auto& inner = ngtcp2::detail::state_of(client->connection);
    auto local = pair.client.address;
    local.port(port);
    const ngtcp2_path path{ngtcp2::detail::to_ngtcp2(local), ngtcp2::detail::to_ngtcp2(pair.server.address), nullptr};
    if (ngtcp2_conn_initiate_immediate_migration(inner.conn, &path, ngtcp2::detail::to_ngtcp2(pair.now)) != 0)
        return false;
    inner.bound = pair.client.address = local;
    client->connection.wake();
    return true;
}

/// Both ends have dropped all state.
void must_be_forgotten(memory_pair& pair, const std::vector<const ngtcp2::detail::endpoint_state*>& homes) {
    pair.run_for(30s);
    for (const auto* home : homes) {
        CHECK(home->routes.empty());
        CHECK(home->reset_tokens.empty());
        CHECK(home->handshakes == 0);
        CHECK(home->timers.top() == nullptr);
    }
}

} // namespace

TEST_CASE("after a thousand retired connection ids only those in use are routed") {
    memory_pair pair;
    const auto [client, server] = pair.connected();
    pair.run_for(1s);
    auto& ours = home_of(server);
    auto& theirs = home_of(client);
    const auto routes = ours.routes.size();
    CHECK(routes <= 10);
    std::size_t most = 0, moves = 0;
    for (std::uint16_t i = 0; moves < 1000 && i < 3000; ++i) {
        if (migrate(pair, client, static_cast<std::uint16_t>(2000 + i))) ++moves;
        pair.run_for(50ms);
        most = std::max(most, ours.routes.size());
        REQUIRE(pair.server.endpoint.connections() == 1);
    }
    CHECK(moves == 1000);
    CHECK(most <= 2 * routes);
    pair.run_for(5s);
    CHECK(ours.routes.size() <= routes);
    CHECK(theirs.routes.size() <= 10);
    CHECK(theirs.reset_tokens.size() <= 4);
    client->send(direction::uni, "still here");
    REQUIRE(pair.run([c = client] { return c->closed_streams.size() == 1; }));
    client->connection.close(app_error::cancel, "bye");
    must_be_forgotten(pair, {&ours, &theirs});
}

TEST_CASE("a connection that has ended leaves nothing behind, however it ended") {
    auto dead = std::make_shared<bool>(false);
    pair_options options;
    options.drop = [dead](std::string&) { return *dead; };
    options.server.retry = GENERATE(false, true);
    memory_pair pair{std::move(options)};
    const auto [client, server] = pair.connected();
    const std::vector<const ngtcp2::detail::endpoint_state*> both{&home_of(client), &home_of(server)};
    pair.run_for(1s);

    SECTION("closed by the client") { client->connection.close(app_error::cancel, "bye"); }
    SECTION("closed by the server") { server->connection.close(app_error::cancel, "bye"); }
    SECTION("closed by both at once") {
        client->connection.close(app_error::cancel, "bye");
        server->connection.close(app_error::cancel, "bye");
    }
    SECTION("by silence") { *dead = true; }
    SECTION("beside handshakes that failed, at the server and at the client") {
        pair.connect(client_tls(), "localhost", {"unknown"});
        pair.connect(client_tls(ngtcp2::trust::fingerprint(std::string(64, '0'))));
        pair.run_for(1s);
        CHECK(pair.client.failures.size() == 2);
        pair.connect();
        pair.run_for(7ms);
        *dead = true;
    }
    must_be_forgotten(pair, both);
}

TEST_CASE("incomplete handshakes leave nothing behind") {
    pair_options options;
    options.server.handshakes = options.server.unvalidated = 10;
    memory_pair pair{std::move(options)};
    const auto [client, server] = pair.connected();
    auto& ours = home_of(server);
    const auto nowhere = *link::address::parse("127.0.0.9", 9);
    for (int i = 0; i < 3; ++i) {
        for (const auto& packet : first_flights(20, nowhere)) pair.inject(pair.server, nowhere, packet);
        CHECK(ours.handshakes <= 10);
        CHECK(ours.routes.size() <= 50);
        pair.run_for(15s);
    }
    client->connection.close(app_error::cancel, "bye");
    must_be_forgotten(pair, {&ours});
}

} // namespace moqlite::test::connection_id_test

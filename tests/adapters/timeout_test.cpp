// Timeouts of a silent peer, in virtual time: during the handshake and after it.
#include "memory_pair.hpp"

#include <catch2/generators/catch_generators.hpp>

namespace moqlite::test::timeout_test {

TEST_CASE("a client that vanishes after its first packet is dropped at the handshake timeout") {
    pair_options options;
    options.server.handshake_timeout = GENERATE(3s, 7s);
    options.server.idle_timeout = 60s;
    memory_pair pair{options};
    const auto nowhere = *link::address::parse("127.0.0.9", 9);
    pair.inject(pair.server, nowhere, first_flights(1, nowhere).at(0));
    pair.run_for(options.server.handshake_timeout - 100ms);
    CHECK(pair.server.endpoint.connections() == 1);
    pair.run_for(200ms);
    CHECK(pair.server.endpoint.connections() == 0);
    CHECK(pair.server.handlers.empty());
}

TEST_CASE("a client whose last handshake packet is always lost and its server give each other up") {
    memory_pair pair;
    // The client completes the handshake when it sends its last message.
    pair.options.drop = [&](std::string&) { return !pair.client.handlers.empty(); };
    pair.connect();
    REQUIRE(pair.run([&] { return !pair.client.handlers.empty(); }));
    CHECK(pair.server.endpoint.connections() == 1);
    pair.run_for(25s);
    CHECK(pair.server.handlers.empty());
    CHECK(pair.server.endpoint.connections() == 0);
    CHECK(pair.client.endpoint.connections() == 0);
}

TEST_CASE(
    "the number of handshakes is limited by the options, and the oldest yields to a new one after half a second") {
    pair_options options;
    options.server.handshakes = 3;
    options.client.handshake_timeout = options.client.idle_timeout = 60s;
    memory_pair pair{std::move(options)};
    const auto nowhere = *link::address::parse("127.0.0.9", 9);
    for (const auto& packet : first_flights(10, nowhere)) pair.inject(pair.server, nowhere, packet);
    CHECK(pair.server.endpoint.connections() == 3);
    pair.connect();
    pair.run_for(200ms);
    CHECK(pair.server.handlers.empty());
    // The client retransmits until it is answered.
    REQUIRE(pair.run([&] { return !pair.server.handlers.empty(); }, 1s));
    CHECK(pair.server.endpoint.connections() == 3);
}

TEST_CASE("a vanished peer is dropped at the idle timeout, on either side") {
    pair_options options;
    bool dead = false;
    options.drop = [&](std::string&) { return dead; };
    options.server.idle_timeout = 3s;
    memory_pair pair{std::move(options)};
    const auto [client, server] = pair.connected();
    const auto client_end = client->ended, server_end = server->ended;
    pair.run_for(30s);
    REQUIRE(pair.server.endpoint.connections() == 1);
    dead = true;
    client->send(direction::uni, "nobody hears it");
    pair.run_for(1900ms);
    CHECK_FALSE(client_end->has_value());
    CHECK_FALSE(server_end->has_value());
    // A sender's timeout restarts with the first packet after one received.
    pair.run_for(3200ms);
    REQUIRE(client_end->has_value());
    REQUIRE(server_end->has_value());
    CHECK((*client_end)->reason == "idle timeout");
    CHECK((*server_end)->reason == "idle timeout");
}

} // namespace moqlite::test::timeout_test

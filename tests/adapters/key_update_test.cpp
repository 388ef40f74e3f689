// Key updates without TLS, which a server has freed by then. Uses private members, as nothing public starts one.
#include "../../adapters/ngtcp2/detail/connection_state.hpp"
#include "memory_pair.hpp"

namespace moqlite::test::key_update_test {

TEST_CASE("keys can be updated by either end, long after the handshake") {
    memory_pair pair;
    const auto [client, server] = pair.connected();
    pair.run_for(3s);
    CHECK(ngtcp2::detail::state_of(server->connection).crypto == nullptr);
    for (auto* from : {client, server, client}) {
        auto* conn = ngtcp2::detail::state_of(from->connection).conn;
        REQUIRE(ngtcp2_conn_initiate_key_update(conn, ngtcp2::detail::to_ngtcp2(pair.now)) == 0);
        client->send(direction::uni, noise(100'000));
        server->send(direction::uni, noise(100'000));
        pair.run_for(3s);
    }
    CHECK(client->received.size() == 3);
    CHECK(server->received.size() == 3);
    for (const auto* end : {client, server})
        for (const auto& [id, in] : end->received) CHECK((in.fin && in.bytes.size() == 100'000));
}

TEST_CASE("keys are updated repeatedly by both ends, also at the same moment, with bytes in flight") {
    pair_options options;
    options.drop = [n = 0](std::string&) mutable { return ++n % 100 == 0; };
    memory_pair pair{std::move(options)};
    const auto [client, server] = pair.connected();
    pair.run_for(1s);
    const auto up = noise(20'000'000, 1), down = noise(20'000'000, 2);
    client->send(direction::uni, up);
    server->send(direction::uni, down);
    const auto done = [c = client, s = server] {
        return !c->received.empty() && c->received.begin()->second.fin && !s->received.empty() &&
               s->received.begin()->second.fin;
    };
    // An end may begin one only when the one before is confirmed and three PTO old.
    const auto update = [&](const recorder* end) {
        auto* conn = ngtcp2::detail::state_of(end->connection).conn;
        return ngtcp2_conn_initiate_key_update(conn, ngtcp2::detail::to_ngtcp2(pair.now)) == 0 ? 1 : 0;
    };
    int by_client = 0, by_server = 0, by_both = 0;
    for (int i = 0; i < 10'000 && !done(); ++i) {
        pair.run_for(10ms);
        const int theirs = i % 3 != 1 ? update(client) : 0, ours = i % 3 != 0 ? update(server) : 0;
        by_client += theirs;
        by_server += ours;
        by_both += theirs != 0 && ours != 0;
    }
    REQUIRE(done());
    CHECK(by_client > 2);
    CHECK(by_server > 2);
    CHECK(by_both > 0);
    CHECK(server->received.begin()->second.bytes == up);
    CHECK(client->received.begin()->second.bytes == down);
}

} // namespace moqlite::test::key_update_test

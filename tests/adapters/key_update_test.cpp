// Keys change without TLS, which a server has freed by then. Looks inside, for nothing public starts one.
#include "../../adapters/ngtcp2/detail/connection_state.hpp"
#include "memory_pair.hpp"

using namespace moqlite;
using namespace moqlite::test;

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

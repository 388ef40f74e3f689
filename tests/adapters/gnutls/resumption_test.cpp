// Sessions are not resumed with GnuTLS.
#include "../memory_pair.hpp"

namespace moqlite::test::gnutls_resumption_test {

TEST_CASE("a server cannot issue tickets with GnuTLS, and says so") {
    std::string why;
    CHECK_FALSE(ngtcp2::tls::server(
        {.alpn = {"moq-lite-05"}, .who = test_identity(), .tickets = ngtcp2::ticket_keys::random()}, why));
    CHECK(why == "session tickets are not supported with GnuTLS");
}

TEST_CASE("a client that wants to resume makes a full handshake with GnuTLS") {
    memory_pair pair;
    std::string why;
    REQUIRE(pair.client.endpoint.connect(client_tls(),
                {.remote = pair.server.address,
                    .local = pair.client.address,
                    .server_name = "localhost",
                    .alpn = {"moq-lite-05"},
                    .resume = ngtcp2::resumption::early_data},
                pair.client.accept(), pair.client.failed(), why, pair.now) != nullptr);
    pair.run_for(1ms);
    CHECK(pair.client.handlers.empty());
    REQUIRE(pair.run([&] { return !pair.client.handlers.empty(); }));
    CHECK_FALSE(pair.client.handlers[0]->connection.tls().resumed);
    CHECK(pair.client.handlers[0]->connection.tls().early == link::early_data::none);
}

TEST_CASE("clients of a CA and a certificate by name exclude each other with GnuTLS") {
    std::string why;
    CHECK_FALSE(
        ngtcp2::tls::server({.alpn = {"moq-lite-05"},
                                .who = test_identity(),
                                .by_name = [](std::string_view) -> std::optional<ngtcp2::tls> { return std::nullopt; },
                                .clients = ngtcp2::client_authentication{ngtcp2::trust::ca_file("/any")}},
            why));
    CHECK(why == "with GnuTLS a server cannot both choose its certificate by name and verify clients by a CA");
}

} // namespace moqlite::test::gnutls_resumption_test

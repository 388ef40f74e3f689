// WebTransport sessions over real QUIC and HTTP/3, our client and our server.
#include "webtransport_pair.hpp"

#include <catch2/generators/catch_generators.hpp>

namespace moqlite::test::webtransport_test {

TEST_CASE("a session is established, and both ends know its request", "[webtransport]") {
    webtransport_pair pair;
    pair.ask({"moq-lite-05", "moq-lite-04"}, "/room/a?token=1", "https://example.com");
    REQUIRE(pair.run([&] { return !pair.client.handlers.empty() && !pair.server.handlers.empty(); }));
    REQUIRE(pair.requests.size() == 1);
    CHECK(pair.requests[0].path == "/room/a?token=1");
    CHECK(pair.requests[0].authority == "localhost:4443");
    CHECK(pair.requests[0].origin == "https://example.com");
    CHECK(pair.requests[0].protocols == std::vector<std::string>{"moq-lite-05", "moq-lite-04"});
    CHECK(pair.requests[0].remote == pair.client.address);
    auto& near = pair.client.handlers[0]->connection;
    auto& far = pair.server.handlers[0]->connection;
    CHECK(near.alpn() == "moq-lite-05");
    CHECK(far.alpn() == "moq-lite-05");
    CHECK(near.side() == role::client);
    CHECK(far.side() == role::server);
    CHECK(near.datagram_size() > 1000);
    CHECK(pair.server_counts->sessions == 1);
    CHECK(pair.client_counts->sessions == 1);
}

TEST_CASE("streams carry bytes in both directions, and end", "[webtransport]") {
    webtransport_pair pair;
    const auto [client, server] = pair.session();
    for (auto* from : {client, server}) {
        auto* to = from == client ? server : client;
        for (const auto kind : {direction::uni, direction::bidi}) {
            const auto bytes = noise(100'000, kind == direction::uni ? 1 : 2);
            const auto before = from->opened.size();
            from->send(kind, bytes);
            REQUIRE(pair.run([&] { return from->opened.size() > before && to->received[from->opened.back()].fin; }));
            const auto id = from->opened.back();
            CHECK(to->received[id].bytes == bytes);
            REQUIRE(pair.run([&] { return from->sent[id].acked == bytes.size(); }));
            if (kind == direction::uni) REQUIRE(pair.run([&] { return from->closed_streams.contains(id); }));
        }
    }
}

} // namespace moqlite::test::webtransport_test

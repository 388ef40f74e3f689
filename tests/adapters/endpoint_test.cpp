// Two endpoints in memory: handshake, streams, limits, ends.
#include "memory_pair.hpp"

#include <memory>
#include <moqlite/link/error_code.hpp>
#include <utility>

namespace moqlite::test::endpoint_test {

namespace {

app_error in_http3(app_error code) { return app_error{number(webtransport::to_http3_code(code))}; }

} // namespace

TEST_CASE("two endpoints complete a handshake and agree on an ALPN") {
    memory_pair pair;
    const auto [client, server] = pair.connected();
    CHECK(client->connection.alpn() == "moq-lite-05");
    CHECK(server->connection.alpn() == "moq-lite-05");
    CHECK(client->connection.side() == role::client);
    CHECK(server->connection.side() == role::server);
    CHECK(server->connection.remote() == pair.client.address);
    CHECK(pair.server.endpoint.connections() == 1);
}

TEST_CASE("the server's preference among ALPNs decides") {
    memory_pair pair;
    pair.connect(client_tls(), "localhost", {"moq-lite-04", "moq-lite-05"});
    REQUIRE(pair.run([&] { return !pair.client.handlers.empty(); }));
    CHECK(pair.client.handlers[0]->connection.alpn() == "moq-lite-05");
}

TEST_CASE("64 MiB arrive byte for byte, and every byte is acknowledged") {
    memory_pair pair;
    const auto [client, server] = pair.connected();
    const auto data = noise(64 * 1024 * 1024);
    client->send(direction::uni, data);
    REQUIRE(pair.run([&, s = server] { return !s->received.empty() && s->received.begin()->second.fin; }, 600s));
    CHECK(server->received.begin()->second.bytes == data);
    REQUIRE(pair.run([&, c = client] { return c->closed_streams.size() == 1; }));
    CHECK(client->sent.begin()->second.acked == data.size());
    CHECK(client->closed_streams.begin()->second == std::nullopt);
}

TEST_CASE("a loss of one packet in twenty costs time and no bytes") {
    pair_options options;
    options.drop = [n = 0](std::string&) mutable { return ++n % 20 == 0; };
    memory_pair pair{std::move(options)};
    const auto [client, server] = pair.connected();
    const auto up = noise(2'000'000, 2), down = noise(2'000'000, 3);
    client->send(direction::bidi, up);
    server->send(direction::uni, down);
    REQUIRE(pair.run(
        [c = client, s = server] {
            return !s->received.empty() && s->received.begin()->second.fin && !c->received.empty() &&
                   c->received.begin()->second.fin;
        },
        600s));
    CHECK(server->received.begin()->second.bytes == up);
    CHECK(client->received.begin()->second.bytes == down);
}

TEST_CASE("a thousand small streams share packets and all arrive") {
    memory_pair pair;
    const auto [client, server] = pair.connected();
    for (int i = 0; i < 1000; ++i) client->send(direction::uni, "stream " + std::to_string(i));
    REQUIRE(pair.run([c = client] { return c->closed_streams.size() == 1000; }));
    CHECK(server->received.size() == 1000);
    for (const auto& [id, in] : server->received) CHECK(in.bytes == "stream " + std::to_string(number(id) / 4));
    CHECK(client->connection.stats().packets_sent < 200);
}

TEST_CASE("a stream without bytes is a lone FIN") {
    memory_pair pair;
    const auto [client, server] = pair.connected();
    client->send(direction::uni, "");
    REQUIRE(pair.run([c = client] { return c->closed_streams.size() == 1; }));
    REQUIRE(server->received.size() == 1);
    CHECK(server->received.begin()->second.fin);
    CHECK(server->received.begin()->second.bytes.empty());
}

TEST_CASE("a stream limit blocks open() until a stream has closed") {
    pair_options options;
    options.server.uni_streams = 3;
    memory_pair pair{std::move(options)};
    const auto [client, server] = pair.connected();
    for (int i = 0; i < 20; ++i) client->send(direction::uni, noise(1000));
    pair.run_until(pair.now, {});
    CHECK(client->opened.size() == 3);
    CHECK(client->wanted.size() == 17);
    REQUIRE(pair.run([c = client] { return c->closed_streams.size() == 20; }));
    CHECK(client->available[direction::uni] > 0);
    CHECK(server->received.size() == 20);
}

TEST_CASE("without stream credit a write stops at the window, and continues when there is credit") {
    pair_options options;
    options.server.stream_window = 10'000;
    memory_pair pair{std::move(options)};
    const auto [client, server] = pair.connected();
    server->give_credit = false;
    client->send(direction::uni, noise(30'000));
    client->send(direction::uni, noise(5'000));
    pair.run_for(1s);
    CHECK(client->sent[client->opened[0]].written == 10'000);
    CHECK(client->sent[client->opened[0]].blocked);
    CHECK(client->closed_streams.contains(client->opened[1])); // The other one is not delayed.
    server->connection.credit(client->opened[0], 20'000);
    REQUIRE(pair.run([c = client] { return c->closed_streams.size() == 2; }));
}

TEST_CASE("connection credit is returned at once, however little stream credit is") {
    pair_options options;
    options.server.connection_window = 100'000;
    options.server.stream_window = 90'000;
    memory_pair pair{std::move(options)};
    const auto [client, server] = pair.connected();
    server->give_credit = false;
    for (int i = 0; i < 10; ++i) client->send(direction::uni, noise(80'000));
    REQUIRE(pair.run([c = client] { return c->closed_streams.size() == 10; }));
}

TEST_CASE("RESET_STREAM and STOP_SENDING carry their codes raw", "[ngtcp2-1.24]") {
    memory_pair pair;
    const auto [client, server] = pair.connected();
    client->give_credit = server->give_credit = false;
    client->send(direction::bidi, noise(3'000'000));
    REQUIRE(pair.run([s = server] { return !s->received.empty(); }));
    const auto id = client->opened.at(0);
    client->in_pump([id](link::connection& c) { c.reset(id, app_error::old); });
    client->sent[id].done = true;
    REQUIRE(pair.run([s = server, id] { return s->received[id].reset.has_value(); }));
    CHECK(server->received[id].reset == app_error::old);

    client->in_pump([id](link::connection& c) { c.stop(id, app_error::unroutable); });
    server->sent[id].bytes = "";
    server->sent[id].fin = false;
    server->sent[id].done = true;
    REQUIRE(pair.run([s = server, id] { return s->sent[id].stopped.has_value(); }));
    CHECK(server->sent[id].stopped == app_error::unroutable);
    REQUIRE(
        pair.run([c = client, s = server] { return c->closed_streams.size() == 1 && s->closed_streams.size() == 1; }));
    CHECK(client->closed_streams.at(id).has_value());
}

TEST_CASE("stream codes in the HTTP/3 range are understood as well", "[ngtcp2-1.24]") {
    memory_pair pair;
    const auto [client, server] = pair.connected();
    client->send(direction::uni, noise(3'000'000));
    server->give_credit = false;
    REQUIRE(pair.run([s = server] { return !s->received.empty(); }));
    const auto id = client->opened.at(0);
    server->in_pump([id](link::connection& c) { c.stop(id, in_http3(app_error::evicted)); });
    REQUIRE(pair.run([c = client, id] { return c->sent[id].stopped.has_value(); }));
    CHECK(client->sent[id].stopped == app_error::evicted);

    client->send(direction::uni, noise(3'000'000));
    REQUIRE(pair.run([s = server] { return s->received.size() == 2; }));
    const auto second = client->opened.at(1);
    client->sent[second].done = true;
    client->in_pump([second](link::connection& c) { c.reset(second, in_http3(app_error::unroutable)); });
    REQUIRE(pair.run([s = server, second] { return s->received[second].reset.has_value(); }));
    CHECK(server->received[second].reset == app_error::unroutable);
}

TEST_CASE("every 32-bit code survives the HTTP/3 range") {
    for (const std::uint64_t n : {0ull, 1ull, 29ull, 30ull, 31ull, 59ull, 60ull, 0xffffffffull})
        CHECK(number(link::from_wire_code(number(in_http3(app_error{n})))) == n);
    CHECK(number(link::from_wire_code(26)) == 26);
}

TEST_CASE("a reset between two writes of one packet does no harm") {
    memory_pair pair;
    const auto [client, server] = pair.connected();
    client->in_pump([](link::connection& c) {
        const auto a = c.open(direction::uni), b = c.open(direction::uni);
        static const std::string text = "partial";
        const byte_view view = as_bytes(text);
        REQUIRE(c.write({*a, {&view, 1}, view.size(), false}) == view.size());
        c.reset(*a, app_error::cancel);
        REQUIRE(c.write({*b, {&view, 1}, view.size(), true}) == view.size());
        REQUIRE(c.open(direction::uni).has_value()); // Finishes the packet by itself.
    });
    REQUIRE(pair.run([c = client] { return c->closed_streams.size() == 2; }));
    CHECK(server->received.at(stream_id{6}).bytes == "partial");
}

TEST_CASE("a write to an unknown stream takes nothing and ends nothing") {
    memory_pair pair;
    const auto [client, server] = pair.connected();
    client->in_pump([](link::connection& c) {
        const byte_view view = as_bytes("x");
        CHECK(c.write({stream_id{400}, {&view, 1}, 1, true}) == 0);
    });
    pair.run_for(1s);
    CHECK(pair.client.endpoint.connections() == 1);
}

TEST_CASE("datagrams are sent when they fit, and dropped when they do not", "[dialects §16.2.18]") {
    memory_pair pair;
    const auto [client, server] = pair.connected();
    pair.run_for(1s);
    const auto size = client->connection.datagram_size();
    REQUIRE(size > 1100);
    client->in_pump([size](link::connection& c) {
        CHECK(c.send(as_bytes(std::string(size, 'd'))));
        CHECK_FALSE(c.send(as_bytes(std::string(70'000, 'd'))));
    });
    REQUIRE(pair.run([s = server] { return s->datagrams.size() == 1; }));
    CHECK(server->datagrams[0] == std::string(size, 'd'));
}

TEST_CASE("close() sends the peer code and reason, once, from either end") {
    memory_pair pair;
    const auto [client, server] = pair.connected();
    const auto client_end = client->ended, server_end = server->ended;
    server->connection.close(app_error::lagged, "too slow");
    server->connection.close(app_error::cancel, "not this");
    REQUIRE(pair.run([&] { return client_end->has_value() && server_end->has_value(); }));
    CHECK((*client_end)->by_peer);
    CHECK((*client_end)->app_code() == app_error::lagged);
    CHECK((*client_end)->reason == "too slow");
    CHECK_FALSE((*server_end)->by_peer);
    CHECK((*server_end)->app_code() == app_error::lagged);
    CHECK(pair.server.endpoint.connections() == 0);
    CHECK(pair.server.endpoint.closing() == 1);
    pair.run_for(11s);
    CHECK(pair.server.endpoint.closing() == 0);
    CHECK(pair.client.endpoint.closing() == 0);
}

TEST_CASE("a connection may be closed from within any input") {
    memory_pair pair;
    const auto [client, server] = pair.connected();
    const auto end = server->ended;
    server->on_received = [s = server](stream_id) { s->connection.close(app_error::decode, "bad"); };
    client->send(direction::uni, noise(100'000));
    REQUIRE(pair.run([&] { return end->has_value(); }));
    CHECK((*end)->reason == "bad");
}

TEST_CASE("a lost CONNECTION_CLOSE is repeated to a peer that goes on sending") {
    pair_options options;
    auto dropping = std::make_shared<bool>(false);
    options.drop = [dropping](std::string&) { return std::exchange(*dropping, false); };
    memory_pair pair{std::move(options)};
    const auto [client, server] = pair.connected();
    pair.run_for(1s);
    const auto end = client->ended;
    server->connection.close(app_error::cancel, "bye");
    *dropping = true;
    pair.run_until(pair.now);
    client->send(direction::uni, "are you there?");
    REQUIRE(pair.run([&] { return end->has_value(); }, 500ms));
    CHECK((*end)->reason == "bye");
}

TEST_CASE("keep-alive holds an idle connection, silence ends it after the idle timeout") {
    pair_options options;
    auto dead = std::make_shared<bool>(false);
    options.drop = [dead](std::string&) { return *dead; };
    memory_pair pair{std::move(options)};
    const auto [client, server] = pair.connected();
    const auto end = server->ended;
    pair.run_for(120s);
    REQUIRE(pair.server.endpoint.connections() == 1);
    *dead = true;
    const auto since = pair.now;
    REQUIRE(pair.run([&] { return end->has_value(); }));
    CHECK((*end)->reason == "idle timeout");
    // Counted from the peer's last packet, a keep-alive at most 2 s ago.
    CHECK(pair.now - since >= 6s);
    CHECK(pair.now - since <= 8s);
}

TEST_CASE("the shorter idle timeout of the two counts for both ends' keep-alive") {
    pair_options options;
    options.server.idle_timeout = 2s;
    options.client.idle_timeout = 60s;
    memory_pair pair{std::move(options)};
    pair.connected();
    pair.run_for(60s);
    CHECK(pair.client.endpoint.connections() == 1);
}

TEST_CASE("a handshake without an answer fails by its timeout") {
    pair_options options;
    options.drop = [](std::string&) { return true; };
    memory_pair pair{std::move(options)};
    pair.connect();
    const auto since = pair.now;
    REQUIRE(pair.run([&] { return !pair.client.failures.empty(); }));
    CHECK(pair.client.failures[0] == "handshake timeout");
    CHECK(pair.now - since <= 11s);
    CHECK(pair.client.endpoint.connections() == 0);
}

TEST_CASE("the server drops an incomplete handshake after its timeout") {
    pair_options options;
    options.drop = [n = 0](std::string&) mutable { return n++ > 0; };
    memory_pair pair{std::move(options)};
    pair.connect();
    pair.run_for(60ms);
    CHECK(pair.server.endpoint.connections() == 1);
    pair.run_for(30s);
    CHECK(pair.server.endpoint.connections() == 0);
    CHECK(pair.server.handlers.empty());
}

TEST_CASE("an endpoint accepts as many connections as its options allow") {
    pair_options options;
    options.server.connections = 2;
    memory_pair pair{std::move(options)};
    for (int i = 0; i < 3; ++i) pair.connect();
    pair.run_for(30s);
    CHECK(pair.server.handlers.size() == 2);
    CHECK(pair.client.failures.size() == 1);
}

TEST_CASE("close_all() ends every connection, and refuse() accepts no new one") {
    memory_pair pair;
    for (int i = 0; i < 5; ++i) pair.connect();
    REQUIRE(pair.run([&] { return pair.server.handlers.size() == 5; }));
    const auto ends = pair.client.ends;
    pair.server.endpoint.refuse();
    pair.server.endpoint.close_all(app_error::closed, "shutting down");
    REQUIRE(pair.run([&] { return pair.client.endpoint.connections() == 0; }));
    for (const auto& end : ends) CHECK((*end)->reason == "shutting down");
    pair.connect();
    pair.run_for(20s);
    CHECK(pair.server.handlers.size() == 5);
    REQUIRE(pair.client.failures.size() == 1);
    CHECK(pair.client.failures.back().find("CONNECTION_REFUSED") != std::string::npos);
}

TEST_CASE("a source beyond its refusals or version negotiations per second takes none from others", "[attack]") {
    pair_options options;
    options.server.random = same_each_time();
    memory_pair pair{std::move(options)};
    pair.server.endpoint.refuse();
    pair.connect();
    const auto flood = [&](const std::string& bytes) {
        for (int i = 0; i < 1500; ++i)
            pair.inject(pair.server, *link::address::parse("127.0.0.9", static_cast<std::uint16_t>(1000 + i)), bytes);
        const auto answered = pair.server.outbox.size();
        pair.inject(pair.server, pair.client.address, bytes);
        const auto with_other = pair.server.outbox.size();
        pair.server.outbox.clear();
        return std::pair{answered, with_other};
    };
    pair.client.endpoint.pump(pair.now);
    REQUIRE_FALSE(pair.client.outbox.empty());
    auto first = pair.client.outbox.front().bytes;
    CHECK(flood(first) == std::pair{std::size_t{1000}, std::size_t{1001}});
    first[4] = 7; // An unknown version.
    CHECK(flood(first) == std::pair{std::size_t{1000}, std::size_t{1001}});
}

TEST_CASE("a client whose address changes during a transfer keeps its connection") {
    memory_pair pair;
    const auto [client, server] = pair.connected();
    pair.run_for(1s);
    client->send(direction::uni, noise(3'000'000));
    pair.run_for(20ms);
    pair.client.address.port(2000); // A NAT dropped the mapping.
    REQUIRE(pair.run([c = client] { return c->closed_streams.size() == 1; }));
    CHECK(server->connection.remote().port() == 2000);
    CHECK(server->received.begin()->second.bytes == noise(3'000'000));
}

TEST_CASE("wake() within a connection's own pump pumps it in the next turn, not in this one") {
    memory_pair pair;
    const auto [client, server] = pair.connected();
    pair.run_for(1s);
    const int before = client->pumps;
    client->in_pump([](link::connection& c) { c.wake(); });
    CHECK(pair.client.endpoint.pump(pair.now));
    CHECK(client->pumps == before + 1);
    CHECK_FALSE(pair.client.endpoint.pump(pair.now));
    CHECK(client->pumps == before + 2);
}

TEST_CASE("a full socket stops the building of packets, writable() starts it again") {
    memory_pair pair;
    const auto [client, server] = pair.connected();
    pair.run_for(1s);
    pair.client.full = true;
    client->send(direction::uni, noise(500'000));
    pair.client.endpoint.pump(pair.now);
    const auto built = pair.client.outbox.size();
    CHECK(built <= 64);
    CHECK_FALSE(pair.client.endpoint.pump(pair.now));
    CHECK(pair.client.outbox.size() == built);
    pair.client.full = false;
    pair.client.endpoint.writable();
    REQUIRE(pair.run([c = client] { return c->closed_streams.size() == 1; }));
}

TEST_CASE("segments of a bulk transfer are of one size, so that bursts are long", "[ngtcp2-1.24]") {
    memory_pair pair;
    const auto [client, server] = pair.connected();
    pair.run_for(1s);
    const auto before = pair.client.bursts;
    const auto packets = client->connection.stats().packets_sent.value();
    client->send(direction::uni, noise(20'000'000));
    REQUIRE(pair.run([c = client] { return c->closed_streams.size() == 1; }, 600s));
    const auto sent = client->connection.stats().packets_sent.value() - packets;
    CHECK(sent / (pair.client.bursts - before) >= 8);
}

} // namespace moqlite::test::endpoint_test

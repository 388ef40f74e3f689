// Datagrams that are not QUIC, or not for us, are dropped; there is no amplification.
#include "memory_pair.hpp"

#include <algorithm>
#include <functional>
#include <random>

namespace moqlite::test::hostile_test {

TEST_CASE("garbage of any length is dropped without an answer") {
    memory_pair pair;
    std::mt19937 random{7};
    const auto from = *link::address::parse("127.0.0.1", 77);
    for (int i = 0; i < 20'000; ++i) {
        std::string bytes(random() % 1500, '\0');
        for (auto& c : bytes) c = static_cast<char>(random());
        if (i % 2 == 0 && !bytes.empty()) bytes[0] = static_cast<char>(bytes[0] | 0xc0);
        // QUIC version 1, so that it is parsed further.
        if (i % 4 == 0 && bytes.size() > 7) bytes.replace(1, 5, std::string{"\0\0\0\1\x8", 5});
        pair.inject(pair.server, from, bytes);
        std::size_t out = 0;
        pair.server.endpoint.pump(pair.now);
        for (const auto& p : pair.server.outbox) out += p.bytes.size();
        pair.server.outbox.clear();
        CHECK(out <= 3 * bytes.size());
    }
    pair.run_for(30s);
    CHECK(pair.server.endpoint.connections() == 0);
    CHECK(pair.server.handlers.empty());
}

TEST_CASE("damaged packets of a live connection cost nothing but themselves") {
    pair_options options;
    options.drop = [n = 0](std::string& bytes) mutable {
        if (++n % 7 == 0) bytes[bytes.size() / 2] ^= 0x10;
        return false;
    };
    memory_pair pair{std::move(options)};
    const auto [client, server] = pair.connected();
    const auto data = noise(1'000'000);
    client->send(direction::uni, data);
    REQUIRE(pair.run([s = server] { return !s->received.empty() && s->received.begin()->second.fin; }, 600s));
    CHECK(server->received.begin()->second.bytes == data);
}

TEST_CASE("an Initial packet in a datagram below 1200 bytes is dropped") {
    memory_pair pair;
    pair.connect();
    pair.client.endpoint.pump(pair.now);
    REQUIRE_FALSE(pair.client.outbox.empty());
    auto initial = pair.client.outbox.front().bytes;
    REQUIRE(initial.size() >= 1200);
    pair.inject(pair.server, pair.client.address, std::string_view{initial}.substr(0, 1199));
    CHECK(pair.server.endpoint.connections() == 0);
    pair.inject(pair.server, pair.client.address, initial);
    CHECK(pair.server.endpoint.connections() == 1);
}

TEST_CASE(
    "an Initial packet that is damaged anywhere leaves nothing behind that a good one would meet", "[regression]") {
    for (std::size_t at = 0; at < 64; ++at) {
        CAPTURE(at);
        memory_pair pair;
        pair.connect();
        pair.client.endpoint.pump(pair.now);
        REQUIRE_FALSE(pair.client.outbox.empty());
        auto damaged = pair.client.outbox.front().bytes;
        damaged[at] = static_cast<char>(damaged[at] ^ 1);
        pair.inject(pair.server, pair.client.address, damaged);
        pair.server.endpoint.pump(pair.now);
        CHECK(pair.run([&] { return pair.server.handlers.size() == 1; }, 10s));
    }
}

TEST_CASE("an unknown QUIC version is answered with those we know") {
    memory_pair pair;
    std::string bytes(1200, '\0');
    bytes.replace(0, 7, std::string{"\xc0\x1a\x2a\x3a\x4a\x08\x01", 7});
    pair.inject(pair.server, pair.client.address, bytes);
    REQUIRE(pair.server.outbox.size() == 1);
    const auto answer = pair.server.outbox.front().bytes;
    CHECK(answer.substr(1, 4) == std::string(4, '\0'));
    CHECK(answer.substr(answer.size() - 4) == std::string{"\0\0\0\1", 4});
    bytes.resize(1199);
    pair.inject(pair.server, pair.client.address, bytes);
    CHECK(pair.server.outbox.size() == 1);
}

TEST_CASE("until its address is validated, a client gets at most three times what it sent") {
    memory_pair pair;
    pair.connect();
    pair.client.endpoint.pump(pair.now);
    std::size_t in = 0, out = 0;
    for (; !pair.client.outbox.empty(); pair.client.outbox.pop_front()) {
        in += pair.client.outbox.front().bytes.size();
        pair.inject(pair.server, pair.client.address, pair.client.outbox.front().bytes);
    }
    // The client stays silent; all timers of the server may expire.
    for (int i = 0; i < 200; ++i) {
        pair.server.endpoint.pump(pair.now);
        const auto due = pair.server.endpoint.deadline();
        if (!due) break;
        pair.now = std::max(pair.now, *due);
        pair.server.endpoint.expire(pair.now);
    }
    for (const auto& p : pair.server.outbox) out += p.bytes.size();
    CHECK(out > 0);
    CHECK(out <= 3 * in);
}

namespace {

/// The same bytes for every endpoint: they share the key of their resets.
std::function<void(std::span<std::byte>)> same_randomness() {
    return [random = std::mt19937{1}](std::span<std::byte> out) mutable {
        for (auto& b : out) b = static_cast<std::byte>(random());
    };
}

} // namespace

TEST_CASE("a peer of a restarted server gets a stateless reset") {
    pair_options options;
    options.server.random = same_randomness();
    memory_pair first{std::move(options)};
    const auto [client, server] = first.connected();
    const auto end = client->ended;
    // A restart: the same address, no state.
    pair_options restarted;
    restarted.server.random = same_randomness();
    memory_pair second{std::move(restarted)};
    client->send(direction::uni, std::string(200, 'x'));
    first.client.endpoint.pump(first.now);
    REQUIRE_FALSE(first.client.outbox.empty());
    const auto& bytes = first.client.outbox.front().bytes;
    second.inject(second.server, first.client.address, bytes);
    REQUIRE(second.server.outbox.size() == 1);
    const auto answer = second.server.outbox.front().bytes;
    CHECK(answer.size() < bytes.size());
    first.inject(first.client, first.server.address, answer);
    first.client.endpoint.pump(first.now);
    REQUIRE(end->has_value());
    CHECK((*end)->by_peer);
    CHECK((*end)->reason.find("stateless reset") != std::string::npos);
}

TEST_CASE("a clock that goes backwards is clamped") {
    memory_pair pair;
    const auto [client, server] = pair.connected();
    pair.client.endpoint.expire(pair.now - 500ms);
    pair.client.endpoint.pump(pair.now - 400ms);
    client->send(direction::uni, "still here");
    REQUIRE(pair.run([c = client] { return c->closed_streams.size() == 1; }));
}

TEST_CASE("an Initial packet that cannot be decrypted leaves nothing behind, not even a line in the log") {
    int lines = 0;
    pair_options options;
    options.server.log = [&](link::log_level, std::string_view) { ++lines; };
    memory_pair pair{std::move(options)};
    pair.connect();
    pair.client.endpoint.pump(pair.now);
    REQUIRE_FALSE(pair.client.outbox.empty());
    const auto good = pair.client.outbox.front().bytes;
    auto bad = good;
    bad[600] ^= 1;
    pair.inject(pair.server, pair.client.address, bad);
    CHECK(pair.server.endpoint.connections() == 0);
    CHECK_FALSE(pair.server.endpoint.pump(pair.now));
    pair.inject(pair.server, pair.client.address, good);
    CHECK(pair.server.endpoint.connections() == 1);
    CHECK(lines == 0);
}

} // namespace moqlite::test::hostile_test

// Stateless resets: a restarted server resets its previous clients, and nobody else can.
#include "memory_pair.hpp"

#include <random>

namespace moqlite::test::reset_test {

namespace {

constexpr ngtcp2::secret key{std::byte{1}, std::byte{2}};

pair_options with_key() {
    pair_options o;
    o.server.reset_key = key;
    return o;
}

std::string stranger(std::mt19937& random, std::size_t size) {
    std::string bytes(size, '\0');
    for (auto& c : bytes) c = static_cast<char>(random());
    bytes[0] = 0x40; // A short header.
    return bytes;
}

} // namespace

TEST_CASE("a sending client learns within a round trip that its server was restarted") {
    memory_pair pair{with_key()};
    const auto [client, server] = pair.connected();
    pair.run_for(1s);
    const auto end = client->ended;
    client->send(direction::uni, noise(10'000'000));
    pair.run_for(20ms);
    pair.restart_server();
    REQUIRE(pair.run([&] { return end->has_value(); }, 11ms));
    CHECK((*end)->by_peer);
    CHECK((*end)->reason.find("stateless reset") != std::string::npos);
    pair.connect();
    REQUIRE(pair.run([&] { return pair.client.handlers.size() == 2; }, 1s));
}

TEST_CASE("an idle client learns by its keep-alive that its server was restarted") {
    memory_pair pair{with_key()};
    const auto [client, server] = pair.connected();
    pair.run_for(60s);
    const auto end = client->ended;
    pair.restart_server();
    REQUIRE(pair.run([&] { return end->has_value(); }, 2100ms));
    CHECK((*end)->reason.find("stateless reset") != std::string::npos);
}

TEST_CASE("without its previous key a restarted server's resets have no effect") {
    memory_pair pair;
    const auto [client, server] = pair.connected();
    pair.run_for(1s);
    const auto end = client->ended;
    client->send(direction::uni, noise(1000));
    pair.restart_server();
    pair.run_for(3s);
    CHECK_FALSE(end->has_value());
    REQUIRE(pair.run([&] { return end->has_value(); }));
    CHECK((*end)->reason == "idle timeout");
}

TEST_CASE("a key belongs to one identity and one address") {
    std::string why;
    const auto here = ngtcp2::reset_key(test_identity(), "127.0.0.1:4443", why);
    REQUIRE(here);
    CHECK(here == ngtcp2::reset_key(test_identity(), "127.0.0.1:4443", why));
    CHECK(here != ngtcp2::reset_key(test_identity(), "127.0.0.1:4444", why));
    CHECK(here !=
          ngtcp2::reset_key(ngtcp2::generate_identity({.names = {"localhost"}}, why).value(), "127.0.0.1:4443", why));
}

TEST_CASE("machines that share identity and address do not share the key of their resets", "[regression]") {
    std::string why;
    const auto key_of = [&](std::string_view where, std::string_view machine) {
        return ngtcp2::reset_key(test_identity(), where, machine, why);
    };
    REQUIRE(key_of("127.0.0.1:4443", "one"));
    CHECK(key_of("127.0.0.1:4443", "one") == key_of("127.0.0.1:4443", "one"));
    CHECK(key_of("127.0.0.1:4443", "one") != key_of("127.0.0.1:4443", "another"));
    CHECK(key_of("127.0.0.1:4443", "one") != key_of("127.0.0.1:4443 o", "ne"));
    const auto machine = ngtcp2::machine_secret();
    REQUIRE_FALSE(machine.empty());
    CHECK(ngtcp2::reset_key(test_identity(), "127.0.0.1:4443", why) == key_of("127.0.0.1:4443", machine));
}

TEST_CASE("at most a hundred stateless resets a second are sent, each shorter than the packet that caused it") {
    pair_options options;
    options.server.random = same_each_time();
    memory_pair pair{std::move(options)};
    std::mt19937 random{3};
    for (int second = 0; second < 3; ++second) {
        for (int i = 0; i < 1000; ++i) {
            const auto bytes = stranger(random, 31 + random() % 1200);
            const auto before = pair.server.outbox.size();
            pair.inject(pair.server, pair.client.address, bytes);
            if (pair.server.outbox.size() > before) CHECK(pair.server.outbox.back().bytes.size() < bytes.size());
        }
        CHECK(pair.server.outbox.size() == 100);
        // One address's use does not affect another.
        const auto other = *link::address::parse("127.0.0.9", 1000);
        pair.inject(pair.server, other, stranger(random, 100));
        CHECK(pair.server.outbox.size() == 101);
        pair.server.outbox.clear();
        pair.now += 1s;
    }
}

TEST_CASE("a forged reset has no effect") {
    memory_pair pair;
    const auto [client, server] = pair.connected();
    pair.run_for(1s);
    std::mt19937 random{4};
    for (int i = 0; i < 1000; ++i) pair.inject(pair.client, pair.server.address, stranger(random, 40));
    client->send(direction::uni, noise(100'000));
    REQUIRE(pair.run([c = client] { return c->closed_streams.size() == 1; }));
}

} // namespace moqlite::test::reset_test

// Paths that are unkind but not hostile: what reorders, what repeats, what carries less than before.
#include "memory_pair.hpp"

#include <random>

namespace moqlite::test::path_test {

namespace {

/// A path without loss on which each datagram takes 1 to 11 ms.
std::function<duration()> reordering(unsigned seed) {
    return [random = std::mt19937{seed}]() mutable -> duration {
        return std::chrono::microseconds{1000 + random() % 10'001};
    };
}

std::string received_by(const recorder* r) {
    std::string all;
    for (const auto& [id, in] : r->received) all += in.bytes;
    return all;
}

} // namespace

TEST_CASE(
    "a path that reorders without loss carries 32 MB to the end, and repeats no more than it must", "[regression]") {
    pair_options options;
    options.delay = reordering(1);
    memory_pair pair{std::move(options)};
    const auto [client, server] = pair.connected();
    const auto ended = client->ended;
    const auto data = noise(32'000'000);
    client->send(direction::uni, data);
    REQUIRE(pair.run([s = server] { return !s->received.empty() && s->received.begin()->second.fin; }, 600s));
    REQUIRE_FALSE(ended->has_value());
    CHECK(received_by(server) == data);
    // ngtcp2 measures the round trip by the packets that overtake all others, 4 ms of 2 to 22, and takes for lost what
    // is later by an eighth. It restores its window when it learns better, so that the cost is repeats, here two of
    // three.
    const auto stats = client->connection.stats();
    CHECK(stats.packets_sent < 4 * data.size() / 1200);
}

namespace {

/// Sends chunk after chunk on streams of their own until `end`, like a live broadcast; the bytes that arrived.
std::size_t live_until(memory_pair& pair, recorder* from, recorder* to, time_point end) {
    const auto before = received_by(to).size();
    while (pair.now < end) {
        from->send(direction::uni, noise(20'000));
        pair.run_for(40ms);
    }
    return received_by(to).size() - before;
}

} // namespace

namespace {

/// Drops what is larger with its IPv6 and UDP headers than `mtu`, and notes the largest that it carries.
std::function<bool(std::string&)> carries(const std::size_t& mtu, std::size_t& largest) {
    return [&](std::string& bytes) {
        if (bytes.size() + 48 > mtu) return true;
        largest = std::max(largest, bytes.size());
        return false;
    };
}

} // namespace

TEST_CASE("a path that carries less than before stops who sends in bulk for no longer than a few PTO", "[regression]") {
    pair_options options;
    std::size_t mtu = 1500;
    std::size_t largest = 0;
    options.drop = carries(mtu, largest);
    memory_pair pair{std::move(options)};
    const auto [client, server] = pair.connected();
    const auto end = client->ended;
    client->send(direction::uni, noise(40'000'000));
    pair.run_for(150ms);
    CHECK(client->connection.stats().packet_size == 1452);
    mtu = 1280;
    const auto before = received_by(server).size();
    pair.run_for(5s);
    CHECK(received_by(server).size() > before + 500'000);
    CHECK(client->connection.stats().packet_size <= 1232);
    REQUIRE(pair.run([s = server] { return s->received.begin()->second.fin; }, 120s));
    CHECK(received_by(server) == noise(40'000'000));
    CHECK_FALSE(end->has_value());
}

// What a path carries is known by the packets that ngtcp2 counts as lost.
TEST_CASE("who sends at a rate finds what a path carries that carries less than before, and more again later",
    "[regression][ngtcp2-1.24]") {
    pair_options options;
    std::size_t mtu = 1500;
    std::size_t largest = 0;
    options.drop = carries(mtu, largest);
    memory_pair pair{std::move(options)};
    const auto [client, server] = pair.connected();
    const auto end = client->ended;
    live_until(pair, client, server, pair.now + 2s);
    CHECK(client->connection.stats().packet_size == 1452);
    mtu = 1280;
    live_until(pair, client, server, pair.now + 5s);
    CHECK(live_until(pair, client, server, pair.now + 10s) > 4'900'000);
    largest = 0;
    live_until(pair, client, server, pair.now + 1s);
    CHECK(largest == 1232);
    mtu = 1500;
    live_until(pair, client, server, pair.now + 120s);
    CHECK(client->connection.stats().packet_size == 1452);
    CHECK_FALSE(end->has_value());
}

TEST_CASE("an outage of two seconds leaves packets as large as they were") {
    pair_options options;
    bool dead = false;
    options.drop = [&](std::string&) { return dead; };
    memory_pair pair{std::move(options)};
    const auto [client, server] = pair.connected();
    live_until(pair, client, server, pair.now + 1s);
    dead = true;
    live_until(pair, client, server, pair.now + 2s);
    dead = false;
    live_until(pair, client, server, pair.now + 30s);
    CHECK(client->connection.stats().packet_size == 1452);
}

} // namespace moqlite::test::path_test

// Difficult paths: reordering, duplication, a shrinking MTU.
#include "memory_pair.hpp"

#include <algorithm>
#include <functional>
#include <random>
#include <tuple>

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

/// Sends chunk after chunk on separate streams until `end`, like a live broadcast; returns the received bytes.
std::size_t live_until(memory_pair& pair, recorder* from, recorder* to, time_point end) {
    const auto before = received_by(to).size();
    while (pair.now < end) {
        from->send(direction::uni, noise(20'000));
        pair.run_for(40ms);
    }
    return received_by(to).size() - before;
}

/// Two ends on a path with an MTU of `mtu` bytes, IPv6 and UDP headers included, which both have discovered.
struct on_a_path {
    on_a_path() {
        std::tie(client, server) = pair.connected();
        ended = client->ended;
    }
    pair_options carrying() {
        pair_options options;
        options.drop = [this](std::string& bytes) {
            if (bytes.size() + 48 > mtu) return true;
            largest = std::max(largest, bytes.size());
            return false;
        };
        return options;
    }
    [[nodiscard]] std::size_t packet_size() const { return client->connection.stats().packet_size; }
    void live_for(duration d) { live_until(pair, client, server, pair.now + d); }

    std::size_t mtu = 1500;
    std::size_t largest = 0; ///< Datagram that was carried.
    memory_pair pair{carrying()};
    recorder* client = nullptr;
    recorder* server = nullptr;
    decltype(recorder::ended) ended;
};

} // namespace

TEST_CASE("a path whose MTU shrinks stops a bulk sender for no longer than a few PTO", "[regression]") {
    on_a_path p;
    p.client->send(direction::uni, noise(40'000'000));
    p.pair.run_for(150ms);
    CHECK(p.packet_size() == 1452);
    p.mtu = 1280;
    const auto before = received_by(p.server).size();
    p.pair.run_for(5s);
    CHECK(received_by(p.server).size() > before + 500'000);
    CHECK(p.packet_size() <= 1232);
    REQUIRE(p.pair.run([s = p.server] { return s->received.begin()->second.fin; }, 120s));
    CHECK(received_by(p.server) == noise(40'000'000));
    CHECK_FALSE(p.ended->has_value());
}

// Detection needs ngtcp2's count of lost packets, which it has from 1.16 on.
TEST_CASE("a paced sender finds the size of a path whose MTU shrinks, and later grows", "[regression][ngtcp2-1.24]") {
    on_a_path p;
    p.live_for(2s);
    CHECK(p.packet_size() == 1452);
    p.mtu = 1280;
    p.live_for(5s);
    CHECK(live_until(p.pair, p.client, p.server, p.pair.now + 10s) > 4'900'000);
    p.largest = 0;
    p.live_for(1s);
    CHECK(p.largest == 1232);
    p.mtu = 1500;
    p.live_for(120s);
    CHECK(p.packet_size() == 1452);
    CHECK_FALSE(p.ended->has_value());
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

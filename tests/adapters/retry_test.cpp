// Address validation before a client costs anything: Retry, by option or under load, and tokens.
#include "../../adapters/ngtcp2/detail/token_store.hpp"
#include "memory_pair.hpp"

namespace moqlite::test::retry_test {

namespace {

/// A pair that counts the Retry packets on its wire.
struct counted_pair {
    explicit counted_pair(pair_options o = {}) : pair{watched(std::move(o))} {}

    pair_options watched(pair_options o) {
        o.drop = [this](std::string& bytes) {
            if (is_retry(bytes)) ++retries;
            return hold && hold(bytes);
        };
        return o;
    }
    /// Once more, for a moment.
    void visit() {
        const auto before = pair.client.handlers.size(), others = pair.client.endpoint.connections();
        auto* c = pair.connect();
        REQUIRE(pair.run([&] { return pair.client.handlers.size() > before; }));
        pair.run_for(100ms);
        c->close(app_error::cancel, "bye");
        REQUIRE(pair.run([&] { return pair.client.endpoint.connections() == others; }));
    }

    int retries = 0;
    std::function<bool(std::string&)> hold;
    memory_pair pair;
};

pair_options with_retry() {
    pair_options o;
    o.server.retry = true;
    return o;
}

std::size_t retries_in(const memory_end& end) {
    return static_cast<std::size_t>(std::ranges::count_if(end.outbox, [](const auto& p) { return is_retry(p.bytes); }));
}

} // namespace

TEST_CASE("with Retry required, no state is kept of a client before it has proved its address") {
    counted_pair counted{with_retry()};
    auto& pair = counted.pair;
    pair.connect();
    pair.run_for(9ms);
    CHECK(counted.retries == 1);
    CHECK(pair.server.endpoint.connections() == 0);
    REQUIRE(pair.run([&] { return !pair.client.handlers.empty() && !pair.server.handlers.empty(); }));
    CHECK(counted.retries == 1);
    pair.client.handlers[0]->send(direction::uni, noise(100'000));
    REQUIRE(pair.run([&] { return pair.client.handlers[0]->closed_streams.size() == 1; }));
}

TEST_CASE("a returning client need not prove its address again") {
    counted_pair counted{with_retry()};
    counted.visit();
    CHECK(counted.retries == 1);
    for (int i = 0; i < 3; ++i) counted.visit(); // Each visit gives the token of the next one.
    CHECK(counted.retries == 1);
}

TEST_CASE("a token is for one connection and one server name") {
    counted_pair counted{with_retry()};
    auto& pair = counted.pair;
    counted.visit();
    pair.connect();
    pair.connect();
    pair.connect(client_tls(), "elsewhere");
    REQUIRE(pair.run([&] { return pair.client.handlers.size() == 4; }));
    CHECK(counted.retries == 3);
}

TEST_CASE("a token is invalid at another IP address, but valid at another port") {
    counted_pair counted{with_retry()};
    counted.visit();
    counted.pair.client.address.port(2000);
    counted.visit();
    CHECK(counted.retries == 1);
    counted.pair.client.address = *link::address::parse("127.0.0.2", 1000);
    counted.visit();
    CHECK(counted.retries == 2);
}

TEST_CASE("a token is invalid after its lifetime, or after a restart of the server") {
    auto options = with_retry();
    options.server.token_lifetime = 60s;
    counted_pair counted{std::move(options)};
    counted.visit();
    counted.pair.run_for(50s);
    counted.visit();
    CHECK(counted.retries == 1);
    counted.pair.run_for(61s);
    counted.visit();
    CHECK(counted.retries == 2);
    counted.pair.restart_server();
    counted.visit();
    CHECK(counted.retries == 3);
}

TEST_CASE("a client whose Retry token is too old is refused at once") {
    auto options = with_retry();
    options.client.handshake_timeout = options.client.idle_timeout = 60s;
    counted_pair counted{std::move(options)};
    auto& pair = counted.pair;
    pair.connect();
    pair.run_for(9ms); // The Retry is in flight.
    counted.hold = [&, until = pair.now + 12s](std::string&) { return pair.now < until; };
    REQUIRE(pair.run([&] { return !pair.client.failures.empty(); }));
    CHECK(pair.client.failures[0] == "the peer closed: INVALID_TOKEN");
    CHECK(pair.server.endpoint.connections() == 0);
}

TEST_CASE("a Retry token from another address is refused, at most a thousand times a second") {
    auto options = with_retry();
    options.server.random = same_each_time();
    counted_pair counted{std::move(options)};
    auto& pair = counted.pair;
    std::string second;
    counted.hold = [&](std::string& bytes) {
        if (counted.retries != 0 && !is_retry(bytes)) second = bytes;
        return !second.empty();
    };
    pair.connect();
    REQUIRE(pair.run([&] { return !second.empty(); }));
    const auto thief = *link::address::parse("127.0.0.9", 1000);
    for (int i = 0; i < 3000; ++i) pair.inject(pair.server, thief, second);
    CHECK(pair.server.endpoint.connections() == 0);
    CHECK(pair.server.outbox.size() == 1000);
    for (const auto& p : pair.server.outbox) CHECK((p.to == thief && has_long_header(p.bytes) && !is_retry(p.bytes)));
    // Damaged, it is refused, too, whatever others have used up; intact and from the right address it is accepted.
    pair.server.outbox.clear();
    auto damaged = second;
    damaged[40] ^= 1;
    pair.inject(pair.server, pair.client.address, damaged);
    CHECK(pair.server.outbox.size() == 1);
    CHECK(pair.server.endpoint.connections() == 0);
    pair.inject(pair.server, pair.client.address, second);
    CHECK(pair.server.endpoint.connections() == 1);
}

TEST_CASE("with too many handshakes in progress, new clients must prove their address") {
    pair_options options;
    options.server.unvalidated = 4;
    counted_pair counted{std::move(options)};
    auto& pair = counted.pair;
    for (int i = 0; i < 10; ++i) pair.connect();
    pair.run_for(6ms);
    CHECK(pair.server.endpoint.connections() == 4);
    REQUIRE(pair.run([&] { return pair.server.handlers.size() == 10; }));
    CHECK(counted.retries == 6);
    pair.run_for(1s);
    counted.visit(); // The load is over.
    CHECK(counted.retries == 6);
}

TEST_CASE("incomplete handshakes of unvalidated clients block no other client and hold little memory") {
    pair_options options;
    options.server.unvalidated = 8;
    options.server.handshakes = 16;
    counted_pair counted{std::move(options)};
    auto& pair = counted.pair;
    const auto nowhere = *link::address::parse("127.0.0.9", 9);
    for (int second = 0; second < 5; ++second) {
        for (const auto& packet : first_flights(100, nowhere)) pair.inject(pair.server, nowhere, packet);
        CHECK(pair.server.endpoint.connections() == 8);
        pair.run_for(1s);
    }
    pair.connect();
    REQUIRE(pair.run([&] { return !pair.server.handlers.empty(); }, 1s));
    CHECK(counted.retries == 1);
    pair.run_for(12s);
    CHECK(pair.server.endpoint.connections() == 1);
}

TEST_CASE("Initial packets without a handshake count: soon unvalidated clients are sent a Retry") {
    pair_options options;
    options.server.unvalidated = 10;
    memory_pair pair{std::move(options)};
    const auto nowhere = *link::address::parse("127.0.0.9", 9);
    auto packets = first_flights(50, nowhere);
    for (auto& packet : packets) {
        packet[600] ^= 1;
        pair.inject(pair.server, nowhere, packet);
    }
    CHECK(pair.server.endpoint.connections() == 0);
    CHECK(retries_in(pair.server) == 40);
    for (const auto& p : pair.server.outbox) CHECK(3 * p.bytes.size() < 1200);
    pair.now += 1s;
    pair.server.outbox.clear();
    for (const auto& packet : packets) pair.inject(pair.server, nowhere, packet);
    CHECK(retries_in(pair.server) == 40);
}

TEST_CASE("a client keeps the newest token of each of 64 servers") {
    ngtcp2::detail::token_store store;
    const std::vector<std::uint8_t> first{1}, second{2}, huge(513);
    for (int i = 0; i < 100; ++i) store.put("server " + std::to_string(i), first);
    CHECK(store.size() == 64);
    CHECK(store.take("server 35").empty());
    store.put("server 36", second);
    CHECK(store.size() == 64);
    CHECK(store.take("server 36") == second);
    CHECK(store.take("server 36").empty());
    store.put("server 1", huge);
    CHECK(store.size() == 63);
}

} // namespace moqlite::test::retry_test

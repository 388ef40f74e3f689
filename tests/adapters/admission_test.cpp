// Admission of connections: which are refused at once, and the share of one address.
#include "memory_pair.hpp"

namespace moqlite::test::admission_test {

namespace {

link::address at(const char* ip, std::uint16_t port = 9) { return *link::address::parse(ip, port); }

/// A client of its own, at another address than the pair's.
struct visitor {
    visitor(memory_pair& p, link::address where) : pair{p}, end{{}, where.port()} { end.address = where; }

    void connect() {
        std::string why;
        auto* made = end.endpoint.connect(
            client_tls(), {pair.server.address, end.address, "localhost", {"moq-lite-05"}}, end.accept(),
            [this](const link::closed& how) { failed = how; }, why, pair.now);
        REQUIRE(made != nullptr);
    }
    /// Exchanges datagrams in steps of a millisecond until there are no more.
    void exchange() {
        for (int i = 0; i < 20; ++i, pair.now += 1ms) {
            end.endpoint.pump(pair.now);
            for (; !end.outbox.empty(); end.outbox.pop_front())
                pair.inject(pair.server, end.address, end.outbox.front().bytes);
            pair.server.endpoint.pump(pair.now);
            for (; !pair.server.outbox.empty(); pair.server.outbox.pop_front())
                if (auto& p = pair.server.outbox.front(); p.to == end.address)
                    pair.inject(end, pair.server.address, p.bytes);
        }
    }
    [[nodiscard]] bool is_in() const { return !end.handlers.empty(); }

    memory_pair& pair;
    memory_end end;
    std::optional<link::closed> failed;
};

} // namespace

TEST_CASE("a refusing server answers a client's first packet at once, with a shorter one", "[regression]") {
    memory_pair pair;
    pair.connected();
    pair.server.endpoint.refuse();
    visitor late{pair, at("127.0.0.2")};
    late.connect();
    late.exchange();
    REQUIRE(late.failed);
    CHECK(late.failed->is_refusal());
    CHECK(late.failed->code == 0x02);
    CHECK(late.failed->reason.find("CONNECTION_REFUSED") != std::string::npos);
    CHECK(pair.server.endpoint.connections() == 1);
    for (const auto& packet : first_flights(5, at("127.0.0.3"))) pair.inject(pair.server, at("127.0.0.3"), packet);
    REQUIRE(pair.server.outbox.size() == 5);
    for (const auto& p : pair.server.outbox) CHECK(p.bytes.size() < 120);
    pair.server.outbox.clear();
    // Its successor at the same address accepts the client.
    pair.restart_server();
    visitor again{pair, at("127.0.0.2")};
    again.connect();
    again.exchange();
    CHECK(again.is_in());
}

TEST_CASE("a server that is full refuses at once, and a thousand refusals of one address a second are enough",
    "[regression]") {
    pair_options options;
    options.server.connections = 1;
    memory_pair pair{std::move(options)};
    pair.connected();
    visitor late{pair, at("127.0.0.2")};
    late.connect();
    late.exchange();
    REQUIRE(late.failed);
    CHECK(late.failed->is_refusal());
    const auto packet = first_flights(1, at("127.0.0.3")).at(0);
    pair.now += 1s;
    for (int i = 0; i < 3000; ++i) pair.inject(pair.server, at("127.0.0.3"), packet);
    CHECK(pair.server.outbox.size() == 1000);
}

TEST_CASE("connections of one address do not fill a server: further ones are refused, those of others accepted",
    "[regression]") {
    pair_options options;
    options.server.per_address = 3;
    memory_pair pair{std::move(options)};
    for (std::uint16_t port = 1; port <= 3; ++port) {
        visitor one{pair, at("192.0.2.1", port)};
        one.connect();
        one.exchange();
        CHECK(one.is_in());
    }
    visitor more{pair, at("192.0.2.1", 4)}, mapped{pair, at("::ffff:192.0.2.1", 5)}, other{pair, at("192.0.2.2")};
    for (auto* v : {&more, &mapped, &other}) {
        v->connect();
        v->exchange();
    }
    REQUIRE(more.failed);
    CHECK(more.failed->is_refusal());
    CHECK(mapped.failed);
    CHECK(other.is_in());
    // Their end makes room.
    pair.run_for(20s);
    CHECK(pair.server.endpoint.connections() == 0);
    visitor late{pair, at("192.0.2.1", 6)};
    late.connect();
    late.exchange();
    CHECK(late.is_in());
}

TEST_CASE("handshakes with a forged source address do not get that address refused", "[regression]") {
    pair_options options;
    options.server.per_address = 3;
    memory_pair pair{std::move(options)};
    for (const auto& packet : first_flights(5, at("192.0.2.1"))) pair.inject(pair.server, at("192.0.2.1"), packet);
    CHECK(pair.server.endpoint.connections() == 3);
    pair.server.endpoint.pump(pair.now);
    visitor own{pair, at("192.0.2.1", 10)};
    own.connect();
    own.exchange();
    CHECK_FALSE(own.failed);
    // It retransmits, and the oldest handshake has had its time.
    pair.now += 1s;
    own.end.endpoint.expire(pair.now);
    own.exchange();
    CHECK(own.is_in());
}

TEST_CASE("an IPv6 /64 counts as one address", "[regression]") {
    pair_options options;
    options.server.per_address = 2;
    memory_pair pair{std::move(options)};
    visitor a{pair, at("2001:db8::1", 1)}, b{pair, at("2001:db8::ffff:2", 2)}, c{pair, at("2001:db8:0:0:8000::3", 3)},
        d{pair, at("2001:db8:0:1::1", 4)};
    for (auto* v : {&a, &b, &c, &d}) {
        v->connect();
        v->exchange();
    }
    CHECK(a.is_in());
    CHECK(b.is_in());
    CHECK(c.failed);
    CHECK(d.is_in());
}

TEST_CASE(
    "half-open handshakes of one address leave room for others, and the oldest of its own yields", "[regression]") {
    pair_options options;
    options.server.unvalidated = 1'000'000; // As if each address were validated.
    memory_pair pair{std::move(options)};
    const auto flood = first_flights(1300, at("192.0.2.9"));
    for (const auto& packet : flood) pair.inject(pair.server, at("192.0.2.9"), packet);
    CHECK(pair.server.endpoint.connections() == 256);
    pair.server.endpoint.pump(pair.now);
    visitor other{pair, at("192.0.2.8")}, same{pair, at("192.0.2.9", 10)};
    other.connect();
    other.exchange();
    CHECK(other.is_in());
    same.connect();
    same.exchange();
    CHECK_FALSE(same.is_in());
    // It retransmits, and then the flood's oldest handshake has had its time.
    pair.now += 1s;
    same.end.endpoint.expire(pair.now);
    same.exchange();
    CHECK(same.is_in());
}

TEST_CASE("a table that many addresses have filled with half-open handshakes accepts a new client within a second",
    "[regression]") {
    pair_options options;
    options.server.unvalidated = 1'000'000;
    options.server.handshakes = 100;
    memory_pair pair{std::move(options)};
    const auto flood = first_flights(100, at("192.0.2.9"));
    for (unsigned i = 0; i < flood.size(); ++i)
        pair.inject(pair.server, at(("198.51.100." + std::to_string(i)).c_str()), flood[i]);
    CHECK(pair.server.endpoint.connections() == 100);
    pair.connect();
    REQUIRE(pair.run([&] { return !pair.server.handlers.empty(); }, 1s));
    CHECK(pair.server.endpoint.connections() == 100);
}

TEST_CASE("a thousand clients of one address are accepted at once") {
    memory_pair pair;
    for (int i = 0; i < 1000; ++i) pair.connect();
    REQUIRE(pair.run([&] { return pair.server.handlers.size() == 1000; }, 5s));
    CHECK(pair.client.failures.empty());
}

} // namespace moqlite::test::admission_test

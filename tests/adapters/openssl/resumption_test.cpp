// Session tickets: who resumes, and who does not.
#include "../resuming_pair.hpp"

#include "../../../adapters/ngtcp2/detail/ticket.hpp"

namespace moqlite::test::resumption_test {

using ngtcp2::resumption;
using ngtcp2::ticket_keys;
using ngtcp2::trust;

namespace {

constexpr ngtcp2::secret one_secret{std::byte{1}}, other_secret{std::byte{2}};
constexpr ngtcp2::wall_time noon{std::chrono::hours{36}};

/// Whether the next connection resumes.
bool resumes(resuming_pair& pair, const ngtcp2::target& to, const ngtcp2::tls& with = client_tls()) {
    const auto& c = pair.finish(to, with);
    const bool resumed = c.tls().resumed;
    CHECK(pair.server.handlers.back()->connection.tls().resumed == resumed);
    return resumed;
}

} // namespace

TEST_CASE("a client resumes with each ticket once, and gets a new one each time") {
    resuming_pair pair;
    CHECK_FALSE(resumes(pair, pair.to_server(resumption::resume)));
    for (int i = 0; i < 5; ++i) {
        CHECK(resumes(pair, pair.to_server(resumption::resume)));
        CHECK(pair.tickets.size() == static_cast<std::size_t>(i + 2));
    }
    const auto& c = pair.client.handlers.back()->connection;
    std::string why;
    CHECK(c.tls().peer_fingerprint == ngtcp2::fingerprint(test_identity(), why));
    CHECK(c.tls().early == link::early_data::none);
    CHECK(c.tls().cipher == "TLS_AES_128_GCM_SHA256");
}

TEST_CASE("two connections at once do not share a ticket") {
    resuming_pair pair;
    pair.learn();
    pair.begin(pair.to_server(resumption::resume));
    pair.begin(pair.to_server(resumption::resume));
    pair.run_for(1s);
    REQUIRE(pair.client.handlers.size() == 3);
    CHECK(pair.client.handlers[1]->connection.tls().resumed != pair.client.handlers[2]->connection.tls().resumed);
}

TEST_CASE("without being asked a client keeps no tickets, and a server issues none") {
    resuming_pair pair;
    pair.learn(resumption::none);
    CHECK(pair.tickets.empty());
    CHECK_FALSE(resumes(pair, pair.to_server()));
    memory_pair plain;
    std::string why;
    bool any = false;
    REQUIRE(plain.client.endpoint.connect(client_tls(),
                {.remote = plain.server.address,
                    .local = plain.client.address,
                    .server_name = "localhost",
                    .alpn = {"moq-lite-05"},
                    .resume = resumption::resume,
                    .on_ticket = [&](byte_view) { any = true; }},
                plain.client.accept(), plain.client.failed(), why, plain.now) != nullptr);
    plain.run_for(1s);
    CHECK_FALSE(any);
}

TEST_CASE("a ticket that the caller has kept resumes at another endpoint of the same server") {
    resuming_pair pair{{}, ticket_keys::shared(one_secret)};
    pair.learn();
    resuming_pair next{{}, ticket_keys::shared(one_secret)};
    auto to = next.to_server(resumption::resume);
    to.ticket = pair.tickets.at(0);
    CHECK(resumes(next, to));
    resuming_pair stranger{{}, ticket_keys::shared(other_secret)};
    CHECK_FALSE(resumes(stranger, to));
    resuming_pair restarted;
    CHECK_FALSE(resumes(restarted, to));
}

TEST_CASE("a server's tickets survive the renewal of its certificate") {
    const auto keys = ticket_keys::random();
    resuming_pair pair{{}, keys};
    pair.learn();
    pair.server.endpoint.renew(resuming_pair::with_tickets(keys));
    CHECK(resumes(pair, pair.to_server()));
    pair.server.endpoint.renew(resuming_pair::with_tickets(ticket_keys::random()));
    CHECK_FALSE(resumes(pair, pair.to_server()));
}

TEST_CASE("a ticket is no way around another trust, another name or another protocol") {
    resuming_pair pair;
    std::string why;
    const auto pinned = client_tls(trust::fingerprint(*ngtcp2::fingerprint(test_identity(), why)));
    const auto ticket = [&] {
        pair.tickets.clear();
        auto to = pair.to_server();
        to.server_name = "localhost";
        pair.finish(to, client_tls());
        to.ticket = pair.tickets.at(0);
        return to;
    };
    CHECK(resumes(pair, ticket(), client_tls()));
    CHECK_FALSE(resumes(pair, ticket(), pinned));
    auto to = ticket();
    to.server_name = "other.example";
    CHECK_FALSE(resumes(pair, to));
    to = ticket();
    to.alpn = {"h3"};
    CHECK_FALSE(resumes(pair, to));
    // Nor does the endpoint's memory mix them up.
    CHECK_FALSE(resumes(pair, pair.to_server(), client_tls(trust::any_certificate())));
}

TEST_CASE("bytes that are not a ticket cost nothing but the resumption") {
    resuming_pair pair;
    pair.learn();
    const auto good = pair.tickets.at(0);
    std::vector<std::vector<std::byte>> bad{{std::byte{1}}, std::vector<std::byte>(100'000, std::byte{7})};
    for (std::size_t size = 1; size < good.size(); size += 37)
        bad.emplace_back(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size));
    bad.push_back(good);
    bad.back().push_back(std::byte{0});
    for (const auto& bytes : bad) {
        auto to = pair.to_server();
        to.ticket = bytes;
        CHECK_FALSE(resumes(pair, to));
    }
}

TEST_CASE("a damaged ticket ends at most its own connection") {
    resuming_pair pair;
    pair.learn();
    const auto good = pair.tickets.at(0);
    for (std::size_t at = 0; at < good.size(); at += 11) {
        auto to = pair.to_server();
        to.ticket = good;
        to.ticket[at] ^= std::byte{0x55};
        auto& c = pair.begin(to);
        static_cast<void>(c);
        pair.run_for(1s);
    }
    pair.run_for(30s);
    CHECK(resumes(pair, pair.to_server()));
}

TEST_CASE("tickets encode and decode, and what is too large is not kept") {
    ngtcp2::detail::ticket t{"rules", "name", "alpn", {std::byte{1}}, {std::byte{2}, std::byte{3}}};
    const auto bytes = encode(t);
    const auto back = ngtcp2::detail::decode_ticket(bytes).value();
    CHECK(back.rules == "rules");
    CHECK(back.server_name == "name");
    CHECK(back.alpn == "alpn");
    CHECK(back.parameters == t.parameters);
    CHECK(back.session == t.session);
    for (std::size_t n = 0; n < bytes.size(); ++n)
        CHECK_FALSE(ngtcp2::detail::decode_ticket(byte_view{bytes}.first(n)));
    t.session.resize(ngtcp2::detail::ticket::largest);
    CHECK(encode(t).empty());
}

TEST_CASE("ticket keys rotate, and serve one period longer than they seal") {
    for (const auto& keys :
        {ticket_keys::random(std::chrono::hours{1}), ticket_keys::shared(one_secret, std::chrono::hours{1})}) {
        const auto first = keys.current(noon).value();
        CHECK(keys.current(noon + std::chrono::minutes{59})->name == first.name);
        const auto second = keys.current(noon + std::chrono::minutes{60}).value();
        CHECK(second.name != first.name);
        CHECK(second.encryption != first.encryption);
        CHECK(second.authentication != first.authentication);
        CHECK(keys.find(first.name, noon + std::chrono::minutes{119})->encryption == first.encryption);
        CHECK_FALSE(keys.find(first.name, noon + std::chrono::minutes{120}));
    }
}

TEST_CASE("servers with one secret have the same ticket keys, others have not") {
    const auto one = ticket_keys::shared(one_secret), same = ticket_keys::shared(one_secret),
               other = ticket_keys::shared(other_secret);
    const auto key = one.current(noon).value();
    CHECK(same.find(key.name, noon)->encryption == key.encryption);
    CHECK_FALSE(other.find(key.name, noon));
    CHECK(same.find(key.name, noon - ticket_keys::usual_period).has_value()); // A clock that is behind.
    CHECK_FALSE(ticket_keys::random().find(key.name, noon));
}

TEST_CASE("options of tickets that exclude each other are refused with the reason") {
    std::string why;
    CHECK_FALSE(ngtcp2::tls::server({.alpn = {"a"},
                                        .who = test_identity(),
                                        .clients = ngtcp2::client_authentication{trust::any_certificate()},
                                        .tickets = ticket_keys::random()},
        why));
    CHECK(why == "a server that asks for its clients' certificates issues no tickets");
    CHECK_FALSE(ngtcp2::tls::server({.alpn = {"a"}, .who = test_identity(), .early_data = true}, why));
    CHECK(why == "early data needs session tickets");
}

} // namespace moqlite::test::resumption_test

// The Asio client resumes sessions, over real sockets.
#include "../memory_pair.hpp"

#include <boost/asio/io_context.hpp>
#include <moqlite/asio/quic_client.hpp>
#include <moqlite/asio/quic_server.hpp>

namespace moqlite::test::client_resumption_test {

namespace net = boost::asio;
using link::early_data;

namespace {

struct scene {
    scene() {
        std::string why;
        const auto tls = ngtcp2::tls::server({.alpn = {"moq-lite-05"},
                                                 .who = test_identity(),
                                                 .tickets = ngtcp2::ticket_keys::random(),
                                                 .early_data = true},
            why);
        INFO(why);
        REQUIRE(server.listen("127.0.0.1:0", tls.value(), keep(at_server), why));
    }
    link::accept_function keep(std::vector<recorder*>& where) {
        return [&where](link::connection& c, time_point) {
            auto made = std::make_unique<recorder>(c);
            where.push_back(made.get());
            return made;
        };
    }
    /// What TLS says of a new connection, from which a ticket has come.
    const link::tls_facts& connect(asio::quic_client& with, std::vector<std::byte> ticket = {}) {
        const auto before = at_client.size(), had = tickets.size();
        with.connect({.host = "localhost",
                         .port = server.local_address().port(),
                         .alpn = {"moq-lite-05"},
                         .tls = client_tls(),
                         .resume = ngtcp2::resumption::early_data,
                         .ticket = std::move(ticket),
                         .on_ticket = [this](byte_view t) { tickets.emplace_back(t.begin(), t.end()); }},
            keep(at_client), [](const link::closed& how) { FAIL(how.reason); });
        const auto end = std::chrono::steady_clock::now() + 30s;
        while ((at_client.size() == before || tickets.size() == had) && std::chrono::steady_clock::now() < end)
            context.run_one_for(100ms);
        REQUIRE(at_client.size() == before + 1);
        return at_client.back()->connection.tls();
    }

    net::io_context context;
    std::vector<recorder*> at_server, at_client;
    std::vector<std::vector<std::byte>> tickets;
    asio::quic_server server{context.get_executor()};
    asio::quic_client client{context.get_executor()};
};

} // namespace

TEST_CASE("a client sends early data to the address that has answered before, though there may be others") {
    scene s;
    CHECK_FALSE(s.connect(s.client).resumed);
    const auto& again = s.connect(s.client);
    CHECK(again.resumed);
    CHECK(again.early == early_data::accepted);
    CHECK(again.server_name == "localhost");
}

TEST_CASE("another client resumes with the ticket that the caller has kept") {
    scene s;
    s.connect(s.client);
    asio::quic_client other{s.context.get_executor()};
    CHECK(s.connect(other, s.tickets.at(0)).resumed);
}

} // namespace moqlite::test::client_resumption_test

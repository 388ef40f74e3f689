// A client and a server that resume sessions.
#pragma once

#include "memory_pair.hpp"

#include <moqlite/ngtcp2/tls.hpp>

namespace moqlite::test {

struct resuming_pair : memory_pair {
    explicit resuming_pair(pair_options o = {}, std::optional<ngtcp2::ticket_keys> keys = {}, bool early = true)
        : memory_pair{std::move(o), with_tickets(keys ? *keys : ngtcp2::ticket_keys::random(), early)} {}

    static ngtcp2::tls with_tickets(
        ngtcp2::ticket_keys keys, bool early = true, std::vector<std::string> alpn = {"moq-lite-05", "h3"}) {
        std::string why;
        auto made = ngtcp2::tls::server(
            {.alpn = std::move(alpn), .who = test_identity(), .tickets = std::move(keys), .early_data = early}, why);
        INFO(why);
        return made.value();
    }
    [[nodiscard]] ngtcp2::target to_server(ngtcp2::resumption how = ngtcp2::resumption::early_data) {
        return {.remote = server.address,
            .local = client.address,
            .server_name = "localhost",
            .alpn = {"moq-lite-05"},
            .resume = how,
            .on_ticket = [this](byte_view t) { tickets.emplace_back(t.begin(), t.end()); }};
    }
    /// A handler is made, at once with early data.
    link::connection& begin(const ngtcp2::target& to, const ngtcp2::tls& with = client_tls()) {
        std::string why;
        auto* c = client.endpoint.connect(with, to, client.accept(), client.failed(), why, now);
        INFO(why);
        REQUIRE(c != nullptr);
        run_for(1us);
        return *c;
    }
    /// Runs until the handshake is complete on both sides, and tickets have arrived.
    link::connection& finish(const ngtcp2::target& to, const ngtcp2::tls& with = client_tls()) {
        const auto before = server.handlers.size();
        auto& c = begin(to, with);
        run_for(200ms);
        REQUIRE(client.failures.empty());
        REQUIRE(server.handlers.size() == before + 1);
        return c;
    }
    /// A connection from which the client has a ticket, and which is over.
    void learn(ngtcp2::resumption how = ngtcp2::resumption::early_data) {
        auto& c = finish(to_server(how));
        c.close(app_error{0}, "learnt");
        REQUIRE(run([&] { return client.endpoint.connections() + server.endpoint.connections() == 0; }));
        run_for(5s); // The closing period.
    }

    std::vector<std::vector<std::byte>> tickets;
};

} // namespace moqlite::test

// Early data (0-RTT) of real sessions, accepted and rejected, with each packet of the first flights lost in turn.
#include "net.hpp"

#include "conformance/cast.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/generators/catch_generators_range.hpp>

using namespace moqlite;
using namespace moqlite::sim;

namespace {

ngtcp2::tls server_with(std::byte secret, bool early) {
    constexpr auto for_ever = std::chrono::hours{24 * 365 * 200};
    return packets::resuming_tls(ngtcp2::ticket_keys::shared({secret}, for_ever), early);
}

/// Two hosts that have been connected before, and are connected again.
struct reunion {
    struct meeting {
        meeting(world& w, reunion& r)
            : net(w, r.near, r.far, r.link, w.spoken),
              client(w, net.client, w.spoken, options_for<net_type>({}, hop_id{11})),
              server(w, net.server, w.spoken, options_for<net_type>({}, hop_id{22})) {}
        using net_type = moqlite::sim::net;
        net_type::connection net;
        endpoint<> client, server;
    };

    /// `later`: the server's configuration when they meet again.
    reunion(world& w, const ngtcp2::tls& later) : near(w, link), far(w, link) {
        far.renew(server_with(std::byte{1}, true));
        first = std::make_unique<meeting>(w, *this);
        w.run_until([&] { return first->net.client.quic() != nullptr && first->net.server.quic() != nullptr; }, 60s);
        w.run(1s);
        first->client->close(app_error::cancel, "until later");
        w.run_until([&] { return first->net.client.quic() == nullptr && first->net.server.quic() == nullptr; }, 60s);
        w.run(10s);
        far.renew(later);
        second = std::make_unique<meeting>(w, *this);
    }

    net::network_link link{
        .up = {.latency = 20ms}, .down = {.latency = 20ms}, .resume = ngtcp2::resumption::early_data};
    net::machine near, far;
    std::unique_ptr<meeting> first, second; ///< Datagrams may still be on the first one's way.
};

struct outcome {
    link::early_data early{};
    duration first_frame{}; ///< From the subscription to the first group.
    std::uint64_t hash = 0;
    std::uint64_t up = 0, down = 0; ///< Datagrams.
};

/// Subscribes to a track in early data. A datagram of each way may be lost.
outcome subscribe_again(
    std::uint64_t seed, const ngtcp2::tls& later, std::optional<std::uint64_t> up, std::optional<std::uint64_t> down) {
    world w{seed};
    reunion r{w, later};
    auto& m = *r.second;
    const clip c{.groups = 5, .frames = 3, .largest = 400, .key = w.dice.next()};
    on_demand<> source{m.server, c};
    viewer<> sink{m.client, c};
    if (up) m.net.up.lose(*up);
    if (down) m.net.down.lose(*down);
    const auto start = w.now();
    sink.subscribe({.start = group_sequence{c.first}});
    outcome out;
    w.run_until([&] { return !sink.complete.empty(); }, 60s);
    out.first_frame = w.now() - start;
    w.run_until([&] { return sink.ended.has_value(); }, 60s);
    must(sink.ended->finished && sink.has_all(group_sequence{c.first}, c.end()),
        "every request was answered, once and in full");
    w.run(1s);
    out.early = m.net.client.quic()->tls().early;
    must(m.net.server.quic() != nullptr && m.net.client.open_streams() == m.net.server.open_streams(),
        "both know the same streams");
    out.up = m.net.up.sent;
    out.down = m.net.down.sent;
    out.hash = w.hash();
    return out;
}

} // namespace

TEST_CASE("a subscription in early data is answered a round trip earlier", "[packets][early]") {
    for (std::uint64_t seed = 0; seed < 5; ++seed) {
        INFO("seed " << seed);
        const auto early = subscribe_again(seed, server_with(std::byte{1}, true), {}, {});
        const auto late = subscribe_again(seed, server_with(std::byte{1}, false), {}, {});
        CHECK(early.early == link::early_data::accepted);
        CHECK(late.early == link::early_data::rejected);
        CHECK(late.first_frame - early.first_frame > 35ms); // A round trip takes 40 ms.
    }
}

TEST_CASE("whatever packet of the first flights is lost, a rejection costs no request", "[packets][early]") {
    const bool resumed = GENERATE(true, false); // Only early data is rejected, or the ticket too.
    const auto later = server_with(resumed ? std::byte{1} : std::byte{2}, false);
    for (std::uint64_t seed = 0; seed < 5; ++seed) {
        const auto all = subscribe_again(seed, later, {}, {});
        REQUIRE(all.early == link::early_data::rejected);
        for (std::uint64_t n = 0; n < std::min<std::uint64_t>(all.up, 8); ++n) {
            INFO("seed " << seed << ", datagram " << n << " of the client is lost");
            CHECK(subscribe_again(seed, later, n, {}).early == link::early_data::rejected);
        }
        for (std::uint64_t n = 0; n < std::min<std::uint64_t>(all.down, 8); ++n) {
            INFO("seed " << seed << ", datagram " << n << " of the server is lost");
            CHECK(subscribe_again(seed, later, {}, n).early == link::early_data::rejected);
        }
    }
}

TEST_CASE("whatever two packets are lost, early data that is accepted arrives once", "[packets][early]") {
    const auto later = server_with(std::byte{1}, true);
    for (std::uint64_t up = 0; up < 5; ++up)
        for (std::uint64_t down = 0; down < 5; ++down) {
            INFO("datagrams " << up << " of the client and " << down << " of the server are lost");
            CHECK(subscribe_again(up, later, up, down).early == link::early_data::accepted);
        }
}

TEST_CASE("runs with early data are deterministic", "[packets][early]") {
    for (const bool accepted : {true, false}) {
        const auto later = server_with(std::byte{1}, accepted);
        const auto one = subscribe_again(3, later, 1, 1), again = subscribe_again(3, later, 1, 1);
        CHECK(one.hash == again.hash);
        CHECK(one.first_frame == again.first_frame);
        CHECK(subscribe_again(4, later, 1, 1).hash != one.hash);
    }
}

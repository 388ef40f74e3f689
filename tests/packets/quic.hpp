// Real QUIC packets over a virtual wire, as a transport for tests/conformance.
#pragma once

#include "connection.hpp"
#include "host.hpp"

#include <ngtcp2/ngtcp2.h>

namespace moqlite::packets {

struct quic {
    using network_link = packets::network_link;
    using machine = host;
    using connection = packets::connection;
    static constexpr std::uint64_t seeds = 300;
    static constexpr duration patience = 60s; ///< Five handshakes of ten seconds, and more.
    static constexpr bool loses_closes = true;
    /// Up to 1.24 ngtcp2 drops data that overtook lost bytes of a stream when it is stopped. If its sender then has
    /// an acknowledgement of everything before one of its RESET_STREAM, the stream is never closed (ngtcp2 #2235).
    [[nodiscard]] static std::size_t stuck_of(std::size_t stopped) noexcept {
        return ngtcp2_version(0)->version_num <= 0x011800 ? stopped : 0;
    }

    /// Any link that QUIC can use, for small transfers.
    [[nodiscard]] static network_link any(sim::chance& dice) {
        network_link l{.up = any_lane(dice), .down = any_lane(dice)};
        // A window smaller than a message costs a round trip for each piece of it.
        l.stream_credit = dice.between(500, dice.one_of({1'000u, 10'000u, 1'000'000u}));
        l.connection_credit = dice.between(2'000, dice.one_of({5'000u, 50'000u, 5'000'000u}));
        l.bidi_streams = dice.between(3, 100);
        l.uni_streams = dice.between(2, dice.one_of({3u, 10u, 100u}));
        l.packet_size = dice.one_of({1201u, 1452u, 1452u, 9000u});
        return l;
    }
    [[nodiscard]] static network_link near() { return both({.latency = 100us}); }
    [[nodiscard]] static network_link good(sim::chance& dice) {
        return dice.one_of({near(), wifi(dice),
            both({.latency = 300ms, .jitter = 20ms, .loss = 2, .rate = 2'000'000, .queue = 256 * 1024})});
    }
    /// Carries about `rate` bytes a second of stream data, plus headers and acknowledgements.
    [[nodiscard]] static network_link narrow(sim::chance& dice, std::uint64_t rate) {
        auto l = both({.latency = 15ms, .jitter = dice.up_to(10ms), .rate = rate * 5 / 4 + 1000, .queue = 6000});
        l.packet_size = 1201;
        return l;
    }
    [[nodiscard]] static network_link tight(sim::chance& dice, std::uint64_t window) {
        auto l = dice.coin() ? near() : wifi(dice);
        l.stream_credit = window / 2;
        l.connection_credit = window;
        return l;
    }
    [[nodiscard]] static network_link scarce(sim::chance& dice) {
        auto l = wifi(dice);
        l.stream_credit = dice.between(500, 4000);
        l.connection_credit = dice.between(20'000, 60'000);
        l.uni_streams = dice.between(12, 40);
        return l;
    }

private:
    [[nodiscard]] static network_link both(const lane_plan& p) { return {.up = p, .down = p}; }
    [[nodiscard]] static network_link wifi(sim::chance& dice) {
        return both({.latency = 10ms,
            .jitter = dice.up_to(20ms),
            .loss = static_cast<unsigned>(dice.below(10)),
            .reordered = static_cast<unsigned>(dice.one_of({0, 5})),
            .doubled = static_cast<unsigned>(dice.one_of({0, 5})),
            .rate = 4'000'000,
            .queue = 128 * 1024});
    }
    [[nodiscard]] static lane_plan any_lane(sim::chance& dice) {
        lane_plan p;
        p.latency = 1us + dice.up_to(dice.one_of<duration>({1ms, 20ms, 120ms}));
        p.jitter = dice.up_to(dice.one_of<duration>({0ms, 5ms, 80ms}));
        p.loss = dice.one_of({0u, 0u, 10u, 80u});
        p.bursts = dice.one_of({0u, 0u, 0u, 10u});
        p.burst = dice.up_to(200ms);
        p.reordered = dice.one_of({0u, 0u, 20u, 200u});
        p.held = dice.up_to(dice.one_of<duration>({1ms, 30ms}));
        p.doubled = dice.one_of({0u, 0u, 10u, 100u});
        p.damaged = dice.one_of({0u, 0u, 0u, 20u});
        p.rate = dice.one_of({0u, 0u, 50'000u, 1'000'000u});
        p.queue = dice.between(6'000, 100'000);
        p.mtu = dice.one_of({1200u, 1280u, 1400u, 1472u, 9000u});
        p.ecn = dice.coin();
        return p;
    }
};

} // namespace moqlite::packets

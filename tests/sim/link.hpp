// The link between two ends of a simulated connection.
#pragma once

#include "random.hpp"

#include <cstddef>
#include <cstdint>
#include <moqlite/core/time.hpp>

namespace moqlite::sim {

/// One-way times, sizes in bytes; both ends grant the same.
struct network_link {
    duration latency = 10ms;
    duration jitter = 0ms;             ///< Each segment is late by up to this, so they overtake each other.
    unsigned loss = 0;                 ///< Segments in a thousand that are retransmitted: delay.
    std::size_t segment = 1200;        ///< Largest piece in which bytes are sent and delivered.
    bool full_segments = false;        ///< Pieces are as large as they can be, and wait for room; else of any size.
    std::size_t packet = 1200;         ///< Most that one write takes.
    std::uint64_t rate = 0;            ///< Bytes a second; 0: no limit.
    std::uint64_t window = 256 * 1024; ///< Congestion: unacknowledged bytes.
    std::uint64_t stream_credit = 256 * 1024;
    std::uint64_t connection_credit = 1024 * 1024;
    std::uint64_t bidi_streams = 100;
    std::uint64_t uni_streams = 100;
    duration ack_delay = 1ms;
    duration idle_timeout = 8s;
    duration grid = 1us; ///< Events happen at multiples of it, several at once.
};

/// Fast, near, and without limits.
[[nodiscard]] inline network_link lan() { return {.latency = 100us, .window = 4 * 1024 * 1024}; }
[[nodiscard]] inline network_link wifi() { return {.latency = 15ms, .jitter = 30ms, .loss = 20, .rate = 4'000'000}; }
[[nodiscard]] inline network_link satellite() {
    return {.latency = 300ms, .jitter = 20ms, .loss = 5, .rate = 2'000'000};
}

/// Any link, for small transfers: windows and segments may be tiny.
[[nodiscard]] inline network_link any_link(chance& dice) {
    network_link l;
    l.latency = 1us + dice.up_to(dice.one_of<duration>({1ms, 20ms, 120ms}));
    l.jitter = dice.up_to(dice.one_of<duration>({0ms, 5ms, 80ms}));
    l.loss = static_cast<unsigned>(dice.one_of({0, 0, 10, 100}));
    l.segment = dice.between(1, dice.one_of({5u, 40u, 1200u, 1200u}));
    l.packet = dice.between(1, dice.one_of({16u, 1200u, 1200u, 20000u}));
    l.rate = dice.one_of({0u, 0u, 50'000u, 1'000'000u});
    l.window = dice.between(60, dice.one_of({2'000u, 20'000u, 500'000u}));
    l.stream_credit = dice.between(50, dice.one_of({300u, 5'000u, 500'000u}));
    l.connection_credit = dice.between(100, dice.one_of({2'000u, 50'000u, 1'000'000u}));
    l.bidi_streams = dice.between(3, 100);
    l.uni_streams = dice.between(2, dice.one_of({3u, 10u, 100u}));
    l.ack_delay = dice.up_to(25ms);
    l.grid = dice.one_of<duration>({1us, 1us, 500us, 5ms});
    return l;
}

} // namespace moqlite::sim

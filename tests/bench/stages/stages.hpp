// The parts of a run, in order.
#pragma once

#include "../report.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace moqlite::bench {

struct run_plan {
    bool quick = false;
    double seconds = 3;   ///< A measured window.
    double warm_up = 0.5; ///< Before it.
    int pairs = 5;        ///< Interleaved measurements; the median ratio counts.
    unsigned idle = 200;  ///< Idle subscribers.
    std::vector<unsigned> watchers{1, 10, 40, 100};
    std::vector<std::size_t> sizes{200, 4096, 8192, 65536}; ///< Of frames, bytes.
    std::uint64_t file = 1024 * 1024 * 1024;
    int server_core = 0;
    int client_core = 1;
    std::string json = "build/bench.json";
};

/// Nanoseconds a message, beside a memcpy of as many bytes.
void bench_codec(report&, const run_plan&);
/// Frames a second from a publisher's session to a subscriber's, with no QUIC between them.
void bench_in_memory(report&, const run_plan&);
/// AES, raw pair and raw forwarder beside one watcher of 64 KB frames at full rate.
void bench_raw(report&, const run_plan&);
/// Every number of watchers and size of frame, at full rate and at a fixed one.
void bench_relay(report&, const run_plan&);
/// Publisher and watchers on all versions, also on different ones, in turns with moq-lite-06.
void bench_versions(report&, const run_plan&);
/// The cost of an idle subscriber, beside an idle connection.
void bench_idle(report&, const run_plan&);
/// Watchers and idle subscribers by WebTransport, in turns with the same on native QUIC.
void bench_webtransport(report&, const run_plan&);
/// A track beside a file that is read slowly.
void bench_slow_file(report&, const run_plan&);
/// Watchers beside one that is stopped and one that never grants credit.
void bench_bad_readers(report&, const run_plan&);

} // namespace moqlite::bench

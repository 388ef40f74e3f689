// The processes of one measurement.
#pragma once

#include "../child.hpp"
#include "stages.hpp"

#include <moqlite/core/version.hpp>
#include <string>
#include <vector>

namespace moqlite::bench {

struct cell {
    unsigned watchers = 1;
    std::size_t size = 0; ///< Of a frame, bytes.
    /// Frames in a group: about a MiB of them, 16 to 100.
    [[nodiscard]] std::uint64_t group() const noexcept;
    [[nodiscard]] std::string name() const;
};

/// The versions of publisher and watchers, and the watchers' transport.
struct route {
    version from = version::lite_06;
    version to = version::lite_06;
    bool webtransport = false;
    bool operator==(const route&) const = default;
    [[nodiscard]] std::string name() const; ///< "03->06"
};

/// Throughput and cost. Rates are per second, of all watchers together.
struct through {
    double bytes = 0;                        ///< Payload.
    double deliveries = 0;                   ///< Frames.
    double server = 0;                       ///< CPU of the process under test, parts of its core.
    double clients = 0;                      ///< CPU of publisher and watchers, parts of their one core.
    double p50 = 0, p99 = 0;                 ///< ms
    double rss = 0;                          ///< Bytes of the process under test.
    double turns = 0, reads = 0, writes = 0; ///< Of the process under test.
    double delivered = 0, expected = 0;
    /// Bytes per second of the server's CPU: its speed on a core of its own under full load.
    [[nodiscard]] double speed() const noexcept { return server > 0 ? bytes / server : 0; }
    [[nodiscard]] double each() const noexcept { return deliveries > 0 ? server / deliveries * 1e6 : 0; } ///< CPU µs
};

/// The command lines of roles.
[[nodiscard]] std::vector<std::string> relay_arguments(std::uint64_t cache);
[[nodiscard]] std::vector<std::string> watch_arguments(int port, unsigned count, const std::string& how, const cell& c);

/// A relay with a publisher of "bench" behind it.
class relay_scene {
public:
    relay_scene(const run_plan&, std::uint64_t cache, std::vector<std::string> publisher);
    child relay;
    int port;
    child publisher;
};

/// `rate` frames per second; 0: as many as complete readers take.
[[nodiscard]] through through_relay(const run_plan&, const cell&, double rate, const route& = {});
/// The same frames at the same rate from memory, on bare connections.
[[nodiscard]] through raw_fan_out(const run_plan&, const cell&, double rate);
[[nodiscard]] through raw_forwarder(const run_plan&);
[[nodiscard]] through raw_pair(const run_plan&);
/// Memory of an idle subscriber in the relay, resident bytes.
[[nodiscard]] double idle_subscriber(const run_plan&, bool webtransport);

} // namespace moqlite::bench

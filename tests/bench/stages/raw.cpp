// The endpoint without sessions, and one watcher of 64 KB frames beside it.
#include "scenes.hpp"

#include "../measure.hpp"

#include <moqlite/ngtcp2/tls.hpp>

namespace moqlite::bench {

namespace {

/// One of the programs, over all pairs.
struct series {
    const char* name;
    std::vector<double> bytes{}, speed{}, server{}, clients{};
    const through& add(const through& t) {
        bytes.push_back(t.bytes);
        speed.push_back(t.speed());
        server.push_back(t.server);
        clients.push_back(t.clients);
        return last = t;
    }
    through last{};
};

nlohmann::json row(report& out, const series& s) {
    out.line("%-26s %9.1f MB/s %9.1f MB a second of CPU   server's core %3.0f %%   clients' core %3.0f %%", s.name,
        median(s.bytes) / 1e6, median(s.speed) / 1e6, median(s.server) * 100, median(s.clients) * 100);
    return {{"bytes_per_second", median(s.bytes)}, {"bytes_per_cpu_second", median(s.speed)},
        {"server_core", median(s.server)}, {"client_core", median(s.clients)}};
}

} // namespace

void bench_raw(report& out, const run_plan& plan) {
    out.title("divisors: the endpoint without sessions, full rate; goals compare speeds a second of CPU");
    out.line("%s", ngtcp2::library_versions().c_str());
    series pair{"raw pair"}, forwarder{"raw forwarder"}, relay{"relay, 1 watcher x 64 KB"};
    std::vector<double> packets, blocks, of_aes, wall, ratio;
    for (int i = 0; i < plan.pairs; ++i) {
        const auto aes = child{{"role-aes"}, plan.server_core}.wait();
        packets.push_back(aes.at("packets").get<double>());
        blocks.push_back(aes.at("blocks").get<double>());
        of_aes.push_back(pair.add(raw_pair(plan)).speed() / packets.back());
        const auto& bare = forwarder.add(raw_forwarder(plan));
        const auto& whole = relay.add(through_relay(plan, {1, 65536}, 0));
        wall.push_back(whole.bytes / bare.bytes);
        ratio.push_back(whole.speed() / bare.speed());
    }
    out.line("%-26s %9.1f MB/s in packets of 1 400 B, %.1f in blocks of 16 KB", "AES-128-GCM", median(packets) / 1e6,
        median(blocks) / 1e6);
    auto& data = out.data()["raw"];
    data = {{"aes_128_gcm_1400", median(packets)}, {"aes_128_gcm_16384", median(blocks)}, {"pair", row(out, pair)},
        {"forwarder", row(out, forwarder)}, {"relay", row(out, relay)}};
    data["relay_to_forwarder"] = median(ratio);
    data["relay_to_forwarder_wall"] = median(wall);
    out.line("relay to forwarder: %.2f (by the clock %.2f)", median(ratio), median(wall));
    out.goal("raw pair, of AES-128-GCM's speed in packets", median(of_aes), bound::at_least, 0.25);
    out.goal("relay, 1 watcher x 64 KB, of the raw forwarder's speed", median(ratio), bound::at_least, 0.85);
}

} // namespace moqlite::bench

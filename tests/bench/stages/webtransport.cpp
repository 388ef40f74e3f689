// The relay's cost of HTTP/3 and WebTransport: the same watchers, alternating with native QUIC.
#include "scenes.hpp"

#include "../measure.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <vector>

namespace moqlite::bench {

namespace {

constexpr route native{};
constexpr route by_webtransport{.webtransport = true};

/// Many watchers at a fixed rate of at most half of saturation, one at full rate: with more rows a whole run would take
/// more than twelve minutes.
struct comparison {
    cell what;
    double rate; ///< Frames a second; 0: as many as go through.
    [[nodiscard]] std::string name() const { return what.name() + (rate == 0 ? ", full rate" : ""); }
};
constexpr std::array comparisons{
    comparison{{10, 200}, 500}, comparison{{100, 4096}, 300}, comparison{{40, 8192}, 500}, comparison{{1, 65536}, 0}};

/// Egress for the same CPU.
constexpr double least = 0.9;
constexpr double idle_most = 48;

/// The relay's CPU per delivered frame, µs.
double each(const comparison& c, const through& t) {
    return t.bytes > 0 ? t.server / t.bytes * static_cast<double>(c.what.size) * 1e6 : 0;
}

/// One way, over all pairs.
struct series {
    std::vector<double> cpu{}, bytes{};
    double delivered = 0, expected = 0;

    void add(const comparison& c, const through& t) {
        cpu.push_back(each(c, t));
        bytes.push_back(t.bytes);
        delivered += t.delivered;
        expected += t.expected;
    }
    [[nodiscard]] double arrived() const { return expected > 0 ? delivered / expected : 0; }
    [[nodiscard]] nlohmann::json data() const {
        return {{"relay_us_per_delivery", median(cpu)}, {"egress", median(bytes)}, {"delivered", delivered},
            {"expected", expected}};
    }
};

void compare(report& out, const run_plan& plan, const comparison& c) {
    series quic, http3;
    std::vector<double> for_cpu, by_clock;
    for (int i = 0; i < plan.pairs; ++i) {
        quic.add(c, through_relay(plan, c.what, c.rate, native));
        http3.add(c, through_relay(plan, c.what, c.rate, by_webtransport));
        for_cpu.push_back(quic.cpu.back() / http3.cpu.back());
        by_clock.push_back(http3.bytes.back() / quic.bytes.back());
    }
    const double ratio = median(for_cpu), wall = median(by_clock);
    const char* verdict = out.goal(
        "egress by WebTransport, of native QUIC's for the same CPU, " + c.name(), ratio, bound::at_least, least);
    out.line("%4u x %6zu %4s | %8.1f %8.1f MB/s %6.3f | %7.2f %7.2f us | %6.3f %-4s | %8.4f %%", c.what.watchers,
        c.what.size, c.rate == 0 ? "full" : "", median(quic.bytes) / 1e6, median(http3.bytes) / 1e6, wall,
        median(quic.cpu), median(http3.cpu), ratio, verdict, http3.arrived() * 100);
    out.data()["webtransport"]["egress"].push_back(
        {{"watchers", c.what.watchers}, {"frame", c.what.size}, {"rate", c.rate}, {"native", quic.data()},
            {"webtransport", http3.data()}, {"ratio", ratio}, {"each_ratio", for_cpu}, {"ratio_by_clock", wall}});
}

void compare_idle(report& out, const run_plan& plan) {
    const double quic = idle_subscriber(plan, false), http3 = idle_subscriber(plan, true);
    out.line("idle subscriber, %u of them: native %.1f KB, WebTransport %.1f KB, %.1f KB above it", plan.idle,
        quic / 1000, http3 / 1000, (http3 - quic) / 1000);
    out.data()["webtransport"]["idle"] = {{"count", plan.idle}, {"native", quic}, {"webtransport", http3}};
    out.goal("idle WebTransport session above native QUIC's, KB", (http3 - quic) / 1000, bound::at_most, idle_most);
}

} // namespace

void bench_webtransport(report& out, const run_plan& plan) {
    out.title("watchers by WebTransport, in turns with native QUIC");
    out.line("%18s | %31s | %18s | %11s | %10s", "n x frame", "egress: native, WebTransport", "CPU/frame",
        "for the CPU", "arrived");
    for (const auto& c : comparisons)
        if (std::find(plan.sizes.begin(), plan.sizes.end(), c.what.size) != plan.sizes.end()) compare(out, plan, c);
    compare_idle(out, plan);
}

} // namespace moqlite::bench

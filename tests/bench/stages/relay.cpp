// Through the relay: each cell once at full rate, then at a fixed one, where those with a goal run
// interleaved with the raw fan-out of the same frames.
#include "scenes.hpp"

#include "../measure.hpp"

#include <algorithm>
#include <optional>

namespace moqlite::bench {

namespace {

/// The goal for relay CPU per delivery, relative to the raw fan-out; nullopt: none. A relay for one watcher
/// receives as much as it sends, unlike the fan-out.
std::optional<double> goal_of(const cell& c) {
    if (c.watchers == 1 || c.size > 8192) return std::nullopt;
    return c.size <= 200 ? 1.5 : 1.25;
}

/// Frames a second: a typical rate for the size, but at most half of saturation.
double rate_of(const cell& c, const through& full) {
    const double usual = c.size > 8192 ? 100 : 500;
    return std::max(1.0, std::min(usual, 0.5 * full.deliveries / c.watchers));
}

struct compared {
    through relay, raw; ///< Of the last pair, with the medians of all.
    double ratio = 0;
};

compared at_fixed_rate(const run_plan& plan, const cell& c, double rate) {
    const int pairs = goal_of(c) ? plan.pairs : 1;
    std::vector<double> relay_each, raw_each, p50, p99, ratio;
    compared out;
    double delivered = 0, expected = 0;
    for (int i = 0; i < pairs; ++i) {
        out.relay = through_relay(plan, c, rate);
        out.raw = raw_fan_out(plan, c, rate);
        relay_each.push_back(out.relay.each());
        raw_each.push_back(out.raw.each());
        p50.push_back(out.relay.p50);
        p99.push_back(out.relay.p99);
        ratio.push_back(out.relay.each() / out.raw.each());
        delivered += out.relay.delivered;
        expected += out.relay.expected;
    }
    out.relay.server = median(relay_each) / 1e6 * out.relay.deliveries;
    out.raw.server = median(raw_each) / 1e6 * out.raw.deliveries;
    out.relay.p50 = median(p50);
    out.relay.p99 = median(p99);
    out.relay.delivered = delivered;
    out.relay.expected = expected;
    out.ratio = median(ratio);
    return out;
}

double part(const through& t) { return t.expected > 0 ? t.delivered / t.expected : 0; }

/// System calls and turns per delivery.
nlohmann::json calls(const through& t) {
    const double n = t.deliveries;
    return {{"turns", t.turns / n}, {"reads", t.reads / n}, {"writes", t.writes / n}};
}

void run_cell(report& out, const run_plan& plan, const cell& c) {
    const auto full = through_relay(plan, c, 0);
    const double rate = rate_of(c, full);
    const auto fixed = at_fixed_rate(plan, c, rate);
    const auto goal = goal_of(c);
    const char* verdict =
        goal ? out.goal("relay CPU a delivery, of the raw fan-out's, " + c.name(), fixed.ratio, bound::at_most, *goal)
             : "-";
    const auto saturated = [](const through& t) { return t.clients > 0.95 ? '*' : ' '; };
    out.line("%4u x %6zu | %8.1f %c %6.1f %% | %4.0f %7.2f %7.2f %6.2f %-4s | %6.2f %7.2f %c %6.1f | %8.4f %%",
        c.watchers, c.size, full.bytes / 1e6, saturated(full), part(full) * 100, rate, fixed.relay.each(),
        fixed.raw.each(), fixed.ratio, verdict, fixed.relay.p50, fixed.relay.p99, saturated(fixed.relay),
        fixed.relay.rss / 1048576.0, part(fixed.relay) * 100);
    out.data()["relay"].push_back({{"watchers", c.watchers}, {"frame", c.size}, {"group", c.group()},
        {"full",
            {{"egress", full.bytes}, {"relay_core", full.server}, {"client_core", full.clients},
                {"relay_us_per_delivery", full.each()}, {"delivered", full.delivered}, {"expected", full.expected}}},
        {"fixed", {{"rate", rate}, {"relay_us_per_delivery", fixed.relay.each()},
                      {"raw_us_per_delivery", fixed.raw.each()}, {"ratio", fixed.ratio}, {"p50_ms", fixed.relay.p50},
                      {"p99_ms", fixed.relay.p99}, {"client_core", fixed.relay.clients}, {"relay_rss", fixed.relay.rss},
                      {"relay_calls", calls(fixed.relay)}, {"raw_calls", calls(fixed.raw)},
                      {"delivered", fixed.relay.delivered}, {"expected", fixed.relay.expected}}}});
}

} // namespace

void bench_relay(report& out, const run_plan& plan) {
    out.title("through the relay, loopback");
    out.line("*: the clients' core is saturated, so the figure says how fast they are. Latency is from when a frame "
             "was due.");
    out.line("%13s | %21s | %34s | %21s | %10s", "", "full rate", "fixed rate: CPU us a delivery",
        "latency ms, RSS MiB", "");
    out.line("%4s   %6s | %8s   %8s | %4s %7s %7s %6s %-4s | %6s %7s   %6s | %10s", "n", "frame", "MB/s", "arrived",
        "fps", "relay", "raw", "ratio", "goal", "p50", "p99", "RSS", "arrived");
    for (const auto n : plan.watchers)
        for (const auto size : plan.sizes) run_cell(out, plan, {n, size});
}

} // namespace moqlite::bench

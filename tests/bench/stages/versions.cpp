// Through the relay in every version and between them, in turns with moq-lite-06 and with the endpoint alone.
#include "scenes.hpp"

#include "../measure.hpp"

#include <algorithm>
#include <array>
#include <moqlite/core/version.hpp>
#include <string>
#include <vector>

namespace moqlite::bench {

namespace {

constexpr route plain{};
constexpr std::array others{route{version::lite_03, version::lite_03}, route{version::lite_05, version::lite_05},
    route{version::lite_05, version::lite_06}, route{version::lite_06, version::lite_04},
    route{version::lite_06, version::lite_07_wip}, route{version::lite_07_wip, version::lite_07_wip}};

/// The comparisons: many watchers at a fixed rate of at most half of saturation, one at full rate.
struct comparison {
    cell what;
    double rate;          ///< Frames a second; 0: as many as go through.
    double of_raw;        ///< Maximum relative to the endpoint's own cost, for equal versions.
    bool has_goal_beside; ///< Maximum cost of other routes relative to 06 to 06.
    [[nodiscard]] const char* divisor() const { return rate != 0 ? "raw fan-out" : "raw forwarder"; }
};
constexpr std::array comparisons{comparison{{10, 200}, 500, 1.5, false}, comparison{{100, 4096}, 300, 1.25, false},
    comparison{{40, 8192}, 500, 1.25, true}, comparison{{1, 65536}, 0, 1 / 0.85, true}};
constexpr double of_plain = 1.10;

/// The server's CPU per delivered frame, µs.
double each(const comparison& c, const through& t) {
    return t.bytes > 0 ? t.server / t.bytes * static_cast<double>(c.what.size) * 1e6 : 0;
}
double raw_each(const run_plan& plan, const comparison& c) {
    return each(c, c.rate != 0 ? raw_fan_out(plan, c.what, c.rate) : raw_forwarder(plan));
}

/// Of one route, over all pairs.
struct series {
    std::vector<double> cpu{}, of_plain{}, of_raw{}, bytes{};
    double delivered = 0, expected = 0;

    double add(const comparison& c, const through& t, double raw, double of) {
        cpu.push_back(each(c, t));
        bytes.push_back(t.bytes);
        of_raw.push_back(cpu.back() / raw);
        of_plain.push_back(cpu.back() / (of == 0 ? cpu.back() : of));
        delivered += t.delivered;
        expected += t.expected;
        return cpu.back();
    }
};

void row(report& out, const comparison& c, const route& way, const series& s) {
    const auto name = way.name() + ", " + c.what.name();
    const auto raw = median(s.of_raw), of = median(s.of_plain);
    const char* raw_verdict = "-";
    if (way.from == way.to)
        raw_verdict =
            out.goal("relay CPU, of the " + std::string{c.divisor()} + "'s, " + name, raw, bound::at_most, c.of_raw);
    const char* verdict = "-";
    if (c.has_goal_beside && way != plain)
        verdict = out.goal("relay CPU, of 06->06's, " + name, of, bound::at_most, of_plain);
    const auto arrived = s.expected > 0 ? s.delivered / s.expected : 0;
    out.line("%4u x %6zu | %-8s | %9.1f MB/s | %7.2f us | %6.3f %-4s | %6.3f %-4s | %8.4f %%", c.what.watchers,
        c.what.size, way.name().c_str(), median(s.bytes) / 1e6, median(s.cpu), raw, raw_verdict, of, verdict,
        arrived * 100);
    out.data()["versions"].push_back({{"watchers", c.what.watchers}, {"frame", c.what.size}, {"route", way.name()},
        {"rate", c.rate}, {"egress", median(s.bytes)}, {"relay_us_per_delivery", median(s.cpu)}, {"of_raw", raw},
        {"of_06_to_06", of}, {"each_of_06_to_06", s.of_plain}, {"delivered", s.delivered}, {"expected", s.expected}});
}

void compare(report& out, const run_plan& plan, const comparison& c) {
    series base;
    std::array<series, others.size()> each_other;
    for (int i = 0; i < plan.pairs; ++i) {
        const double raw = raw_each(plan, c);
        // Between two of the same kind, so that drift affects both.
        const double before = base.add(c, through_relay(plan, c.what, c.rate, plain), raw, 0);
        std::array<through, others.size()> got;
        for (std::size_t n = 0; n < others.size(); ++n) got[n] = through_relay(plan, c.what, c.rate, others[n]);
        const double after = base.add(c, through_relay(plan, c.what, c.rate, plain), raw, 0);
        for (std::size_t n = 0; n < others.size(); ++n)
            static_cast<void>(each_other[n].add(c, got[n], raw, (before + after) / 2));
    }
    row(out, c, plain, base);
    for (std::size_t n = 0; n < others.size(); ++n) row(out, c, others[n], each_other[n]);
}

} // namespace

void bench_versions(report& out, const run_plan& plan) {
    out.title("through the relay, by the versions of publisher and watchers");
    out.line("%13s | %-8s | %14s | %10s | %11s | %11s | %10s", "n x frame", "from->to", "egress", "CPU/frame", "of raw",
        "of 06->06", "arrived");
    for (const auto& c : comparisons)
        if (std::find(plan.sizes.begin(), plan.sizes.end(), c.what.size) != plan.sizes.end()) compare(out, plan, c);
}

} // namespace moqlite::bench

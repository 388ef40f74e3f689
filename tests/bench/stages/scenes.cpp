#include "scenes.hpp"

#include <algorithm>
#include <stdexcept>

namespace moqlite::bench {

namespace {

std::string text(double value) { return std::to_string(value); }
std::string text(std::uint64_t value) { return std::to_string(value); }
std::string text(int value) { return std::to_string(value); }
std::string text(unsigned value) { return std::to_string(value); }

/// One-stream programs get a connection's whole credit: they show the endpoint's limit.
constexpr const char* wide_window = "8388608";

std::vector<std::string> raw_client(int port, unsigned count, const char* alpn, const char* window) {
    return {"role-raw-client", "--port", text(port), "--count", text(count), "--alpn", alpn, "--window", window};
}

/// Two readings of all processes, a window apart.
struct reading {
    explicit reading(std::vector<child*> all) : from{std::move(all)} {}
    void begin() {
        for (auto* c : from) before.push_back(c->ask("mark"));
    }
    void end() {
        for (auto* c : from) after.push_back(c->ask("mark"));
    }
    [[nodiscard]] double cpu(std::size_t i) const { return cpu_between(before[i], after[i]); }
    [[nodiscard]] double rate(std::size_t i, const char* field) const {
        return rate_between(before[i], after[i], field);
    }
    std::vector<child*> from;
    std::vector<nlohmann::json> before, after;
};

/// The first is the program under test, the second the one that counts bytes; more are clients, too.
through measure(const run_plan& plan, std::vector<child*> all) {
    reading r{std::move(all)};
    sleep_for(plan.warm_up);
    r.begin();
    sleep_for(plan.seconds);
    r.end();
    through out;
    out.bytes = r.rate(1, "bytes");
    out.server = r.cpu(0);
    for (std::size_t i = 1; i < r.from.size(); ++i) out.clients += r.cpu(i);
    out.turns = r.rate(0, "turns");
    out.reads = r.rate(0, "reads");
    out.writes = r.rate(0, "writes");
    out.rss = r.after[0].at("rss").get<double>();
    if (const auto late = r.after[1].find("latency"); late != r.after[1].end()) {
        out.p50 = late->at("p50").get<double>();
        out.p99 = late->at("p99").get<double>();
        out.deliveries = r.rate(1, "frames");
    }
    return out;
}

/// Stops the publisher and waits until everything in flight has arrived, or nothing arrives any more.
void count_delivered(child& publisher, child& watchers, const cell& c, const char* track, through& out) {
    const auto total = publisher.ask("stop").at(track).get<double>();
    for (double before = -1;;) {
        const auto now = watchers.ask("mark");
        out.delivered = now.at("frames").get<double>();
        out.expected = c.watchers * total - now.at("first").get<double>();
        if (out.delivered >= out.expected || out.delivered == before) return;
        before = out.delivered;
        sleep_for(0.3);
    }
}

} // namespace

std::uint64_t cell::group() const noexcept {
    return std::clamp<std::uint64_t>(1024 * 1024 / std::max<std::size_t>(size, 1), 16, 100);
}

std::string cell::name() const { return std::to_string(watchers) + " x " + std::to_string(size) + " B"; }

std::string route::name() const {
    const auto number = [](version v) { return std::string{alpn(v).substr(alpn(v).rfind("lite-") + 5)}; };
    return number(from) + "->" + number(to);
}

std::vector<std::string> relay_arguments(std::uint64_t cache) { return {"role-relay", "--cache", text(cache)}; }

std::vector<std::string> watch_arguments(int port, unsigned count, const std::string& how, const cell& c) {
    return {"role-watch", "--port", text(port), "--count", text(count), "--track", how == "live" ? "live" : "bulk",
        "--how", how, "--size", text(std::uint64_t{c.size}), "--group", text(c.group())};
}

relay_scene::relay_scene(const run_plan& plan, std::uint64_t cache, std::vector<std::string> arguments)
    : relay{relay_arguments(cache), plan.server_core},
      port{relay.wait().at("port").get<int>()},
      publisher{[&] {
                    arguments.insert(arguments.end(), {"--port", text(port)});
                    return std::move(arguments);
                }(),
          plan.client_core} {
    static_cast<void>(publisher.wait());
    for (int i = 0; i < 200; ++i) {
        if (relay.ask("mark").at("broadcasts").get<int>() == 1) return;
        sleep_for(0.01);
    }
    throw std::runtime_error("the relay does not know of the broadcast");
}

through through_relay(const run_plan& plan, const cell& c, double rate, const route& way) {
    const std::string size = text(std::uint64_t{c.size}), group = text(c.group());
    const bool full = rate == 0;
    auto publish = full ? std::vector<std::string>{"role-publish", "--bulk-size", size, "--bulk-group", group}
                        : std::vector<std::string>{
                              "role-publish", "--live-size", size, "--live-group", group, "--live-rate", text(rate)};
    publish.insert(publish.end(), {"--protocol", std::string{alpn(way.from)}});
    relay_scene scene{plan, 64 * 1024 * 1024, std::move(publish)};
    auto watch = watch_arguments(scene.port, c.watchers, full ? "capped" : "live", c);
    watch.insert(watch.end(), {"--protocol", std::string{alpn(way.to)}});
    if (way.webtransport) watch.emplace_back("--webtransport");
    child watchers{std::move(watch), plan.client_core};
    static_cast<void>(watchers.wait());
    scene.publisher.ask("go");
    auto out = measure(plan, {&scene.relay, &watchers, &scene.publisher});
    count_delivered(scene.publisher, watchers, c, full ? "bulk" : "live", out);
    return out;
}

through raw_fan_out(const run_plan& plan, const cell& c, double rate) {
    child server{
        {"role-raw-server", "--size", text(std::uint64_t{c.size}), "--group", text(c.group()), "--rate", text(rate)},
        plan.server_core};
    const auto port = server.wait().at("port").get<int>();
    child watchers{raw_client(port, c.watchers, "raw-fan", "1048576"), plan.client_core};
    static_cast<void>(watchers.wait());
    server.ask("go");
    auto out = measure(plan, {&server, &watchers});
    out.deliveries = out.bytes / static_cast<double>(c.size);
    return out;
}

through raw_forwarder(const run_plan& plan) {
    child server{{"role-raw-server", "--window", wide_window}, plan.server_core};
    const auto port = server.wait().at("port").get<int>();
    child watcher{raw_client(port, 1, "raw-out", wide_window), plan.client_core};
    static_cast<void>(watcher.wait());
    sleep_for(0.05); // The server's own handshake ends a little later.
    child publisher{raw_client(port, 1, "raw-in", wide_window), plan.client_core};
    static_cast<void>(publisher.wait());
    return measure(plan, {&server, &watcher, &publisher});
}

through raw_pair(const run_plan& plan) {
    child server{{"role-raw-server", "--window", wide_window}, plan.server_core};
    const auto port = server.wait().at("port").get<int>();
    child watcher{raw_client(port, 1, "raw-pull", wide_window), plan.client_core};
    static_cast<void>(watcher.wait());
    return measure(plan, {&server, &watcher});
}

} // namespace moqlite::bench

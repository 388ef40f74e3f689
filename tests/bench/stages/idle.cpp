// Memory of an idle subscriber that has received a MiB: resident bytes of the server with many of them,
// minus those with none, after it had one. Both servers trim their heaps first.
#include "scenes.hpp"

#include <algorithm>
#include <memory>

namespace moqlite::bench {

namespace {

constexpr std::size_t frame = 16 * 1024;
constexpr double wanted = 1024 * 1024; ///< Bytes that each receives.

/// 100 MB a second in total; at most 640 frames a second.
double rate_for(unsigned count) { return std::clamp(100e6 / (count * double{frame}), 1.0, 640.0); }

/// Has `source` write until every watcher has its share.
void feed(child& source, child& watchers, unsigned count) {
    static_cast<void>(watchers.wait(60));
    source.ask("go");
    for (int i = 0; i < 600 && watchers.ask("mark").at("bytes").get<double>() < wanted * count; ++i) sleep_for(0.1);
    source.ask("stop");
}

double settled(child& server, double quiet) {
    sleep_for(quiet);
    return server.ask("trim").at("rss").get<double>();
}

double quiet_time(const run_plan& plan) { return plan.quick ? 1 : 10; }

/// `make(count)` starts that many watchers.
template <class Make>
double cost(child& server, child& source, const run_plan& plan, Make&& make) {
    {
        auto one = make(1U);
        feed(source, *one, 1);
        one->leave();
    }
    const double none = settled(server, 1);
    auto many = make(plan.idle);
    feed(source, *many, plan.idle);
    return (settled(server, quiet_time(plan)) - none) / plan.idle;
}

double idle_connection(const run_plan& plan) {
    const cell c{plan.idle, frame};
    child server{{"role-raw-server", "--size", std::to_string(frame), "--group", std::to_string(c.group()), "--rate",
                     std::to_string(rate_for(plan.idle))},
        plan.server_core};
    const auto port = std::to_string(server.wait().at("port").get<int>());
    return cost(server, server, plan, [&](unsigned count) {
        const std::vector<std::string> arguments{
            "role-raw-client", "--port", port, "--count", std::to_string(count), "--alpn", "raw-fan"};
        return std::make_unique<child>(arguments, plan.client_core);
    });
}

} // namespace

double idle_subscriber(const run_plan& plan, bool webtransport) {
    const cell c{plan.idle, frame};
    // Without a cache, which has its own bound, the subscriber is measured.
    relay_scene scene{plan, 0,
        {"role-publish", "--live-size", std::to_string(frame), "--live-group", std::to_string(c.group()), "--live-rate",
            std::to_string(rate_for(plan.idle))}};
    return cost(scene.relay, scene.publisher, plan, [&](unsigned count) {
        auto watch = watch_arguments(scene.port, count, "live", {count, frame});
        if (webtransport) watch.emplace_back("--webtransport");
        return std::make_unique<child>(std::move(watch), plan.client_core);
    });
}

void bench_idle(report& out, const run_plan& plan) {
    out.title("an idle subscriber: resident bytes of the server, each");
    const double bare = idle_connection(plan), subscriber = idle_subscriber(plan, false);
    out.line("%u of them: relay %.1f KB, bare connection %.1f KB, session and subscription %.1f KB", plan.idle,
        subscriber / 1000, bare / 1000, (subscriber - bare) / 1000);
    out.data()["idle"] = {{"count", plan.idle}, {"subscriber", subscriber}, {"bare", bare}};
    out.goal("idle subscriber, KB", subscriber / 1000, bound::at_most, 100);
    out.goal("idle subscriber above the bare connection, KB", (subscriber - bare) / 1000, bound::at_most, 24);
}

} // namespace moqlite::bench

// moqlite-bench: the cost of library and relay, relative to the same endpoint code
// without them. The processes under test run on core 0, publishers and watchers on core 1.
#include "measure.hpp"
#include "roles/roles.hpp"
#include "stages/stages.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <exception>
#include <functional>
#include <iostream>
#include <map>
#include <optional>
#include <string>
#include <unistd.h>
#include <utility>
#include <vector>

namespace moqlite::bench {

namespace {

/// A role's hidden command, used by the bench.
template <class Role>
CLI::App& add_role(CLI::App& app, const char* name, Role& plan, std::function<int()>& chosen) {
    auto& command = *app.add_subcommand(name)->group("");
    command.callback([&] { chosen = [&] { return run(plan); }; });
    return command;
}

struct roles {
    relay_role relay;
    publisher_role publisher;
    watcher_role watcher;
    raw_server_role server;
    raw_client_role client;
    aes_role aes;
    std::function<int()> chosen;

    void add_to(CLI::App& app) {
        auto& r = add_role(app, "role-relay", relay, chosen);
        r.add_option("--cache", relay.cache);
        auto& p = add_role(app, "role-publish", publisher, chosen);
        p.add_option("--port", publisher.port);
        p.add_option("--protocol", publisher.protocol);
        p.add_option("--live-size", publisher.live.size);
        p.add_option("--live-rate", publisher.live.rate);
        p.add_option("--live-group", publisher.live.group);
        p.add_option("--bulk-size", publisher.bulk.size);
        p.add_option("--bulk-group", publisher.bulk.group);
        p.add_option("--bulk-frames", publisher.bulk.frames);
        auto& w = add_role(app, "role-watch", watcher, chosen);
        w.add_option("--port", watcher.port);
        w.add_option("--protocol", watcher.protocol);
        w.add_option("--count", watcher.count);
        w.add_option("--track", watcher.track);
        const std::map<std::string, watching> ways{
            {"live", watching::live}, {"capped", watching::capped}, {"drained", watching::drained}};
        w.add_option("--how", watcher.how)->transform(CLI::CheckedTransformer(ways));
        w.add_option("--drain", watcher.drain);
        w.add_option("--size", watcher.plan.size);
        w.add_option("--group", watcher.plan.group);
        w.add_flag("--webtransport", watcher.webtransport);
        w.add_option("--credit", watcher.gives_credit);
        auto& s = add_role(app, "role-raw-server", server, chosen);
        s.add_option("--size", server.fan.size);
        s.add_option("--group", server.fan.group);
        s.add_option("--rate", server.fan.rate);
        s.add_option("--window", server.window);
        add_role(app, "role-aes", aes, chosen);
        auto& c = add_role(app, "role-raw-client", client, chosen);
        c.add_option("--port", client.port);
        c.add_option("--count", client.count);
        c.add_option("--alpn", client.alpn);
        c.add_option("--window", client.window);
    }
};

struct choices {
    run_plan plan;
    bool faults = false;
    std::vector<std::string> only;
};

/// Runs only by name, to keep a whole run below twelve minutes.
constexpr const char* by_name = "versions";

int measure_all(const choices& c) {
    report out;
    const std::vector<std::pair<std::string, void (*)(report&, const run_plan&)>> stages =
        c.faults ? decltype(stages){{"file", bench_slow_file}, {"readers", bench_bad_readers}}
                 : decltype(stages){{"codec", bench_codec}, {"memory", bench_in_memory}, {"raw", bench_raw},
                       {"relay", bench_relay}, {"idle", bench_idle}, {"webtransport", bench_webtransport},
                       {by_name, bench_versions}};
    out.line("relay and raw servers on core %d; publisher and watchers together on core %d", c.plan.server_core,
        c.plan.client_core);
    if (::geteuid() != 0) out.line("what else runs on this machine is in the figures: only root may go before it");
    if (cores() < 2) out.line("this machine has one core: what is measured here is the scheduler");
    for (const auto& [name, stage] : stages)
        if ((c.only.empty() && name != by_name) || std::find(c.only.begin(), c.only.end(), name) != c.only.end())
            stage(out, c.plan);
    return out.finish(c.plan.json);
}

} // namespace

} // namespace moqlite::bench

int main(int argc, char** argv) {
    using namespace moqlite::bench;
    CLI::App app{"Measures moqlite against the same endpoint code without it."};
    choices c;
    roles r;
    bool quick = false;
    std::optional<double> seconds;
    bool idle = false;
    app.add_flag("--quick", quick, "a smoke run of less than a minute; its figures mean little");
    app.add_flag("--faults", c.faults, "a slow reader of a file, stopped and deaf readers");
    app.add_option("--only", c.only,
        "stages: codec, memory, raw, relay, idle, webtransport; versions (9 minutes), which runs only so; with "
        "--faults: file, "
        "readers");
    app.add_option("--watchers", c.plan.watchers, "how many, in the stage relay")->capture_default_str();
    app.add_option("--sizes", c.plan.sizes, "of frames, in the stages relay, webtransport and versions")
        ->capture_default_str();
    app.add_option("--seconds", seconds, "of a measured window; 3, with --faults 20");
    app.add_option("--pairs", c.plan.pairs, "interleaved measurements of each comparison")->capture_default_str();
    app.add_flag("--idle", idle, "only what an idle subscriber costs, with 1000 of them instead of 200");
    app.add_option("--file-size", c.plan.file, "bytes of the file of --faults")->transform(CLI::AsSizeValue(false));
    app.add_option("--json", c.plan.json, "where the figures go")->capture_default_str();
    r.add_to(app);
    CLI11_PARSE(app, argc, argv);
    try {
        // No destructors: connections end with the process.
        if (r.chosen) {
            go_first();
            std::_Exit(r.chosen());
        }
        c.plan.quick = quick;
        c.plan.seconds = seconds.value_or(c.faults ? (quick ? 4 : 20) : (quick ? 1 : 3));
        if (quick) {
            c.plan.pairs = 1;
            c.plan.watchers = {1, 10};
            c.plan.sizes = {200, 8192};
        }
        c.plan.idle = idle ? 1000 : quick ? 20 : 200;
        if (idle) c.only = {"idle"};
        if (cores() < 2) c.plan.client_core = 0;
        return measure_all(c);
    } catch (const std::exception& e) {
        std::cerr << "moqlite-bench: " << e.what() << '\n';
        return 1;
    }
}

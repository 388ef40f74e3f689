// Harmful readers, and their effect on others.
#include "scenes.hpp"

#include "../measure.hpp"

#include <algorithm>
#include <csignal>
#include <memory>

namespace moqlite::bench {

namespace {

constexpr double mebi = 1024 * 1024;
constexpr std::uint64_t file_frame = 16 * 1024, file_group = 64, small_cache = 16 * 1024 * 1024;
constexpr double file_drain = 20e6;
constexpr cell side{1, 4096};
const std::vector<std::string> side_track{"--live-size", "4096", "--live-rate", "60", "--live-group", "60"};

std::vector<std::string> publish(const std::vector<std::string>& more) {
    std::vector<std::string> out{"role-publish"};
    out.insert(out.end(), side_track.begin(), side_track.end());
    out.insert(out.end(), more.begin(), more.end());
    return out;
}

struct lateness {
    double p50 = 0, p99 = 0;
};
lateness lateness_of(const nlohmann::json& mark) {
    const auto& l = mark.at("latency");
    return {l.at("p50").get<double>(), l.at("p99").get<double>()};
}

/// A relay, the side track's watcher and, with `frames`, a file of that many, read slowly.
class file_scene {
public:
    file_scene(const run_plan& plan, std::uint64_t frames)
        : scene{plan, small_cache,
              publish(frames == 0 ? std::vector<std::string>{}
                                  : std::vector<std::string>{"--bulk-size", std::to_string(file_frame), "--bulk-group",
                                        std::to_string(file_group), "--bulk-frames", std::to_string(frames)})},
          beside{watch_arguments(scene.port, 1, "live", side), plan.client_core} {
        static_cast<void>(beside.wait());
        if (frames != 0) {
            auto arguments = watch_arguments(scene.port, 1, "drained", {1, file_frame});
            arguments.insert(arguments.end(), {"--drain", std::to_string(file_drain)});
            reader = std::make_unique<child>(arguments, plan.client_core);
            static_cast<void>(reader->wait());
        }
        scene.publisher.ask("go");
    }
    /// In ms over the plan's window, once buffers have filled.
    lateness late(const run_plan& plan) {
        sleep_for(2);
        beside.ask("mark");
        sleep_for(plan.seconds);
        return lateness_of(beside.ask("mark"));
    }
    relay_scene scene;
    child beside;
    std::unique_ptr<child> reader;
};

std::uint64_t frames_of(std::uint64_t bytes) {
    const auto frames = (bytes + file_frame - 1) / file_frame;
    return (frames + file_group - 1) / file_group * file_group;
}

void whole_file(report& out, const run_plan& plan) {
    const auto frames = frames_of(plan.file);
    const double begin = seconds_now();
    file_scene s{plan, frames};
    nlohmann::json read = s.reader->ask("mark");
    const double until = begin + 60 + static_cast<double>(plan.file) / file_drain * 2;
    // The end is known before the last byte is consumed.
    while (read.at("frames").get<std::uint64_t>() < frames && read.at("lost") == 0 && seconds_now() < until) {
        sleep_for(0.25);
        read = s.reader->ask("mark");
    }
    const double took = seconds_now() - begin;
    const double relay = s.scene.relay.ask("mark").at("peak").get<double>() / mebi;
    const double publisher = s.scene.publisher.ask("mark").at("peak").get<double>() / mebi;
    const double watcher = read.at("peak").get<double>() / mebi;
    out.line("%.0f MiB in %.1f s at 20 MB/s, %.0f of %.0f frames, %.0f wrong, %.0f groups lost",
        static_cast<double>(plan.file) / mebi, took, read.at("frames").get<double>(), static_cast<double>(frames),
        read.at("wrong").get<double>(), read.at("lost").get<double>());
    out.line("peak RSS: publisher %.1f MiB, relay %.1f MiB, watcher %.1f MiB", publisher, relay, watcher);
    out.data()["file"] = {{"bytes", plan.file}, {"seconds", took}, {"publisher_peak_mib", publisher},
        {"relay_peak_mib", relay}, {"watcher_peak_mib", watcher}};
    const auto missing = static_cast<double>(frames) - read.at("frames").get<double>();
    out.goal("file: frames missing, wrong or lost",
        missing + read.at("wrong").get<double>() + read.at("lost").get<double>(), bound::at_most, 0);
    out.goal("file: publisher's peak RSS, MiB", publisher, bound::at_most, 64);
    out.goal("file: watcher's peak RSS, MiB", watcher, bound::at_most, 64);
    out.goal("file: relay's peak RSS, MiB", relay, bound::at_most, 64 + small_cache / mebi);
}

/// The median p99 with the fault, in terms of the one without: 1.5 times, or 1 ms more, whichever is more.
void compare(
    report& out, const std::string& what, const std::vector<lateness>& without, const std::vector<lateness>& with) {
    std::vector<double> a, b;
    for (std::size_t i = 0; i < without.size(); ++i) {
        out.line("  without: p50 %7.3f p99 %7.3f ms   with: p50 %7.3f p99 %7.3f ms", without[i].p50, without[i].p99,
            with[i].p50, with[i].p99);
        a.push_back(without[i].p99);
        b.push_back(with[i].p99);
    }
    out.data()[what] = {{"p99_without_ms", a}, {"p99_with_ms", b}};
    const double base = median(a);
    out.goal(what + ": p99 in ms", median(b), bound::at_most, std::max(1.5 * base, base + 1));
}

} // namespace

void bench_slow_file(report& out, const run_plan& plan) {
    out.title(
        "a file at full rate, its reader at 20 MB/s, cache 16 MiB; a track of 60 fps of the same session beside it");
    whole_file(out, plan);
    std::vector<lateness> without, with;
    const auto frames = frames_of(static_cast<std::uint64_t>(file_drain * 2 * (plan.seconds + 10)));
    for (int i = 0; i < plan.pairs; ++i) {
        without.push_back(file_scene{plan, 0}.late(plan));
        with.push_back(file_scene{plan, frames}.late(plan));
    }
    compare(out, "track beside the file", without, with);
}

namespace {

constexpr unsigned good = 10;

struct fault_run {
    lateness late;
    double lost = 0;
    nlohmann::json closed; ///< By the relay.
    double began = 0;
};

fault_run run_readers(const run_plan& plan, bool faulty) {
    relay_scene scene{plan, 64 * 1024 * 1024, publish({})};
    child others{watch_arguments(scene.port, good, "live", {good, side.size}), plan.client_core};
    static_cast<void>(others.wait());
    std::unique_ptr<child> stopped, deaf;
    if (faulty) {
        stopped = std::make_unique<child>(watch_arguments(scene.port, 1, "live", side), plan.client_core);
        auto arguments = watch_arguments(scene.port, 1, "live", side);
        arguments.insert(arguments.end(), {"--credit", "0"});
        deaf = std::make_unique<child>(arguments, plan.client_core);
        static_cast<void>(stopped->wait());
        static_cast<void>(deaf->wait());
    }
    scene.publisher.ask("go");
    sleep_for(1);
    fault_run out;
    out.began = seconds_now();
    if (stopped) ::kill(stopped->pid(), SIGSTOP);
    others.ask("mark");
    sleep_for(plan.seconds);
    out.late = lateness_of(others.ask("mark"));
    const auto total = scene.publisher.ask("stop").at("live").get<double>();
    sleep_for(0.5);
    const auto end = others.ask("mark");
    out.lost =
        end.at("lost").get<double>() + good * total - end.at("first").get<double>() - end.at("frames").get<double>();
    out.closed = scene.relay.ask("mark").at("closed");
    return out;
}

} // namespace

void bench_bad_readers(report& out, const run_plan& plan) {
    out.title("ten watchers beside one that is stopped (SIGSTOP) and one that acknowledges but gives no credit");
    std::vector<lateness> without, with;
    double lost = 0, idle = 0, stalled = 0, runs = 0;
    for (int i = 0; i < plan.pairs; ++i) {
        without.push_back(run_readers(plan, false).late);
        const auto bad = run_readers(plan, true);
        with.push_back(bad.late);
        lost += bad.lost;
        ++runs;
        for (const auto& c : bad.closed) {
            const auto why = c.at("why").get<std::string>() + ' ' + c.at("reason").get<std::string>();
            const double after = c.at("at").get<double>() - bad.began;
            out.line("  the relay ended a session after %.1f s: %s", after, why.c_str());
            (why.find("idle timeout") != std::string::npos ? idle : stalled) += 1;
        }
    }
    compare(out, "watchers beside bad ones", without, with);
    out.data()["bad readers"] = {
        {"lost", lost}, {"ended_by_idle_timeout", idle / runs}, {"ended_by_stall_timeout", stalled / runs}};
    out.goal("bad readers: frames or groups that others lost", lost, bound::at_most, 0);
    if (plan.seconds < 17) return out.line("too short for the timeouts");
    out.goal("bad readers: ended by the idle timeout, a run", idle / runs, bound::at_least, 1);
    out.goal("bad readers: ended by the stall timeout, a run", stalled / runs, bound::at_least, 1);
}

} // namespace moqlite::bench

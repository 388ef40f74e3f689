// moqlite-watch: writes a track to a file or pipe.
#include "command_line.hpp"
#include "watcher.hpp"

namespace moqlite::programs {

namespace {

constexpr const char* name = "moqlite-watch";
constexpr const char* purpose = "Writes the payload of one track, in group and frame order, to a file or stdout.";
constexpr const char* examples =
    "  moqlite-watch --from 0 --output film.ts moqt://relay.example/live film video\n"
    "  moqlite-watch --live moqt://relay.example:4443 cam video | ffplay -\n"
    "  moqlite-watch --timeout 5 --stats --output /dev/null --fingerprint 3f..a9 moqt://[::1]:4443 test data\n"
    "\n"
    "Exit codes: 0 end of the track; 1 failure; 2 usage; 3 groups were lost; 4 no answer to a\n"
    "request; 130 and 143 by signal.\n"
    "--stats prints one JSON object on stderr at the end: {groups, frames, bytes, lost, latency_ms: {p50, p99}}.";

void add_options(command_line& line, watch_options& o) {
    constexpr std::uint64_t largest = (std::uint64_t{1} << 62) - 1;
    o.client.add_to(line);
    line.option("--output", o.output, "File to write; - is stdout")->capture_default_str()->type_name("FILE");
    line.option("--from", o.from, "First group to receive; default: the newest")
        ->check(between(std::uint64_t{0}, largest))
        ->type_name("GROUP");
    line.flag("--live", o.live, "Skip late groups. Without this flag nothing is skipped: the publisher waits for us");
    line.option("--max-age", o.max_age,
            "With --live: skip groups that are older than this, in milliseconds, on a slow network; default: 500. The\n"
            "sender drops them, and a missing group delays later ones no longer")
        ->check(between(std::uint64_t{0}, std::uint64_t{3'600'000}))
        ->type_name("MS");
    line.size("--read-ahead", o.read_ahead, "8M", "How far to request groups ahead of the output", 64 * 1024,
        std::uint64_t{1} << 30);
    line.seconds("--timeout", o.timeout,
            "Give up if the broadcast is not announced within this time (0: never), or not again within this time\n"
            "after its publisher was cut off (0: at once)",
            0, 1e9)
        ->capture_default_str();
    line.seconds("--request-timeout", o.request_timeout,
            "Give up if a subscription is not answered within this time (exit code 4); 0: never", 0, 1e9)
        ->capture_default_str();
    line.flag("--stats", o.stats, "Print at the end what was received, and its latency");
}

int watch(int argc, char** argv) {
    command_line line{name, purpose, examples};
    watch_options o;
    add_options(line, o);
    if (const auto code = line.parse(argc, argv)) return *code;
    if (std::string why; !o.client.check(why)) return line.refuse(why);
    if (o.max_age && !o.live) return line.refuse("--max-age needs --live");
    start_log(name, log_style::tool, spdlog::level::from_str(o.client.level()));
    return watcher{o}.run();
}

} // namespace

} // namespace moqlite::programs

int main(int argc, char** argv) {
    return moqlite::programs::run_program("moqlite-watch", moqlite::programs::watch, argc, argv);
}

// moqlite-publish: a file or pipe becomes a track.
#include "command_line.hpp"
#include "publisher.hpp"

namespace moqlite::programs {

namespace {

constexpr const char* name = "moqlite-publish";
constexpr const char* purpose =
    "Publishes a file, or what comes in on stdin, as one track of a broadcast: cut into frames, frames into groups.";
constexpr const char* examples =
    "  moqlite-publish --wait-subscriber --input film.ts moqt://relay.example/live film video\n"
    "  camera | moqlite-publish --frame-size 8K --rate 30 moqt://relay.example:4443 cam video\n"
    "  moqlite-publish --fingerprint 3f..a9 --input f moqt://[::1]:4443 test data\n"
    "\n"
    "Exit codes: 0 all that was asked for was delivered; 1 failure; 2 usage; 130 and 143 by signal.";

void add_options(command_line& line, publish_options& o) {
    o.client.add_to(line);
    line.option("--input", o.input, "What to publish; - is stdin")->capture_default_str()->type_name("FILE");
    line.size("--frame-size", o.frame_size, "16K",
        "Bytes a frame at most; one is shorter at the end of the input, and where that pauses", 1, limits{}.frame);
    line.option("--group-frames", o.group_frames, "Frames a group")
        ->capture_default_str()
        ->check(between(std::uint64_t{1}, std::uint64_t{1} << 40))
        ->type_name("N");
    line.seconds("--max-delay", o.max_delay,
            "Send a frame that is not full when its first byte has waited this long for more input", 0, 1e9)
        ->capture_default_str();
    line.option("--rate", o.rate, "Frames a second; 0: as fast as flow control lets it")
        ->capture_default_str()
        ->check(between(0.0, 1e6))
        ->type_name("FPS");
    line.flag("--wait-subscriber", o.wait_subscriber,
        "Read input only while somebody is subscribed, and no faster than they take it. Without it this is a\n"
        "live source: what nobody asked for is dropped");
}

int publish(int argc, char** argv) {
    command_line line{name, purpose, examples};
    publish_options o;
    add_options(line, o);
    if (const auto code = line.parse(argc, argv)) return *code;
    if (std::string why; !o.client.check(why)) return line.refuse(why);
    start_log(name, log_style::tool, spdlog::level::from_str(o.client.level()));
    return publisher{o}.run();
}

} // namespace

} // namespace moqlite::programs

int main(int argc, char** argv) {
    return moqlite::programs::run_program("moqlite-publish", moqlite::programs::publish, argc, argv);
}

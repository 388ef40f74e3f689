// moqlite-publish: publishes a file or pipe as a track.
#include "command_line.hpp"
#include "publisher.hpp"

namespace moqlite::programs {

namespace {

constexpr const char* name = "moqlite-publish";
constexpr const char* purpose = "Publishes a file or stdin as one track of a broadcast, cut into frames and groups.";
constexpr const char* examples =
    "  moqlite-publish --wait-subscriber --input film.ts moqt://relay.example/live film video\n"
    "  camera | moqlite-publish --frame-size 8K --rate 30 moqt://relay.example:4443 cam video\n"
    "  moqlite-publish --fingerprint 3f..a9 --input f moqt://[::1]:4443 test data\n"
    "\n"
    "Exit codes: 0 everything requested was delivered; 1 failure; 2 usage; 130 and 143 by signal.";

void add_options(command_line& line, publish_options& o) {
    o.client.add_to(line);
    line.option("--input", o.input, "File to publish; - is stdin")->capture_default_str()->type_name("FILE");
    line.size("--frame-size", o.frame_size, "16K",
        "Maximum size of a frame; a frame is shorter at the end of the input or when the input pauses", 1,
        limits{}.frame);
    line.option("--group-frames", o.group_frames, "Frames per group")
        ->capture_default_str()
        ->check(between(std::uint64_t{1}, std::uint64_t{1} << 40))
        ->type_name("N");
    line.seconds("--max-delay", o.max_delay,
            "Send an incomplete frame when its first byte has waited this long for more input", 0, 1e9)
        ->capture_default_str();
    line.option("--rate", o.rate, "Frames per second; 0: as fast as flow control allows")
        ->capture_default_str()
        ->check(between(0.0, 1e6))
        ->type_name("FPS");
    line.flag("--wait-subscriber", o.wait_subscriber,
        "Read input only while there is a subscriber, and no faster than subscribers receive it. Without this\n"
        "flag the source is live: what nobody has subscribed to is dropped");
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

// moqlite-relay: forwards broadcasts from publishers to subscribers.
#include "client_options.hpp"
#include "command_line.hpp"
#include "log.hpp"
#include "service.hpp"

#include <algorithm>
#include <filesystem>
#include <moqlite/asio/host_port.hpp>
#include <moqlite/asio/url.hpp>

namespace moqlite::programs {

namespace {

constexpr const char* name = "moqlite-relay";
constexpr const char* purpose =
    "Receives broadcasts from publishers and forwards their tracks to subscribers, over QUIC and, for browsers,\n"
    "WebTransport.";
constexpr const char* examples =
    "  moqlite-relay --listen :4443 --tls-generate localhost\n"
    "  moqlite-relay --listen 0.0.0.0:443 --listen [::]:443 --cert fullchain.pem --key privkey.pem --cache-bytes 1G\n"
    "\n"
    "When all listeners are ready, one line for each goes to stdout, then one for --web, and nothing else:\n"
    "  listening HOST:PORT protocols LIST sha256 HEX-OF-THE-CERTIFICATE\n"
    "  web HOST:PORT\n"
    "Signals: SIGTERM and SIGINT close all sessions cleanly and exit; SIGUSR1 logs statistics and returns unused\n"
    "memory to the system; SIGHUP reloads --cert and --key (changed files are also reloaded automatically), or\n"
    "generates a new certificate, and keeps existing connections.\n"
    "Exit codes: 0 ended by a signal; 1 failure; 2 usage.";

void add_options(command_line& line, relay_program_options& o) {
    o.protocols = default_protocols();
    o.protocols.emplace_back(http3);
    std::error_code unknown;
    o.web_root = std::filesystem::read_symlink("/proc/self/exe", unknown).parent_path() / "../share/moqlite/web";
    line.option("--listen", o.listen,
            "Address to listen on; repeatable. A name means all of its addresses, no HOST every address, port 0 a\n"
            "free port. [::] includes IPv4 unless an IPv4 address is listed with the same port")
        ->required()
        ->delimiter(',')
        ->type_name("HOST:PORT");
    auto* generate = line.option("--tls-generate", o.tls_generate,
                             "Generate a self-signed certificate for these DNS names and IP addresses, valid for 13\n"
                             "days, and a new one three days before it expires")
                         ->delimiter(',')
                         ->type_name("NAME");
    auto* cert =
        line.option("--cert", o.cert, "Certificate chain, PEM, leaf first")->type_name("FILE")->excludes(generate);
    auto* key = line.option("--key", o.key, "Private key of --cert, PEM")->type_name("FILE")->excludes(generate);
    cert->needs(key);
    key->needs(cert);
    line.option("--protocols", o.protocols,
            "Protocols to accept, comma-separated, preferred first. h3 accepts WebTransport, which carries the\n"
            "others. moq-lite-07-wip, a work in progress, is accepted only if it is named")
        ->delimiter(',')
        ->default_str(CLI::detail::join(o.protocols, ","))
        ->type_name("LIST");
    line.option("--allow-origin", o.allow_origin,
            "Accept WebTransport from pages of this origin; repeatable, '*' for any. Default: pages of the relay's\n"
            "own hosts, with any scheme and port: the certificate's names, --host, and localhost if it listens there")
        ->type_name("ORIGIN");
    line.option("--host", o.hosts, "Further host name by which pages reach this relay, besides the certificate's names")
        ->delimiter(',')
        ->type_name("NAME");
    line.size("--cache-bytes", o.cache_bytes, "64M", "Cache size for late joiners", 0, std::uint64_t{1} << 40);
    line.seconds("--cache-age", o.cache_age, "How long a group stays in the cache", 0, 1e6)->capture_default_str();
    line.size("--live-backlog", o.live_backlog, "16M",
        "Unsent bytes of one subscription without Group End; above it, its oldest groups are dropped",
        std::uint64_t{64} * 1024, std::uint64_t{1} << 40);
    line.seconds("--idle-timeout", o.idle_timeout, "Idle timeout: close a connection after this long without a packet",
            1, 3600)
        ->capture_default_str();
    auto* drain = line.seconds(
        "--drain", o.drain, "On shutdown, send GOAWAY and wait up to this long for the sessions to end", 0, 86400);
    drain->capture_default_str();
    line.option("--drain-uri", o.drain_uri,
            "The relay that this GOAWAY asks the sessions to move to. Default: whichever then answers at this address")
        ->needs(drain)
        ->type_name("URI");
    line.flag("--retry", o.retry,
        "Make every client prove its address (QUIC Retry) before its handshake. Without this flag only while\n"
        "very many handshakes are in progress");
    line.option("--per-address", o.per_address,
            "Maximum connections per client address (an IPv4 address or an IPv6 /64) and listener")
        ->capture_default_str()
        ->check(between<std::uint64_t>(1, asio::endpoint_options{}.connections))
        ->type_name("N");
    line.option("--max-hops", o.max_hops,
            "Longest route to a publisher, in hops: longer ones are dropped, and one of this length is not forwarded")
        ->capture_default_str()
        ->check(between<std::uint64_t>(1, limits{}.hops))
        ->type_name("N");
    line.option("--web", o.web,
            "Serve over plain HTTP: a demo page, /health, and /certificate.sha256 for browsers that pin it")
        ->type_name("HOST:PORT");
    line.option("--web-root", o.web_root, "Files of the demo page, read at startup")
        ->default_str("../share/moqlite/web, relative to the program's folder")
        ->type_name("DIR");
    add_qlog(line, o.qlog);
    line.option("--log-level", o.log_level, "Log messages of this severity and above")
        ->capture_default_str()
        ->check(CLI::IsMember(log_levels()))
        ->type_name("LEVEL");
}

std::string check(const relay_program_options& o) {
    std::string why;
    if (o.tls_generate.empty() && o.cert.empty()) return "--tls-generate NAME, or --cert and --key, must be given";
    for (const auto& protocol : o.protocols)
        if (protocol != http3 && !is_supported(protocol, why)) return why;
    if (std::ranges::all_of(o.protocols, [](const auto& p) { return p == http3; }))
        return "--protocols: h3 carries other protocols, and none is listed";
    for (const auto& where : o.listen)
        if (!asio::parse_host_port(where, 0, why)) return "--listen: " + why;
    if (!o.drain_uri.empty() && !asio::parse_url(o.drain_uri, why)) return "--drain-uri: " + why;
    if (o.drain_uri.size() > limits{}.uri) return "--drain-uri: longer than 8192 bytes";
    if (!o.web.empty() && !asio::parse_host_port(o.web, 0, why)) return "--web: " + why;
    return {};
}

int serve(int argc, char** argv) {
    command_line line{name, purpose, examples};
    relay_program_options o;
    add_options(line, o);
    if (const auto code = line.parse(argc, argv)) return *code;
    if (const auto why = check(o); !why.empty()) return line.refuse(why);
    start_log(name, log_style::service, spdlog::level::from_str(o.log_level));
    return service{o}.run();
}

} // namespace

} // namespace moqlite::programs

int main(int argc, char** argv) {
    return moqlite::programs::run_program("moqlite-relay", moqlite::programs::serve, argc, argv);
}

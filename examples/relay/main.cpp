// moqlite-relay: brings what is published to whoever watches.
#include "client_options.hpp"
#include "command_line.hpp"
#include "log.hpp"
#include "service.hpp"

#include <algorithm>
#include <filesystem>
#include <moqlite/asio/host_port.hpp>

namespace moqlite::programs {

namespace {

constexpr const char* name = "moqlite-relay";
constexpr const char* purpose =
    "Takes broadcasts from publishers and brings each track to everybody who watches it, by QUIC and, to browsers, by\n"
    "WebTransport.";
constexpr const char* examples =
    "  moqlite-relay --listen :4443 --tls-generate localhost\n"
    "  moqlite-relay --listen 0.0.0.0:443 --listen [::]:443 --cert fullchain.pem --key privkey.pem --cache-bytes 1G\n"
    "\n"
    "For each listener one line goes to stdout when all are ready, then one for --web, and nothing else does:\n"
    "  listening HOST:PORT protocols LIST sha256 HEX-OF-THE-CERTIFICATE\n"
    "  web HOST:PORT\n"
    "Signals: SIGTERM and SIGINT end the sessions cleanly and then the relay; SIGUSR1 logs a line of statistics\n"
    "and returns unused memory; SIGHUP reads --cert and --key again, as happens by itself when they change, or makes\n"
    "a new certificate: new connections are given it, those there are go on. Exit codes: 0 ended by a signal; 1 "
    "failure; 2 usage.";

void add_options(command_line& line, relay_program_options& o) {
    o.protocols = default_protocols();
    o.protocols.emplace_back(http3);
    std::error_code unknown;
    o.web_root = std::filesystem::read_symlink("/proc/self/exe", unknown).parent_path() / "../share/moqlite/web";
    line.option("--listen", o.listen,
            "Address to listen on; may be repeated. A name stands for all its addresses, no HOST for every address; "
            "port "
            "0\n"
            "takes a free one. [::] includes IPv4 unless an IPv4 address is listed with the same port")
        ->required()
        ->delimiter(',')
        ->type_name("HOST:PORT");
    auto* generate = line.option("--tls-generate", o.tls_generate,
                             "Make a self-signed certificate for these DNS names and IP addresses, for 13 days, and a\n"
                             "new one three days before its end")
                         ->delimiter(',')
                         ->type_name("NAME");
    auto* cert =
        line.option("--cert", o.cert, "Certificate chain, PEM, leaf first")->type_name("FILE")->excludes(generate);
    auto* key = line.option("--key", o.key, "Its private key, PEM")->type_name("FILE")->excludes(generate);
    cert->needs(key);
    key->needs(cert);
    line.option("--protocols", o.protocols,
            "What to accept, comma-separated, best first; h3 is WebTransport, for what else is listed; moq-lite-06-wip "
            "only\n"
            "by name")
        ->delimiter(',')
        ->default_str(CLI::detail::join(o.protocols, ","))
        ->type_name("LIST");
    line.option("--allow-origin", o.allow_origin,
            "Let pages of this origin in, also several times; '*' is every one. Without this those of the relay's own\n"
            "hosts, whatever their scheme and port: the certificate's names, --host, and localhost where it listens "
            "there")
        ->type_name("ORIGIN");
    line.option("--host", o.hosts, "A name by which pages reach this relay and that its certificate does not have")
        ->delimiter(',')
        ->type_name("NAME");
    line.size("--cache-bytes", o.cache_bytes, "64M", "Keep so much of what passed for those who come late", 0,
        std::uint64_t{1} << 40);
    line.seconds("--cache-age", o.cache_age, "Keep it for so long", 0, 1e6)->capture_default_str();
    line.seconds("--idle-timeout", o.idle_timeout, "Give a connection up when nothing is heard for so long", 1, 3600)
        ->capture_default_str();
    line.seconds(
            "--drain", o.drain, "When stopped, ask sessions to leave (GOAWAY) and let them go on for so long", 0, 86400)
        ->capture_default_str();
    line.flag("--retry", o.retry,
        "Let every client prove its address before its handshake begins. Without this it is asked for by itself\n"
        "while very many come at once");
    line.option("--per-address", o.per_address,
            "Connections that one IPv4 address, or one /64 of IPv6, may have to a listener; further ones are refused")
        ->capture_default_str()
        ->check(between<std::uint64_t>(1, ngtcp2::endpoint_options{}.connections))
        ->type_name("N");
    line.option("--web", o.web,
            "Serve, over plain HTTP, /certificate.sha256 for browsers that pin it, /health, and a page to try it with")
        ->type_name("HOST:PORT");
    line.option("--web-root", o.web_root, "That page's files, which are read at the start")
        ->default_str("../share/moqlite/web, beside the folder of this program")
        ->type_name("DIR");
    add_qlog(line, o.qlog);
    line.option("--log-level", o.log_level, "How much to say")
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
        return "--protocols: h3 only carries others, and none is listed";
    for (const auto& where : o.listen)
        if (!asio::parse_host_port(where, 0, why)) return "--listen: " + why;
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

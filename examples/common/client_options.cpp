#include "client_options.hpp"

#include <algorithm>
#include <cctype>
#include <moqlite/core/limits.hpp>
#include <moqlite/core/path.hpp>
#include <moqlite/core/version.hpp>
#include <moqlite/wire/utf8.hpp>

namespace moqlite::programs {

const std::vector<std::string>& default_protocols() {
    static const auto names = [] {
        std::vector<std::string> out;
        for (const auto v : default_versions) out.emplace_back(alpn(v));
        return out;
    }();
    return names;
}

bool is_supported(const std::string& protocol, std::string& why) {
    if (version_from_alpn(protocol)) return true;
    auto names = default_protocols();
    for (const auto v : all_versions)
        if (std::find(names.begin(), names.end(), alpn(v)) == names.end()) names.emplace_back(alpn(v));
    why = "protocol '" + protocol + "' is not supported; supported are " + CLI::detail::join(names, ", ");
    return false;
}

const std::vector<std::string>& log_levels() {
    static const std::vector<std::string> names{"trace", "debug", "info", "warning", "error", "off"};
    return names;
}

void add_qlog(command_line& line, std::string& directory) {
    line.option("--qlog", directory, "Write a qlog file for each connection into this directory: ID_ROLE.sqlog")
        ->check(CLI::ExistingDirectory)
        ->type_name("DIR");
}

void client_options::add_to(command_line& line) {
    line.option("URL,--url", url,
            "The relay: moqt://HOST[:PORT][/PATH][?QUERY] for QUIC, https://... for WebTransport; default port 443")
        ->required()
        ->type_name("");
    line.option("BROADCAST,--broadcast", broadcast, "Name of the broadcast, relative to the path of URL")
        ->required()
        ->type_name("");
    line.option("TRACK,--track", track, "Name of the track in the broadcast")->required()->type_name("");

    protocols = default_protocols();
    line.option("--protocol", protocols,
            "Protocols to offer, comma-separated, preferred first; for a moqt:// URL with a path or query, those that\n"
            "can carry it. moq-lite-07-wip, a work in progress, is offered only if it is named")
        ->delimiter(',')
        ->default_str(CLI::detail::join(protocols, ","))
        ->type_name("LIST");
    auto* print =
        line.option("--fingerprint", fingerprint,
                "Trust only the certificate with this SHA-256: 64 hex digits, with or without colons. Replaces the\n"
                "checks of chain, name and dates")
            ->type_name("HEX");
    auto* authority = line.option("--ca", ca, "Trust the CA certificates in this PEM file instead of the system's")
                          ->type_name("FILE");
    auto* insecure = line.flag("--tls-insecure", tls_insecure, "Accept any server certificate; for tests only");
    print->excludes(authority)->excludes(insecure);
    authority->excludes(insecure);
    line.seconds("--idle-timeout", idle_timeout, "Idle timeout: close a connection after this long without a packet", 1,
            3600)
        ->capture_default_str();
    line.seconds("--reconnect", reconnect,
            "On GOAWAY, connect to the relay's successor and continue there; give up this long after the old session\n"
            "has ended. 0: do not reconnect",
            0, 86400)
        ->capture_default_str();
    add_qlog(line, qlog);
    line.flag("--quiet", quiet, "Log errors only, and show no progress line");
    line.option("--log-level", log_level, "Log messages of this severity and above")
        ->capture_default_str()
        ->check(CLI::IsMember(log_levels()))
        ->type_name("LEVEL");
}

bool client_options::check(std::string& why) {
    for (const auto& protocol : protocols)
        if (!is_supported(protocol, why)) return false;
    const auto found = asio::parse_url(url, why);
    if (!found) return false;
    where = *found;
    const auto named = CLI::detail::join(protocols, ",");
    if (!where.path.empty() && !where.webtransport)
        std::erase_if(protocols, [](const auto& name) { return !has_native_path(*version_from_alpn(name)); });
    if (protocols.empty()) {
        why = "'" + url + "' has a path or query, which " + named + " cannot carry";
        return false;
    }
    broadcast = path::normalise(broadcast);
    if (path::segments(broadcast) > limits{}.path_segments) {
        why = "'" + broadcast + "' has more than " + std::to_string(limits{}.path_segments) + " segments";
        return false;
    }
    const auto root = path::normalise(std::string_view{where.path}.substr(0, where.path.find('?')));
    const auto whole = root.size() + (root.empty() ? 0 : 1) + broadcast.size();
    if (whole > limits{}.name || track.size() > limits{}.name) {
        why = "the name of the " +
              std::string{whole > limits{}.name ? "broadcast, with the path of the URL," : "track"} +
              " is longer than " + std::to_string(limits{}.name) + " bytes";
        return false;
    }
    if (!wire::is_utf8(broadcast) || !wire::is_utf8(track)) {
        why = "the names of broadcast and track must be UTF-8";
        return false;
    }
    std::string digits = fingerprint;
    std::erase(digits, ':');
    const auto is_hex = [](unsigned char c) { return std::isxdigit(c) != 0; };
    if (!digits.empty() && (digits.size() != 64 || !std::all_of(digits.begin(), digits.end(), is_hex))) {
        why = "'" + fingerprint + "' is not a fingerprint: the 64 hex digits of a SHA-256";
        return false;
    }
    return true;
}

asio::trust client_options::trust() const {
    if (tls_insecure) return asio::trust::insecure();
    if (!fingerprint.empty()) return asio::trust::fingerprint(fingerprint);
    return ca.empty() ? asio::trust::system_roots() : asio::trust::ca_file(ca);
}

} // namespace moqlite::programs

#include "client_options.hpp"

#include <algorithm>
#include <cctype>
#include <moqlite/core/limits.hpp>
#include <moqlite/core/path.hpp>
#include <moqlite/core/version.hpp>

namespace moqlite::programs {

const std::vector<std::string>& supported_protocols() {
    static const std::vector<std::string> names{std::string{alpn(version::lite_05)}};
    return names;
}

bool is_supported(const std::string& protocol, std::string& why) {
    const auto& names = supported_protocols();
    if (std::find(names.begin(), names.end(), protocol) != names.end()) return true;
    why = "protocol '" + protocol + "' is not supported; there is " + CLI::detail::join(names, ", ");
    return false;
}

const std::vector<std::string>& log_levels() {
    static const std::vector<std::string> names{"trace", "debug", "info", "warning", "error", "off"};
    return names;
}

void client_options::add_to(command_line& line) {
    line.option(
            "URL,--url", url, "Where the relay is: moqt://HOST[:PORT][/PATH][?QUERY]; the port is 443 if none is said")
        ->required()
        ->type_name("");
    line.option("BROADCAST,--broadcast", broadcast, "Name of the broadcast, relative to the path of URL")
        ->required()
        ->type_name("");
    line.option("TRACK,--track", track, "Name of the track in it")->required()->type_name("");

    line.option("--protocol", protocol, "What to speak")->capture_default_str()->type_name("NAME");
    auto* print =
        line.option("--fingerprint", fingerprint,
                "Trust the certificate with this SHA-256, and no other: 64 hex digits of either case, with or without\n"
                "colons. Replaces the checks of chain, name and dates")
            ->type_name("HEX");
    auto* authority =
        line.option("--ca", ca, "Trust what the certificates of this PEM file have signed, not the system's roots")
            ->type_name("FILE");
    auto* insecure = line.flag("--tls-insecure", tls_insecure, "Trust any certificate at all; for tests only");
    print->excludes(authority)->excludes(insecure);
    authority->excludes(insecure);
    line.seconds("--idle-timeout", idle_timeout, "Give the connection up when nothing is heard for so long", 1, 3600)
        ->capture_default_str();
    line.flag("--quiet", quiet, "Say nothing but errors; no progress line");
    line.option("--log-level", log_level, "How much to say")
        ->capture_default_str()
        ->check(CLI::IsMember(log_levels()))
        ->type_name("LEVEL");
}

bool client_options::check(std::string& why) {
    if (!is_supported(protocol, why)) return false;
    const auto found = parse_url(url, why);
    if (!found) return false;
    where = *found;
    broadcast = path::normalise(broadcast);
    if (path::segments(broadcast) > limits{}.path_segments) {
        why = "'" + broadcast + "' has more than " + std::to_string(limits{}.path_segments) + " segments";
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

ngtcp2::trust client_options::trust() const {
    if (tls_insecure) return ngtcp2::trust::insecure();
    if (!fingerprint.empty()) return ngtcp2::trust::fingerprint(fingerprint);
    return ca.empty() ? ngtcp2::trust::system_roots() : ngtcp2::trust::ca_file(ca);
}

} // namespace moqlite::programs

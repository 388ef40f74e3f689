// The flags shared by publish and watch.
#pragma once

#include "command_line.hpp"

#include <moqlite/asio/tls.hpp>
#include <moqlite/asio/url.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace moqlite::programs {

struct client_options {
    std::string url;
    std::string broadcast;
    std::string track;
    std::vector<std::string>
        protocols; ///< Preferred first. Set by add_to(); check() removes those that cannot carry the URL.
    std::string fingerprint;
    std::string ca;
    bool tls_insecure = false;
    double idle_timeout = 8;
    double reconnect = 10; ///< Seconds, after GOAWAY; 0: not at all.
    std::string qlog;      ///< A directory, or empty.
    bool quiet = false;
    std::string log_level = "info";

    void add_to(command_line&);
    /// Validates the flags; false: `why` names the wrong one.
    [[nodiscard]] bool check(std::string& why);

    asio::url where; ///< Set by check().

    [[nodiscard]] asio::trust trust() const;
    [[nodiscard]] std::string level() const { return quiet ? "error" : log_level; }
};

/// The ALPN of HTTP/3, and so of WebTransport.
inline constexpr std::string_view http3 = "h3";
/// The default protocols of the programs, preferred first.
[[nodiscard]] const std::vector<std::string>& default_protocols();
/// One of those, or one that must be requested by name.
[[nodiscard]] bool is_supported(const std::string& protocol, std::string& why);
/// The flag --qlog.
void add_qlog(command_line&, std::string& directory);
/// The values of --log-level.
[[nodiscard]] const std::vector<std::string>& log_levels();

} // namespace moqlite::programs

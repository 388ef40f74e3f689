#include "connect_error.hpp"

#include <spdlog/fmt/fmt.h>
#include <string_view>

namespace moqlite::programs {

std::string connect_error(const relay_url& where, const std::vector<std::string>& offered, const link::closed& how) {
    const std::string_view reason = how.reason;
    const auto names = CLI::detail::join(offered, ", ");
    if (where.webtransport && reason.starts_with("the server answered 400")) // The usual answer to such an offer.
        return fmt::format("{}, probably for want of a common protocol: {} was offered", reason, names);
    if (where.webtransport && reason.starts_with("the server named none"))
        return fmt::format("no common protocol: {}: {}", reason, names);
    // No answer has arrived, not even an ICMP message.
    if (!how.by_peer && reason.find("timeout") != reason.npos)
        return fmt::format("no answer ({}): is a relay listening on UDP port {}, and does a firewall let it through?",
            reason, where.port);
    return how.reason;
}

} // namespace moqlite::programs

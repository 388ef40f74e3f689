#include "detail/connect_error.hpp"

#include <string_view>

namespace moqlite::asio {

std::string connect_error(const url& where, const std::vector<std::string>& offered, const link::closed& how) {
    const std::string_view reason = how.reason;
    std::string names;
    for (const auto& name : offered) names += (names.empty() ? "" : ", ") + name;
    if (where.webtransport &&
        reason.starts_with("the server answered 400")) // The usual answer without a common protocol.
        return how.reason + ", probably because there is no common protocol: " + names + " was offered";
    if (where.webtransport && reason.starts_with("the server selected none"))
        return "no common protocol: " + how.reason + ": " + names;
    // No answer has arrived, not even an ICMP message.
    if (!how.by_peer && reason.find("timeout") != reason.npos)
        return "no answer (" + how.reason + "): is a relay listening on UDP port " + std::to_string(where.port) +
               ", and does a firewall let it through?";
    return how.reason;
}

} // namespace moqlite::asio

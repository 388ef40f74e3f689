#include <algorithm>
#include <moqlite/asio/host_port.hpp>
#include <moqlite/asio/url.hpp>

namespace moqlite::asio {

namespace {

std::optional<url> refuse(std::string_view text, std::string_view what, std::string& why) {
    why = "'" + std::string{text} + "' " + std::string{what};
    return std::nullopt;
}

} // namespace

std::optional<url> parse_url(std::string_view text, std::string& why) {
    constexpr std::string_view native = "moqt://", over_http = "https://";
    const bool webtransport = text.starts_with(over_http);
    if (!webtransport && !text.starts_with(native))
        return refuse(text, "is not a URL of the form moqt://HOST:PORT/PATH or https://HOST:PORT/PATH", why);
    const auto scheme = webtransport ? over_http : native;
    const auto unfit = [](unsigned char c) { return c <= ' ' || c == 0x7f; };
    if (std::any_of(text.begin(), text.end(), unfit))
        return refuse(text, "has a space or control character in it", why);
    if (text.find('#') != text.npos) return refuse(text, "has a fragment, which is not supported", why);
    if (text.find('@') < text.find('/', scheme.size()))
        return refuse(text, "has a user name, which is not supported", why);

    const auto rest = text.substr(scheme.size());
    const auto host_ends = std::min(rest.find_first_of("/?"), rest.size());
    const auto where = parse_host_port(rest.substr(0, host_ends), 443, why);
    if (!where) return refuse(text, "has no valid host: " + why, why);
    if (where->host.empty()) return refuse(text, "has no host", why);
    if (where->port == 0) return refuse(text, "has port 0, which cannot be connected to", why);

    url found{where->host, where->port, std::string{rest.substr(host_ends)}, webtransport,
        std::string{rest.substr(0, host_ends)}, std::string{text}};
    if (found.path == "/") found.path.clear();
    if (found.path.starts_with('?')) found.path.insert(0, "/");
    return found;
}

} // namespace moqlite::asio

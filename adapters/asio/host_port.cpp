#include <moqlite/asio/host_port.hpp>

#include <algorithm>
#include <charconv>

namespace moqlite::asio {

namespace {

bool parse_port(std::string_view text, std::uint16_t& port) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
    return error == std::errc{} && end == text.data() + text.size();
}

} // namespace

std::optional<host_port> parse_host_port(std::string_view text, std::uint16_t default_port, std::string& why) {
    host_port out{{}, default_port};
    std::string_view rest = text;
    const auto refuse = [&](const char* what) {
        why = '"' + std::string{text} + "\" is not HOST:PORT: " + what;
        return std::nullopt;
    };
    if (rest.starts_with('[')) {
        const auto end = rest.find(']');
        if (end == std::string_view::npos) return refuse("the bracket is not closed");
        out.host = rest.substr(1, end - 1);
        if (out.host.empty()) return refuse("the brackets are empty");
        rest.remove_prefix(end + 1);
        if (!rest.empty() && rest.front() != ':') return refuse("unexpected text after the bracket");
    } else if (std::count(rest.begin(), rest.end(), ':') > 1) {
        out.host = rest; // An IPv6 address without a port.
        return out;
    } else {
        const auto colon = std::min(rest.find(':'), rest.size());
        out.host = rest.substr(0, colon);
        rest.remove_prefix(colon);
    }
    if (out.host == "*") out.host.clear();
    if (rest.empty()) return out;
    rest.remove_prefix(1);
    if (!parse_port(rest, out.port)) return refuse("the port is not a number below 65536");
    return out;
}

} // namespace moqlite::asio

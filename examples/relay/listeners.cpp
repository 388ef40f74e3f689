#include "listeners.hpp"

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/udp.hpp>
#include <moqlite/asio/host_port.hpp>
#include <string_view>
#include <utility>

namespace moqlite::programs {

namespace {

using udp = boost::asio::ip::udp;

/// Name resolution also yields addresses of families that this machine does not have.
bool is_local(boost::asio::io_context& io, udp::endpoint at) {
    boost::system::error_code error;
    udp::socket probe{io};
    at.port(0);
    probe.open(at.protocol(), error);
    if (!error) probe.bind(at, error);
    return !error;
}

std::string_view port_of(const listener& l) { return std::string_view{l.where}.substr(l.where.rfind(':') + 1); }

/// A dual-stack socket would occupy the IPv4 addresses of other listeners with its port.
void share_ports(std::vector<listener>& all) {
    for (auto& wide : all) {
        // Without a host it means every address: leave out IPv4 only if another listener has all of it.
        const bool any = wide.where.starts_with(':');
        if ((!any && !wide.where.starts_with("[::]:")) || port_of(wide) == "0") continue;
        wide.ipv6_only = std::ranges::any_of(all, [&](const listener& other) {
            const bool v4 = !other.where.starts_with('[') && !other.where.starts_with(':');
            return v4 && (!any || other.where.starts_with("0.0.0.0:")) && port_of(other) == port_of(wide);
        });
    }
}

} // namespace

std::vector<std::string> numeric_addresses(const std::string& where, std::uint16_t default_port, std::string& why) {
    const auto parsed = asio::parse_host_port(where, default_port, why);
    if (!parsed) return {};
    const auto port = std::to_string(parsed->port);
    if (parsed->host.empty()) return {":" + port};
    if (const auto ready = link::address::parse(parsed->host, parsed->port)) return {to_string(*ready)};
    boost::asio::io_context io;
    boost::system::error_code error;
    const auto found = udp::resolver{io}.resolve(parsed->host, port, udp::resolver::numeric_service, error);
    std::vector<std::string> all, here;
    for (const auto& entry : found) {
        auto text = to_string(link::address{entry.endpoint().data(), entry.endpoint().size()});
        if (std::ranges::find(all, text) != all.end()) continue; // Duplicate in /etc/hosts.
        if (is_local(io, entry.endpoint())) here.push_back(text);
        all.push_back(std::move(text));
    }
    if (all.empty()) why = "cannot resolve " + parsed->host + (error ? ": " + error.message() : std::string{});
    return here.empty() ? all : here; // Binding to an address that is not local reports the error.
}

std::optional<std::vector<listener>> resolve_listeners(
    const std::vector<std::string>& listen, std::uint16_t default_port, std::string& why) {
    std::vector<listener> all;
    for (const auto& name : listen) {
        auto addresses = numeric_addresses(name, default_port, why);
        if (addresses.empty()) return std::nullopt;
        for (std::size_t i = 0; i < addresses.size(); ++i) {
            const bool any_port = addresses[i].ends_with(":0");
            all.push_back({std::move(addresses[i]), false, i != 0 && any_port});
        }
    }
    share_ports(all);
    return all;
}

} // namespace moqlite::programs

#include "webtransport_admission.hpp"

#include "client_options.hpp"
#include "text.hpp"

#include <algorithm>
#include <moqlite/webtransport/origin.hpp>
#include <utility>

namespace moqlite::programs {

namespace {

nghttp3::answer refuse(int status, std::string reason) {
    nghttp3::answer out;
    out.status = status;
    out.reason = std::move(reason);
    return out;
}

} // namespace

nghttp3::answer webtransport_admission::operator()(const nghttp3::request& r) const {
    if (!webtransport::admits_origin(origins, r.origin, r.authority))
        return refuse(403, "pages of " + printable(r.origin) + " are not allowed (--allow-origin)");
    // DNS rebinding: a page whose own name resolves to us has a matching Origin, but the wrong host.
    if (!r.origin.empty() && origins.empty() && !webtransport::is_own_host(r.authority, own_names(), loopback))
        return refuse(403, printable(r.authority) + " is not a name of this relay (--host)");
    const auto spoken = [this](const std::string& protocol) {
        return protocol != http3 && std::ranges::count(protocols, protocol) != 0;
    };
    const auto chosen = std::ranges::find_if(r.protocols, spoken); // The client's preference.
    if (chosen == r.protocols.end()) {
        const auto offered = r.protocols.empty() ? "nothing" : printable(CLI::detail::join(r.protocols, ", "));
        return refuse(400, "no common protocol: the client offers " + offered);
    }
    nghttp3::answer out;
    out.status = 200;
    out.protocol = *chosen;
    out.accept = [make = accept, path = r.path](link::connection& c, time_point now) { return make(c, now, path); };
    return out;
}

} // namespace moqlite::programs

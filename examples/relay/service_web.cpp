// The relay's status pages.
#include "client_options.hpp"
#include "service.hpp"

#include <nlohmann/json.hpp>

namespace moqlite::programs {

namespace {

/// Browsers accept a certificate by its hash only if its validity is at most 14 days.
bool is_pinnable(const asio::validity& good) { return good.until - good.from <= std::chrono::days{14}; }

} // namespace

std::optional<web_page> service::page(std::string_view path) const {
    if (path == "/health") return health();
    web_page hashes{.type = "text/plain; charset=utf-8", .for_every_origin = true};
    // As existing clients parse it: 64 digits without a newline.
    if (path == "/certificate.sha256") hashes.text = server_.fingerprint();
    if (path == "/certificates.sha256")
        for (const auto& print : server_.fingerprints()) hashes.text += print + '\n';
    if (hashes.text.empty()) return std::nullopt;
    return hashes;
}

/// 503 while draining, for load balancers.
web_page service::health() const {
    const auto s = origin_.stats();
    const auto w = server_.stats();
    nlohmann::ordered_json about{{"status", stopped_ ? "draining" : "ok"}, {"version", MOQLITE_VERSION},
        {"sessions", s.sessions}, {"broadcasts", s.broadcasts}, {"tracks", s.tracks}, {"readers", s.readers},
        {"cached_bytes", s.cached_bytes}, {"memory_bytes", s.memory}, {"groups_not_delivered", s.groups_lost},
        {"groups_too_old", s.groups_too_old}, {"requests_refused", s.requests_refused},
        {"requests_overdue", s.requests_overdue}, {"protocols", options_.protocols},
        {"pin_certificate", is_pinnable(server_.certificate_validity())},
        {"webtransport",
            {{"sessions", w.webtransport_sessions}, {"refused_requests", w.http_refused},
                {"refused_streams", w.webtransport_streams}, {"dropped_datagrams", w.webtransport_datagrams},
                {"failed_connections", w.http_violations}}}};
    for (const auto& address : server_.addresses()) about["listening"].push_back(address);
    return {.type = "application/json", .text = about.dump() + '\n', .status = stopped_ ? 503u : 200u};
}

} // namespace moqlite::programs

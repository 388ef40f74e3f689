// Which WebTransport requests are accepted, and with which protocol.
#pragma once

#include <functional>
#include <memory>
#include <moqlite/nghttp3/server.hpp>
#include <string>
#include <vector>

namespace moqlite::programs {

struct webtransport_admission {
    std::vector<std::string> origins; ///< Of accepted pages; empty: those of our own hosts.
    /// Our host names; called for each request, as a renewed certificate may change them.
    std::function<std::vector<std::string>()> own_names;
    bool loopback = false;              ///< localhost reaches this listener.
    std::vector<std::string> protocols; ///< Accepted; "h3" is ignored.
    /// Makes the session for a request's path, with its query.
    std::function<std::unique_ptr<link::handler>(link::connection&, time_point, std::string path)> accept;

    [[nodiscard]] nghttp3::answer operator()(const nghttp3::request&) const;
};

} // namespace moqlite::programs

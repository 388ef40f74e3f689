// Who may come in by WebTransport, and what is spoken then.
#pragma once

#include <functional>
#include <memory>
#include <moqlite/nghttp3/server.hpp>
#include <string>
#include <vector>

namespace moqlite::programs {

struct webtransport_door {
    std::vector<std::string> origins; ///< Of pages that may come in; empty: those of our own hosts.
    /// By which names we are reached; asked each time, for a certificate may be renewed.
    std::function<std::vector<std::string>()> own_names;
    bool loopback = false;              ///< We are reached by localhost, too.
    std::vector<std::string> protocols; ///< That are spoken here; "h3" among them means nothing.
    /// Makes the session of a request's path, with its query.
    std::function<std::unique_ptr<link::handler>(link::connection&, time_point, std::string path)> accept;

    [[nodiscard]] nghttp3::answer operator()(const nghttp3::request&) const;
};

} // namespace moqlite::programs

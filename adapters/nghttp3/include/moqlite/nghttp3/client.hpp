// WebTransport over HTTP/3, client.
#pragma once

#include <memory>
#include <moqlite/link/accept.hpp>
#include <moqlite/link/log.hpp>
#include <moqlite/nghttp3/stats.hpp>
#include <string>
#include <vector>

namespace moqlite::nghttp3 {

struct client_options {
    std::string authority;                ///< host[:port], as in the URL.
    std::string path = "/";               ///< With its query.
    std::string origin{};                 ///< Empty: not sent; only browsers send one.
    std::vector<std::string> protocols{}; ///< To offer, preferred first.
    link::log_function log{};
    std::shared_ptr<stats> counts{}; ///< Null: not counted.
};

/// For endpoint::connect(), with "h3" as the only ALPN. Either `accept` is called with the session, whose alpn() is the
/// protocol that was agreed on, or `failed`, once; give endpoint::connect() the same `failed` for the handshake.
/// A server that selects no protocol is taken to accept the only one offered; if several were offered, that fails.
[[nodiscard]] link::accept_function connect(client_options, link::accept_function, link::failed_function failed);

} // namespace moqlite::nghttp3

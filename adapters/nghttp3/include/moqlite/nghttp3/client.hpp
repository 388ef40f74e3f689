// A WebTransport session by HTTP/3, from the client's side.
#pragma once

#include <memory>
#include <moqlite/nghttp3/stats.hpp>
#include <moqlite/ngtcp2/endpoint.hpp>
#include <moqlite/ngtcp2/log.hpp>
#include <string>
#include <vector>

namespace moqlite::nghttp3 {

struct client_options {
    std::string authority;                ///< host[:port], as in the URL.
    std::string path = "/";               ///< With its query.
    std::string origin{};                 ///< Empty: none is said, as by everybody but browsers.
    std::vector<std::string> protocols{}; ///< To offer, our favourite first.
    ngtcp2::log_function log{};
    std::shared_ptr<stats> counts{}; ///< Null: nobody wants to know.
};

/// For endpoint::connect(), with "h3" as the only ALPN. Either `accept` is called with the session, whose alpn() is the
/// protocol that was agreed on, or `failed`, once; give endpoint::connect() the same `failed` for the handshake.
/// A server that names no protocol has taken the only one that was offered; where there were several, that fails.
[[nodiscard]] ngtcp2::accept_function connect(client_options, ngtcp2::accept_function, ngtcp2::failed_function failed);

} // namespace moqlite::nghttp3

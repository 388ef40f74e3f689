// A WebTransport session by HTTP/3, from the client's side.
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
    std::string origin{};                 ///< Empty: none is said, as by everybody but browsers.
    std::vector<std::string> protocols{}; ///< To offer, our favourite first.
    link::log_function log{};
    std::shared_ptr<stats> counts{}; ///< Null: nobody wants to know.
};

/// For endpoint::connect(), with "h3" as the only ALPN. Either `accept` is called with the session, whose alpn() is the
/// protocol that was agreed on, or `failed`, once; give endpoint::connect() the same `failed` for the handshake.
/// A server that names no protocol has taken the only one that was offered; where there were several, that fails.
[[nodiscard]] link::accept_function connect(client_options, link::accept_function, link::failed_function failed);

} // namespace moqlite::nghttp3

// WebTransport over HTTP/3, client.
#pragma once

#include <functional>
#include <memory>
#include <moqlite/link/accept.hpp>
#include <moqlite/link/log.hpp>
#include <moqlite/nghttp3/header.hpp>
#include <moqlite/nghttp3/stats.hpp>
#include <string>
#include <vector>

namespace moqlite::nghttp3 {

/// A server's answer to the request for a session. Untrusted.
struct response {
    int status = 0; ///< 200 to 599; informational ones are skipped.
    header_fields headers;
};

struct client_options {
    std::string authority;                ///< host[:port], as in the URL.
    std::string path = "/";               ///< With its query.
    std::string origin{};                 ///< Empty: not sent; only browsers send one.
    std::vector<std::string> protocols{}; ///< To offer, preferred first.
    header_fields headers{};              ///< Sent besides; is_sendable(), or the request fails.
    /// Called with the answer, of any status, before `accept` or `failed`.
    std::function<void(const response&)> on_response{};
    link::log_function log{};
    std::shared_ptr<stats> counts{}; ///< Null: not counted.
};

/// For endpoint::connect(), with "h3" as the only ALPN. Either `accept` is called with the session, whose alpn() is the
/// protocol that was agreed on, or `failed`, once, with the server's status if it has refused (closed::http_status);
/// give endpoint::connect() the same `failed` for the handshake.
/// A server that selects no protocol is taken to accept the only one offered; if several were offered, that fails.
[[nodiscard]] link::accept_function connect(client_options, link::accept_function, link::failed_function failed);

} // namespace moqlite::nghttp3

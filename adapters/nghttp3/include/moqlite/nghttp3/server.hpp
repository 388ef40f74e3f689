// WebTransport over HTTP/3, server: for connections whose ALPN is "h3".
#pragma once

#include <functional>
#include <memory>
#include <moqlite/link/accept.hpp>
#include <moqlite/link/address.hpp>
#include <moqlite/link/log.hpp>
#include <moqlite/nghttp3/stats.hpp>
#include <string>
#include <vector>

namespace moqlite::nghttp3 {

/// A client's CONNECT for a WebTransport session. Untrusted.
struct request {
    std::string authority;              ///< host[:port]
    std::string path;                   ///< With its query; UTF-8.
    std::string origin;                 ///< Of the requesting page, well-formed; empty: not a browser.
    std::vector<std::string> protocols; ///< Those offered (wt-available-protocols), the client's preferred first.
    link::address remote;
};

/// The answer to a request.
struct answer {
    /// 200, or why not: 400 to 599. A refused request costs the client its request, not its connection.
    int status = 404;
    /// One of those offered; empty: none is selected.
    std::string protocol{};
    /// Makes the session's handler, which uses a WebTransport session like a connection. Null: answered 503.
    link::accept_function accept{};
    /// Why it is refused, for the log: "origin not allowed".
    std::string reason{};
};

using answer_function = std::function<answer(const request&)>;

struct server_options {
    link::log_function log{};        ///< One line for each of the first requests of a connection that are refused.
    std::shared_ptr<stats> counts{}; ///< Null: not counted.
};

/// For endpoint::serve(). A connection carries one session; further ones are answered 429, GET and HEAD 404, other
/// methods 405, a malformed Origin 403, a path that is not UTF-8 400. A connection without a session is closed after
/// 10 s.
[[nodiscard]] link::accept_function serve(server_options, answer_function);

} // namespace moqlite::nghttp3

// WebTransport over HTTP/3, server: for connections whose ALPN is "h3".
#pragma once

#include <functional>
#include <memory>
#include <moqlite/link/accept.hpp>
#include <moqlite/link/address.hpp>
#include <moqlite/link/log.hpp>
#include <moqlite/nghttp3/header.hpp>
#include <moqlite/nghttp3/http.hpp>
#include <moqlite/nghttp3/stats.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace moqlite::nghttp3 {

/// A client's CONNECT for a WebTransport session. Untrusted.
struct request {
    std::string authority;              ///< host[:port]
    std::string path;                   ///< With its query; UTF-8.
    std::string origin;                 ///< Of the requesting page, well-formed; empty: not a browser.
    std::vector<std::string> protocols; ///< Those offered (wt-available-protocols), the client's preferred first.
    link::address remote;
    header_fields headers{};

    [[nodiscard]] std::string_view path_only() const noexcept; ///< Without the query.
    /// The decoded value of a parameter of the query; nullopt: absent.
    [[nodiscard]] std::optional<std::string> query(std::string_view name) const;
    /// The value of a header field, whose name is given in lower case; nullopt: absent.
    [[nodiscard]] std::optional<std::string_view> header(std::string_view name) const noexcept;
};

/// The answer to a request.
struct answer {
    /// 200, or why not: 300 to 599; others are answered 500. A refused request costs the client its request, not its
    /// connection.
    int status = 404;
    /// One of those offered; empty: none is selected.
    std::string protocol{};
    /// Makes the session's handler, which uses a WebTransport session like a connection. Null: answered 503.
    link::accept_function accept{};
    /// Why it is refused, for the log: "origin not allowed".
    std::string reason{};
    header_fields headers{}; ///< is_sendable(), else answered 500.
};

/// What it throws is answered 500.
using answer_function = std::function<answer(const request&)>;

struct server_options {
    link::log_function log{};        ///< One line for each of the first requests of a connection that are refused.
    std::shared_ptr<stats> counts{}; ///< Null: not counted.
    /// Answers requests that are not for a session. Null: GET and HEAD are answered 404, other methods 405.
    http_function http{};
    http_limits bounds{};
};

/// For endpoint::serve(). A connection carries one session; further ones are answered 429, a malformed Origin 403, a
/// path that is not UTF-8 400. A connection without a session is closed after 10 s. After 100 refused requests it is
/// closed in any case.
[[nodiscard]] link::accept_function serve(server_options, answer_function);

} // namespace moqlite::nghttp3

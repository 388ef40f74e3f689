// Other HTTP/3 requests on the connections of a WebTransport server: a page, a certificate's hash, a health check.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <moqlite/core/time.hpp>
#include <moqlite/link/address.hpp>
#include <moqlite/nghttp3/header.hpp>
#include <string>

namespace moqlite::nghttp3 {

/// A request that is not for a WebTransport session. Untrusted.
struct http_request {
    std::string method;    ///< "GET", "HEAD", "POST" ...; never "CONNECT".
    std::string authority; ///< host[:port]
    std::string path;      ///< With its query (webtransport::split_target()); UTF-8.
    header_fields headers;
    std::string body; ///< Complete.
    link::address remote;
};

/// The answer. One that cannot be sent is answered 500 instead, with a line of log.
struct http_response {
    int status = 404;        ///< 200 to 599.
    header_fields headers{}; ///< is_sendable(); content-length is added.
    /// At most http_limits::response_body. To HEAD, and with 204, 205 and 304, it is not sent.
    std::string body{};
};

/// Called within a turn of the connection: it must not block. What it throws is answered 500.
using http_function = std::function<http_response(const http_request&)>;

/// Bounds for each connection; sizes in bytes.
struct http_limits {
    /// Of one request's body (413), and of all that are incomplete or wait for an answer (503).
    std::size_t request_body = 64 * 1024;
    std::size_t request_bodies = 256 * 1024;
    std::size_t response_body = 64 * 1024;
    /// Of all responses that the client has not taken yet: requests wait for room. At least response_body.
    std::size_t response_bodies = 256 * 1024;
    /// For the client to send the whole request (408), and again to take the response (it is cut off). A connection
    /// without session and without requests is closed after it.
    duration timeout = std::chrono::seconds{10};
};

} // namespace moqlite::nghttp3

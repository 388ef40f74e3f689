// HTTP/3 requests at a server that are not for WebTransport sessions.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace moqlite::asio {

/// Names in lower case, and values; in the order of the message.
using http_headers = std::vector<std::pair<std::string, std::string>>;

/// Untrusted.
struct http_request {
    std::string method;
    std::string authority;
    std::string path; ///< With its query.
    http_headers headers;
    std::string body; ///< At most 64 KiB.
    std::string remote;
};

struct http_response {
    int status = 404;
    http_headers headers{};
    std::string body{}; ///< At most 64 KiB.
};

/// It is called within a turn of the server, and must neither block nor destroy anything of this API. What it throws is
/// answered 500.
using http_function = std::function<http_response(const http_request&)>;

} // namespace moqlite::asio

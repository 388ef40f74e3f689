// Answers requests for WebTransport sessions by path, by the page's origin, and by sub-protocol.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <moqlite/core/result.hpp>
#include <moqlite/nghttp3/server.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace moqlite::nghttp3 {

/// Which web pages may open sessions. A request without Origin does not come from a browser, and is admitted.
struct origin_policy {
    /// Whole origins ("https://app.example"), or "*" for all. Empty: pages of the host to which they connect.
    std::vector<std::string> allowed{};
    /// The server's names, as in its certificate. Asked for each page where `allowed` is empty: a page could supply
    /// both Origin and host by resolving its own name to us (DNS rebinding). Null: not checked.
    std::function<std::vector<std::string>()> own_names{};
    bool loopback = false; ///< localhost, 127.0.0.1 and [::1] are names of the server, too.

    /// Why the request is refused (with 403); "": it is not.
    [[nodiscard]] std::string objection(const request&) const;
};

/// Makes a session's handler; null: answered 503.
using session_function = std::function<std::unique_ptr<link::handler>(link::connection&, const request&, time_point)>;

/// What is served at a path.
struct session_offer {
    session_function accept;
    /// Sub-protocols; the first that the client offers and is among them is selected, without one the request is
    /// refused with 400. Empty: none is selected.
    std::vector<std::string> protocols{};
    origin_policy origins{};
};

[[nodiscard]] answer_function answer_with(session_offer);

/// An answer_function that asks others, by path. Paths are compared as sent, without their query: escapes are not
/// decoded, and upper case differs. Add routes before serving.
class router {
public:
    /// Answers requests for exactly this path.
    /// errc::invalid_argument: it does not begin with '/', or has a '?' or '#'; or it was added before.
    result<void> at(std::string path, answer_function);
    /// The same for this path and all below it, by whole segments: "/room" and "/room/a", but not "/rooms". An exact
    /// path comes first, then the longest prefix; "/" is that of all.
    result<void> below(std::string path, answer_function);
    /// Answers the others, instead of 404.
    void otherwise(answer_function);

    [[nodiscard]] answer operator()(const request&) const;

private:
    using table = std::map<std::string, answer_function, std::less<>>;
    [[nodiscard]] static result<void> add(table&, std::string path, answer_function);
    [[nodiscard]] const answer_function* find(std::string_view path) const;

    table exact_;
    table prefixes_; ///< Without a slash at the end.
    answer_function otherwise_;
};

} // namespace moqlite::nghttp3

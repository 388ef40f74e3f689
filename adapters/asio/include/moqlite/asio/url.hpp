// moqt://host:port/path?query for native QUIC, or https:// for WebTransport.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace moqlite::asio {

/// A server, and the root of the sessions.
struct url {
    std::string host; ///< A name or an address, without brackets.
    std::uint16_t port = 443;
    std::string path; ///< With the query; "" where the URL has none, or only "/".
    bool webtransport = false;
    std::string authority; ///< Host and port as they are written.
    std::string text;      ///< All of it as it was written.
};

/// nullopt: `why`.
[[nodiscard]] std::optional<url> parse_url(std::string_view text, std::string& why);

} // namespace moqlite::asio

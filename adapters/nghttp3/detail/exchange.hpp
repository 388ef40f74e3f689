// A request on its way to its answer.
#pragma once

#include "message.hpp"

#include <cstdint>
#include <moqlite/core/ids.hpp>
#include <moqlite/core/time.hpp>
#include <moqlite/webtransport/session.hpp>
#include <string>

namespace moqlite::nghttp3::detail {

/// A complete header that waits for a pump, and what has followed it.
struct exchange {
    stream_id id{};
    message header;
    time_point since{};
    bool ended = false;
    webtransport::session state{}; ///< If it becomes a session.
    std::string body{};            ///< If it does not.
    int body_refused = 0;          ///< The status, once the body is too long to be kept.

    [[nodiscard]] bool is_connect() const noexcept { return header.method == "CONNECT"; }
};

} // namespace moqlite::nghttp3::detail

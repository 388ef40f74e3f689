// A session ticket of a client, with what early data needs to know.
#pragma once

#include <cstddef>
#include <cstdint>
#include <moqlite/core/bytes.hpp>
#include <optional>
#include <string>
#include <vector>

namespace moqlite::ngtcp2::detail {

struct ticket {
    static constexpr std::size_t largest = 16 * 1024; ///< Encoded.

    std::string rules;       ///< tls_rules::text of the configuration that has verified the server.
    std::string server_name; ///< Verified, and sent as SNI.
    std::string alpn;
    std::vector<std::byte> parameters; ///< The server's transport parameters, as ngtcp2 encodes them.
    std::vector<std::byte> session;    ///< The TLS library's.
};

/// Empty: it is too large.
[[nodiscard]] std::vector<std::byte> encode(const ticket&);
/// Accepts any bytes.
[[nodiscard]] std::optional<ticket> decode_ticket(byte_view);

} // namespace moqlite::ngtcp2::detail

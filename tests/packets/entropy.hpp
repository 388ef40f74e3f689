// Makes runs deterministic: OpenSSL's randomness, and the certificate.
#pragma once

#include <cstdint>
#include <moqlite/ngtcp2/tls.hpp>

namespace moqlite::packets {

/// From here on all randomness of this process's OpenSSL follows from `seed`.
void seed_openssl(std::uint64_t seed);

/// Configurations with a fixed certificate, an ALPN for each version, and h3; made once.
[[nodiscard]] const ngtcp2::tls& server_tls();
[[nodiscard]] const ngtcp2::tls& client_tls();
/// A server that issues tickets under `keys`, and may accept early data.
[[nodiscard]] ngtcp2::tls resuming_tls(ngtcp2::ticket_keys keys, bool early);

} // namespace moqlite::packets

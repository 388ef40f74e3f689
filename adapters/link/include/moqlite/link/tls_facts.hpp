// The results of a connection's TLS handshake.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace moqlite::link {

/// What became of a client's early data (0-RTT).
enum class early_data : std::uint8_t {
    none,     ///< None was sent.
    pending,  ///< Sent, or being received: the handshake is not complete.
    accepted, ///< Somebody who saw the client's packets may have replayed it to another server (RFC 8446 §8).
    rejected  ///< Its bytes have been sent again after the handshake.
};

/// Constant in the life of a handler, except that a handler which began with early data sees the rest when the
/// handshake is complete.
struct tls_facts {
    std::string version;     ///< "TLS 1.3".
    std::string cipher;      ///< IANA's name: "TLS_AES_128_GCM_SHA256".
    std::string server_name; ///< DNS name that the client asked for (SNI), in lower case; "": none. Untrusted.
    /// SHA-256 of the peer's leaf certificate, whose key the peer has, as 64 lowercase hex digits; "": it has shown
    /// none. What else was verified is a matter of the configuration's trust.
    std::string peer_fingerprint;
    std::vector<std::byte> peer_certificate; ///< The leaf's DER.
    bool resumed = false;                    ///< By a session ticket.
    early_data early = early_data::none;
};

} // namespace moqlite::link

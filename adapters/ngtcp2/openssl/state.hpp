// The OpenSSL side of tls.hpp.
#pragma once

#include "../detail/tls_library.hpp"

#include <memory>
#include <ngtcp2/ngtcp2_crypto.h>
#include <ngtcp2/ngtcp2_crypto_ossl.h>
#include <openssl/ssl.h>

namespace moqlite::ngtcp2 {

namespace detail {

/// Deletes what OpenSSL allocated: unique<X509, X509_free>.
template <auto Free>
struct freed_by {
    template <class T>
    void operator()(T* p) const noexcept {
        Free(p);
    }
};
template <class T, auto Free>
using unique = std::unique_ptr<T, freed_by<Free>>;

/// "what: OpenSSL's last error", and forgets the error.
[[nodiscard]] std::string openssl_error(std::string_view what);

/// `alpn` as it stands in a ClientHello.
[[nodiscard]] std::vector<unsigned char> wire_alpn(const std::vector<std::string>& alpn);

/// SHA-256 of the certificate's DER.
[[nodiscard]] std::string fingerprint_of(const X509* certificate);

/// The connection of an SSL object.
[[nodiscard]] connection_state& connection_of(const SSL*) noexcept;

struct tls_session {
    tls_session() = default;
    ~tls_session();
    tls_session(const tls_session&) = delete;
    tls_session& operator=(const tls_session&) = delete;

    [[nodiscard]] SSL* ssl() const noexcept { return ngtcp2_crypto_ossl_ctx_get_ssl(context); }

    ngtcp2_crypto_ossl_ctx* context = nullptr;
};

} // namespace detail

namespace detail {

// Tickets of a configuration that has its other settings.
void issue_tickets(tls::state&);
void receive_tickets(tls::state&);

} // namespace detail

struct tls::state : detail::tls_rules {
    detail::unique<SSL_CTX, SSL_CTX_free> context;
    std::vector<unsigned char> alpn; ///< A server's, in wire form.
    bool verify_name = false;
};

} // namespace moqlite::ngtcp2

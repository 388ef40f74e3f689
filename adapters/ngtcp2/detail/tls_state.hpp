// The OpenSSL side of tls.hpp.
#pragma once

#include <memory>
#include <moqlite/ngtcp2/tls.hpp>
#include <openssl/ssl.h>
#include <string>
#include <string_view>
#include <vector>

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

/// Once per process, before anything else of OpenSSL. Not empty: what is wrong with the libraries.
const std::string& library_problem();

/// "what: OpenSSL's last error", and forgets the error.
std::string openssl_error(std::string_view what);

/// `alpn` as it stands in a ClientHello; empty: a name is empty or longer than 255.
std::vector<unsigned char> wire_alpn(const std::vector<std::string>& alpn);

/// 64 lowercase hex digits of the SHA-256 of the certificate's DER.
std::string fingerprint_of(const X509* certificate);

} // namespace detail

struct tls::state {
    detail::unique<SSL_CTX, SSL_CTX_free> context;
    std::vector<unsigned char> alpn; ///< A server's, in wire form.
    std::string pinned;              ///< A client's, 64 lowercase hex digits, or empty.
    bool verify_name = false;
    bool server = false;
};

} // namespace moqlite::ngtcp2

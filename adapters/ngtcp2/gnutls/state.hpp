// The GnuTLS side of tls.hpp.
#pragma once

#include "../detail/tls_library.hpp"

#include <gnutls/gnutls.h>
#include <memory>
#include <type_traits>

namespace moqlite::ngtcp2 {

namespace detail {

/// Frees what GnuTLS allocated: unique<gnutls_x509_crt_t, gnutls_x509_crt_deinit>.
template <auto Free>
struct freed_by {
    template <class T>
    void operator()(T* p) const noexcept {
        Free(p);
    }
};
template <class Handle, auto Free>
using unique = std::unique_ptr<std::remove_pointer_t<Handle>, freed_by<Free>>;

/// "what: GnuTLS's word for `error`".
[[nodiscard]] std::string gnutls_error(std::string_view what, int error);

/// SHA-256 of a certificate's DER; empty: the library failed.
[[nodiscard]] std::string fingerprint_of(const gnutls_datum_t& der);

/// The 4 or 16 bytes of an IP address.
[[nodiscard]] std::string raw_ip(const link::address&);

/// GnuTLS reads only, but does not say so.
[[nodiscard]] inline gnutls_datum_t datum_of(std::string_view text) noexcept {
    auto* data = reinterpret_cast<unsigned char*>(const_cast<char*>(text.data()));
    return {data, static_cast<unsigned int>(text.size())};
}

} // namespace detail

struct tls::state : detail::tls_rules {
    detail::unique<gnutls_certificate_credentials_t, gnutls_certificate_free_credentials> credentials;
    detail::unique<gnutls_priority_t, gnutls_priority_deinit> priorities;
    std::vector<std::string> alpn; ///< A server's.
};

} // namespace moqlite::ngtcp2

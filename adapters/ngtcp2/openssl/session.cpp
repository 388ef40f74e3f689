// The TLS side of one connection.
#include "../detail/connection_state.hpp"
#include "state.hpp"

#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

namespace moqlite::ngtcp2::detail {

namespace {

void free_openssl(unsigned char* p) noexcept { OPENSSL_free(p); }

/// Whom the certificate must name; a DNS name is also sent as SNI, an address never (RFC 6066 §3).
bool expect_name(SSL* ssl, const std::string& name, bool verify) {
    X509_VERIFY_PARAM* checks = SSL_get0_param(ssl);
    if (link::address::parse(name, 0)) return !verify || X509_VERIFY_PARAM_set1_ip_asc(checks, name.c_str()) == 1;
    if (SSL_set_tlsext_host_name(ssl, name.c_str()) != 1) return false;
    X509_VERIFY_PARAM_set_hostflags(checks, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return !verify || SSL_set1_host(ssl, name.c_str()) == 1;
}

bool configure_client(SSL* ssl, const tls::state& from, const std::string& server_name,
    const std::vector<std::string>& alpn, std::string& why) {
    SSL_set_connect_state(ssl);
    if (!usable_alpn(alpn, "a client", why)) return false;
    const auto wire = wire_alpn(alpn);
    // This one answers 0 where all others answer 1.
    if (SSL_set_alpn_protos(ssl, wire.data(), static_cast<unsigned int>(wire.size())) != 0 ||
        !expect_name(ssl, server_name, from.verify_name)) {
        why = openssl_error("\"" + server_name + "\" cannot be used as the server's name");
        return false;
    }
    return ngtcp2_crypto_ossl_configure_client_session(ssl) == 0;
}

} // namespace

std::vector<unsigned char> wire_alpn(const std::vector<std::string>& alpn) {
    std::vector<unsigned char> out;
    for (const auto& name : alpn) {
        out.push_back(static_cast<unsigned char>(name.size()));
        out.insert(out.end(), name.begin(), name.end());
    }
    return out;
}

connection_state& connection_of(const SSL* ssl) noexcept {
    auto* ref = static_cast<ngtcp2_crypto_conn_ref*>(SSL_get_app_data(ssl));
    return *static_cast<connection_state*>(ref->user_data);
}

tls_session::~tls_session() {
    if (context == nullptr) return;
    if (SSL* mine = ssl(); mine != nullptr) {
        SSL_set_app_data(mine, nullptr); // Freeing it must not ask for the connection any more.
        SSL_free(mine);
    }
    ngtcp2_crypto_ossl_ctx_del(context);
}

const tls_rules& rules_of(const tls::state& of) noexcept { return of; }

void end_tls::operator()(tls_session* of) const noexcept { delete of; }

bool start_tls(connection_state& c, const tls::state& from, const std::string& server_name,
    const std::vector<std::string>& alpn, std::string& why) {
    why = "out of memory";
    c.crypto.reset(new tls_session);
    if (ngtcp2_crypto_ossl_ctx_new(&c.crypto->context, nullptr) != 0) return false;
    SSL* ssl = SSL_new(from.context.get());
    if (ssl == nullptr) return false;
    ngtcp2_crypto_ossl_ctx_set_ssl(c.crypto->context, ssl); // From here on freed with it.
    SSL_set_app_data(ssl, &c.reference);
    if (from.server) {
        SSL_set_accept_state(ssl);
        if (ngtcp2_crypto_ossl_configure_server_session(ssl) != 0) return false;
        if (from.early_data && SSL_set_quic_tls_early_data_enabled(ssl, 1) != 1) return false;
    } else if (!configure_client(ssl, from, server_name, alpn, why)) {
        return false;
    }
    ngtcp2_conn_set_tls_native_handle(c.conn, c.crypto->context);
    why.clear();
    return true;
}

std::string chosen_alpn(const tls_session& of) {
    const unsigned char* name = nullptr;
    unsigned int size = 0;
    SSL_get0_alpn_selected(of.ssl(), &name, &size);
    return {reinterpret_cast<const char*>(name), size};
}

void describe(const tls_session& of, link::tls_facts& to) {
    const SSL* ssl = of.ssl();
    to.version = "TLS 1.3"; // No other is configured, or allowed by QUIC.
    if (const auto* cipher = SSL_get_current_cipher(ssl); cipher != nullptr)
        to.cipher = SSL_CIPHER_standard_name(cipher);
    if (const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name); name != nullptr)
        to.server_name = lower_case(name);
    to.resumed = SSL_session_reused(ssl) == 1;
    const X509* leaf = SSL_get0_peer_certificate(ssl);
    if (leaf == nullptr) return;
    unsigned char* der = nullptr;
    const int size = i2d_X509(leaf, &der);
    if (size <= 0) return;
    const unique<unsigned char, free_openssl> owner{der};
    const auto bytes = std::as_bytes(std::span{der, static_cast<std::size_t>(size)});
    to.peer_certificate.assign(bytes.begin(), bytes.end());
    to.peer_fingerprint = fingerprint_of(leaf);
}

std::string_view alert_text(std::uint8_t alert) noexcept {
    if (alert == certificate_required) return "certificate required"; // OpenSSL 3.5 has no text for it.
    return SSL_alert_desc_string_long(alert);
}

} // namespace moqlite::ngtcp2::detail

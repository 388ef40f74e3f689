// TLS configuration: identities, trust, ALPN.
#include "../detail/connection_state.hpp"
#include "state.hpp"

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>

namespace moqlite::ngtcp2 {

namespace {

using detail::openssl_error;
using detail::unique;
using memory = unique<BIO, BIO_free_all>;

// One record is one write, so that lines of several threads do not mix.
void log_keys(const SSL*, const char* line) {
    static std::FILE* const file = [] {
        const char* name = std::getenv("SSLKEYLOGFILE");
        return name != nullptr ? std::fopen(name, "a") : nullptr;
    }();
    if (file == nullptr) return;
    const std::string record = std::string{line} + '\n';
    std::fwrite(record.data(), 1, record.size(), file);
    std::fflush(file);
}

unique<SSL_CTX, SSL_CTX_free> make_context(const SSL_METHOD* method, std::string& why) {
    if (why = detail::library_problem(); !why.empty()) return nullptr;
    unique<SSL_CTX, SSL_CTX_free> context{SSL_CTX_new(method)};
    // AES-128-GCM first: the fastest on every processor with AES instructions. X25519 first: its
    // ClientHello fits one datagram; the hybrid group is there for a peer that insists.
    if (!context || SSL_CTX_set_min_proto_version(context.get(), TLS1_3_VERSION) != 1 ||
        SSL_CTX_set_max_proto_version(context.get(), TLS1_3_VERSION) != 1 ||
        SSL_CTX_set_ciphersuites(context.get(), "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:"
                                                "TLS_CHACHA20_POLY1305_SHA256") != 1 ||
        SSL_CTX_set1_groups_list(context.get(), "X25519:P-256:P-384:?X25519MLKEM768") != 1) {
        why = openssl_error("cannot configure TLS");
        return nullptr;
    }
    SSL_CTX_set_options(context.get(), SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN);
    SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(context.get(), 0); // See tickets.cpp.
    if (std::getenv("SSLKEYLOGFILE") != nullptr) SSL_CTX_set_keylog_callback(context.get(), log_keys);
    return context;
}

/// OpenSSL's own asks on the terminal.
int no_pass_phrase(char*, int, int, void*) { return -1; }

bool use_identity(SSL_CTX* to, const identity& who, std::string& why) {
    const memory chain{BIO_new_mem_buf(who.chain.data(), static_cast<int>(who.chain.size()))};
    const unique<X509, X509_free> leaf{PEM_read_bio_X509(chain.get(), nullptr, no_pass_phrase, nullptr)};
    if (!leaf || SSL_CTX_use_certificate(to, leaf.get()) != 1) {
        why = openssl_error("the certificate chain cannot be used");
        return false;
    }
    while (X509* next = PEM_read_bio_X509(chain.get(), nullptr, no_pass_phrase, nullptr))
        if (SSL_CTX_add0_chain_cert(to, next) != 1) X509_free(next);
    ERR_clear_error(); // The end of the chain is reported as an error.

    if (detail::is_encrypted(who.key)) {
        why = "the private key is encrypted, which is not supported";
        return false;
    }
    const memory in{BIO_new_mem_buf(who.key.data(), static_cast<int>(who.key.size()))};
    const unique<EVP_PKEY, EVP_PKEY_free> key{PEM_read_bio_PrivateKey(in.get(), nullptr, no_pass_phrase, nullptr)};
    if (!key) {
        why = openssl_error("the private key cannot be read");
        return false;
    }
    if (SSL_CTX_use_PrivateKey(to, key.get()) != 1 || SSL_CTX_check_private_key(to) != 1) {
        why = openssl_error("the private key is not the certificate's");
        return false;
    }
    return true;
}

/// Of a server's handshake.
const tls::state& rules_of(const SSL* ssl) noexcept {
    return detail::connection_of(ssl).handshake->configuration.get();
}

int select_alpn(SSL* ssl, const unsigned char** out, unsigned char* out_size, const unsigned char* in,
    unsigned int in_size, void*) {
    const auto& ours = rules_of(ssl).alpn;
    unsigned char* chosen = nullptr;
    const int rv =
        SSL_select_next_proto(&chosen, out_size, ours.data(), static_cast<unsigned int>(ours.size()), in, in_size);
    *out = chosen;
    return rv == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

/// Its certificate only: whom the server trusts, and what it supports, is not a matter of the name.
bool show_certificate_of(const tls::state& from, SSL* to) {
    SSL_CTX* context = from.context.get();
    STACK_OF(X509)* chain = nullptr;
    SSL_CTX_get0_chain_certs(context, &chain);
    X509* leaf = SSL_CTX_get0_certificate(context);
    return leaf != nullptr && SSL_use_cert_and_key(to, leaf, SSL_CTX_get0_privatekey(context), chain, 1) == 1;
}

// Called for each ClientHello, also without a name.
int select_certificate(SSL* ssl, int* alert, void*) {
    using result = detail::certificate_choice::result;
    const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    const auto found =
        detail::choose_certificate(detail::connection_of(ssl), rules_of(ssl), name != nullptr ? name : "");
    *alert = found.how == result::refused ? SSL_AD_UNRECOGNIZED_NAME : SSL_AD_INTERNAL_ERROR;
    if (found.how != result::chosen) return SSL_TLSEXT_ERR_ALERT_FATAL;
    const bool used = !found.which || show_certificate_of(found.which->get(), ssl);
    return used ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

SSL* ssl_of(X509_STORE_CTX* context) {
    return static_cast<SSL*>(X509_STORE_CTX_get_ex_data(context, SSL_get_ex_data_X509_STORE_CTX_idx()));
}

// Sees every step of the chain's verification, and only notes what went wrong.
int note_failure(int good, X509_STORE_CTX* context) {
    if (good == 1) return good;
    const int error = X509_STORE_CTX_get_error(context);
    auto& c = detail::connection_of(ssl_of(context));
    c.error_detail = std::string{"certificate verify failed: "} + X509_verify_cert_error_string(error);
    if (error == X509_V_ERR_HOSTNAME_MISMATCH || error == X509_V_ERR_IP_ADDRESS_MISMATCH)
        c.error_detail += ", expected " + (c.handshake ? c.handshake->server_name : std::string{});
    return good;
}

// Replaces the chain's verification: this very certificate, or none.
int verify_pinned(X509_STORE_CTX* context, void* arg) {
    const auto& pinned = static_cast<const tls::state*>(arg)->pinned;
    const std::string found = detail::fingerprint_of(X509_STORE_CTX_get0_cert(context));
    if (found == pinned) return 1;
    detail::connection_of(ssl_of(context)).error_detail = detail::wrong_fingerprint(found, pinned);
    X509_STORE_CTX_set_error(context, X509_V_ERR_CERT_REJECTED);
    return 0;
}

int verify_any(X509_STORE_CTX* context, void*) {
    X509_STORE_CTX_set_error(context, X509_V_OK);
    return 1;
}

bool use_trust(tls::state& to, const trust& whom, std::string& why) {
    SSL_CTX* context = to.context.get();
    to.believes = whom.what();
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, note_failure);
    switch (whom.what()) {
    case trust::kind::system_roots:
        to.verify_name = true;
        if (SSL_CTX_set_default_verify_paths(context) == 1) return true;
        why = openssl_error("the system's certificates cannot be used");
        return false;
    case trust::kind::ca_file:
        to.verify_name = true;
        if (SSL_CTX_load_verify_file(context, whom.text().c_str()) == 1) return true;
        why = openssl_error("certificates cannot be read from " + whom.text());
        return false;
    case trust::kind::fingerprint:
        if (auto hex = detail::normal_fingerprint(whom.text(), why)) {
            to.pinned = std::move(*hex);
            SSL_CTX_set_cert_verify_callback(context, verify_pinned, &to);
            return true;
        }
        return false;
    case trust::kind::any_certificate: SSL_CTX_set_cert_verify_callback(context, verify_any, nullptr); return true;
    case trust::kind::insecure: SSL_CTX_set_verify(context, SSL_VERIFY_NONE, nullptr); return true;
    }
    return false;
}

bool use_clients(tls::state& to, const client_authentication& clients, std::string& why) {
    if (clients.whom.what() == trust::kind::insecure) {
        why = "a server's clients cannot be trusted as insecure; any_certificate() takes every certificate";
        return false;
    }
    if (!use_trust(to, clients.whom, why)) return false;
    SSL_CTX* context = to.context.get();
    const int required = clients.required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0;
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | required, SSL_CTX_get_verify_callback(context));
    return true;
}

} // namespace

std::optional<tls> tls::server(tls_server_options o, std::string& why) {
    if (!detail::are_usable(o, why)) return std::nullopt;
    auto made = std::make_shared<state>();
    made->server = true;
    made->alpn = detail::wire_alpn(o.alpn);
    made->context = make_context(TLS_server_method(), why);
    SSL_CTX* context = made->context.get();
    if (context == nullptr || (o.who && !use_identity(context, *o.who, why))) return std::nullopt;
    if (o.clients && !use_clients(*made, *o.clients, why)) return std::nullopt;
    SSL_CTX_set_alpn_select_cb(context, select_alpn, nullptr);
    if (o.by_name) SSL_CTX_set_tlsext_servername_callback(context, select_certificate);
    made->has_default = o.who.has_value();
    made->by_name = std::move(o.by_name);
    made->clients = std::move(o.clients);
    made->tickets = std::move(o.tickets);
    made->early_data = o.early_data;
    if (made->tickets) detail::issue_tickets(*made);
    return tls{std::move(made)};
}

std::optional<tls> tls::client(const tls_client_options& o, std::string& why) {
    auto made = std::make_shared<state>();
    made->context = make_context(TLS_client_method(), why);
    SSL_CTX* context = made->context.get();
    if (context == nullptr || !use_trust(*made, o.whom, why)) return std::nullopt;
    if (o.who && !use_identity(context, *o.who, why)) return std::nullopt;
    made->text = detail::text_of(o);
    detail::receive_tickets(*made);
    return tls{std::move(made)};
}

} // namespace moqlite::ngtcp2

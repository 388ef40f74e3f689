// TLS configuration: identities, trust, what is negotiated.
#include "state.hpp"

namespace moqlite::ngtcp2 {

namespace {

using detail::gnutls_error;

// AES-128-GCM first: the fastest on every processor with AES instructions. X25519 first: its ClientHello
// fits one datagram.
constexpr auto priorities = "NORMAL:-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:+AES-128-GCM:+AES-256-GCM:+CHACHA20-POLY1305:"
                            "-GROUP-ALL:+GROUP-X25519:+GROUP-SECP256R1:+GROUP-SECP384R1:"
                            "%SERVER_PRECEDENCE:%DISABLE_TLS13_COMPAT_MODE";

std::shared_ptr<tls::state> make_state(std::string& why) {
    if (why = detail::library_problem(); !why.empty()) return nullptr;
    auto made = std::make_shared<tls::state>();
    gnutls_certificate_credentials_t credentials = nullptr;
    gnutls_priority_t order = nullptr;
    int rv = gnutls_certificate_allocate_credentials(&credentials);
    made->credentials.reset(credentials);
    if (rv == 0) rv = gnutls_priority_init(&order, priorities, nullptr);
    made->priorities.reset(order);
    if (rv == 0) return made;
    why = gnutls_error("cannot configure TLS", rv);
    return nullptr;
}

bool use_identity(gnutls_certificate_credentials_t to, const identity& who, std::string& why) {
    if (detail::is_encrypted(who.key)) {
        why = "the private key is encrypted, which is not supported";
        return false;
    }
    const gnutls_datum_t chain = detail::datum_of(who.chain), key = detail::datum_of(who.key);
    const int rv = gnutls_certificate_set_x509_key_mem2(to, &chain, &key, GNUTLS_X509_FMT_PEM, nullptr, 0);
    if (rv >= 0) return true;
    why = rv == GNUTLS_E_CERTIFICATE_KEY_MISMATCH
              ? "the private key is not the certificate's"
              : gnutls_error("the certificate chain with its private key cannot be used", rv);
    return false;
}

bool use_trust(tls::state& to, const trust& whom, std::string& why) {
    auto* credentials = to.credentials.get();
    to.believes = whom.what();
    switch (whom.what()) {
    case trust::kind::system_roots:
        if (const int rv = gnutls_certificate_set_x509_system_trust(credentials); rv < 0) {
            why = gnutls_error("the system's certificates cannot be used", rv);
            return false;
        }
        return true;
    case trust::kind::ca_file:
        if (const int rv =
                gnutls_certificate_set_x509_trust_file(credentials, whom.text().c_str(), GNUTLS_X509_FMT_PEM);
            rv <= 0) {
            why = gnutls_error(
                "certificates cannot be read from " + whom.text(), rv == 0 ? GNUTLS_E_NO_CERTIFICATE_FOUND : rv);
            return false;
        }
        return true;
    case trust::kind::fingerprint:
        if (auto hex = detail::normal_fingerprint(whom.text(), why)) {
            to.pinned = std::move(*hex);
            return true;
        }
        return false;
    case trust::kind::any_certificate:
    case trust::kind::insecure: return true;
    }
    return false;
}

bool use_clients(tls::state& to, const client_authentication& clients, bool by_name, std::string& why) {
    const auto kind = clients.whom.what();
    // GnuTLS has certificates and trusted roots in one object, which the certificate's name replaces.
    if (by_name && (kind == trust::kind::ca_file || kind == trust::kind::system_roots)) {
        why = "with GnuTLS a server cannot both choose its certificate by name and verify clients by a CA";
        return false;
    }
    if (kind != trust::kind::insecure) return use_trust(to, clients.whom, why);
    why = "a server's clients cannot be trusted as insecure; any_certificate() takes every certificate";
    return false;
}

} // namespace

std::optional<tls> tls::server(tls_server_options o, std::string& why) {
    if (!detail::are_usable(o, why)) return std::nullopt;
    if (o.tickets) {
        why = "session tickets are not supported with GnuTLS";
        return std::nullopt;
    }
    auto made = make_state(why);
    if (!made || (o.who && !use_identity(made->credentials.get(), *o.who, why))) return std::nullopt;
    if (o.clients && !use_clients(*made, *o.clients, o.by_name != nullptr, why)) return std::nullopt;
    made->server = true;
    made->alpn = std::move(o.alpn);
    made->has_default = o.who.has_value();
    made->by_name = std::move(o.by_name);
    made->clients = std::move(o.clients);
    return tls{std::move(made)};
}

std::optional<tls> tls::client(const tls_client_options& o, std::string& why) {
    auto made = make_state(why);
    if (!made || !use_trust(*made, o.whom, why)) return std::nullopt;
    if (o.who && !use_identity(made->credentials.get(), *o.who, why)) return std::nullopt;
    return tls{std::move(made)};
}

} // namespace moqlite::ngtcp2

// The TLS side of one connection.
#include "../detail/connection_state.hpp"
#include "state.hpp"

#include <gnutls/x509.h>
#include <ngtcp2/ngtcp2_crypto_gnutls.h>

namespace moqlite::ngtcp2::detail {

struct tls_session {
    std::optional<tls> chosen; ///< By its name: the session uses its certificate.
    unique<gnutls_session_t, gnutls_deinit> session;
};

namespace {

connection_state& connection_of(gnutls_session_t session) noexcept {
    auto* ref = static_cast<ngtcp2_crypto_conn_ref*>(gnutls_session_get_ptr(session));
    return *static_cast<connection_state*>(ref->user_data);
}

bool is_self_signed(const gnutls_datum_t& der) {
    gnutls_x509_crt_t made = nullptr;
    if (gnutls_x509_crt_init(&made) != 0) return false;
    const unique<gnutls_x509_crt_t, gnutls_x509_crt_deinit> leaf{made};
    return gnutls_x509_crt_import(made, &der, GNUTLS_X509_FMT_DER) == 0 &&
           gnutls_x509_crt_check_issuer(made, made) == 1;
}

/// Of all that is wrong with a certificate the first that makes the rest pointless.
std::string_view reason_in(unsigned int status, const gnutls_datum_t& leaf, bool ip) {
    if ((status & GNUTLS_CERT_SIGNER_NOT_FOUND) != 0)
        return is_self_signed(leaf) ? "self-signed certificate" : "unknown issuer";
    if ((status & GNUTLS_CERT_REVOKED) != 0) return "certificate revoked";
    if ((status & GNUTLS_CERT_EXPIRED) != 0) return "certificate has expired";
    if ((status & GNUTLS_CERT_NOT_ACTIVATED) != 0) return "certificate is not yet valid";
    if ((status & GNUTLS_CERT_SIGNATURE_FAILURE) != 0) return "certificate signature failure";
    if ((status & GNUTLS_CERT_INSECURE_ALGORITHM) != 0) return "insecure algorithm";
    if ((status & GNUTLS_CERT_PURPOSE_MISMATCH) != 0) return "unsuitable certificate purpose";
    if ((status & GNUTLS_CERT_UNEXPECTED_OWNER) != 0) return ip ? "IP address mismatch" : "hostname mismatch";
    return "certificate is not valid";
}

/// What is wrong with a chain, leaf first, for the server `name`, or for a client; "" if nothing is.
std::string judge_chain(gnutls_session_t session, const gnutls_datum_t& leaf, const std::string& name, bool client) {
    const auto ip = link::address::parse(name, 0);
    std::string owner = ip ? raw_ip(*ip) : name;
    std::string purpose = client ? GNUTLS_KP_TLS_WWW_CLIENT : GNUTLS_KP_TLS_WWW_SERVER;
    auto* bytes = reinterpret_cast<unsigned char*>(owner.data());
    gnutls_typed_vdata_st wanted[] = {{GNUTLS_DT_KEY_PURPOSE_OID, reinterpret_cast<unsigned char*>(purpose.data()), 0},
        {ip ? GNUTLS_DT_IP_ADDRESS : GNUTLS_DT_DNS_HOSTNAME, bytes, static_cast<unsigned int>(owner.size())}};
    unsigned int status = 0;
    const int rv = gnutls_certificate_verify_peers(session, wanted, client ? 1 : 2, &status); // Clients have no name.
    if (rv != 0) return gnutls_error("certificate verify failed", rv);
    if (status == 0) return {};
    std::string text = "certificate verify failed: " + std::string{reason_in(status, leaf, ip.has_value())};
    if (text.ends_with("mismatch")) text += ", expected " + name;
    return text;
}

/// Called with the peer's certificate; 0: it is believed.
int verify(gnutls_session_t session) {
    auto& c = connection_of(session);
    const auto& from = c.handshake->configuration.get();
    unsigned int count = 0;
    const gnutls_datum_t* chain = gnutls_certificate_get_peers(session, &count);
    const bool client_has_none = from.server && (chain == nullptr || count == 0);
    if (client_has_none && !from.clients->required) return 0;
    if (chain == nullptr || count == 0) {
        c.error_detail = "certificate verify failed: the peer sent none";
    } else if (from.believes == trust::kind::any_certificate) {
        return 0;
    } else if (from.believes == trust::kind::fingerprint) {
        const std::string found = fingerprint_of(chain[0]);
        if (found == from.pinned) return 0;
        c.error_detail = wrong_fingerprint(found, from.pinned);
    } else {
        c.error_detail = judge_chain(session, chain[0], c.handshake->server_name, from.server);
        if (c.error_detail.empty()) return 0;
    }
    return GNUTLS_E_CERTIFICATE_ERROR;
}

/// The DNS name that the client asks for, "": none.
std::string server_name_of(gnutls_session_t session) {
    char name[256] = {};
    std::size_t size = sizeof name - 1;
    unsigned int kind = 0;
    const bool found = gnutls_server_name_get(session, name, &size, &kind, 0) == 0 && kind == GNUTLS_NAME_DNS;
    return found ? std::string{name, size} : std::string{};
}

/// Called for each ClientHello; 0: go on.
int select_certificate(gnutls_session_t session) {
    using result = certificate_choice::result;
    auto& c = connection_of(session);
    const auto found = choose_certificate(c, c.handshake->configuration.get(), server_name_of(session));
    if (found.how != result::chosen)
        return found.how == result::refused ? GNUTLS_E_UNRECOGNIZED_NAME : GNUTLS_E_INTERNAL_ERROR;
    if (!found.which) return 0;
    c.crypto->chosen = found.which;
    return gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, found.which->get().credentials.get());
}

int offer_alpn(gnutls_session_t session, const std::vector<std::string>& alpn, unsigned int flags) {
    std::vector<gnutls_datum_t> names;
    for (const auto& name : alpn) names.push_back(datum_of(name));
    return gnutls_alpn_set_protocols(session, names.data(), static_cast<unsigned int>(names.size()), flags);
}

/// What is the same on both sides; an error of GnuTLS, or 0.
int configure(gnutls_session_t session, connection_state& c, const tls::state& from) {
    gnutls_session_set_ptr(session, &c.reference);
    const int rv = gnutls_priority_set(session, from.priorities.get());
    return rv != 0 ? rv : gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, from.credentials.get());
}

bool configure_client(gnutls_session_t session, const tls::state& from, const std::string& server_name,
    const std::vector<std::string>& alpn, std::string& why) {
    if (!usable_alpn(alpn, "a client", why)) return false;
    if (const int rv = offer_alpn(session, alpn, 0); rv != 0) {
        why = gnutls_error("this ALPN cannot be offered", rv);
        return false;
    }
    // A DNS name is also sent as SNI, an address never (RFC 6066 §3).
    if (!link::address::parse(server_name, 0)) {
        const int rv = gnutls_server_name_set(session, GNUTLS_NAME_DNS, server_name.data(), server_name.size());
        if (rv != 0) {
            why = gnutls_error('"' + server_name + "\" cannot be used as the server's name", rv);
            return false;
        }
    }
    if (from.believes != trust::kind::insecure && from.believes != trust::kind::any_certificate)
        gnutls_session_set_verify_function(session, verify);
    return ngtcp2_crypto_gnutls_configure_client_session(session) == 0;
}

bool configure_server(gnutls_session_t session, const tls::state& from, std::string& why) {
    // A client without any of them gets an alert; one that offers nothing is detected after the handshake.
    const int rv = offer_alpn(session, from.alpn, GNUTLS_ALPN_MANDATORY | GNUTLS_ALPN_SERVER_PRECEDENCE);
    if (rv != 0) why = gnutls_error("this ALPN cannot be offered", rv);
    if (from.by_name) gnutls_handshake_set_post_client_hello_function(session, select_certificate);
    if (from.clients) {
        gnutls_certificate_server_set_request(
            session, from.clients->required ? GNUTLS_CERT_REQUIRE : GNUTLS_CERT_REQUEST);
        gnutls_certificate_send_x509_rdn_sequence(
            session, 1); // 1: no. A client would hide what no named CA has issued.
        gnutls_session_set_verify_function(session, verify);
    }
    return rv == 0 && ngtcp2_crypto_gnutls_configure_server_session(session) == 0;
}

} // namespace

const tls_rules& rules_of(const tls::state& of) noexcept { return of; }

void end_tls::operator()(tls_session* of) const noexcept { delete of; }

bool start_tls(connection_state& c, const tls::state& from, const std::string& server_name,
    const std::vector<std::string>& alpn, std::string& why) {
    why = "out of memory";
    c.crypto.reset(new tls_session);
    gnutls_session_t session = nullptr;
    // Nothing is resumed, so no tickets are issued or wanted.
    const unsigned int flags = (from.server ? GNUTLS_SERVER : GNUTLS_CLIENT) | GNUTLS_NO_TICKETS;
    if (gnutls_init(&session, flags) != 0) return false;
    c.crypto->session.reset(session);
    if (const int rv = configure(session, c, from); rv != 0) {
        why = gnutls_error("cannot start TLS", rv);
        return false;
    }
    if (from.server ? !configure_server(session, from, why) : !configure_client(session, from, server_name, alpn, why))
        return false;
    ngtcp2_conn_set_tls_native_handle(c.conn, session);
    why.clear();
    return true;
}

std::string chosen_alpn(const tls_session& of) {
    gnutls_datum_t name{};
    if (gnutls_alpn_get_selected_protocol(of.session.get(), &name) != 0) return {};
    return {reinterpret_cast<const char*>(name.data), name.size};
}

void describe(const tls_session& of, link::tls_facts& to) {
    auto* const session = of.session.get();
    to.version = "TLS 1.3"; // No other is configured, or allowed by QUIC.
    if (const char* name = gnutls_ciphersuite_get(session); name != nullptr) to.cipher = name;
    to.server_name = lower_case(server_name_of(session));
    to.resumed = gnutls_session_is_resumed(session) != 0;
    unsigned int count = 0;
    const gnutls_datum_t* chain = gnutls_certificate_get_peers(session, &count);
    if (chain == nullptr || count == 0) return;
    const auto bytes = std::as_bytes(std::span{chain[0].data, chain[0].size});
    to.peer_certificate.assign(bytes.begin(), bytes.end());
    to.peer_fingerprint = fingerprint_of(chain[0]);
}

// Sessions are not resumed with this library: no server of ours issues tickets, and a client keeps none.
bool resume(tls_session&, byte_view, bool& early) { return early = false; }
bool has_early_data(const tls_session&) { return false; }

std::string_view alert_text(std::uint8_t alert) noexcept {
    if (alert == certificate_required) return "certificate required"; // Unknown before GnuTLS 3.8.
    const char* text = gnutls_alert_get_name(static_cast<gnutls_alert_description_t>(alert));
    return text != nullptr ? text : "unknown";
}

} // namespace moqlite::ngtcp2::detail

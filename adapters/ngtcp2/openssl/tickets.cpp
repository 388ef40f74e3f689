// Session tickets: sealed and opened by a server, received and used by a client.
#include "../detail/connection_state.hpp"
#include "state.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>

namespace moqlite::ngtcp2 {

namespace {

using detail::connection_of;
using detail::unique;

/// Nullptr: the handshake is complete, which has sealed its tickets.
const tls::state* rules_of(const SSL* ssl) noexcept {
    const auto& handshake = connection_of(ssl).handshake;
    return handshake ? &handshake->configuration.get() : nullptr;
}

wall_time now() { return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()); }

const unsigned char* octets(const secret& s) noexcept { return reinterpret_cast<const unsigned char*>(s.data()); }

bool use_mac_key(EVP_MAC_CTX* to, const secret& key) {
    char digest[] = "SHA256";
    const OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, const_cast<unsigned char*>(octets(key)), key.size()),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0), OSSL_PARAM_construct_end()};
    return EVP_MAC_CTX_set_params(to, parameters) == 1;
}

/// 1: the key is in place. 2: so it is, and a client that used its ticket gets a new one. 0: there is none for this
/// name, the handshake is a full one. -1: the handshake fails.
int ticket_key(
    SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac, int sealing) {
    const auto* rules = rules_of(ssl);
    if (rules == nullptr) return -1;
    const auto& keys = *rules->tickets;
    std::array<std::byte, 16> wanted{};
    auto* named = reinterpret_cast<std::byte*>(name);
    if (sealing == 0) std::copy_n(named, wanted.size(), wanted.begin());
    const auto key = sealing != 0 ? keys.current(now()) : keys.find(wanted, now());
    if (!key) return sealing != 0 ? -1 : 0;
    if (sealing != 0) {
        std::ranges::copy(key->name, named);
        detail::draw(std::as_writable_bytes(
            std::span{iv, static_cast<std::size_t>(EVP_CIPHER_get_iv_length(EVP_aes_256_cbc()))}));
    }
    const bool ready =
        EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), nullptr, octets(key->encryption), iv, sealing) == 1 &&
        use_mac_key(mac, key->authentication);
    return !ready ? -1 : sealing != 0 ? 1 : 2;
}

/// The caller is C.
int ticket_key_contained(
    SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac, int sealing) noexcept {
    try {
        return ticket_key(ssl, name, iv, cipher, mac, sealing);
    } catch (...) {
        return -1;
    }
}

int put_limits(SSL* ssl, void*) {
    const auto limits = detail::remembered_limits(connection_of(ssl));
    return SSL_SESSION_set1_ticket_appdata(SSL_get_session(ssl), limits.data(), limits.size());
}

int allow_early_data(SSL* ssl, void*) {
    SSL_SESSION* session = SSL_get_session(ssl);
    void* limits = nullptr;
    std::size_t size = 0;
    if (session == nullptr || SSL_SESSION_get0_ticket_appdata(session, &limits, &size) != 1) return 0;
    const unsigned char* alpn = nullptr;
    std::size_t alpn_size = 0;
    SSL_SESSION_get0_alpn_selected(session, &alpn, &alpn_size);
    std::array<std::uint8_t, 32> hello{};
    if (SSL_get_client_random(ssl, hello.data(), hello.size()) != hello.size()) return 0;
    return detail::allows_early_data(connection_of(ssl), {static_cast<const std::byte*>(limits), size},
               {reinterpret_cast<const char*>(alpn), alpn_size}, hello)
               ? 1
               : 0;
}

/// A client's.
int keep_ticket(SSL* ssl, SSL_SESSION* session) {
    auto& c = connection_of(ssl);
    unsigned char* der = nullptr;
    const int size = c.tickets ? i2d_SSL_SESSION(session, &der) : 0;
    if (size <= 0) return 0;
    detail::ticket_received(c, std::as_bytes(std::span{der, static_cast<std::size_t>(size)}));
    OPENSSL_clear_free(der, static_cast<std::size_t>(size));
    return 0; // We keep no reference.
}

} // namespace

void detail::issue_tickets(tls::state& by) {
    SSL_CTX* context = by.context.get();
    SSL_CTX_set_num_tickets(context, 1);
    constexpr std::chrono::seconds longest = std::chrono::days{7}; // RFC 8446 §4.6.1
    SSL_CTX_set_timeout(context, static_cast<long>(std::min(by.tickets->period(), longest).count()));
    SSL_CTX_set_tlsext_ticket_key_evp_cb(context, ticket_key_contained);
    SSL_CTX_set_session_ticket_cb(context, put_limits, nullptr, nullptr);
    if (!by.early_data) return;
    // OpenSSL's own guard against replays keeps the sessions of all tickets; ours the ClientHellos of some seconds.
    SSL_CTX_set_options(context, SSL_OP_NO_ANTI_REPLAY);
    SSL_CTX_set_max_early_data(context, std::numeric_limits<std::uint32_t>::max()); // RFC 9001 §4.6.1
    SSL_CTX_set_allow_early_data_cb(context, allow_early_data, nullptr);
}

void detail::receive_tickets(tls::state& by) {
    SSL_CTX* context = by.context.get();
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context, keep_ticket);
}

bool detail::resume(tls_session& by, byte_view session, bool& early) {
    const auto* at = reinterpret_cast<const unsigned char*>(session.data());
    const unique<SSL_SESSION, SSL_SESSION_free> found{d2i_SSL_SESSION(nullptr, &at, static_cast<long>(session.size()))};
    SSL* ssl = by.ssl();
    if (!found || SSL_SESSION_is_resumable(found.get()) == 0 || SSL_set_session(ssl, found.get()) != 1) {
        ERR_clear_error();
        early = false;
        return false;
    }
    early = early && SSL_SESSION_get_max_early_data(found.get()) == std::numeric_limits<std::uint32_t>::max() &&
            SSL_set_quic_tls_early_data_enabled(ssl, 1) == 1;
    return true;
}

bool detail::has_early_data(const tls_session& of) {
    return SSL_get_early_data_status(of.ssl()) == SSL_EARLY_DATA_ACCEPTED;
}

} // namespace moqlite::ngtcp2

// Certificates: made, and named by their hash.
#include "state.hpp"

#include <array>
#include <cstring>
#include <gnutls/crypto.h>
#include <gnutls/x509.h>
#include <netinet/in.h>

namespace moqlite::ngtcp2 {

namespace {

using detail::gnutls_error;
using detail::unique;

using certificate = unique<gnutls_x509_crt_t, gnutls_x509_crt_deinit>;
using private_key = unique<gnutls_x509_privkey_t, gnutls_x509_privkey_deinit>;

template <class Owner, auto Init>
Owner make() {
    typename Owner::pointer made = nullptr;
    return Owner{Init(&made) == 0 ? made : nullptr};
}
certificate new_certificate() { return make<certificate, gnutls_x509_crt_init>(); }
private_key new_key() { return make<private_key, gnutls_x509_privkey_init>(); }

/// Takes what GnuTLS allocated.
std::string taken(gnutls_datum_t from) {
    std::string text{reinterpret_cast<const char*>(from.data), from.size};
    gnutls_free(from.data);
    return text;
}

int add_name(gnutls_x509_crt_t to, const detail::certified_name& name) {
    const std::string data = name.ip ? detail::raw_ip(*name.ip) : name.text;
    return gnutls_x509_crt_set_subject_alt_name(to, name.ip ? GNUTLS_SAN_IPADDRESS : GNUTLS_SAN_DNSNAME, data.data(),
        static_cast<unsigned int>(data.size()), GNUTLS_FSAN_APPEND);
}

/// Everything but the signature; an error of GnuTLS, or 0.
int fill_in(gnutls_x509_crt_t to, gnutls_x509_privkey_t key, const std::vector<detail::certified_name>& names,
    const validity& good) {
    unsigned char serial[16];
    detail::draw(std::as_writable_bytes(std::span{serial}));
    serial[0] = static_cast<unsigned char>((serial[0] & 0x7f) | 0x40); // Positive, and of full length.
    // A common name holds 64 characters; what counts are the alternative names.
    const std::string common = names.front().text.substr(0, 64);
    for (const int rv : {gnutls_x509_crt_set_version(to, 3), gnutls_x509_crt_set_serial(to, serial, sizeof serial),
             gnutls_x509_crt_set_activation_time(to, std::chrono::system_clock::to_time_t(good.from)),
             gnutls_x509_crt_set_expiration_time(to, std::chrono::system_clock::to_time_t(good.until)),
             gnutls_x509_crt_set_dn_by_oid(
                 to, GNUTLS_OID_X520_COMMON_NAME, 0, common.data(), static_cast<unsigned int>(common.size())),
             gnutls_x509_crt_set_key(to, key), gnutls_x509_crt_set_basic_constraints(to, 0, -1),
             gnutls_x509_crt_set_key_usage(to, GNUTLS_KEY_DIGITAL_SIGNATURE),
             gnutls_x509_crt_set_key_purpose_oid(to, GNUTLS_KP_TLS_WWW_SERVER, 0),
             gnutls_x509_crt_set_key_purpose_oid(to, GNUTLS_KP_TLS_WWW_CLIENT, 0)})
        if (rv < 0) return rv;
    for (const auto& name : names)
        if (const int rv = add_name(to, name); rv < 0) return rv;
    return 0;
}

int generate(gnutls_x509_privkey_t to, key_kind kind) {
    if (kind == key_kind::ed25519)
        return gnutls_x509_privkey_generate(
            to, GNUTLS_PK_EDDSA_ED25519, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_ED25519), 0);
    return gnutls_x509_privkey_generate(to, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0);
}

} // namespace

std::string detail::raw_ip(const link::address& of) {
    if (of.is_v6()) {
        sockaddr_in6 v6{};
        std::memcpy(&v6, of.data(), sizeof v6);
        return {reinterpret_cast<const char*>(&v6.sin6_addr), sizeof v6.sin6_addr};
    }
    sockaddr_in v4{};
    std::memcpy(&v4, of.data(), sizeof v4);
    return {reinterpret_cast<const char*>(&v4.sin_addr), sizeof v4.sin_addr};
}

std::string detail::fingerprint_of(const gnutls_datum_t& der) {
    unsigned char hash[32];
    if (gnutls_hash_fast(GNUTLS_DIG_SHA256, der.data, der.size, hash) != 0) return {};
    return hex_of(hash);
}

std::optional<identity> detail::make_identity(
    const std::vector<certified_name>& names, const certificate_request& request, std::string& why) {
    const private_key key = new_key();
    const certificate leaf = new_certificate();
    int rv = key && leaf ? generate(key.get(), request.kind) : GNUTLS_E_MEMORY_ERROR;
    if (rv == 0) rv = fill_in(leaf.get(), key.get(), names, valid_from(request.now));
    const auto digest = request.kind == key_kind::p256 ? GNUTLS_DIG_SHA256 : GNUTLS_DIG_SHA512; // Ed25519 has no other.
    if (rv == 0) rv = gnutls_x509_crt_sign2(leaf.get(), leaf.get(), key.get(), digest, 0);
    identity made;
    gnutls_datum_t text{};
    if (rv == 0) rv = gnutls_x509_crt_export2(leaf.get(), GNUTLS_X509_FMT_PEM, &text);
    if (rv == 0) made.chain = taken(text);
    if (rv == 0)
        rv = gnutls_x509_privkey_export2_pkcs8(key.get(), GNUTLS_X509_FMT_PEM, nullptr, GNUTLS_PKCS_PLAIN, &text);
    if (rv == 0) made.key = taken(text);
    if (rv == 0) return made;
    why = gnutls_error("cannot make a certificate", rv);
    return std::nullopt;
}

namespace {

certificate leaf_of(const identity& who, std::string& why) {
    certificate leaf = new_certificate();
    const gnutls_datum_t pem = detail::datum_of(who.chain);
    const int rv = leaf ? gnutls_x509_crt_import(leaf.get(), &pem, GNUTLS_X509_FMT_PEM) : GNUTLS_E_MEMORY_ERROR;
    if (rv == 0) return leaf;
    why = gnutls_error("the certificate chain has no certificate", rv);
    return nullptr;
}

} // namespace

std::optional<std::string> fingerprint(const identity& of, std::string& why) {
    const auto leaf = leaf_of(of, why);
    if (!leaf) return std::nullopt;
    gnutls_datum_t der{};
    if (const int rv = gnutls_x509_crt_export2(leaf.get(), GNUTLS_X509_FMT_DER, &der); rv != 0) {
        why = gnutls_error("the certificate cannot be hashed", rv);
        return std::nullopt;
    }
    const std::string raw = taken(der);
    return detail::fingerprint_of(detail::datum_of(raw));
}

std::optional<validity> valid_times(const identity& of, std::string& why) {
    const auto leaf = leaf_of(of, why);
    if (!leaf) return std::nullopt;
    const auto at = [](std::time_t t) { return wall_time{std::chrono::seconds{t}}; };
    return validity{
        at(gnutls_x509_crt_get_activation_time(leaf.get())), at(gnutls_x509_crt_get_expiration_time(leaf.get()))};
}

std::optional<std::vector<std::string>> certified_names(const identity& of, std::string& why) {
    const auto leaf = leaf_of(of, why);
    if (!leaf) return std::nullopt;
    std::vector<std::string> names;
    constexpr unsigned int most = 1000;
    for (unsigned int i = 0; i < most; ++i) {
        std::array<unsigned char, 256> bytes{}; // A DNS name has less; what is longer is left out.
        std::size_t size = bytes.size();
        unsigned int kind = 0;
        const int rv = gnutls_x509_crt_get_subject_alt_name2(leaf.get(), i, bytes.data(), &size, &kind, nullptr);
        if (rv == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE) break;
        if (rv < 0) continue;
        const auto value = std::span<const unsigned char>{bytes}.first(size);
        if (kind == GNUTLS_SAN_DNSNAME) names.emplace_back(value.begin(), value.end());
        if (kind == GNUTLS_SAN_IPADDRESS)
            if (auto text = detail::ip_text(value); !text.empty()) names.push_back(std::move(text));
    }
    return names;
}

} // namespace moqlite::ngtcp2

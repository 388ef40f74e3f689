// Certificates: made, and named by their hash.
#include "state.hpp"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

namespace moqlite::ngtcp2 {

namespace {

using detail::openssl_error;
using detail::unique;

using certificate = unique<X509, X509_free>;
using private_key = unique<EVP_PKEY, EVP_PKEY_free>;
using memory = unique<BIO, BIO_free_all>;

template <class Write>
std::string to_pem(Write write) {
    const memory out{BIO_new(BIO_s_mem())};
    if (!out || write(out.get()) != 1) return {};
    char* data = nullptr;
    const long size = BIO_get_mem_data(out.get(), &data);
    return {data, static_cast<std::size_t>(size)};
}

bool add_extension(X509* to, int id, const std::string& value) {
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, to, to, nullptr, nullptr, 0);
    const unique<X509_EXTENSION, X509_EXTENSION_free> extension{
        X509V3_EXT_conf_nid(nullptr, &context, id, value.c_str())};
    return extension && X509_add_ext(to, extension.get(), -1) == 1;
}

bool set_serial(X509* to) {
    unsigned char bytes[16];
    if (RAND_bytes(bytes, sizeof bytes) != 1) return false;
    bytes[0] = static_cast<unsigned char>((bytes[0] & 0x7f) | 0x40); // Positive, and of full length.
    const unique<BIGNUM, BN_free> number{BN_bin2bn(bytes, sizeof bytes, nullptr)};
    return number && BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(to)) != nullptr;
}

/// Everything but the signature.
bool fill_in(X509* to, EVP_PKEY* key, const std::string& name, bool is_ip) {
    X509_NAME* subject = X509_get_subject_name(to);
    // A common name holds 64 characters; what counts is the alternative name.
    const std::string common = name.substr(0, 64);
    const auto* text = reinterpret_cast<const unsigned char*>(common.c_str());
    return X509_set_version(to, X509_VERSION_3) == 1 && set_serial(to) &&
           X509_gmtime_adj(X509_getm_notBefore(to), detail::valid_since) != nullptr &&
           X509_gmtime_adj(X509_getm_notAfter(to), detail::valid_until) != nullptr &&
           X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, text, -1, -1, 0) == 1 &&
           X509_set_issuer_name(to, subject) == 1 && X509_set_pubkey(to, key) == 1 &&
           add_extension(to, NID_basic_constraints, "critical,CA:FALSE") &&
           add_extension(to, NID_key_usage, "critical,digitalSignature") &&
           add_extension(to, NID_ext_key_usage, "serverAuth") &&
           add_extension(to, NID_subject_alt_name, (is_ip ? "IP:" : "DNS:") + name);
}

} // namespace

std::string detail::fingerprint_of(const X509* of) {
    unsigned char hash[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    if (X509_digest(of, EVP_sha256(), hash, &size) != 1) return {};
    return hex_of({hash, size});
}

std::optional<identity> detail::make_identity(
    const std::string& name, const std::optional<address>& ip, key_kind kind, std::string& why) {
    const private_key key{
        kind == key_kind::p256 ? EVP_EC_gen("P-256") : EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519")};
    const certificate leaf{X509_new()};
    const EVP_MD* digest = kind == key_kind::p256 ? EVP_sha256() : nullptr;
    if (!key || !leaf || !fill_in(leaf.get(), key.get(), name, ip.has_value()) ||
        X509_sign(leaf.get(), key.get(), digest) == 0) {
        why = openssl_error("cannot make a certificate");
        return std::nullopt;
    }
    identity made;
    made.chain = to_pem([&](BIO* out) { return PEM_write_bio_X509(out, leaf.get()); });
    made.key = to_pem(
        [&](BIO* out) { return PEM_write_bio_PKCS8PrivateKey(out, key.get(), nullptr, nullptr, 0, nullptr, nullptr); });
    return made;
}

std::optional<std::string> fingerprint(const identity& of, std::string& why) {
    const memory in{BIO_new_mem_buf(of.chain.data(), static_cast<int>(of.chain.size()))};
    const certificate leaf{PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr)};
    if (!leaf) {
        why = openssl_error("the certificate chain has no certificate");
        return std::nullopt;
    }
    return detail::fingerprint_of(leaf.get());
}

} // namespace moqlite::ngtcp2

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

bool set_time(ASN1_TIME* to, wall_time t) {
    return ASN1_TIME_set(to, std::chrono::system_clock::to_time_t(t)) != nullptr;
}

std::string alternatives(const std::vector<detail::certified_name>& names) {
    std::string text;
    for (const auto& name : names) {
        if (!text.empty()) text += ',';
        text += (name.ip ? "IP:" : "DNS:") + name.text;
    }
    return text;
}

/// Everything but the signature.
bool fill_in(X509* to, EVP_PKEY* key, const std::vector<detail::certified_name>& names, const validity& good) {
    X509_NAME* subject = X509_get_subject_name(to);
    // A common name holds 64 characters; what counts are the alternative names.
    const std::string common = names.front().text.substr(0, 64);
    const auto* text = reinterpret_cast<const unsigned char*>(common.c_str());
    return X509_set_version(to, X509_VERSION_3) == 1 && set_serial(to) &&
           set_time(X509_getm_notBefore(to), good.from) && set_time(X509_getm_notAfter(to), good.until) &&
           X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, text, -1, -1, 0) == 1 &&
           X509_set_issuer_name(to, subject) == 1 && X509_set_pubkey(to, key) == 1 &&
           add_extension(to, NID_basic_constraints, "critical,CA:FALSE") &&
           add_extension(to, NID_key_usage, "critical,digitalSignature") &&
           add_extension(to, NID_ext_key_usage, "serverAuth,clientAuth") &&
           add_extension(to, NID_subject_alt_name, alternatives(names));
}

} // namespace

std::string detail::fingerprint_of(const X509* of) {
    unsigned char hash[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    if (X509_digest(of, EVP_sha256(), hash, &size) != 1) return {};
    return hex_of({hash, size});
}

std::optional<identity> detail::make_identity(
    const std::vector<certified_name>& names, const certificate_request& request, std::string& why) {
    const bool p256 = request.kind == key_kind::p256;
    const private_key key{p256 ? EVP_EC_gen("P-256") : EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519")};
    const certificate leaf{X509_new()};
    const EVP_MD* digest = p256 ? EVP_sha256() : nullptr;
    if (!key || !leaf || !fill_in(leaf.get(), key.get(), names, valid_from(request.now)) ||
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

namespace {

certificate leaf_of(const identity& who, std::string& why) {
    const memory in{BIO_new_mem_buf(who.chain.data(), static_cast<int>(who.chain.size()))};
    certificate leaf{PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr)};
    if (!leaf) why = openssl_error("the certificate chain has no certificate");
    return leaf;
}

std::optional<wall_time> to_wall_time(const ASN1_TIME* t) {
    const unique<ASN1_TIME, ASN1_TIME_free> epoch{ASN1_TIME_set(nullptr, 0)};
    int days = 0, seconds = 0;
    if (!epoch || ASN1_TIME_diff(&days, &seconds, epoch.get(), t) != 1) return std::nullopt;
    return wall_time{std::chrono::days{days} + std::chrono::seconds{seconds}};
}

} // namespace

std::optional<std::string> fingerprint(const identity& of, std::string& why) {
    const auto leaf = leaf_of(of, why);
    if (!leaf) return std::nullopt;
    return detail::fingerprint_of(leaf.get());
}

std::optional<validity> valid_times(const identity& of, std::string& why) {
    const auto leaf = leaf_of(of, why);
    if (!leaf) return std::nullopt;
    const auto from = to_wall_time(X509_get0_notBefore(leaf.get()));
    const auto until = to_wall_time(X509_get0_notAfter(leaf.get()));
    if (from && until) return validity{*from, *until};
    why = openssl_error("cannot read the certificate's dates");
    return std::nullopt;
}

std::optional<std::vector<std::string>> certified_names(const identity& of, std::string& why) {
    const auto leaf = leaf_of(of, why);
    if (!leaf) return std::nullopt;
    std::vector<std::string> names;
    const unique<GENERAL_NAMES, GENERAL_NAMES_free> all{
        static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(leaf.get(), NID_subject_alt_name, nullptr, nullptr))};
    for (int i = 0; all && i < sk_GENERAL_NAME_num(all.get()); ++i) {
        int kind = 0;
        const auto* value =
            static_cast<const ASN1_STRING*>(GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(all.get(), i), &kind));
        if (kind != GEN_DNS && kind != GEN_IPADD) continue;
        const std::span bytes{ASN1_STRING_get0_data(value), static_cast<std::size_t>(ASN1_STRING_length(value))};
        auto name = kind == GEN_DNS ? std::string{bytes.begin(), bytes.end()} : detail::ip_text(bytes);
        if (!name.empty()) names.push_back(std::move(name));
    }
    return names;
}

} // namespace moqlite::ngtcp2

// OpenSSL's own view of our certificates.
#include <catch2/catch_test_macros.hpp>
#include <moqlite/ngtcp2/tls.hpp>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

namespace moqlite::test::library_test {

namespace {

struct x509 {
    explicit x509(const ngtcp2::identity& of) {
        BIO* in = BIO_new_mem_buf(of.chain.data(), static_cast<int>(of.chain.size()));
        certificate = PEM_read_bio_X509(in, nullptr, nullptr, nullptr);
        BIO_free(in);
        REQUIRE(certificate != nullptr);
    }
    ~x509() { X509_free(certificate); }
    x509(const x509&) = delete;
    x509& operator=(const x509&) = delete;
    X509* certificate;
};

} // namespace

TEST_CASE("a generated certificate names its host and lives less than 14 days") {
    for (const std::string name : {"relay.example", "192.0.2.7", "2001:db8::7"}) {
        CAPTURE(name);
        std::string why;
        const x509 made{ngtcp2::generate_identity({.names = {name}}, why).value()};
        const bool ip = name != "relay.example";
        CHECK((ip ? X509_check_ip_asc(made.certificate, name.c_str(), X509_CHECK_FLAG_NEVER_CHECK_SUBJECT)
                  : X509_check_host(made.certificate, name.c_str(), 0, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, nullptr)) ==
              1);
        CHECK(X509_check_host(made.certificate, "other.example", 0, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, nullptr) == 0);
        int days = 0, seconds = 0;
        REQUIRE(ASN1_TIME_diff(
                    &days, &seconds, X509_get0_notBefore(made.certificate), X509_get0_notAfter(made.certificate)) == 1);
        CHECK(days == 13);
        CHECK(seconds == 3600);
        CHECK(X509_cmp_current_time(X509_get0_notBefore(made.certificate)) < 0);
        CHECK(X509_cmp_current_time(X509_get0_notAfter(made.certificate)) > 0);
        CHECK(EVP_PKEY_get_base_id(X509_get0_pubkey(made.certificate)) == EVP_PKEY_EC);
    }
}

TEST_CASE("the libraries are the ones that we were built with") {
    CHECK(ngtcp2::library_versions().starts_with("ngtcp2 1."));
    CHECK(ngtcp2::library_versions().find("OpenSSL 3.") != std::string::npos);
    CHECK(ngtcp2::aes_128_gcm_speed(1400, 20) > 1e6);
}

} // namespace moqlite::test::library_test

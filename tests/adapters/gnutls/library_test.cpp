// GnuTLS's own view of our certificates.
#include <array>
#include <catch2/catch_test_macros.hpp>
#include <ctime>
#include <gnutls/x509.h>
#include <moqlite/ngtcp2/tls.hpp>

namespace moqlite::test::library_test {

namespace {

struct x509 {
    explicit x509(const ngtcp2::identity& of) {
        std::string pem = of.chain;
        const gnutls_datum_t text{reinterpret_cast<unsigned char*>(pem.data()), static_cast<unsigned int>(pem.size())};
        REQUIRE(gnutls_x509_crt_init(&certificate) == 0);
        REQUIRE(gnutls_x509_crt_import(certificate, &text, GNUTLS_X509_FMT_PEM) == 0);
    }
    ~x509() { gnutls_x509_crt_deinit(certificate); }
    x509(const x509&) = delete;
    x509& operator=(const x509&) = delete;
    gnutls_x509_crt_t certificate = nullptr;
};

/// The kind and the bytes of its first alternative name.
std::pair<int, std::string> alternative_name(const x509& of) {
    std::array<char, 256> text{};
    std::size_t size = text.size();
    const int kind = gnutls_x509_crt_get_subject_alt_name(of.certificate, 0, text.data(), &size, nullptr);
    return {kind, {text.data(), size}};
}

} // namespace

TEST_CASE("a generated certificate names its host and lives less than 14 days") {
    const std::pair<std::string, std::pair<int, std::string>> expected[] = {
        {"relay.example", {GNUTLS_SAN_DNSNAME, "relay.example"}},
        {"192.0.2.7", {GNUTLS_SAN_IPADDRESS, {"\xc0\0\2\7", 4}}},
        {"2001:db8::7", {GNUTLS_SAN_IPADDRESS, {"\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\7", 16}}},
    };
    for (const auto& [name, alternative] : expected) {
        CAPTURE(name);
        std::string why;
        const x509 made{ngtcp2::generate_identity({.names = {name}}, why).value()};
        CHECK(alternative_name(made) == alternative);
        CHECK(gnutls_x509_crt_check_hostname(made.certificate, name.c_str()) != 0);
        CHECK(gnutls_x509_crt_check_hostname(made.certificate, "other.example") == 0);
        const auto from = gnutls_x509_crt_get_activation_time(made.certificate);
        const auto to = gnutls_x509_crt_get_expiration_time(made.certificate);
        CHECK((to - from) / (24 * 60 * 60) == 13);
        CHECK(from < std::time(nullptr));
        CHECK(to > std::time(nullptr));
        unsigned int bits = 0;
        CHECK(gnutls_x509_crt_get_pk_algorithm(made.certificate, &bits) == GNUTLS_PK_ECDSA);
        CHECK(bits == 256);
    }
}

TEST_CASE("the libraries are the ones that we were built with") {
    CHECK(ngtcp2::library_versions().starts_with("ngtcp2 1."));
    CHECK(ngtcp2::library_versions().find("GnuTLS 3.") != std::string::npos);
    CHECK(ngtcp2::aes_128_gcm_speed(1400, 20) > 1e6);
}

} // namespace moqlite::test::library_test

// RAND_set_rand_method is deprecated, but nothing else reaches every caller.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "entropy.hpp"

#include "random.hpp"

#include <catch2/catch_test_macros.hpp>
#include <moqlite/core/version.hpp>
#include <openssl/rand.h>
#include <string>
#include <sys/time.h>

// The age of a session ticket is part of a ClientHello. OpenSSL asks for the time with this, and is linked statically,
// so that this definition precedes the C library's.
extern "C" int gettimeofday(timeval* __restrict to, void* __restrict) noexcept {
    *to = {1'800'000'000, 0};
    return 0;
}

namespace moqlite::packets {

namespace {

sim::chance& source() {
    static sim::chance dice{0};
    return dice;
}

int random_bytes(unsigned char* out, int size) {
    auto& dice = source();
    for (int i = 0; i < size; ++i) out[i] = static_cast<unsigned char>(dice.next());
    return 1;
}
int always() { return 1; }
int add(const void*, int, double) { return 1; }
int reseed(const void*, int) { return 1; }

// Not for authentication. Ed25519, because its signatures are deterministic.
constexpr const char* key = R"(-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIKJ0EoWhmChu+CoXMvmmV6+RXHQwyTKgUWQSstvjJJ6R
-----END PRIVATE KEY-----
)";
constexpr const char* certificate = R"(-----BEGIN CERTIFICATE-----
MIIBKzCB3qADAgECAgEBMAUGAytlcDAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwIBcN
MjYxMTIwMTUwNDA5WhgPMjEyNjEwMjcxNTA0MDlaMBQxEjAQBgNVBAMMCWxvY2Fs
aG9zdDAqMAUGAytlcAMhAC/uGfEY2yNUQPm0udKmHLgjchEaWr001Ojjt581xrdG
o1MwUTAdBgNVHQ4EFgQU2zGBvyIUOWyDLOru2Bi5FAFsQUAwHwYDVR0jBBgwFoAU
2zGBvyIUOWyDLOru2Bi5FAFsQUAwDwYDVR0TAQH/BAUwAwEB/zAFBgMrZXADQQAX
YiGr6O+LC+l6a8pCnA1fz4oXkHTc4wcM2ZUxYrKzhBE8HtixxPxnauDvsDFU8QUW
stmQiuyxmIoJAT/A0PML
-----END CERTIFICATE-----
)";

ngtcp2::tls server_with(ngtcp2::tls_server_options o) {
    o.alpn = {"h3"};
    for (auto v : {version::lite_07_wip, version::lite_06, version::lite_05, version::lite_04, version::lite_03})
        o.alpn.emplace_back(alpn(v));
    o.who = ngtcp2::identity{certificate, key};
    std::string why;
    auto tls = ngtcp2::tls::server(std::move(o), why);
    INFO(why);
    REQUIRE(tls);
    return *tls;
}

} // namespace

void seed_openssl(std::uint64_t seed) {
    // Contexts also use it, so they are made first.
    static_cast<void>(server_tls());
    static_cast<void>(client_tls());
    static const RAND_METHOD method{reseed, random_bytes, nullptr, add, random_bytes, always};
    static const bool installed = RAND_set_rand_method(&method) == 1;
    REQUIRE(installed);
    source() = sim::chance{seed};
}

const ngtcp2::tls& server_tls() {
    static const auto made = server_with({});
    return made;
}

ngtcp2::tls resuming_tls(ngtcp2::ticket_keys keys, bool early) {
    return server_with({.tickets = std::move(keys), .early_data = early});
}

const ngtcp2::tls& client_tls() {
    static const auto made = [] {
        std::string why;
        auto tls = ngtcp2::tls::client(ngtcp2::trust::insecure(), why);
        INFO(why);
        REQUIRE(tls);
        return *tls;
    }();
    return made;
}

} // namespace moqlite::packets

// The libraries below us: started once, checked once; their randomness, hash and speed.
#include "../detail/speed.hpp"
#include "state.hpp"

#include <cstdlib>
#include <gnutls/crypto.h>
#include <ngtcp2/ngtcp2.h>

static_assert(GNUTLS_VERSION_NUMBER >= 0x030705, "moqlite needs GnuTLS 3.7.5 or later");

namespace moqlite::ngtcp2 {

namespace detail {

namespace {

using cipher = unique<gnutls_aead_cipher_hd_t, gnutls_aead_cipher_deinit>;

std::string start() {
    if (const int rv = gnutls_global_init(); rv != 0) return gnutls_error("cannot initialise GnuTLS", rv);
    if (gnutls_check_version("3.7.5") == nullptr)
        return std::string{"GnuTLS 3.7.5 or later is needed, this is "} + gnutls_check_version(nullptr);
    if (ngtcp2_version(NGTCP2_VERSION_NUM) == nullptr)
        return "ngtcp2 is older than the version that moqlite was built with";
    return {};
}

} // namespace

const std::string& library_problem() {
    static const std::string problem = start();
    return problem;
}

std::string gnutls_error(std::string_view what, int error) { return std::string{what} + ": " + gnutls_strerror(error); }

void draw(std::span<std::byte> out) {
    // GnuTLS's generator fails only where the kernel's does; guessable ids are worse than no program.
    if (gnutls_rnd(GNUTLS_RND_RANDOM, out.data(), out.size()) != 0) std::abort();
}

std::optional<secret> hmac_sha256(std::string_view key, std::string_view text) {
    secret made{};
    if (gnutls_hmac_fast(GNUTLS_MAC_SHA256, key.data(), key.size(), text.data(), text.size(), made.data()) != 0)
        return std::nullopt;
    return made;
}

} // namespace detail

std::string library_versions() {
    return std::string{"ngtcp2 "} + ngtcp2_version(0)->version_str + ", GnuTLS " + gnutls_check_version(nullptr);
}

double aes_128_gcm_speed(std::size_t block, int milliseconds) {
    if (!detail::library_problem().empty() || block == 0) return 0;
    unsigned char key[16] = {1};
    unsigned char nonce[12] = {};
    std::vector<unsigned char> in(block), out(block + 16);
    const gnutls_datum_t secret_key{key, sizeof key};
    gnutls_aead_cipher_hd_t made = nullptr;
    if (gnutls_aead_cipher_init(&made, GNUTLS_CIPHER_AES_128_GCM, &secret_key) != 0) return 0;
    const detail::cipher cipher{made};
    return detail::bytes_per_second(block, milliseconds, [&] {
        std::size_t size = out.size();
        ++nonce[0];
        gnutls_aead_cipher_encrypt(
            made, nonce, sizeof nonce, key, sizeof key, 16, in.data(), in.size(), out.data(), &size);
    });
}

} // namespace moqlite::ngtcp2

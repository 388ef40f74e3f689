// The libraries below us: started once, checked once; their randomness, hash and speed.
#include "../detail/speed.hpp"
#include "state.hpp"

#include <cstdlib>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/opensslv.h>
#include <openssl/rand.h>

static_assert(OPENSSL_VERSION_NUMBER >= 0x30500000L, "moqlite needs OpenSSL 3.5 or later");

namespace moqlite::ngtcp2 {

namespace detail {

namespace {

std::string start() {
    // No configuration file: it could name providers that this OpenSSL was not built with.
    if (OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, nullptr) != 1) return openssl_error("cannot initialise OpenSSL");
    if (OpenSSL_version_num() < 0x30500000L)
        return std::string{"OpenSSL 3.5 or later is needed, this is "} + OpenSSL_version(OPENSSL_VERSION_STRING);
    if (OPENSSL_version_major() != OPENSSL_VERSION_MAJOR)
        return "OpenSSL is not the version that moqlite was built with";
    if (ngtcp2_version(NGTCP2_VERSION_NUM) == nullptr)
        return "ngtcp2 is older than the version that moqlite was built with";
    if (ngtcp2_crypto_ossl_init() != 0) return "cannot initialise ngtcp2's OpenSSL binding";
    return {};
}

} // namespace

const std::string& library_problem() {
    static const std::string problem = start();
    return problem;
}

std::string openssl_error(std::string_view what) {
    std::string text{what};
    if (const auto code = ERR_get_error(); code != 0) {
        const char* reason = ERR_reason_error_string(code);
        text += ": ";
        text += reason != nullptr ? reason : "unknown error";
    }
    ERR_clear_error();
    return text;
}

void draw(std::span<std::byte> out) {
    auto* p = reinterpret_cast<unsigned char*>(out.data());
    // OpenSSL's generator fails only where the kernel's does; guessable ids are worse than no program.
    if (RAND_bytes(p, static_cast<int>(out.size())) != 1) std::abort();
}

std::optional<secret> hmac_sha256(std::string_view key, std::string_view text) {
    secret made{};
    const auto* in = reinterpret_cast<const unsigned char*>(text.data());
    auto* out = reinterpret_cast<unsigned char*>(made.data());
    if (HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), in, text.size(), out, nullptr) == nullptr)
        return std::nullopt;
    return made;
}

} // namespace detail

std::string library_versions() {
    return std::string{"ngtcp2 "} + ngtcp2_version(0)->version_str + ", OpenSSL " +
           OpenSSL_version(OPENSSL_VERSION_STRING);
}

double aes_128_gcm_speed(std::size_t block, int milliseconds) {
    if (!detail::library_problem().empty() || block == 0) return 0;
    const detail::unique<EVP_CIPHER_CTX, EVP_CIPHER_CTX_free> context{EVP_CIPHER_CTX_new()};
    const detail::unique<EVP_CIPHER, EVP_CIPHER_free> cipher{EVP_CIPHER_fetch(nullptr, "AES-128-GCM", nullptr)};
    const unsigned char key[16] = {1};
    unsigned char nonce[12] = {};
    std::vector<unsigned char> in(block), out(block + 16);
    if (!context || !cipher || EVP_EncryptInit_ex2(context.get(), cipher.get(), key, nonce, nullptr) != 1) return 0;
    return detail::bytes_per_second(block, milliseconds, [&] {
        int n = 0;
        ++nonce[0];
        EVP_EncryptInit_ex2(context.get(), nullptr, nullptr, nonce, nullptr);
        EVP_EncryptUpdate(context.get(), nullptr, &n, key, sizeof key);
        EVP_EncryptUpdate(context.get(), out.data(), &n, in.data(), static_cast<int>(block));
        EVP_EncryptFinal_ex(context.get(), out.data() + block, &n);
        EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_GET_TAG, 16, out.data() + block);
    });
}

} // namespace moqlite::ngtcp2

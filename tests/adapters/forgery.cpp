#include "forgery.hpp"

#include <ngtcp2/ngtcp2_crypto.h>
#include <utility>

namespace {
moqlite::test::forgery::function forge; // NOLINT: one test at a time.
} // namespace

namespace moqlite::test {

forgery::forgery(function f) { forge = std::move(f); }
forgery::~forgery() { forge = nullptr; }

} // namespace moqlite::test

extern "C" {

using encrypt = int(std::uint8_t*, const ngtcp2_crypto_aead*, const ngtcp2_crypto_aead_ctx*, const std::uint8_t*,
    std::size_t, const std::uint8_t*, std::size_t, const std::uint8_t*, std::size_t);
encrypt __real_ngtcp2_crypto_encrypt_cb; // NOLINT: the linker's names.
encrypt __wrap_ngtcp2_crypto_encrypt_cb; // NOLINT

int __wrap_ngtcp2_crypto_encrypt_cb(std::uint8_t* to, const ngtcp2_crypto_aead* aead,
    const ngtcp2_crypto_aead_ctx* context, const std::uint8_t* plain, std::size_t size, const std::uint8_t* nonce,
    std::size_t nonce_size, const std::uint8_t* ad, std::size_t ad_size) {
    auto frames = forge ? forge(size) : std::nullopt;
    if (!frames || frames->size() > size)
        return __real_ngtcp2_crypto_encrypt_cb(to, aead, context, plain, size, nonce, nonce_size, ad, ad_size);
    frames->resize(size, '\0'); // PADDING
    return __real_ngtcp2_crypto_encrypt_cb(
        to, aead, context, reinterpret_cast<const std::uint8_t*>(frames->data()), size, nonce, nonce_size, ad, ad_size);
}
}

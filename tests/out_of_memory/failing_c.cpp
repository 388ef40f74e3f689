// The malloc, calloc and realloc of everything linked into this program (-Wl,--wrap), with C libraries; and
// aligned_alloc, which Asio uses for pending operations instead of operator new.
#include "failing.hpp"

#include <cstddef>
#include <cstdlib>
#ifdef MOQLITE_TEST_OPENSSL
#include <openssl/crypto.h>
#endif

extern "C" {

void* __real_malloc(std::size_t size);
void* __real_calloc(std::size_t count, std::size_t size);
void* __real_realloc(void* piece, std::size_t size);
void* __wrap_malloc(std::size_t size);
void* __wrap_calloc(std::size_t count, std::size_t size);
void* __wrap_realloc(void* piece, std::size_t size);
void* __real_aligned_alloc(std::size_t alignment, std::size_t size);
void* __wrap_aligned_alloc(std::size_t alignment, std::size_t size);

void* __wrap_malloc(std::size_t size) { return moqlite::test::c_allocation_fails() ? nullptr : __real_malloc(size); }
void* __wrap_calloc(std::size_t count, std::size_t size) {
    return moqlite::test::c_allocation_fails() ? nullptr : __real_calloc(count, size);
}
void* __wrap_realloc(void* piece, std::size_t size) {
    return moqlite::test::c_allocation_fails() ? nullptr : __real_realloc(piece, size);
}
void* __wrap_aligned_alloc(std::size_t alignment, std::size_t size) {
    return moqlite::test::allocation_fails() ? nullptr : __real_aligned_alloc(alignment, size);
}

} // extern "C"

#ifdef MOQLITE_TEST_OPENSSL
namespace {

// OpenSSL 3.5 does not survive all failures: SSL_set_quic_tls_cbs() uses a BIO that it failed to make.
const int spared = CRYPTO_set_mem_functions([](std::size_t size, const char*, int) { return __real_malloc(size); },
    [](void* piece, std::size_t size, const char*, int) { return __real_realloc(piece, size); },
    [](void* piece, const char*, int) { std::free(piece); });

} // namespace
#endif

namespace moqlite::test {

bool tls_library_is_spared() noexcept {
#ifdef MOQLITE_TEST_OPENSSL
    return spared == 1;
#else
    return true; // Not linked into this program, so that its calls are not these.
#endif
}

} // namespace moqlite::test

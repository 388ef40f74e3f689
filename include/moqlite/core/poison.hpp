// Marks memory that is kept for reuse, so that AddressSanitizer reports every access to it. Release builds do nothing.
#pragma once

#include <cstddef>

#if defined(__SANITIZE_ADDRESS__)
#define MOQLITE_ADDRESS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define MOQLITE_ADDRESS_SANITIZER 1
#endif
#endif

#if defined(MOQLITE_ADDRESS_SANITIZER)
#include <sanitizer/asan_interface.h>
#elif !defined(NDEBUG)
#include <cstring>
#endif

namespace moqlite::detail {

/// These bytes must not be read or written until unpoison(). With assertions enabled they are overwritten.
inline void poison(void* at, std::size_t size) noexcept {
#if defined(MOQLITE_ADDRESS_SANITIZER)
    __asan_poison_memory_region(at, size);
#elif !defined(NDEBUG)
    std::memset(at, 0xdd, size);
#else
    static_cast<void>(at);
    static_cast<void>(size);
#endif
}
inline void unpoison(void* at, std::size_t size) noexcept {
#if defined(MOQLITE_ADDRESS_SANITIZER)
    __asan_unpoison_memory_region(at, size);
#else
    static_cast<void>(at);
    static_cast<void>(size);
#endif
}

} // namespace moqlite::detail

#undef MOQLITE_ADDRESS_SANITIZER

#include "counting.hpp"

#include <cstdlib>
#include <new>

namespace {

std::size_t count = 0;
int depth = 0;

void note() noexcept {
    if (depth != 0) ++count;
}

} // namespace

// malloc itself is counted if the C library allows wrapping and no sanitizer has wrapped it.
#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
extern "C" {
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t n, std::size_t size);
void* __libc_realloc(void* old, std::size_t size);

void* malloc(std::size_t size) {
    note();
    return __libc_malloc(size);
}
void* calloc(std::size_t n, std::size_t size) {
    note();
    return __libc_calloc(n, size);
}
void* realloc(void* old, std::size_t size) {
    note();
    return __libc_realloc(old, size);
}
}
#else
// Above, counting malloc includes operator new; here only operator new is counted.
void* operator new(std::size_t size) {
    note();
    if (void* p = std::malloc(size != 0 ? size : 1)) return p;
    std::abort();
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
    note();
    return std::malloc(size != 0 ? size : 1);
}
// Those of the standard library call the above, those of a sanitizer do not.
void* operator new[](std::size_t size) { return operator new(size); }
void operator delete[](void* p) noexcept { std::free(p); }
void operator delete[](void* p, std::size_t) noexcept { std::free(p); }
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
#endif

namespace moqlite::test {

std::size_t allocations() noexcept { return count; }
counting::counting() noexcept { ++depth; }
counting::~counting() { --depth; }

} // namespace moqlite::test

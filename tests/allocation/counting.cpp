#include "counting.hpp"

#include <cerrno>
#include <cstdlib>
#include <new>

namespace {

thread_local std::size_t count = 0;
thread_local std::size_t count_in_c = 0;
thread_local int depth = 0;

void note() noexcept {
    if (depth != 0) ++count;
}

} // namespace

// malloc itself is counted if the C library allows wrapping and no sanitizer has wrapped it.
#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
namespace {

void note_in_c() noexcept {
    note();
    if (depth != 0) ++count_in_c;
}

} // namespace

extern "C" {
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t n, std::size_t size);
void* __libc_realloc(void* old, std::size_t size);
void* __libc_memalign(std::size_t alignment, std::size_t size);

void* malloc(std::size_t size) {
    note_in_c();
    return __libc_malloc(size);
}
void* calloc(std::size_t n, std::size_t size) {
    note_in_c();
    return __libc_calloc(n, size);
}
void* realloc(void* old, std::size_t size) {
    note_in_c();
    return __libc_realloc(old, size);
}
// Asio allocates by these.
void* aligned_alloc(std::size_t alignment, std::size_t size) {
    note();
    return __libc_memalign(alignment, size);
}
int posix_memalign(void** to, std::size_t alignment, std::size_t size) {
    note();
    *to = __libc_memalign(alignment, size);
    return *to != nullptr ? 0 : ENOMEM;
}
}

namespace {

void* allocate(std::size_t size) noexcept { return __libc_malloc(size != 0 ? size : 1); }

} // namespace
#else
// Here only operator new is counted.
namespace {

void* allocate(std::size_t size) noexcept { return std::malloc(size != 0 ? size : 1); }

} // namespace
#endif

void* operator new(std::size_t size) {
    note();
    if (void* p = allocate(size)) return p;
    std::abort();
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
    note();
    return allocate(size);
}
// Those of the standard library call the above, those of a sanitizer do not.
void* operator new[](std::size_t size) { return operator new(size); }
void operator delete[](void* p) noexcept { std::free(p); }
void operator delete[](void* p, std::size_t) noexcept { std::free(p); }
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }

namespace moqlite::test {

std::size_t allocations() noexcept { return count; }
std::size_t allocations_in_c() noexcept { return count_in_c; }
counting::counting() noexcept { ++depth; }
counting::~counting() { --depth; }

} // namespace moqlite::test

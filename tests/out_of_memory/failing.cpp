#include "failing.hpp"

#include <cstdlib>
#include <new>
#include <utility>

namespace {

bool may_fail = false;
bool failed = false;
std::size_t left = 0;      ///< Allocations up to the one that fails, itself included; 0: none does.
std::size_t more_left = 0; ///< Number that fail after it.
std::size_t left_in_c = 0; ///< Like `left`, for malloc.
bool in_new = false;       ///< This malloc is called by operator new.

bool fails() noexcept {
    if (!may_fail || left == 0) return false;
    if (left > 1) return --left, false;
    if (more_left == 0)
        left = 0;
    else
        --more_left;
    return failed = true;
}

void* obtain(std::size_t size) noexcept {
    if (fails()) return nullptr;
    const bool before = std::exchange(in_new, true);
    void* p = std::malloc(size != 0 ? size : 1);
    in_new = before;
    return p;
}

} // namespace

void* operator new(std::size_t size) {
    void* p = obtain(size);
    if (p == nullptr) throw std::bad_alloc{};
    return p;
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return obtain(size); }
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
// Those of the standard library call the above, those of a sanitizer do not.
void* operator new[](std::size_t size) { return operator new(size); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept { return obtain(size); }
void operator delete[](void* p) noexcept { std::free(p); }
void operator delete[](void* p, std::size_t) noexcept { std::free(p); }

namespace moqlite::test {

void fail_allocation(std::size_t nth, std::size_t more) noexcept {
    left = nth;
    more_left = more;
    if (nth != 0) failed = false;
}
void fail_c_allocation(std::size_t nth) noexcept {
    left_in_c = nth;
    if (nth != 0) failed = false;
}
bool c_allocation_fails() noexcept {
    if (!may_fail || in_new || left_in_c == 0) return false;
    if (--left_in_c != 0) return false;
    return failed = true;
}
bool allocation_fails() noexcept { return fails(); }
bool has_failed() noexcept { return failed; }
fallible::fallible() noexcept { may_fail = true; }
fallible::~fallible() { may_fail = false; }
infallible::infallible() noexcept : before_{std::exchange(may_fail, false)} {}
infallible::~infallible() { may_fail = before_; }

} // namespace moqlite::test

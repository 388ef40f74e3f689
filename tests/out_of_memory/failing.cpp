#include "failing.hpp"

#include <cstdlib>
#include <new>

namespace {

bool may_fail = false;
bool failed = false;
std::size_t left = 0; ///< Allocations up to the one that fails, itself included; 0: none does.

bool fails() noexcept {
    if (!may_fail || left == 0 || --left != 0) return false;
    return failed = true;
}

} // namespace

void* operator new(std::size_t size) {
    void* p = fails() ? nullptr : std::malloc(size != 0 ? size : 1);
    if (p == nullptr) throw std::bad_alloc{};
    return p;
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
    return fails() ? nullptr : std::malloc(size != 0 ? size : 1);
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }

namespace moqlite::test {

void fail_allocation(std::size_t nth) noexcept {
    left = nth;
    failed = false;
}
bool has_failed() noexcept { return failed; }
fallible::fallible() noexcept { may_fail = true; }
fallible::~fallible() { may_fail = false; }

} // namespace moqlite::test

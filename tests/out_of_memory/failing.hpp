// operator new of this program throws on request.
#pragma once

#include <cstddef>

namespace moqlite::test {

/// While a `fallible` lives, the nth allocation throws std::bad_alloc, and so do the next `more`; 0: none.
void fail_allocation(std::size_t nth, std::size_t more = 0) noexcept;
/// The same for malloc, calloc and realloc of C libraries: the nth returns nullptr.
void fail_c_allocation(std::size_t nth) noexcept;
/// Those of the TLS library do not fail.
[[nodiscard]] bool tls_library_is_spared() noexcept;
/// An allocation in C: whether it fails.
[[nodiscard]] bool c_allocation_fails() noexcept;
/// An allocation in C++: whether it fails.
[[nodiscard]] bool allocation_fails() noexcept;
/// Since the last fail_allocation() other than 0.
[[nodiscard]] bool has_failed() noexcept;

class fallible {
public:
    fallible() noexcept;
    ~fallible();
    fallible(const fallible&) = delete;
    fallible& operator=(const fallible&) = delete;
};

/// Within a `fallible`, marks allocations of the test itself.
class infallible {
public:
    infallible() noexcept;
    ~infallible();
    infallible(const infallible&) = delete;
    infallible& operator=(const infallible&) = delete;

private:
    bool before_;
};

} // namespace moqlite::test

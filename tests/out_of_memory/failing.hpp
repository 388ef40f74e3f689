// operator new of this program throws where a test says so.
#pragma once

#include <cstddef>

namespace moqlite::test {

/// While a `fallible` lives, the nth allocation throws std::bad_alloc, and no other; 0: none.
void fail_allocation(std::size_t nth) noexcept;
/// Since fail_allocation().
[[nodiscard]] bool has_failed() noexcept;

class fallible {
public:
    fallible() noexcept;
    ~fallible();
    fallible(const fallible&) = delete;
    fallible& operator=(const fallible&) = delete;
};

} // namespace moqlite::test

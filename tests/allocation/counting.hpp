// Counts allocations while a counter is alive: operator new, malloc, and what Asio uses.
#pragma once

#include <cstddef>

namespace moqlite::test {

/// Allocations of this thread so far, while counting was on.
[[nodiscard]] std::size_t allocations() noexcept;
/// Those among them by malloc, calloc and realloc: of libraries in C.
[[nodiscard]] std::size_t allocations_in_c() noexcept;

/// Counting is on in this thread during its lifetime.
class counting {
public:
    counting() noexcept;
    ~counting();
    counting(const counting&) = delete;
    counting& operator=(const counting&) = delete;
};

} // namespace moqlite::test

// Counts allocations while a counter is alive: operator new and malloc.
#pragma once

#include <cstddef>

namespace moqlite::test {

/// Allocations since the program began, while counting was on.
[[nodiscard]] std::size_t allocations() noexcept;

/// Counting is on during its lifetime.
class counting {
public:
    counting() noexcept;
    ~counting();
    counting(const counting&) = delete;
    counting& operator=(const counting&) = delete;
};

} // namespace moqlite::test

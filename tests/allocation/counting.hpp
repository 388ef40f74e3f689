// Counts what goes to the heap while a counter is alive: operator new and malloc alike.
#pragma once

#include <cstddef>

namespace moqlite::test {

/// Allocations since the program began, while counting was on.
[[nodiscard]] std::size_t allocations() noexcept;

/// Counting is on for as long as one of these lives; everything else is the test's own affair.
class counting {
public:
    counting() noexcept;
    ~counting();
    counting(const counting&) = delete;
    counting& operator=(const counting&) = delete;
};

} // namespace moqlite::test

// Tests of small state machines: every short sequence of steps, not samples.
#pragma once

#include <cstddef>
#include <vector>

namespace moqlite::test {

/// Calls f with every sequence of `length` numbers below `choices`.
template <class F>
void every_history(unsigned choices, unsigned length, F&& f) {
    std::vector<unsigned> steps(length, 0);
    for (;;) {
        f(steps);
        std::size_t i = 0;
        while (i < length && ++steps[i] == choices) steps[i++] = 0;
        if (i == length) return;
    }
}

} // namespace moqlite::test

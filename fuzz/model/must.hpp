// Checks an invariant; aborts for the fuzzing engine.
#pragma once

#include <cstdio>
#include <cstdlib>

namespace moqlite::sim {

inline void must(bool holds, const char* rule) {
    if (holds) return;
    std::fprintf(stderr, "broken: %s\n", rule);
    std::abort();
}

} // namespace moqlite::sim

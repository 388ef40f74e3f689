// The word of a rule that holds in every run; a fuzzing engine hears of it by an abort.
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

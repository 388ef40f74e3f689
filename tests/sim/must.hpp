// The word of a rule that holds in every run; here it fails the test. Fuzz targets have their own, which aborts.
#pragma once

#include <catch2/catch_test_macros.hpp>

namespace moqlite::sim {

/// A rule that holds in every run, on every step.
inline void must(bool holds, const char* rule) {
    if (!holds) FAIL(rule);
}

} // namespace moqlite::sim

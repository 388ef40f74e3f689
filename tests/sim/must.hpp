// Checks an invariant; here it fails the test. Fuzz targets have their own, which aborts.
#pragma once

#include <catch2/catch_test_macros.hpp>

namespace moqlite::sim {

/// Checks an invariant.
inline void must(bool holds, const char* rule) {
    if (!holds) FAIL(rule);
}

} // namespace moqlite::sim

// The scenarios of conformance/ranges.hpp on the stream-level simulator.
#include "net.hpp"

#include "conformance/ranges.hpp"

namespace moqlite::test::ranges_sim_test {} // namespace moqlite::test::ranges_sim_test

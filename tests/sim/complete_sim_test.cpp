// The scenarios of conformance/complete.hpp on the stream-level simulator.
#include "net.hpp"

#include "conformance/complete.hpp"

namespace moqlite::test::complete_sim_test {} // namespace moqlite::test::complete_sim_test

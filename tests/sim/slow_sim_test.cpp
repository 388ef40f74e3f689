// The scenarios of conformance/slow.hpp on the stream-level simulator.
#include "net.hpp"

#include "conformance/slow.hpp"

namespace moqlite::test::slow_sim_test {} // namespace moqlite::test::slow_sim_test

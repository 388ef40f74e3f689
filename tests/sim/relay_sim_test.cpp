// The scenarios of conformance/relay.hpp on the stream-level simulator.
#include "net.hpp"

#include "conformance/relay.hpp"

namespace moqlite::test::relay_sim_test {} // namespace moqlite::test::relay_sim_test

// The scenarios of conformance/lent.hpp on the stream-level simulator.
#include "net.hpp"

#include "conformance/lent.hpp"

namespace moqlite::test::lent_sim_test {} // namespace moqlite::test::lent_sim_test

// The scenarios of conformance/announce.hpp on the stream-level simulator.
#include "net.hpp"

#include "conformance/announce.hpp"

namespace moqlite::test::announce_sim_test {} // namespace moqlite::test::announce_sim_test

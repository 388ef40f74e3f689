// The scenarios of conformance/subscribe.hpp on the stream-level simulator.
#include "net.hpp"

#include "conformance/subscribe.hpp"

namespace moqlite::test::subscribe_sim_test {} // namespace moqlite::test::subscribe_sim_test

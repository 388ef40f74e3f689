// The scenarios of conformance/mesh.hpp on the stream-level simulator.
#include "net.hpp"

#include "conformance/mesh.hpp"

namespace moqlite::test::mesh_sim_test {} // namespace moqlite::test::mesh_sim_test

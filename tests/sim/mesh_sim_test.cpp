// The scenarios of conformance/mesh.hpp on the stream-level simulator.
#include "net.hpp"

#include "conformance/mesh.hpp"

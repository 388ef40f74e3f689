// The scenarios of conformance/complete.hpp on the stream-level simulator.
#include "net.hpp"

#include "conformance/complete.hpp"

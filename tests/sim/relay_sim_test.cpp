// The scenarios of conformance/relay.hpp on the stream-level simulator.
#include "net.hpp"

#include "conformance/relay.hpp"

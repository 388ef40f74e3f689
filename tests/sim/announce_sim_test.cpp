// The scenarios of conformance/announce.hpp on the stream-level simulator.
#include "net.hpp"

#include "conformance/announce.hpp"

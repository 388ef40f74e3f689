// The scenarios of conformance/subscribe.hpp on the stream-level simulator.
#include "net.hpp"

#include "conformance/subscribe.hpp"

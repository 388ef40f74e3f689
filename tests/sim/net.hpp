// The transport of this program's scenarios (tests/conformance): the stream-level simulator.
#pragma once

#include "streams.hpp"

namespace moqlite::sim {

using net = streams;

} // namespace moqlite::sim

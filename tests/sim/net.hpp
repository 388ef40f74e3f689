// What this program runs the scenarios of tests/conformance on: the stream-level simulator.
#pragma once

#include "streams.hpp"

namespace moqlite::sim {

using net = streams;

} // namespace moqlite::sim

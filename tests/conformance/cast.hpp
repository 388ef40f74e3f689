// Scenarios that every transport must pass. They are written for `net`, the transport of the program that
// includes them; tests/sim/streams.hpp is an example.
#pragma once

#include "sim/belief.hpp"
#include "sim/complete_viewer.hpp"
#include "sim/pair.hpp"
#include "sim/theatre.hpp"

namespace moqlite::sim {

using pair = pair_of<net>;
using guest = guest_of<net>;
using theatre = theatre_of<net>;

} // namespace moqlite::sim

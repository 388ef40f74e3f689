// What this program runs the scenarios of tests/conformance on: QUIC packets.
#pragma once

#include "quic.hpp"

namespace moqlite::sim {

using net = packets::quic;

} // namespace moqlite::sim

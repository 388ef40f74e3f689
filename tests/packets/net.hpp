// The transport of this program's scenarios (tests/conformance): QUIC packets.
#pragma once

#include "quic.hpp"

namespace moqlite::sim {

using net = packets::quic;

} // namespace moqlite::sim

// The transport of this program's scenarios (tests/conformance): WebTransport over QUIC packets.
#pragma once

#include "web.hpp"

namespace moqlite::sim {

using net = packets::web;

} // namespace moqlite::sim

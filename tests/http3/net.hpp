// What this program runs the scenarios of tests/conformance on: WebTransport over QUIC packets.
#pragma once

#include "web.hpp"

namespace moqlite::sim {

using net = packets::web;

} // namespace moqlite::sim

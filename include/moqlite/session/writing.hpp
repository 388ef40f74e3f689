// How a track is written.
#pragma once

#include <cstdint>

namespace moqlite {

enum class writing : std::uint8_t {
    complete, ///< Groups wait for a subscriber; check has_room() before each write.
    live,     ///< Only the newest group waits.
};

} // namespace moqlite

// The fields of one frame besides its payload.
#pragma once

#include <cstdint>
#include <moqlite/core/bytes.hpp>
#include <moqlite/core/ids.hpp>
#include <moqlite/core/time.hpp>

namespace moqlite {

/// moq-transport's Object Status; a frame of moq-lite is always normal.
enum class object_status : std::uint8_t { normal = 0, does_not_exist = 1, end_of_group = 3, end_of_track = 4 };

/// A frame of moq-lite, or an object of moq-transport.
struct frame_record {
    object_id object{};     ///< moq-lite numbers the frames of a group 0, 1, 2 ...
    timestamp time{};       ///< Ticks of the track's timescale.
    std::uint64_t size = 0; ///< Bytes of payload.
    object_status status = object_status::normal;
    byte_view extensions; ///< moq-transport's extension headers, as they are on the wire.
};

} // namespace moqlite

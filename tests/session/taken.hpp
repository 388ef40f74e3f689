// What a reader of a group is lent, as hexadecimal.
#pragma once

#include "hex.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <moqlite/session/group.hpp>
#include <span>
#include <string>

namespace moqlite::test {

/// Takes everything available, at most `most` bytes.
inline std::string take(group_reader& reader, std::size_t most = SIZE_MAX) {
    std::string out;
    while (most != 0) {
        std::array<byte_view, 3> ranges;
        const auto l = reader.lend(ranges, most);
        if (l.bytes == 0) break;
        for (auto range : std::span{ranges}.first(l.ranges)) out += to_hex(range);
        reader.wrote(l.bytes);
        most -= l.bytes;
    }
    return out;
}

} // namespace moqlite::test

// FETCH, moq-lite-05: one group, answered by its frames on the same stream.
#pragma once

#include <moqlite/core/ids.hpp>
#include <moqlite/wire/lite/codec.hpp>
#include <string_view>

namespace moqlite::wire::lite {

struct fetch {
    std::string_view broadcast = {};
    std::string_view track = {};
    moqlite::priority priority = 0;
    group_sequence group = {};

    friend constexpr bool operator==(const fetch&, const fetch&) = default;
};

inline void read(reader& in, version, fetch& m, const limits& bounds) noexcept {
    m.broadcast = detail::read_path(in, bounds);
    m.track = in.string();
    m.priority = in.u8();
    m.group = group_sequence{in.varint()};
}

inline void write(writer& out, version, const fetch& m) {
    out.string(m.broadcast);
    out.string(m.track);
    out.u8(m.priority);
    out.varint(number(m.group));
}

} // namespace moqlite::wire::lite

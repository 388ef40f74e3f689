// TRACK and its answer TRACK_INFO, moq-lite-06.
#pragma once

#include <moqlite/core/track_info.hpp>
#include <moqlite/wire/lite/codec.hpp>
#include <string_view>

namespace moqlite::wire::lite {

/// TRACK: asks for the properties of a track.
struct track {
    std::string_view broadcast = {};
    std::string_view name = {};

    friend constexpr bool operator==(const track&, const track&) = default;
};

/// TRACK_INFO: the properties alone.
struct track_info : moqlite::track_info {
    friend constexpr bool operator==(const track_info&, const track_info&) = default;
};

inline void read(reader& in, version v, track& m, const limits& bounds) noexcept {
    if (!has_track_info(v)) return in.fail(errc::unsupported);
    m.broadcast = detail::read_path(in, bounds);
    m.name = in.string();
}

inline void write(writer& out, version v, const track& m) {
    if (!has_track_info(v)) return out.fail(errc::unsupported);
    out.string(m.broadcast);
    out.string(m.name);
}

inline void read(reader& in, version v, track_info& m, const limits&) noexcept {
    if (!has_track_info(v)) return in.fail(errc::unsupported);
    m.priority = in.u8();
    if (has_ordered(v)) m.ordered = in.boolean();
    m.max_age = milliseconds{in.varint()};
    m.timescale = in.varint();
    if (m.timescale == 0) in.fail(errc::zero_timescale);
}

inline void write(writer& out, version v, const track_info& m) {
    if (!has_track_info(v)) return out.fail(errc::unsupported);
    if (m.timescale == 0) return out.fail(errc::zero_timescale);
    out.u8(m.priority);
    if (has_ordered(v)) out.boolean(m.ordered);
    out.varint(m.max_age.count());
    out.varint(m.timescale);
}

} // namespace moqlite::wire::lite

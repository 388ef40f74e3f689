// SUBSCRIBE and SUBSCRIBE_UPDATE, moq-lite-05.
#pragma once

#include <cstdint>
#include <moqlite/core/subscribe_options.hpp>
#include <moqlite/wire/lite/codec.hpp>
#include <string_view>

namespace moqlite::wire::lite {

struct subscribe {
    std::uint64_t id = 0; ///< Subscribe ID, chosen by the subscriber; groups carry it.
    std::string_view broadcast = {};
    std::string_view track = {};
    subscribe_options options = {};

    friend constexpr bool operator==(const subscribe&, const subscribe&) = default;
};

struct subscribe_update {
    subscribe_options options = {};

    friend constexpr bool operator==(const subscribe_update&, const subscribe_update&) = default;
};

namespace detail {

inline void read_options(reader& in, subscribe_options& o) noexcept {
    o.priority = in.u8();
    o.ordered = in.boolean();
    o.max_latency = milliseconds{in.varint()};
    o.start = read_optional_group(in);
    o.end = read_optional_group(in);
}

inline void write_options(writer& out, const subscribe_options& o) {
    out.u8(o.priority);
    out.boolean(o.ordered);
    out.varint(o.max_latency.count());
    write_optional_group(out, o.start);
    write_optional_group(out, o.end);
}

} // namespace detail

inline void read(reader& in, version, subscribe& m, const limits& bounds) noexcept {
    m.id = in.varint();
    m.broadcast = detail::read_path(in, bounds);
    m.track = in.string();
    detail::read_options(in, m.options);
}

inline void write(writer& out, version, const subscribe& m) {
    out.varint(m.id);
    out.string(m.broadcast);
    out.string(m.track);
    detail::write_options(out, m.options);
}

inline void read(reader& in, version, subscribe_update& m, const limits&) noexcept {
    detail::read_options(in, m.options);
}

inline void write(writer& out, version, const subscribe_update& m) { detail::write_options(out, m.options); }

} // namespace moqlite::wire::lite

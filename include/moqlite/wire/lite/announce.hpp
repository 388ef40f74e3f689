// The messages of an announce stream, moq-lite-06: a subscriber's interest, and a publisher's broadcasts.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <moqlite/core/ids.hpp>
#include <moqlite/core/route_cost.hpp>
#include <moqlite/wire/lite/codec.hpp>
#include <moqlite/wire/lite/hop_list.hpp>
#include <string_view>
#include <variant>

namespace moqlite::wire::lite {

/// ANNOUNCE_REQUEST: asks for announcements of the broadcasts below `prefix`.
struct announce_request {
    std::string_view prefix = {};
    hop_id exclude_hop = {}; ///< Omit routes through this hop; 0: none, or no such field.
    bool hidden = false;     ///< Hidden broadcasts, too. From moq-lite-07 on.

    friend constexpr bool operator==(const announce_request&, const announce_request&) = default;
};

/// ANNOUNCE_OK: the hop id of the publisher, and how many active announcements follow as the initial state.
struct announce_ok {
    hop_id hop = {};
    std::uint64_t active_count = 0;

    friend constexpr bool operator==(const announce_ok&, const announce_ok&) = default;
};

enum class announce_status : std::uint8_t { ended, active };

/// ANNOUNCE, later ANNOUNCE_BROADCAST: a broadcast became active or ended. Where the version has no hop ids, only the
/// number of hops is sent.
struct announce {
    announce_status status = announce_status::active;
    std::string_view suffix = {}; ///< The path without the requested prefix.
    hop_list hops = {};

    friend constexpr bool operator==(const announce&, const announce&) = default;
};

/// What an announcement keeps of an earlier one on its stream, which is still live; from moq-lite-07 on.
struct announce_base {
    std::uint64_t distance = 0; ///< Back from the next announce id: 1 is the latest ANNOUNCE_START; 0: none.
    std::uint64_t keep = 0;     ///< The first segments of its suffix, or its last hops.

    friend constexpr bool operator==(const announce_base&, const announce_base&) = default;
};

/// ANNOUNCE_START: a broadcast became active. The n-th on its stream has the announce id n, from 0.
struct announce_start {
    std::string_view suffix = {}; ///< Behind the segments kept.
    hop_list hops = {};           ///< Before the hops kept.
    route_cost cost = {};
    announce_base path_base = {};
    announce_base hop_base = {};

    friend constexpr bool operator==(const announce_start&, const announce_start&) = default;
};

/// ANNOUNCE_END: a broadcast ended; its id is never reused.
struct announce_end {
    std::uint64_t id = 0;

    friend constexpr bool operator==(const announce_end&, const announce_end&) = default;
};

/// ANNOUNCE_UPDATE: the route to a broadcast changed.
struct announce_update {
    std::uint64_t id = 0;
    hop_list hops = {}; ///< Before the hops kept.
    route_cost cost = {};
    announce_base hop_base = {};

    friend constexpr bool operator==(const announce_update&, const announce_update&) = default;
};

/// An announcement of a type that the version does not define. It is skipped, and has no id.
struct unknown_announcement {
    std::uint64_t type = 0;
    byte_view body = {};
};

namespace detail {

inline void read_hops(reader& in, version v, hop_list& hops, const limits& bounds) noexcept {
    const auto count = in.varint();
    if (count > std::min(bounds.hops, hop_list::capacity)) return in.fail(errc::too_many_hops);
    for (std::uint64_t i = 0; i < count; ++i) {
        const hop_id hop{has_hop_ids(v) ? in.varint() : 0};
        // Id 0, a hop that did not identify itself, may repeat.
        if (hop != hop_id{} && hops.contains(hop)) return in.fail(errc::duplicate_hop);
        static_cast<void>(hops.push_back(hop));
    }
}

[[nodiscard]] inline route_cost read_cost(reader& in) noexcept {
    const auto warm = in.varint();
    return {warm, in.varint()};
}

inline void write_cost(writer& out, const route_cost& cost) {
    out.varint(cost.warm);
    out.varint(cost.cold);
}

inline void write_hops(writer& out, version v, const hop_list& hops) {
    out.varint(hops.size());
    if (!has_hop_ids(v)) return;
    for (auto hop : hops) out.varint(number(hop));
}

} // namespace detail

namespace detail {

/// The end of a field that may keep a part of a base.
inline void read_keep(reader& in, version v, announce_base& base) noexcept {
    if (!has_announce_bases(v)) return;
    base.keep = in.varint();
    if (base.distance == 0 && base.keep != 0) in.fail(errc::bad_announce_base);
}

inline void read_based_hops(reader& in, version v, announce_base& base, hop_list& hops, const limits& bounds) noexcept {
    if (has_announce_bases(v)) base.distance = in.varint();
    read_hops(in, v, hops, bounds);
    read_keep(in, v, base);
}

inline void write_based_hops(writer& out, version v, const announce_base& base, const hop_list& hops) {
    if (has_announce_bases(v)) out.varint(base.distance);
    write_hops(out, v, hops);
    if (has_announce_bases(v)) return out.varint(base.keep);
    if (base != announce_base{}) out.fail(errc::unsupported);
}

} // namespace detail

inline void read(reader& in, version v, announce_request& m, const limits& bounds) noexcept {
    m.prefix = detail::read_path(in, bounds);
    if (has_exclude_hop(v)) m.exclude_hop = hop_id{in.varint()};
    if (!has_hidden(v)) return;
    const auto hidden = in.u8();
    if (hidden > 1) in.fail(errc::bad_flag);
    m.hidden = hidden == 1;
}

inline void write(writer& out, version v, const announce_request& m) {
    out.string(m.prefix);
    if (has_exclude_hop(v)) out.varint(number(m.exclude_hop));
    if (has_hidden(v)) out.boolean(m.hidden);
}

inline void read(reader& in, version v, announce_ok& m, const limits&) noexcept {
    if (!has_announce_ok(v)) return in.fail(errc::unsupported);
    m.hop = hop_id{in.varint()};
    m.active_count = in.varint();
}

inline void write(writer& out, version v, const announce_ok& m) {
    if (!has_announce_ok(v)) return out.fail(errc::unsupported);
    out.varint(number(m.hop));
    out.varint(m.active_count);
}

inline void read(reader& in, version v, announce& m, const limits& bounds) noexcept {
    if (has_typed_announces(v)) return in.fail(errc::unsupported);
    // The status is one byte in every implementation, though the draft calls it a varint.
    const auto status = in.u8();
    const unsigned last = has_announce_restart(v) ? 2 : 1;
    if (status > last) return in.fail(errc::bad_status);
    m.status = status == 0 ? announce_status::ended : announce_status::active;
    m.suffix = detail::read_path(in, bounds);
    detail::read_hops(in, v, m.hops, bounds);
}

inline void write(writer& out, version v, const announce& m) {
    if (has_typed_announces(v)) return out.fail(errc::unsupported);
    out.u8(static_cast<std::uint8_t>(m.status));
    out.string(m.suffix);
    detail::write_hops(out, v, m.hops);
}

inline void read(reader& in, version v, announce_start& m, const limits& bounds) noexcept {
    if (!has_typed_announces(v)) return in.fail(errc::unsupported);
    if (has_announce_bases(v)) m.path_base.distance = in.varint();
    detail::read_keep(in, v, m.path_base);
    m.suffix = detail::read_path(in, bounds);
    detail::read_based_hops(in, v, m.hop_base, m.hops, bounds);
    m.cost = detail::read_cost(in);
}

inline void write(writer& out, version v, const announce_start& m) {
    if (!has_typed_announces(v)) return out.fail(errc::unsupported);
    if (has_announce_bases(v)) {
        out.varint(m.path_base.distance);
        out.varint(m.path_base.keep);
    } else if (m.path_base != announce_base{}) {
        out.fail(errc::unsupported);
    }
    out.string(m.suffix);
    detail::write_based_hops(out, v, m.hop_base, m.hops);
    detail::write_cost(out, m.cost);
}

inline void read(reader& in, version v, announce_end& m, const limits&) noexcept {
    if (!has_typed_announces(v)) return in.fail(errc::unsupported);
    m.id = in.varint();
}

inline void write(writer& out, version v, const announce_end& m) {
    if (!has_typed_announces(v)) return out.fail(errc::unsupported);
    out.varint(m.id);
}

inline void read(reader& in, version v, announce_update& m, const limits& bounds) noexcept {
    if (!has_typed_announces(v)) return in.fail(errc::unsupported);
    m.id = in.varint();
    detail::read_based_hops(in, v, m.hop_base, m.hops, bounds);
    m.cost = detail::read_cost(in);
}

inline void write(writer& out, version v, const announce_update& m) {
    if (!has_typed_announces(v)) return out.fail(errc::unsupported);
    out.varint(m.id);
    detail::write_based_hops(out, v, m.hop_base, m.hops);
    detail::write_cost(out, m.cost);
}

inline void write(writer& out, version, const unknown_announcement& m) { out.bytes(m.body); }

[[nodiscard]] constexpr std::uint64_t message_type(version, const unknown_announcement& m) noexcept { return m.type; }
[[nodiscard]] constexpr std::uint64_t message_type(version, const announce_start&) noexcept { return 0; }
[[nodiscard]] constexpr std::uint64_t message_type(version, const announce_end&) noexcept { return 1; }
[[nodiscard]] constexpr std::uint64_t message_type(version, const announce_update&) noexcept { return 2; }

/// The number of message types. A message of another type is skipped, and has no id.
inline constexpr std::uint64_t announcement_types = 3;

/// A publisher's message where announcements are typed.
using announcement = std::variant<announce_start, announce_end, announce_update>;

[[nodiscard]] inline result<announcement> decode_announcement(
    version v, const typed_framed& message, const limits& bounds = default_limits) noexcept {
    const auto as = [](auto decoded) -> result<announcement> {
        if (!decoded) return decoded.error();
        return announcement{*decoded};
    };
    switch (message.type) {
    case 0: return as(decode<announce_start>(v, message.body, bounds));
    case 1: return as(decode<announce_end>(v, message.body, bounds));
    case 2: return as(decode<announce_update>(v, message.body, bounds));
    default: return errc::unknown_message_type;
    }
}

} // namespace moqlite::wire::lite

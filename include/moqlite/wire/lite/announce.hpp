// The messages of an announce stream, moq-lite-05: a subscriber's interest, and a publisher's broadcasts.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <moqlite/core/ids.hpp>
#include <moqlite/wire/lite/codec.hpp>
#include <moqlite/wire/lite/hop_list.hpp>
#include <string_view>
#include <variant>

namespace moqlite::wire::lite {

/// ANNOUNCE_REQUEST: asks for announcements of the broadcasts below `prefix`.
struct announce_request {
    std::string_view prefix = {};
    hop_id exclude_hop = {}; ///< Omit routes through this hop; 0: none, or no such field.

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

/// ANNOUNCE_START: a broadcast became active. The n-th on its stream has the announce id n, from 0.
struct announce_start {
    std::string_view suffix = {};
    hop_list hops = {};
    std::uint64_t route_cost = 0;

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
    hop_list hops = {};
    std::uint64_t route_cost = 0;

    friend constexpr bool operator==(const announce_update&, const announce_update&) = default;
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

inline void write_hops(writer& out, version v, const hop_list& hops) {
    out.varint(hops.size());
    if (!has_hop_ids(v)) return;
    for (auto hop : hops) out.varint(number(hop));
}

} // namespace detail

inline void read(reader& in, version v, announce_request& m, const limits& bounds) noexcept {
    m.prefix = detail::read_path(in, bounds);
    if (has_exclude_hop(v)) m.exclude_hop = hop_id{in.varint()};
}

inline void write(writer& out, version v, const announce_request& m) {
    out.string(m.prefix);
    if (has_exclude_hop(v)) out.varint(number(m.exclude_hop));
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
    m.suffix = detail::read_path(in, bounds);
    detail::read_hops(in, v, m.hops, bounds);
    m.route_cost = in.varint();
}

inline void write(writer& out, version v, const announce_start& m) {
    if (!has_typed_announces(v)) return out.fail(errc::unsupported);
    out.string(m.suffix);
    detail::write_hops(out, v, m.hops);
    out.varint(m.route_cost);
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
    detail::read_hops(in, v, m.hops, bounds);
    m.route_cost = in.varint();
}

inline void write(writer& out, version v, const announce_update& m) {
    if (!has_typed_announces(v)) return out.fail(errc::unsupported);
    out.varint(m.id);
    detail::write_hops(out, v, m.hops);
    out.varint(m.route_cost);
}

[[nodiscard]] constexpr std::uint64_t message_type(version, const announce_start&) noexcept { return 0; }
[[nodiscard]] constexpr std::uint64_t message_type(version, const announce_end&) noexcept { return 1; }
[[nodiscard]] constexpr std::uint64_t message_type(version, const announce_update&) noexcept { return 2; }

/// The number of message types, for take_typed_message().
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

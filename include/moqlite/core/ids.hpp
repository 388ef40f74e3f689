// Ids. Each kind is a type of its own, so that one cannot be passed for another.
#pragma once

#include <cstddef>
#include <cstdint>

namespace moqlite {

/// A QUIC stream id, RFC 9000 §2.1: bit 0 is the initiator (1: server), bit 1 the direction (1: uni).
enum class stream_id : std::uint64_t {};

enum class direction : std::uint8_t { bidi, uni };

/// Which end of the connection this is.
enum class role : std::uint8_t { client, server };

/// The number of a group within its track. Numbers increase; gaps are normal.
enum class group_sequence : std::uint64_t {};

/// A part of a group with a stream of its own. In moq-lite each group has one, 0.
enum class subgroup_id : std::uint64_t {};

/// The number of a frame (moq-transport: object) within its group. In moq-lite from 0, without gaps.
enum class object_id : std::uint64_t {};

/// One relay or publisher in an announcement's path (moq-lite "Hop ID"); 0: not given.
enum class hop_id : std::uint64_t {};

/// A subscription of ours to a track of the peer. Opaque; never reused within a session.
enum class subscribe_id : std::uint64_t {};

/// A request of the peer (SUBSCRIBE, TRACK, FETCH) that we answer. Opaque; never reused within a session.
enum class request_id : std::uint64_t {};

/// A request of ours that the peer answers once (TRACK). Opaque; never reused within a session.
enum class query_id : std::uint64_t {};

/// Our interest in the peer's announcements. Opaque; never reused within a session.
enum class watch_id : std::uint64_t {};

/// A group that we receive, on a stream of its own or fetched. Opaque; never reused within a session.
enum class group_id : std::uint64_t {};

/// 0 is least urgent, 255 most.
using priority = std::uint8_t;

/// The number inside an id.
template <class Id>
[[nodiscard]] constexpr std::uint64_t number(Id id) noexcept {
    return static_cast<std::uint64_t>(id);
}

[[nodiscard]] constexpr direction direction_of(stream_id id) noexcept {
    return (number(id) & 2) != 0 ? direction::uni : direction::bidi;
}

[[nodiscard]] constexpr role initiator_of(stream_id id) noexcept {
    return (number(id) & 1) != 0 ? role::server : role::client;
}

/// The frame after `f`.
[[nodiscard]] constexpr object_id next(object_id f) noexcept { return object_id{number(f) + 1}; }

/// The group after `g`.
[[nodiscard]] constexpr group_sequence next(group_sequence g) noexcept { return group_sequence{number(g) + 1}; }

} // namespace moqlite

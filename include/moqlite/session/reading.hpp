// How a track is read, and how far it has been.
#pragma once

#include <chrono>
#include <cstdint>
#include <moqlite/core/ids.hpp>
#include <moqlite/core/limits.hpp>
#include <moqlite/core/time.hpp>
#include <optional>

namespace moqlite {

enum class reading : std::uint8_t {
    complete, ///< Skips nothing: the publisher waits for us, held back by the Group End (design: flow control).
    live,     ///< Skips late groups; slows nobody.
};

struct track_reader_options {
    reading mode = reading::complete;
    std::optional<group_sequence> start{}; ///< nullopt: the newest group.
    moqlite::priority priority = 128;
    limits bounds{};
    /// Live: how long a group may delay later ones; the subscription's Max Age.
    duration patience = std::chrono::milliseconds{500};
    /// Complete: how long a missing group may delay later, complete ones.
    duration gap_patience = std::chrono::seconds{2};
    /// Payload bytes of group `start` to skip, because they were read over another session.
    std::uint64_t skip = 0;
    /// How long a subscription that was cut off waits for a successor, which starts at its newest group. A successor
    /// needs the broadcast to be announced, still or again, to a watch() of this session. 0: a cut-off is a failure.
    duration follow{};
    /// How long a subscription may stay unanswered, from the next handle() or tick() on; then failed() is
    /// app_error::timeout. 0: as long as the session lets it.
    duration answer{};
};

/// How far a track has been read.
struct track_position {
    group_sequence sequence{};
    std::uint64_t bytes = 0; ///< Payload read of that group.
    bool operator==(const track_position&) const = default;
};

} // namespace moqlite

// Every bound in the library. Reaching one is a named error or a dropped group, never growth.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <moqlite/core/time.hpp>

namespace moqlite {

/// Sizes in bytes, counts in things, times in nanoseconds.
struct limits {
    // What a message may hold (moq-lite-wire §7).
    std::size_t control_message = 64 * 1024; ///< Body of one control message.
    std::size_t path_segments = 32;
    std::size_t name = 4096; ///< Bytes of a broadcast path or track name.
    std::size_t hops = 32;
    std::size_t setup_parameters = 64;
    std::uint64_t frame = 32 * 1024 * 1024;

    // What a peer may keep open.
    std::size_t requests = 4096;                   ///< Bidirectional streams that one peer has open.
    std::size_t watches = 256;                     ///< Of these, ANNOUNCE_REQUESTs.
    std::size_t announcements = 65536;             ///< Paths that one peer may announce.
    std::size_t announced_bytes = 8 * 1024 * 1024; ///< Of these paths together.
    /// Bytes of the announcements of all peers of a relay together; one peer may have half of what is left.
    std::size_t announced_by_all = 256 * 1024 * 1024;
    /// Broadcasts that one peer was told of, by all its ANNOUNCE_REQUESTs together; or four times all, if that is more.
    std::size_t told = 4 * 65536;
    std::size_t incoming_groups = 4096;         ///< Group streams of one peer that are open at once.
    std::size_t partial_messages = 1024 * 1024; ///< Bytes of control messages that have not all arrived, or wait.
    std::size_t parked_streams = 32;            ///< Request streams that wait for admission.
    std::size_t control_unsent = 64 * 1024;     ///< Replies a peer has not taken; beyond it its requests are not read.

    /// Beyond it by this much, the peer is let go: what is written whatever it has not taken is not that long.
    std::size_t control_unsent_slack = 256 * 1024;

    // What we send.
    std::size_t datagram = 1200; ///< Bytes of one, its header included.
    std::size_t datagrams = 64;  ///< That wait to be sent; then the oldest is dropped.
    /// Requests that a relay expects one publisher to take at once; what is left of them is shared by who asks.
    std::size_t upstream_requests = 100;
    std::size_t streams_in_hand = 32; ///< Ids taken from the transport before a group is bound to one.
    /// Unsent bytes of one uncapped subscription; then the oldest group is dropped.
    std::size_t live_backlog = 16 * 1024 * 1024;
    /// Groups of one subscription that wait or are in flight; then the oldest is dropped.
    std::size_t live_groups = 256;
    /// The same of a capped subscription. More than a reader of ours asks for ahead of where it reads.
    std::size_t capped_groups = 1024;
    std::size_t served_groups = 16384; ///< Groups that one session sends at once; further ones are refused.
    /// Ranges of SUBSCRIBE_DROP that one peer has not taken, a quarter of them of one request; beyond, that one ends.
    std::size_t pending_drops = 4096;
    std::size_t waiting_requests = 1024; ///< Requests of ours that wait for a stream; further ones are refused.

    // Memory.
    /// Distance of a complete reader's Group End from where it reads, at most.
    std::size_t read_ahead = 8 * 1024 * 1024;
    std::size_t read_ahead_start = 2 * 1024 * 1024; ///< The same, until it is found too short.
    std::size_t cache = 64 * 1024 * 1024;
    std::size_t memory = 128 * 1024 * 1024; ///< Slabs allocated: cache, and everything pinned.
    duration cache_age = std::chrono::seconds{30};

    // Time.
    /// No SETUP for so long closes the session; no request or group on a new stream, the stream.
    duration handshake_timeout = std::chrono::seconds{10};
    /// Bytes in flight and no acknowledgement, or bytes to send and no credit, for so long (detail::stall_clock).
    duration stall_timeout = std::chrono::seconds{15};
    /// Bytes that a peer must take within `stall_timeout`, so that a trickle of credit is no progress.
    std::size_t stall_progress = 1024;
    /// Without anything new, and three round trips: before moq-lite-05 a FIN does not say that all has come.
    duration end_of_track = std::chrono::milliseconds{250};
    /// Before moq-lite-05 a FIN at a Group End is a track's end where nothing follows it, asked for again, for so long
    /// and for three round trips.
    duration end_at_cap = std::chrono::seconds{1};
    /// The time-out of a TRACK or FETCH that a relay has asked, and of a SUBSCRIBE where another needs its place.
    duration request_timeout = std::chrono::seconds{10};
    /// A publisher that another one took over and that is silent for so long, and for three round trips, is dead; its
    /// readers are cut off.
    duration takeover_grace = std::chrono::milliseconds{500};
    duration latency_min = std::chrono::milliseconds{500}; ///< A Subscriber Max Latency below it counts as this.
};

} // namespace moqlite

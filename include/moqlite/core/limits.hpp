// Every bound in the library. Reaching one is a named error or a dropped group, never growth.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <moqlite/core/time.hpp>

namespace moqlite {

/// Sizes in bytes, counts in things, times in nanoseconds.
struct limits {
    // Contents of messages (moq-lite-wire §7).
    std::size_t control_message = 64 * 1024; ///< Body of one control message.
    std::size_t path_segments = 32;
    std::size_t name = 4096; ///< Bytes of a broadcast path or track name.
    std::size_t hops = 32;   ///< In the hop list of one message; longer ones are malformed.
    std::size_t uri = 8192;  ///< Bytes of the URI in a GOAWAY.
    std::size_t setup_parameters = 64;
    std::uint64_t frame = 32 * 1024 * 1024;

    // State of one peer.
    std::size_t requests = 4096; ///< Bidirectional streams that one peer may have open.
    /// Hops of a route, its publisher and the peer that announces it included, at most `hops`: a longer one is dropped
    /// when it is received, and one of this length is not forwarded.
    std::size_t route_hops = 32;
    std::size_t watches = 256;                     ///< ANNOUNCE_REQUESTs among them.
    /// Paths that one peer may announce; further ones are refused. No more are announced to a peer in answer to one
    /// request: one session's may use half of what is left, and those beyond wait until others end.
    std::size_t announcements = 65536;
    std::size_t announced_bytes = 8 * 1024 * 1024; ///< Total bytes of these paths.
    /// Announcements of one peer that were refused and that it has not ended; beyond it the session ends.
    std::size_t refused_announcements = 1 << 20;
    /// Total bytes of the announcements of all peers of a relay; one peer may use half of what is left, and further ones
    /// are refused.
    std::size_t announced_by_all = 256 * 1024 * 1024;
    /// Broadcasts reported to one peer, over all its ANNOUNCE_REQUESTs; or four times the number of all broadcasts, if
    /// that is more.
    std::size_t announced_to_peer = 4 * 65536;
    std::size_t incoming_groups = 4096;         ///< Group streams of one peer that are open at once.
    std::size_t partial_messages = 1024 * 1024; ///< Bytes of control messages that are incomplete or waiting.
    std::size_t parked_streams = 32;            ///< Request streams that wait for admission.
    std::size_t control_unsent = 64 * 1024;     ///< Unsent replies to a peer; above it we stop reading its requests.
    /// Track requests that on-demand handlers have not answered; one peer may cause half of what is left.
    std::size_t unanswered_tracks = 1024;
    std::size_t subscriber_changes = 64; ///< Of one track_writer, unread; beyond it the oldest is dropped.

    /// Above control_unsent by this much, the session ends. Messages that are written without regard to the backlog are
    /// shorter than this.
    std::size_t control_unsent_slack = 256 * 1024;

    // Sending.
    std::size_t datagram = 1200; ///< Bytes of one datagram, its header included.
    std::size_t datagrams = 64;  ///< Datagrams waiting to be sent; beyond it the oldest is dropped.
    /// Concurrent requests that a relay expects one publisher to accept; the sessions that ask share what is left of
    /// them.
    std::size_t upstream_requests = 100;
    std::size_t streams_in_hand = 32; ///< Stream ids taken from the transport before groups are bound to them.
    /// Unsent bytes of one uncapped subscription; beyond it the oldest group is dropped.
    std::size_t live_backlog = 16 * 1024 * 1024;
    /// Groups of one subscription that wait or are in flight; beyond it the oldest is dropped.
    std::size_t live_groups = 256;
    /// The same for a capped subscription. Larger than the read-ahead of our own readers.
    std::size_t capped_groups = 1024;
    std::size_t served_groups = 16384; ///< Groups that one session sends at once; further ones are refused.
    /// Unsent SUBSCRIBE_DROP ranges of one peer, at most a quarter of them for one request; the request that exceeds
    /// this ends.
    std::size_t pending_drops = 4096;
    /// Incoming sessions that wait in one peers::incoming(); beyond it one is skipped.
    std::size_t undecided_peers = 16;
    std::size_t waiting_requests = 1024; ///< Requests of ours that wait for a stream; further ones are refused.

    // Memory.
    /// Maximum distance of a complete reader's Group End from its position, in bytes.
    std::size_t read_ahead = 8 * 1024 * 1024;
    std::size_t read_ahead_start = 2 * 1024 * 1024; ///< Its initial value, until that proves too short.
    std::size_t cache = 64 * 1024 * 1024;
    std::size_t memory = 128 * 1024 * 1024; ///< Slabs allocated: cache, and everything pinned.
    duration cache_age = std::chrono::seconds{30};

    // Time.
    /// A session that receives no SETUP within this time is closed, a new stream that brings no request or group is
    /// reset.
    duration handshake_timeout = std::chrono::seconds{10};
    /// A session is closed when bytes have been in flight without acknowledgement, or waiting without credit, for this
    /// time (detail::stall_clock).
    duration stall_timeout = std::chrono::seconds{15};
    /// Bytes that a peer must accept within `stall_timeout`, so that a trickle of credit does not count as progress.
    std::size_t stall_progress = 1024;
    /// Before moq-lite-05 a FIN does not prove that all groups have arrived: the track ends when nothing new has come
    /// for this time, and for three round trips.
    duration end_of_track = std::chrono::milliseconds{250};
    /// Before moq-lite-05 a FIN at a Group End counts as the end of the track if nothing arrives after resubscribing
    /// for this time, and for three round trips.
    duration end_at_cap = std::chrono::seconds{1};
    /// Timeout of a relay's TRACK or FETCH, and of its SUBSCRIBE where another request needs the slot.
    duration request_timeout = std::chrono::seconds{10};
    /// A publisher whose broadcast another has taken over counts as dead when it has been silent for this time, and for
    /// three round trips; its readers are cut off.
    duration takeover_grace = std::chrono::milliseconds{500};
    /// How long a complete reader that stays at its Group End may hold back a publisher that others want to go on.
    duration hold_back = std::chrono::seconds{10};
    /// How long a publisher whose session has been replaced waits for its former subscribers.
    duration return_time = std::chrono::seconds{3};
    duration latency_min = std::chrono::milliseconds{500}; ///< A lower Subscriber Max Age counts as this.
};

} // namespace moqlite

// What a session reports to its application. Views in an event are valid until the next input, or the end of the next
// pump; frame_data and group_datagram alias the bytes of the input itself.
#pragma once

#include <chrono>
#include <cstdint>
#include <moqlite/core/bytes.hpp>
#include <moqlite/core/error.hpp>
#include <moqlite/core/frame_range.hpp>
#include <moqlite/core/ids.hpp>
#include <moqlite/core/route_cost.hpp>
#include <moqlite/core/subscribe_options.hpp>
#include <moqlite/core/time.hpp>
#include <moqlite/core/track_info.hpp>
#include <optional>
#include <span>
#include <string_view>
#include <variant>

namespace moqlite {

/// A broadcast and one of its tracks, by name. Paths are whole: the session's root in front.
struct track_ref {
    std::string_view broadcast;
    std::string_view track;
    bool operator==(const track_ref&) const = default;
};

/// The peer's SETUP; empty on versions that have none. Answer with admit() or refuse().
struct setup_received {
    std::string_view path;             ///< Path and query, as the client gave them.
    std::optional<std::uint64_t> role; ///< 1 publishes, 2 subscribes; a hint.
    hop_id origin{};
    bool operator==(const setup_received&) const = default;
};

// Announcements of the peer.

struct broadcast_available {
    watch_id watch{};
    std::string_view path;
    std::span<const hop_id> hops; ///< Origin first, the peer last.
    bool restart = false;         ///< Replaces an earlier one.
    route_cost cost{};            ///< Of the route, with the link to the peer.
};
struct broadcast_ended {
    watch_id watch{};
    std::string_view path;
    bool operator==(const broadcast_ended&) const = default;
};
/// All broadcasts that were active when we asked have been reported.
struct announcements_synced {
    watch_id watch{};
    bool operator==(const announcements_synced&) const = default;
};
/// The peer announces nothing more; its broadcasts were reported as ended before.
struct watch_ended {
    watch_id watch{};
    app_error code = app_error::cancel;
    bool operator==(const watch_ended&) const = default;
};

// Tracks and groups of the peer.

struct track_info_received {
    query_id query{};
    track_info info;
    bool operator==(const track_info_received&) const = default;
};
struct track_refused {
    query_id query{};
    app_error code = app_error::cancel;
    bool operator==(const track_refused&) const = default;
};
/// `start` is the first group that will be served; on versions whose publishers need not report it, the one that was
/// requested, or else the first to arrive.
struct subscription_accepted {
    subscribe_id subscription{};
    group_sequence start{};
    /// The publisher's own options, where its SUBSCRIBE_OK carries them (before moq-lite-05; from there on
    /// request_track() asks for them): its first SUBSCRIBE_OK, as written. Some publishers echo the subscriber's, or
    /// set nothing.
    std::optional<subscribe_options> publisher{};
    bool operator==(const subscription_accepted&) const = default;
};
/// No group at or after `end` will exist.
struct subscription_end_known {
    subscribe_id subscription{};
    group_sequence end{};
    bool operator==(const subscription_end_known&) const = default;
};
struct groups_dropped {
    subscribe_id subscription{};
    group_sequence first{};
    group_sequence last{}; ///< Inclusive.
    app_error code = app_error::cancel;
    bool operator==(const groups_dropped&) const = default;
};
/// The last event of a subscription. `finished`: the peer ended it cleanly, so every group stream has been acknowledged
/// or reset (05 and later), or nothing has arrived for a while (design: end of track).
struct subscription_ended {
    subscribe_id subscription{};
    bool finished = false;
    app_error code = app_error::cancel;
    /// Finished, but without all groups below its end, or below the last one where the version has no END: neither did
    /// they arrive in time, nor did the publisher report them as dropped, which it cannot from moq-lite-07 on. It may
    /// have left out their numbers.
    bool lacks_groups = false;
    bool operator==(const subscription_ended&) const = default;
};
/// Stands for the subscription of a group that was fetched.
inline constexpr subscribe_id no_subscription{UINT64_MAX};

/// Call collect() now to store it in a log, or handle the frame_data that follows.
struct group_opened {
    group_id group{};
    subscribe_id subscription{};
    group_sequence sequence{};
    subgroup_id subgroup{};
    object_id first{}; ///< The first frame that will arrive: 0, or the Frame Start that was requested.
    bool operator==(const group_opened&) const = default;
};
/// A piece of one frame; a frame without payload is reported as one empty piece.
struct frame_data {
    group_id group{};
    subscribe_id subscription{};
    group_sequence sequence{};
    subgroup_id subgroup{};
    object_id object{};       ///< The frame's number in the group.
    std::uint64_t size = 0;   ///< Bytes of the whole frame.
    std::uint64_t offset = 0; ///< Offset of `data` in the frame.
    timestamp time{};
    byte_view data;
};
/// A group that share() or adopt() lent has grown: only from a local_session.
struct group_grown {
    group_id group{};
    subscribe_id subscription{};
    group_sequence sequence{};
    bool operator==(const group_grown&) const = default;
};
/// The last event of a group. Not `complete`: it was cut off with `code`.
struct group_closed {
    group_id group{};
    subscribe_id subscription{};
    group_sequence sequence{};
    bool complete = false;
    app_error code = app_error::cancel;
    bool operator==(const group_closed&) const = default;
};

/// A group of one frame that arrived as a datagram: unordered and unreliable.
struct group_datagram {
    subscribe_id subscription{};
    group_sequence sequence{};
    timestamp time{};
    byte_view data;
};
/// The publisher's measurements of the path to us; nullopt: not known, or not in this version.
struct path_reported {
    std::optional<std::uint64_t> bitrate; ///< Bits per second.
    std::optional<std::chrono::milliseconds> rtt;
    bool operator==(const path_reported&) const = default;
};
/// The peer, which asks for such reports, would like to receive this bitrate. Nothing is padded towards it.
struct bitrate_wanted {
    std::uint64_t bitrate = 0; ///< Bits per second.
    bool operator==(const bitrate_wanted&) const = default;
};
/// The publisher sends no further reports, or never did.
struct probe_ended {
    app_error code = app_error::cancel;
    bool operator==(const probe_ended&) const = default;
};

// Requests of the peer.

/// The peer cut off its request for our announcements below `prefix`, with a code other than cancel: it may have
/// refused one of them, and gets no more until it asks again.
struct announcements_cut_off {
    std::string_view prefix; ///< Whole: the session's root in front.
    app_error code = app_error::cancel;
    bool operator==(const announcements_cut_off&) const = default;
};

/// Answer with answer_track() or reject().
struct track_requested {
    request_id request{};
    track_ref track;
    bool operator==(const track_requested&) const = default;
};
/// Answer with accept() or reject(); serve() may come before either.
struct subscribe_requested {
    request_id request{};
    track_ref track;
    subscribe_options options;
};
/// Answer with serve() of that group, or reject(). Of a group with more frames, only those requested are sent.
struct fetch_requested {
    request_id request{};
    track_ref track;
    group_sequence sequence{};
    moqlite::priority priority = 0;
    frame_range frames{};
    bool operator==(const fetch_requested&) const = default;
};
struct subscribe_updated {
    request_id request{};
    subscribe_options options;
};
/// The subscriber accepts groups up to this one, inclusive; nullopt: without bound. Follows each subscribe_requested
/// and each update that changes it.
struct groups_wanted {
    request_id request{};
    std::optional<group_sequence> up_to;
    bool operator==(const groups_wanted&) const = default;
};
/// The last event of a request: the peer cancelled it, or everything served has been delivered, after finish() or for a
/// FETCH.
struct request_ended {
    request_id request{};
    bool delivered = false;
    /// Why it was cut off: the code of the peer's RESET_STREAM or STOP_SENDING, ours if we ended it, or that of the
    /// session's end. nullopt: the peer has only ended its side (FIN), or has everything.
    std::optional<app_error> code{};
    bool operator==(const request_ended&) const = default;
};
/// Every byte of a served group has been acknowledged.
struct group_delivered {
    request_id request{};
    group_sequence sequence{};
    bool operator==(const group_delivered&) const = default;
};
/// Only from a local_session: the relay serves the track of that request to a reader, from this group on.
struct reader_joined {
    request_id request{};
    group_sequence first{};
    bool operator==(const reader_joined&) const = default;
};
/// That reader has left: because it has everything (`delivered`), with its session, or with a code.
struct reader_left {
    request_id request{};
    bool delivered = false;
    bool with_session = false;
    app_error code = app_error::cancel;
    bool operator==(const reader_left&) const = default;
};
/// A served group will not be delivered: it fell behind, was evicted or aborted, or the peer stopped it.
struct group_lost {
    request_id request{};
    group_sequence sequence{};
    app_error code = app_error::cancel;
    bool operator==(const group_lost&) const = default;
};

// The session itself.

/// The peer will end the session: reconnect, to `uri` or, if that is empty, to the same address.
struct goaway_received {
    std::string_view uri;
    bool operator==(const goaway_received&) const = default;
};
/// The peer broke a rule on one stream, which was ended; or in one announcement, which was refused alone; or it has our
/// own origin (errc::same_origin, once), so that neither accepts the other's announcements. For the log.
struct stream_rejected {
    stream_id stream{};
    errc why = errc::ok;
    bool operator==(const stream_rejected&) const = default;
};
/// The last event of all.
struct session_closed {
    app_error code = app_error::cancel;
    errc why = errc::ok;
    bool by_peer = false;
    std::string_view reason;
    bool operator==(const session_closed&) const = default;
};

using event = std::variant<setup_received, broadcast_available, broadcast_ended, announcements_synced, watch_ended,
    track_info_received, track_refused, subscription_accepted, subscription_end_known, groups_dropped,
    subscription_ended, group_opened, frame_data, group_grown, group_closed, group_datagram, path_reported,
    bitrate_wanted, probe_ended, announcements_cut_off, track_requested, subscribe_requested, fetch_requested,
    subscribe_updated, groups_wanted, request_ended, group_delivered, reader_joined, reader_left, group_lost,
    goaway_received, stream_rejected, session_closed>;

} // namespace moqlite

// The state of the peer's requests, and of the groups sent for them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <moqlite/session/detail/context.hpp>
#include <moqlite/session/detail/drop_ranges.hpp>
#include <moqlite/session/group.hpp>
#include <moqlite/session/scheduler.hpp>
#include <moqlite/wire/lite/group.hpp>
#include <optional>

namespace moqlite::detail {

struct of_request_tag;
struct growing_tag;
struct dropping_tag;
struct recount_tag;

enum class request_kind : std::uint8_t { subscribe, track, fetch };

struct incoming_request;

struct oldest_first {
    bool operator()(const served_group& a, const served_group& b) const noexcept;
};
struct waiting_place {
    std::size_t& operator()(served_group& s) const noexcept;
};
struct earliest_check {
    bool operator()(const incoming_request& a, const incoming_request& b) const noexcept;
};
struct watched_place {
    std::size_t& operator()(incoming_request& r) const noexcept;
};

/// A SUBSCRIBE, TRACK or FETCH of the peer.
struct incoming_request : list_hook<owned_tag>, list_hook<dropping_tag>, list_hook<recount_tag> {
    request_id id{};
    request_kind kind = request_kind::subscribe;
    control_stream* stream = nullptr;
    bool accepted = false;
    bool ok_written = false;
    bool end_written = false;
    bool end_owed = false;             ///< It is known, and waits for the last group's stream.
    std::optional<group_sequence> end; ///< As the application gave it; written once the count of streams is final.
    std::uint64_t streams = 0;         ///< Group streams opened.
    std::uint64_t unbound = 0;         ///< Groups that wait for a stream.
    bool finishing = false;            ///< The application serves nothing more.
    bool at_cap = false;               ///< The same up to its Group End, where it may not end without END.
    bool capped = false;               ///< A Group End was set; since then it may only be raised.
    std::uint64_t wire_id = 0;
    subscribe_options options; ///< For a FETCH, start and end are its group.
    moqlite::priority publisher = 0;
    flow groups_to_send;
    list<served_group, of_request_tag> groups;
    std::size_t group_count = 0;
    group_sequence beyond{};     ///< One past the highest group that was served.
    group_sequence start_sent{}; ///< In SUBSCRIBE_OK.
    // Groups with something to write, as last accounted.
    indexed_heap<served_group, oldest_first, waiting_place> waiting;
    std::uint64_t unsent = 0;                ///< Their bytes.
    list<served_group, growing_tag> growing; ///< Groups whose log has not ended.
    std::size_t growing_count = 0;
    drop_ranges drops;           ///< SUBSCRIBE_DROPs that had no room.
    bool too_many_drops = false; ///< There were too many drops: the request is about to end.
    // Max Age (impl/max_age.hpp).
    std::uint64_t timescale = 0;           ///< Ticks per second of the timestamps of its groups; 0: not known.
    served_group* latest = nullptr;        ///< The highest group served; nullptr: it is delivered, or lost.
    std::optional<group_sequence> highest; ///< Its sequence, also once it is delivered.
    timestamp newest{};                    ///< The last known timestamp of its newest frame.
    time_point check_at{};                 ///< When its oldest waiting group may be too old.
    std::size_t place_watched = SIZE_MAX;  ///< Position in publishing::watched_.
};

/// A group being sent to one subscriber.
struct served_group : group_reader,
                      send_item,
                      sending,
                      aged,
                      list_hook<owned_tag>,
                      list_hook<of_request_tag>,
                      list_hook<growing_tag> {
    served_group(incoming_request& r, group_sequence s) noexcept : send_item(r.groups_to_send, s), request(&r) {}
    /// The transport may still retransmit some of it.
    [[nodiscard]] bool is_lent() const noexcept { return prefix_acked != prefix_written || unacked() != 0; }

    incoming_request* request;       ///< nullptr: the request is gone; the group is only kept for its lent bytes.
    std::optional<stream_id> stream; ///< Its own stream, or that of the FETCH.
    bool blocked = false;            ///< Waits for stream credit.
    bool fin_written = false;
    bool lost = false;                    ///< Its reset was queued; it waits for its stream to close.
    std::uint64_t counted = 0;            ///< Its share of incoming_request::unsent.
    std::size_t place_waiting = SIZE_MAX; ///< Position in incoming_request::waiting.
    std::uint64_t waits_since = 0;        ///< The number of pumps before it began to wait.
    // Max Age. `since` is when its successor was served.
    bool succeeded = false;                  ///< It has a successor: it is not the latest.
    std::optional<timestamp> successor_time; ///< Where its successor begins, if that is not a member of the chain.
    served_group* successor = nullptr; ///< Those that were served in order, and are here and not lost, are a chain.
    served_group* predecessor = nullptr;
    // What precedes the bytes of the log: GROUP on a stream of its own, and the header of the first frame if the log
    // has it relative to an earlier frame.
    bool started = false; ///< It is written.
    std::uint8_t prefix_size = 0;
    std::uint8_t prefix_written = 0;
    std::uint8_t prefix_acked = 0;
    std::array<std::byte, wire::lite::group_prefix_size_max + wire::lite::frame_header_size_max> prefix;
};

inline bool oldest_first::operator()(const served_group& a, const served_group& b) const noexcept {
    return a.sequence() < b.sequence();
}
inline std::size_t& waiting_place::operator()(served_group& s) const noexcept { return s.place_waiting; }

inline bool earliest_check::operator()(const incoming_request& a, const incoming_request& b) const noexcept {
    return a.check_at < b.check_at;
}
inline std::size_t& watched_place::operator()(incoming_request& r) const noexcept { return r.place_watched; }

} // namespace moqlite::detail

// What a session keeps of the peer's requests, and of the groups that it sends for them.
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

struct oldest_first {
    bool operator()(const served_group& a, const served_group& b) const noexcept;
};
struct waiting_place {
    std::size_t& operator()(served_group& s) const noexcept;
};

/// A SUBSCRIBE, TRACK or FETCH of the peer.
struct incoming_request : list_hook<owned_tag>, list_hook<dropping_tag>, list_hook<recount_tag> {
    request_id id{};
    request_kind kind = request_kind::subscribe;
    control_stream* stream = nullptr;
    bool accepted = false;
    bool ok_written = false;
    bool end_written = false;
    bool finishing = false; ///< The application serves nothing more.
    bool capped = false;    ///< A Group End was set; from then on it may only be raised.
    std::uint64_t wire_id = 0;
    subscribe_options options; ///< A FETCH is from and to its group.
    moqlite::priority publisher = 0;
    flow groups_to_send;
    list<served_group, of_request_tag> groups;
    std::size_t group_count = 0;
    group_sequence beyond{}; ///< The first number after those that were served, or said to be the start.
    // Groups that have something to write, as they were last accounted for.
    indexed_heap<served_group, oldest_first, waiting_place> waiting;
    std::uint64_t unsent = 0;                ///< Their bytes.
    list<served_group, growing_tag> growing; ///< Groups whose log has not ended.
    std::size_t growing_count = 0;
    drop_ranges drops;           ///< SUBSCRIBE_DROPs for which there was no room.
    bool too_many_drops = false; ///< These were too many: it is about to end.
};

/// A group on its way to one subscriber.
struct served_group : group_reader,
                      send_item,
                      sending,
                      list_hook<owned_tag>,
                      list_hook<of_request_tag>,
                      list_hook<growing_tag> {
    served_group(incoming_request& r, group_sequence s) noexcept : send_item(r.groups_to_send, s), request(&r) {}
    /// The transport may send some of it again.
    [[nodiscard]] bool is_lent() const noexcept { return prefix_acked != prefix_written || unacked() != 0; }

    incoming_request* request;       ///< nullptr: gone; the group is only kept for what was lent.
    std::optional<stream_id> stream; ///< Its own, or that of the FETCH.
    bool blocked = false;            ///< Waits for stream credit.
    bool fin_written = false;
    bool lost = false;                    ///< Its reset was queued; waits for its stream to close.
    std::uint64_t counted = 0;            ///< Its bytes in incoming_request::unsent.
    std::size_t place_waiting = SIZE_MAX; ///< In incoming_request::waiting.
    std::uint8_t prefix_size = 0;
    std::uint8_t prefix_written = 0;
    std::uint8_t prefix_acked = 0;
    std::array<std::byte, wire::lite::group_prefix_size_max> prefix;
};

inline bool oldest_first::operator()(const served_group& a, const served_group& b) const noexcept {
    return a.sequence() < b.sequence();
}
inline std::size_t& waiting_place::operator()(served_group& s) const noexcept { return s.place_waiting; }

} // namespace moqlite::detail

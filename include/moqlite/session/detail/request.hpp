// What a session keeps of the peer's requests, and of the groups that it sends for them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <moqlite/session/detail/context.hpp>
#include <moqlite/session/group.hpp>
#include <moqlite/session/scheduler.hpp>
#include <moqlite/wire/lite/group.hpp>
#include <optional>

namespace moqlite::detail {

struct of_request_tag;

enum class request_kind : std::uint8_t { subscribe, track, fetch };

/// A SUBSCRIBE, TRACK or FETCH of the peer.
struct incoming_request : list_hook<owned_tag> {
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
};

/// A group on its way to one subscriber.
struct served_group : group_reader, send_item, sending, list_hook<owned_tag>, list_hook<of_request_tag> {
    served_group(incoming_request& r, group_sequence s) noexcept : send_item(r.groups_to_send, s), request(&r) {}
    /// The transport may send some of it again.
    [[nodiscard]] bool is_lent() const noexcept { return prefix_acked != prefix_written || unacked() != 0; }

    incoming_request* request;       ///< nullptr: gone; the group is only kept for what was lent.
    std::optional<stream_id> stream; ///< Its own, or that of the FETCH.
    bool blocked = false;            ///< Waits for stream credit.
    bool fin_written = false;
    bool lost = false; ///< Its reset was queued; waits for its stream to close.
    std::uint8_t prefix_size = 0;
    std::uint8_t prefix_written = 0;
    std::uint8_t prefix_acked = 0;
    std::array<std::byte, wire::lite::group_prefix_size_max> prefix;
};

} // namespace moqlite::detail

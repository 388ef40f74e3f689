// A stream of control messages, and the states of both its sides.
#pragma once

#include <cstddef>
#include <cstdint>
#include <moqlite/containers/list.hpp>
#include <moqlite/containers/object_pool.hpp>
#include <moqlite/core/ids.hpp>
#include <moqlite/core/time.hpp>
#include <moqlite/session/detail/send_buffer.hpp>
#include <moqlite/session/detail/stall_clock.hpp>
#include <vector>

namespace moqlite::detail {

struct send_tag;
struct credit_tag;
struct silent_tag;
struct opening_tag;
struct parked_tag;
struct query_tag;
struct incoming_group;

inline constexpr stream_id no_stream{UINT64_MAX}; ///< The id while no stream is assigned.

/// The receive side of a stream.
struct receiving : list_hook<credit_tag>, list_hook<silent_tag> {
    stream_id id = no_stream;
    time_point since{};           ///< Start of the timeout for its first message.
    std::uint64_t credit_due = 0; ///< Bytes read for which credit has not been returned yet.
};

enum class control_kind : std::uint8_t {
    unread, ///< The peer's stream; its type has not arrived.
    setup_in,
    setup_out,
    announce_in,  ///< The peer asks for our announcements.
    announce_out, ///< We ask for the peer's.
    subscribe_in,
    subscribe_out,
    track_in,
    track_out,
    fetch_in,
    fetch_out,
    probe_in, ///< The peer asks for our measurements.
    probe_out,
    goaway_in,
    goaway_out,
};

/// The peer's side of a control stream. States only advance in this order.
enum class read_state : std::uint8_t {
    first,     ///< The peer's stream; its type or first message has not arrived.
    open,      ///< More may arrive.
    ended,     ///< Their FIN or reset has arrived.
    abandoned, ///< We have stopped reading; bytes that still arrive are dropped.
};

/// Our side of a control stream. States only advance in this order.
enum class write_state : std::uint8_t {
    open,
    finishing, ///< FIN follows the bytes in `out`.
    finished,  ///< FIN was written; it and bytes before it may be unacknowledged.
    closed,    ///< Nothing more is written: we have reset it, or only the peer sends on it.
};

/// A stream of control messages: SETUP, or a request and its answers. It has no id while it waits for a stream.
struct control_stream : receiving,
                        sending,
                        list_hook<owned_tag>,
                        list_hook<send_tag>,
                        list_hook<opening_tag>,
                        list_hook<parked_tag>,
                        list_hook<query_tag> {
    static constexpr std::uint64_t nobody = UINT64_MAX;
    control_kind kind = control_kind::unread;
    read_state reading = read_state::first;
    write_state writing = write_state::open;
    bool in_ends = false;               ///< FIN follows the bytes in `in`.
    incoming_group* fetching = nullptr; ///< The group that it carries, if it is our FETCH.
    std::uint64_t owner = nobody;       ///< Number of the request, subscription, query, watch or fetch.
    std::size_t uncredited = 0;         ///< Bytes that arrived and whose credit is returned when they are read.
    std::vector<std::byte> in;          ///< An incomplete message; while parked, everything that has arrived.
    std::size_t counted = 0;            ///< Its share of stream_table::partial_bytes_.
    send_buffer out;

    [[nodiscard]] bool is_bound() const noexcept { return id != no_stream; }
    /// More bytes may arrive, and will be read.
    [[nodiscard]] bool is_read() const noexcept { return reading < read_state::ended; }
    [[nodiscard]] bool to_send() const noexcept {
        return writing != write_state::closed && (out.unsent() != 0 || writing == write_state::finishing);
    }
    /// Its first message has arrived.
    void first_arrived() noexcept {
        if (reading == read_state::first) reading = read_state::open;
        list_hook<silent_tag>::unlink();
    }
    /// Their FIN or reset has arrived.
    void read_ended() noexcept {
        if (is_read()) reading = read_state::ended;
        list_hook<silent_tag>::unlink();
    }
};

} // namespace moqlite::detail

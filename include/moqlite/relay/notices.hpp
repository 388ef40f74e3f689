// The reports of a relay to its operator.
#pragma once

#include <cstdint>
#include <moqlite/core/error.hpp>
#include <moqlite/core/ids.hpp>
#include <moqlite/session/event.hpp>
#include <string>
#include <variant>

namespace moqlite {

// Sessions and publishers are named by their keys, which are numbers from 1; 0 stands for an application of this
// process. A broadcast for one session alone has the name by which its peer knows it.

/// A peer requests admission with this path; answer with relay::admit() or relay::refuse().
struct admission_wanted {
    std::uint64_t session = 0;
    std::string path; ///< Path and query.
};
struct session_ended {
    std::uint64_t session = 0;
    session_closed how;
    std::string reason;
};
struct peer_misbehaved {
    std::uint64_t session = 0;
    stream_id stream{};
    errc why = errc::ok;
};
struct broadcast_changed {
    std::uint64_t session = 0;
    std::string path;
    bool available = false;
};
/// A peer is leaving, and asks us to reconnect: to `uri`, or if empty to the same address.
struct peer_leaving {
    std::uint64_t session = 0;
    std::string uri;
};
/// A reader was too slow, or the cache too small: a group was not delivered to it.
struct reader_lost_group {
    std::uint64_t session = 0;
    std::string broadcast;
    std::string track;
    group_sequence sequence{};
    app_error code = app_error::cancel;
};
/// A request of `session` was refused: its share of the requests to `publisher` is used up, or the publisher grants no
/// more.
struct request_refused {
    std::uint64_t session = 0;
    std::uint64_t publisher = 0;
    std::string broadcast;
    std::string track;
};
/// A growing group has outgrown the cache: new readers get nothing of the track until it ends.
struct group_outgrew_cache {
    std::uint64_t publisher = 0;
    std::string broadcast;
    std::string track;
    group_sequence sequence{};
    std::uint64_t bytes = 0;
};
using relay_notice = std::variant<admission_wanted, session_ended, peer_misbehaved, peer_leaving, broadcast_changed,
    reader_lost_group, request_refused, group_outgrew_cache>;

} // namespace moqlite

// What happens at an origin, for its operator.
#pragma once

#include <cstdint>
#include <moqlite/relay/notices.hpp>
#include <string>
#include <variant>

namespace moqlite::asio {

/// A connection to or from a peer has a protocol, and awaits its SETUP.
struct session_opened {
    std::uint64_t session = 0; ///< session::number().
    std::string remote;        ///< "192.0.2.1:4443".
    std::string protocol;      ///< "moq-lite-06".
    bool is_webtransport = false;
};
/// Our server has admitted a peer to what is below `root`.
struct session_admitted {
    std::uint64_t session = 0;
    std::string root; ///< Without slashes at its ends.
};

/// For std::visit() and std::get_if(). A session's first is session_opened, its last session_ended. The others are
/// explained in moqlite/relay/notices.hpp.
struct notice : std::variant<session_opened, session_admitted, session_ended, peer_misbehaved, peer_leaving,
                    broadcast_changed, reader_lost_group, request_refused, group_outgrew_cache> {
    using variant::variant;
};

} // namespace moqlite::asio

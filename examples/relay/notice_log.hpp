// The relay's log lines about its sessions: "#7 announces room/film".
#pragma once

#include <cstdint>
#include <moqlite/asio/notice.hpp>
#include <moqlite/core/time.hpp>
#include <unordered_map>

namespace moqlite::programs {

class notice_log {
public:
    void operator()(const asio::notice& n) {
        std::visit([this](const auto& what) { on(what); }, n);
    }

private:
    /// Rate-limits the log of repeated facts of one session.
    struct tally {
        /// True: log it now, and reset `count`; at most `burst` times per interval.
        [[nodiscard]] bool add(time_point now, unsigned burst = 1);
        std::uint64_t count = 0; ///< Since the last line.
        time_point since{};
        unsigned lines = 0; ///< In this interval.
    };
    struct tallies {
        tally broken_rules, announcements, lost_groups, refused_requests;
    };

    void on(const asio::session_opened&);
    void on(const asio::session_admitted&);
    void on(const session_ended&);
    void on(const peer_misbehaved&);
    void on(const peer_leaving&);
    void on(const broadcast_changed&);
    void on(const reader_lost_group&);
    void on(const request_refused&);
    void on(const group_outgrew_cache&);

    std::unordered_map<std::uint64_t, tallies> sessions_;
};

} // namespace moqlite::programs

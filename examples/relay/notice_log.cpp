#include "notice_log.hpp"

#include "text.hpp"

#include <moqlite/asio/clock.hpp>
#include <spdlog/spdlog.h>
#include <utility>

namespace moqlite::programs {

namespace {

constexpr auto log_interval = std::chrono::seconds{5}; ///< Between lines of one kind about one session.
constexpr unsigned announcements_per_interval = 32;    ///< Lines per session in that time.

} // namespace

void notice_log::on(const asio::session_opened& e) {
    const auto* how = e.is_webtransport ? " by WebTransport" : "";
    spdlog::info("#{} connected from {}, {}{}", e.session, e.remote, e.protocol, how);
}

void notice_log::on(const asio::session_admitted& e) {
    spdlog::info("#{} admitted to /{}", e.session, printable(e.root));
}

void notice_log::on(const session_ended& e) {
    auto how = e.how;
    how.reason = e.reason;
    const auto its = sessions_.extract(e.session); // This is its last notice.
    const auto n = its ? its.mapped().broken_rules.count : 0;
    const auto more = n != 0 ? fmt::format(", after {} violations that were not logged", n) : std::string{};
    spdlog::info("#{} ended: {}{}", e.session, to_text(how), more);
}

bool notice_log::tally::add(time_point now, unsigned burst) {
    ++count;
    if (since == time_point{} || now - since >= log_interval) {
        since = now;
        lines = 0;
    }
    return lines++ < burst;
}

void notice_log::on(const peer_misbehaved& e) {
    auto& broken = sessions_[e.session].broken_rules;
    if (!broken.add(asio::now())) return;
    const auto n = std::exchange(broken.count, 0);
    const auto more = n > 1 ? fmt::format(", and {} times before that", n - 1) : std::string{};
    spdlog::warn("#{} violated the protocol on stream {}: {}{}", e.session, number(e.stream), to_string(e.why), more);
}

void notice_log::on(const peer_leaving& e) {
    const auto where = e.uri.empty() ? std::string{} : ", to " + std::string{printable(e.uri)};
    spdlog::info("#{} asks us to reconnect (GOAWAY){}", e.session, where);
}

void notice_log::on(const broadcast_changed& e) {
    auto& logged = sessions_[e.session].announcements;
    if (!logged.add(asio::now(), announcements_per_interval)) return;
    const auto n = std::exchange(logged.count, 0);
    const auto more = n > 1 ? fmt::format(", after {} changes that were not logged", n - 1) : std::string{};
    spdlog::info("#{} {} {}{}", e.session, e.available ? "announces" : "no longer announces", printable(e.path), more);
}

void notice_log::on(const reader_lost_group& e) {
    auto& lost = sessions_[e.session].lost_groups;
    if (!lost.add(asio::now())) return;
    spdlog::warn("#{} missed {} groups, the last one {} of {} {}: {}", e.session, std::exchange(lost.count, 0),
        number(e.sequence), printable(e.broadcast), printable(e.track), to_text(e.code));
}

void notice_log::on(const request_refused& e) {
    auto& refused = sessions_[e.session].refused_requests;
    if (!refused.add(asio::now())) return;
    spdlog::warn("#{} was refused {} requests, the last one for {} {}: more than its share of the requests to #{}",
        e.session, std::exchange(refused.count, 0), printable(e.broadcast), printable(e.track), e.publisher);
}

void notice_log::on(const group_outgrew_cache& e) {
    spdlog::warn(
        "{} {} of #{} cannot be joined until its next group: group {} has grown to {}, more than the cache holds",
        printable(e.broadcast), printable(e.track), e.publisher, number(e.sequence),
        size_text(static_cast<double>(e.bytes)));
}

} // namespace moqlite::programs

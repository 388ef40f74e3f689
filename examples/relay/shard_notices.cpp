// The relay's notices: admissions are answered, the others are logged.
#include "shard.hpp"
#include "text.hpp"

#include <moqlite/asio/clock.hpp>
#include <spdlog/spdlog.h>
#include <utility>

namespace moqlite::programs {

namespace {

constexpr auto log_interval = std::chrono::seconds{5}; ///< Between lines of one kind about one session.
constexpr unsigned announcements_per_interval = 32;    ///< Lines per session in that time.

} // namespace

void shard::handle_notices() {
    while (const auto notice = relay_.poll_notice()) std::visit([this](const auto& what) { on(what); }, *notice);
}

void shard::on(const admission_wanted& e) {
    const auto root = path::normalise(std::string_view{e.path}.substr(0, e.path.find('?')));
    if (root.size() > limits{}.name || path::segments(root) > limits{}.path_segments)
        return static_cast<void>(relay_.refuse(e.session, app_error::bounds_exceeded));
    if (const auto admitted = relay_.admit(e.session, {.root = root}); !admitted)
        return static_cast<void>(relay_.refuse(e.session, wire_code(admitted.error())));
    spdlog::info("#{} admitted to /{}", e.session, printable(root));
}

void shard::on(const session_ended& e) {
    auto how = e.how;
    how.reason = e.reason;
    const auto broken = broken_rules_.extract(e.session); // The session's last notice.
    if (broken && broken.mapped().count != 0)
        spdlog::warn("#{} violated the protocol {} more times", e.session, broken.mapped().count);
    lost_groups_.erase(e.session);
    refused_requests_.erase(e.session);
    announcements_.erase(e.session);
    spdlog::info("#{} ended: {}", e.session, to_text(how));
}

bool shard::tally::add(time_point now, unsigned burst) {
    ++count;
    if (since == time_point{} || now - since >= log_interval) {
        since = now;
        lines = 0;
    }
    return lines++ < burst;
}

void shard::on(const peer_misbehaved& e) {
    auto& broken = broken_rules_[e.session];
    if (!broken.add(asio::now())) return;
    const auto n = std::exchange(broken.count, 0);
    const auto more = n > 1 ? fmt::format(", and {} times before that", n - 1) : std::string{};
    spdlog::warn("#{} violated the protocol on stream {}: {}{}", e.session, number(e.stream), to_string(e.why), more);
}

void shard::on(const peer_leaving& e) {
    const auto where = e.uri.empty() ? std::string{} : ", to " + std::string{printable(e.uri)};
    spdlog::info("#{} asks us to reconnect (GOAWAY){}", e.session, where);
}

void shard::on(const broadcast_changed& e) {
    auto& logged = announcements_[e.session];
    if (!logged.add(asio::now(), announcements_per_interval)) return;
    const auto n = std::exchange(logged.count, 0);
    const auto more = n > 1 ? fmt::format(", after {} changes that were not logged", n - 1) : std::string{};
    spdlog::info("#{} {} {}{}", e.session, e.available ? "announces" : "no longer announces", printable(e.path), more);
}

void shard::on(const reader_lost_group& e) {
    auto& lost = lost_groups_[e.session];
    if (!lost.add(asio::now())) return;
    spdlog::warn("#{} missed {} groups, the last one {} of {} {}: {}", e.session, std::exchange(lost.count, 0),
        number(e.sequence), printable(e.broadcast), printable(e.track), to_text(e.code));
}

void shard::on(const request_refused& e) {
    auto& refused = refused_requests_[e.session];
    if (!refused.add(asio::now())) return;
    spdlog::warn("#{} was refused {} requests, the last one for {} {}: more than its share of the requests to #{}",
        e.session, std::exchange(refused.count, 0), printable(e.broadcast), printable(e.track), e.publisher);
}

void shard::on(const group_outgrew_cache& e) {
    spdlog::warn(
        "{} {} of #{} cannot be joined until its next group: group {} has grown to {}, more than the cache holds",
        printable(e.broadcast), printable(e.track), e.publisher, number(e.sequence),
        size_text(static_cast<double>(e.bytes)));
}

} // namespace moqlite::programs

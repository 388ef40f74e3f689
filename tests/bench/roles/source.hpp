// A track that is written for one subscriber, the relay.
#pragma once

#include "frame_head.hpp"
#include "roles.hpp"

#include <moqlite/session/session.hpp>
#include <optional>
#include <string>
#include <vector>

namespace moqlite::bench {

/// The payload that every frame of this size has after its head.
[[nodiscard]] inline std::vector<std::byte> pattern(std::size_t size) {
    std::vector<std::byte> out(size);
    for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<std::byte>(i * 131 + (i >> 8) + 7);
    return out;
}

class source {
public:
    source(session& to, std::string name, const track_plan& plan)
        : session_{to}, name_{std::move(name)}, plan_{plan}, frame_{pattern(plan.size)} {}

    void handle(const event& e) {
        if (const auto* s = std::get_if<subscribe_requested>(&e)) return subscribe(*s);
        if (const auto* w = std::get_if<groups_wanted>(&e)) {
            if (w->request == request_) up_to_ = w->up_to;
        } else if (const auto* left = std::get_if<request_ended>(&e)) {
            if (left->request == request_) request_.reset();
        } else if (const auto* gone = std::get_if<group_lost>(&e)) {
            if (gone->request == request_) ++lost_;
        }
    }

    /// Frame number written() is due now, the following ones at the plan's rate.
    void begin(time_point now) noexcept {
        began_ = now;
        first_ = written_;
    }
    /// Closes the group that is open.
    void pause() {
        if (group_) static_cast<void>(group_->finish());
        group_ = {};
    }
    /// When the next frame is due; nullopt: there is no rate.
    [[nodiscard]] std::optional<time_point> due() const noexcept {
        if (plan_.size == 0 || plan_.rate == 0) return std::nullopt;
        const auto after = static_cast<double>(written_ - first_) / plan_.rate;
        return began_ + duration{static_cast<duration::rep>(after * 1e9)};
    }
    /// Writes due frames, or as many as there is room for; false: none.
    bool write(time_point now) {
        if (plan_.size == 0 || ended_) return false;
        const auto before = written_;
        if (plan_.rate != 0) {
            for (auto next = *due(); next <= now; next = *due()) write_frame(next);
        } else {
            while (!ended_ && has_room()) write_frame(now);
        }
        return written_ != before;
    }

    [[nodiscard]] std::uint64_t written() const noexcept { return written_; }
    [[nodiscard]] std::uint64_t lost() const noexcept { return lost_; }

private:
    void subscribe(const subscribe_requested& e) {
        if (e.track.track != name_) return;
        request_ = e.request;
        up_to_ = e.options.end;
        static_cast<void>(session_.accept(e.request, next_));
    }
    [[nodiscard]] bool has_room() {
        if (!request_) return false;
        if (!group_ && up_to_ && next_ > *up_to_) return false;
        return session_.unsent(*request_) < unsent_max;
    }
    void write_frame(time_point due) {
        if (!group_) open_group();
        put({due.time_since_epoch().count(), written_}, frame_);
        const auto ticks = static_cast<std::uint64_t>(due.time_since_epoch().count() / 1000);
        if (group_) static_cast<void>(group_->write_frame(timestamp{ticks}, frame_));
        ++written_;
        if (++in_group_ == plan_.group) close_group();
        if (plan_.frames != 0 && written_ == plan_.frames) end();
    }
    void open_group() {
        group_ = group::make(session_.pool(), next_, session_.negotiated());
        in_group_ = 0;
        if (group_ && request_) static_cast<void>(session_.serve(*request_, group_));
        next_ = next(next_);
    }
    void close_group() {
        if (group_) static_cast<void>(group_->finish());
        group_ = {};
    }
    void end() {
        close_group();
        ended_ = true;
        if (!request_) return;
        static_cast<void>(session_.end_track(*request_, next_));
        static_cast<void>(session_.finish(*request_));
    }

    static constexpr std::uint64_t unsent_max = 4 * 1024 * 1024;
    session& session_;
    std::string name_;
    track_plan plan_;
    std::vector<std::byte> frame_;
    std::optional<request_id> request_;
    std::optional<group_sequence> up_to_;
    group_ref group_;
    group_sequence next_{};
    std::uint64_t in_group_ = 0;
    std::uint64_t written_ = 0;
    std::uint64_t first_ = 0;
    std::uint64_t lost_ = 0;
    bool ended_ = false;
    time_point began_{};
};

} // namespace moqlite::bench

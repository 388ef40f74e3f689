// A session's events and outputs while it receives a recorded stream, as comparable text.
#pragma once

#include "vector_streams.hpp"

#include <cstddef>
#include <cstdint>
#include <moqlite/session/event.hpp>
#include <optional>
#include <print.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace moqlite::test::vectors {

/// A session's events and outputs.
struct heard {
    lines told;  ///< The effects of messages, as text.
    lines all;   ///< Every event, with the pieces of a frame joined.
    lines wrote; ///< Without credit, which varies with the pieces.
};

/// Records events.
class listener {
public:
    explicit listener(version v) : version_(v) {}

    void add(const event& e) {
        if (const auto* f = std::get_if<frame_data>(&e)) return add_piece(*f);
        flush_frame();
        heard_.all.push_back(text(e));
        std::visit([&](const auto& x) { tell(x); }, e);
    }
    [[nodiscard]] heard done(lines wrote) {
        flush_frame();
        heard_.wrote = std::move(wrote);
        return std::move(heard_);
    }

private:
    static std::string times(version v, timestamp time) {
        return has_timestamps(v) ? " at " + std::to_string(static_cast<std::uint64_t>(time)) : "";
    }
    void add_piece(const frame_data& f) {
        if (f.offset == 0) {
            flush_frame();
            frame_ = f;
        }
        for (auto b : f.data) bytes_.push_back(b);
        if (bytes_.size() == f.size) flush_frame();
    }
    void flush_frame() {
        if (!frame_) return;
        frame_->data = bytes_;
        heard_.all.push_back(text(event{*frame_}));
        const auto cut = bytes_.size() < frame_->size ? " cut off" : "";
        say("frame " + std::to_string(number(frame_->object)) + times(version_, frame_->time) + ": " + to_hex(bytes_) +
            cut);
        frame_.reset();
        bytes_.clear();
    }
    void say(std::string line) { heard_.told.push_back(std::move(line)); }

    void tell(const setup_received& x) {
        say("setup path '" + std::string{x.path} + "' role " + std::to_string(x.role.value_or(0)) + " origin " +
            std::to_string(number(x.origin)));
    }
    void tell(const broadcast_available& x) { say(available(version_, x.path, {x.hops.begin(), x.hops.end()})); }
    void tell(const broadcast_ended& x) { say("ended " + std::string{x.path}); }
    void tell(const announcements_synced&) {
        if (has_announce_ok(version_)) say("synced");
    }
    void tell(const watch_ended&) { say("watch ended"); }
    void tell(const track_info_received& x) { say(info(x.info)); }
    void tell(const track_refused&) { say("track refused"); }
    void tell(const subscription_accepted& x) {
        if (!std::exchange(accepted_, true)) say("accepted from " + std::to_string(number(x.start)));
    }
    void tell(const subscription_end_known& x) { say("end before " + std::to_string(number(x.end))); }
    void tell(const groups_dropped& x) { say(dropped(x.first, x.last, x.code)); }
    void tell(const subscription_ended& x) { say(x.finished ? "subscription finished" : "subscription cut off"); }
    void tell(const group_opened& x) { say("group " + std::to_string(number(x.sequence))); }
    void tell(const group_closed& x) { say(x.complete ? "group complete" : "group cut off"); }
    void tell(const track_requested& x) { say("asked for track " + text(x.track)); }
    void tell(const subscribe_requested& x) { say(requested(x.track, x.options)); }
    void tell(const subscribe_updated& x) { say(updated(x.options)); }
    void tell(const groups_wanted& x) { say(wanted(x.up_to)); }
    void tell(const fetch_requested& x) { say(fetched(x.track, x.sequence, x.priority, x.frames)); }
    void tell(const path_reported& x) { say(report(x.bitrate, x.rtt)); }
    void tell(const bitrate_wanted&) {} // The vectors say nothing of it.
    void tell(const probe_ended&) { say("probe ended"); }
    void tell(const announcements_cut_off& x) { say("announcements cut off below '" + std::string{x.prefix} + "'"); }
    void tell(const goaway_received& x) { say("go away to '" + std::string{x.uri} + "'"); }
    void tell(const request_ended&) { say("request ended"); }
    void tell(const stream_rejected& x) { say("rejected " + std::string{to_string(x.why)}); }
    void tell(const session_closed& x) { say("closed " + std::string{to_string(x.why)}); }
    template <class Other>
    void tell(const Other&) {}

public:
    // The text, also of expectations.

    /// Versions without hop ids only count them.
    static std::string available(version v, std::string_view path, const std::vector<hop_id>& hops) {
        std::string out = "available " + std::string{path} + " by";
        if (!has_hop_ids(v)) return out + " " + std::to_string(hops.size());
        for (auto hop : hops) out += " " + std::to_string(number(hop));
        return out;
    }
    static std::string info(const track_info& x) {
        return "info priority " + std::to_string(x.priority) + (x.ordered ? " ordered" : "") + " latency " +
               std::to_string(x.max_age.count()) + " timescale " + std::to_string(x.timescale);
    }
    static std::string dropped(group_sequence first, group_sequence last, app_error code) {
        return "dropped " + std::to_string(number(first)) + " to " + std::to_string(number(last)) + " code " +
               std::to_string(static_cast<std::uint64_t>(code));
    }
    static std::string requested(const track_ref& track, const subscribe_options& o) {
        return "asked for " + text(track) + std::string{test::detail::line{""} << o};
    }
    static std::string updated(const subscribe_options& o) {
        return "updated" + std::string{test::detail::line{""} << o};
    }
    static std::string fetched(const track_ref& track, group_sequence g, priority p, const frame_range& frames) {
        return "asked for group " + std::to_string(number(g)) + " of " + text(track) + " priority " +
               std::to_string(p) + std::string{test::detail::line{""} << frames};
    }
    static std::string report(std::optional<std::uint64_t> bitrate, std::optional<std::chrono::milliseconds> rtt) {
        return "path bitrate " + (bitrate ? std::to_string(*bitrate) : "unknown") + " rtt " +
               (rtt ? std::to_string(rtt->count()) : "unknown");
    }
    static std::string wanted(std::optional<group_sequence> to) {
        return to ? "wanted to " + std::to_string(number(*to)) : "all wanted";
    }
    static std::string frame(version v, std::uint64_t n, const lite::frame& f) {
        return "frame " + std::to_string(n) + times(v, f.time) + ": " + to_hex(f.payload);
    }

private:
    version version_;
    heard heard_;
    std::optional<frame_data> frame_;
    std::vector<std::byte> bytes_;
    bool accepted_ = false;
};

} // namespace moqlite::test::vectors

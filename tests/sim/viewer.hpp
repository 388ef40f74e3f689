// An application that subscribes to a clip and checks every byte of it.
#pragma once

#include "clip.hpp"
#include "endpoint.hpp"

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

namespace moqlite::sim {

template <class Session = moqlite::session>
class viewer {
public:
    viewer(endpoint<Session>& e, clip c) : at(e), clip_(std::move(c)) {
        at.on([this](const event& what) { std::visit([this](const auto& x) { this->on(x); }, what); });
    }

    /// Without a Max Age no group is too old, however slow the link is.
    void subscribe(const subscribe_options& o = {}) {
        asked = patient(o);
        id = at->subscribe({clip_.broadcast, clip_.track}, asked).value();
        ended.reset();
    }
    void update(const subscribe_options& o) {
        const auto start = o.start ? o.start : asked.start;
        must(at->update(*id, changes_to(patient(o))).has_value(), "a subscription can be updated");
        asked = patient(o);
        asked.start = start;
    }
    void unsubscribe() { at.unsubscribe(*std::exchange(id, std::nullopt)); }

    /// Returns no credit, until resume().
    void pause() { paused_ = true; }
    void resume() {
        paused_ = false;
        for (const auto& [g, held] : std::exchange(unreleased_, {})) static_cast<void>(at->release(g, held));
    }

    /// All groups from `first` up to, but not including, `end` have arrived whole.
    [[nodiscard]] bool has_all(group_sequence first, group_sequence end) const {
        for (auto s = first; s < end; s = next(s))
            if (!complete.contains(s)) return false;
        return true;
    }
    /// Every group from `first` up to `end` has arrived or was announced as dropped.
    [[nodiscard]] bool knows_all(group_sequence first, group_sequence end) const {
        for (auto s = first; s < end; s = next(s)) {
            const bool said =
                std::any_of(dropped.begin(), dropped.end(), [&](const auto& d) { return d.first <= s && s <= d.last; });
            if (!complete.contains(s) && !cut.contains(s) && !said) return false;
        }
        return true;
    }

    /// False: the publisher's version has no timestamps; the relay's must not decrease.
    bool own_times = true;
    endpoint<Session>& at;
    std::optional<subscribe_id> id;
    subscribe_options asked;
    std::set<group_sequence> opened;
    std::set<group_sequence> complete;
    std::map<group_sequence, app_error> cut;
    std::vector<groups_dropped> dropped;
    std::optional<group_sequence> accepted;
    std::optional<group_sequence> end_known;
    std::optional<subscription_ended> ended;
    std::uint64_t bytes = 0;
    std::function<void(const group_closed&)> on_closed;
    std::function<void(const group_opened&)> on_opened;
    std::function<void(const frame_data&)> on_data;

private:
    [[nodiscard]] static subscribe_options patient(subscribe_options o) noexcept {
        if (o.max_age == milliseconds{0}) o.max_age = 24h - 1ms;
        return o;
    }
    [[nodiscard]] bool mine(subscribe_id s) const noexcept { return id && *id == s; }

    void on(const subscription_accepted& e) {
        if (mine(e.subscription)) accepted = e.start;
    }
    void on(const subscription_end_known& e) {
        if (mine(e.subscription)) end_known = e.end;
    }
    void on(const groups_dropped& e) {
        if (mine(e.subscription)) dropped.push_back(e);
    }
    void on(const subscription_ended& e) {
        if (mine(e.subscription)) ended = e;
    }
    void on(const group_opened& e) {
        if (!mine(e.subscription)) return;
        must(clip_.has(e.sequence), "no group that was not published");
        must(!complete.contains(e.sequence), "no group comes twice");
        must(!asked.end || e.sequence <= *asked.end, "no group beyond what was asked for");
        must(!end_known || e.sequence < *end_known, "no group after the end of the track");
        opened.insert(e.sequence);
        const auto wanted = frames_wanted(asked, e.sequence);
        must(e.first == wanted.first, "a group begins with the frame that was asked for");
        frames_[e.group] = number(e.first);
        if (on_opened) on_opened(e);
    }
    void on(const frame_data& e) {
        if (!mine(e.subscription)) return;
        must(e.size == clip_.size_of(e.sequence, number(e.object)), "a frame has the size that was published");
        must(
            clip_.matches(e.sequence, number(e.object), e.offset, e.data), "every byte is the byte that was published");
        auto& before = times_[e.group];
        must(own_times || e.time >= before, "made times do not decrease in a group");
        before = e.time;
        if (has_timestamps(at->features().frames) && own_times)
            must(e.time == clip_.time_of(e.sequence, number(e.object)), "a frame has the time that was published");
        bytes += e.data.size();
        if (e.offset + e.data.size() == e.size) ++frames_[e.group];
        if (asked.end) {
            if (paused_)
                unreleased_[e.group] += e.data.size();
            else
                must(
                    at->release(e.group, e.data.size()).has_value() || e.data.empty(), "what was lent can be released");
        }
        if (on_data) on_data(e);
    }
    void on(const group_closed& e) {
        if (!mine(e.subscription)) return;
        if (e.complete) {
            const auto last = frames_wanted(asked, e.sequence).last;
            const auto all = clip_.frames_of(e.sequence);
            must(frames_[e.group] == (last ? std::min(all, number(*last) + 1) : all),
                "a complete group has every frame that was asked for");
            complete.insert(e.sequence);
        } else {
            cut[e.sequence] = e.code;
        }
        frames_.erase(e.group);
        times_.erase(e.group);
        unreleased_.erase(e.group);
        if (on_closed) on_closed(e);
    }
    template <class Other>
    void on(const Other&) {}

    clip clip_;
    bool paused_ = false;
    std::map<group_id, std::uint64_t> frames_;
    std::map<group_id, timestamp> times_;
    std::map<group_id, std::uint64_t> unreleased_;
};

} // namespace moqlite::sim

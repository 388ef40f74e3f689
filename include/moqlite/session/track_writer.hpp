// Writes one track, frame by frame, for every subscriber of a session: completely, or live.
#pragma once

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <map>
#include <memory>
#include <moqlite/containers/node_map.hpp>
#include <moqlite/core/limits.hpp>
#include <moqlite/core/result.hpp>
#include <moqlite/core/time.hpp>
#include <moqlite/session/event.hpp>
#include <moqlite/session/group.hpp>
#include <moqlite/session/writing.hpp>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace moqlite {

struct track_writer_options {
    writing mode = writing::live;
    std::uint64_t group_frames = 64;        ///< Frames per group; the last group may have fewer.
    std::size_t hold_max = 8 * 1024 * 1024; ///< Bytes of groups held for subscribers.
    /// has_room() is false while one subscriber has this many unsent bytes ...
    std::size_t unsent_max = 4 * 1024 * 1024;
    std::size_t groups_max = 128;           ///< ... or this many unacknowledged groups.
    duration patience = limits{}.hold_back; ///< With subscribers that stay at their Group Ends.
    track_info info{};                      ///< The answer to TRACK.
};

/// Works on a session, or any type with its commands: pass it every event, and write frames. It divides them into
/// groups, serves every subscriber the groups that it wants, and answers TRACK, and FETCH of groups that it still
/// holds. Its owner announces the broadcast. The counterpart of track_reader.
template <class Session>
class track_writer {
public:
    /// `memory` must outlive the writer and the sessions; it bounds the group being written.
    track_writer(Session& on, const track_ref& track, slab_pool& memory, const track_writer_options& options)
        : session_(&on),
          broadcast_(track.broadcast),
          track_(track.track),
          pool_(memory),
          options_(options),
          format_(on.features().frames),
          passes_on_(on.features().passes_on),
          memory_of_held_(options.groups_max) {}

    /// Handles an event; false: it does not concern this track.
    bool handle(const event& e) {
        return std::visit([this](const auto& what) { return this->on(what); }, e);
    }

    // Writing.

    /// There is a subscriber.
    [[nodiscard]] bool has_subscribers() const noexcept { return !subscribers_.empty(); }
    /// The next frame is wanted, and every subscriber has little enough in flight. If false, a groups_wanted,
    /// group_delivered, group_lost or request_ended, the next pump, or the deadline() makes it true.
    ///
    /// The subscriber with the furthest Group End decides for all that have one: those behind are served what is held.
    /// It holds back subscribers without one, too, but where it stays there they wait no longer than `patience`; then
    /// it counts again only once its Group End is where the others are.
    [[nodiscard]] bool has_room(time_point now);
    /// When has_room() becomes true by itself.
    [[nodiscard]] std::optional<time_point> deadline() const noexcept {
        return held_back_since_ ? std::optional{*held_back_since_ + options_.patience} : std::nullopt;
    }
    /// Precondition: !ended(). When memory runs out, the frame and the rest of its group are dropped.
    void write(timestamp, byte_view frame);
    /// Instead of write(): begins the next group, or group `at`, which the caller fills and finishes; it serves it
    /// until then, and keeps it for later subscribers while it is the newest. Null: there is no memory for it.
    group_ref open_group(std::optional<group_sequence> at = {});
    /// Such a group has grown; `hold_max` may abort it.
    void grown() {
        if (current_ && current_->memory() > options_.hold_max) trim();
    }
    /// No frame follows; each subscription ends once everything served to it has arrived.
    void end();
    [[nodiscard]] bool ended() const noexcept { return ended_; }

    // One session may replace another, whose subscribers then resume where they were.

    /// Also holds delivered groups, within `hold_max`: subscribers may ask for them again.
    void keep_recent() noexcept { keeps_recent_ = true; }
    /// All subscribers have left with their session, which is not used again.
    void detach();
    void attach(Session& to) noexcept { session_ = &to; }
    [[nodiscard]] bool attached() const noexcept { return session_ != nullptr; }

    // Facts.

    /// Groups begun so far.
    [[nodiscard]] std::uint64_t groups() const noexcept { return number(next_); }
    /// Groups that no subscriber has received.
    [[nodiscard]] std::uint64_t undelivered() const noexcept { return begun_ - *delivered_; }
    /// The next group to serve to a subscriber; nullopt: there is no such subscriber.
    [[nodiscard]] std::optional<group_sequence> next_for(request_id) const;
    /// A group that is held from its beginning; null: it is gone, or never existed.
    [[nodiscard]] group_ref find(group_sequence) const;

private:
    struct subscriber {
        std::optional<group_sequence> up_to;
        group_sequence next{};
        std::vector<group_sequence> in_flight; ///< In order.
        bool finished = false;
    };
    struct held_group {
        group_ref group;       ///< Null: there was no memory for it.
        group_pin pin;         ///< Empty: it can no longer be served from its beginning.
        std::size_t bytes = 0; ///< Its memory, once another has begun.
        unsigned served = 0;
        bool passed_on = false; ///< Served to subscribers that the session does not know.
        [[nodiscard]] bool may_be_received() const noexcept { return served != 0 || passed_on; }
    };

    [[nodiscard]] bool is_ours(const track_ref& t) const { return t.broadcast == broadcast_ && t.track == track_; }

    bool on(const subscribe_requested&);
    bool on(const track_requested& e) {
        return is_ours(e.track) && (static_cast<void>(session_->answer_track(e.request, options_.info)), true);
    }
    bool on(const fetch_requested&);
    bool on(const groups_wanted&);
    bool on(const group_delivered& e) { return settle(e.request, e.sequence, true); }
    bool on(const group_lost& e) { return settle(e.request, e.sequence, false); }
    bool on(const request_ended&);
    template <class Other>
    bool on(const Other&) {
        return false;
    }

    void begin_group();
    void close_group();
    void abandon_group();
    [[nodiscard]] group_sequence first_for(const subscribe_options& wanted) const;
    [[nodiscard]] group_sequence first_by_age(const subscribe_options& wanted) const;
    void feed(request_id, subscriber&);
    void feed_all();
    void report_gap(request_id, subscriber&, group_sequence up_to);
    bool settle(request_id, group_sequence, bool delivered);
    void let_go(held_group&) noexcept;
    void release_received();
    void unserve(const subscriber&);
    [[nodiscard]] bool is_needed(group_sequence, const held_group&) const;
    void trim();

    Session* session_; ///< Null between two sessions, when there are no subscribers.
    std::string broadcast_, track_;
    slab_pool& pool_;
    track_writer_options options_;
    frame_format format_;    ///< Of the first session, in which all groups are held.
    bool passes_on_ = false; ///< What the session calls delivered is not received by a subscriber yet.
    std::map<request_id, subscriber> subscribers_;
    detail::spare_memory memory_of_held_;
    detail::node_map<group_sequence, held_group> held_{memory_of_held_}; ///< Groups that are pinned or in flight.
    group_ref current_;
    std::uint64_t frames_in_group_ = 0;
    group_sequence next_{};      ///< Sequence of the group after the current one.
    std::size_t held_bytes_ = 0; ///< The bytes of all that are held.
    std::uint64_t begun_ = 0;    ///< Groups.
    std::shared_ptr<std::uint64_t> delivered_ = std::make_shared<std::uint64_t>(0); ///< Groups.
    std::optional<time_point> held_back_since_;                                     ///< By the furthest Group End.
    bool skipping_ = false; ///< The current group was abandoned; its frames are discarded.
    bool ended_ = false;
    bool keeps_recent_ = false;
};

template <class Session>
bool track_writer<Session>::on(const subscribe_requested& e) {
    if (!is_ours(e.track)) return false;
    const auto start = std::max(session_->features().start_by_age ? first_by_age(e.options) : first_for(e.options),
        e.options.start.value_or(group_sequence{}));
    if (!session_->accept(e.request, start)) return true;
    static_cast<void>(session_->set_timescale(e.request, options_.info.timescale));
    auto& s = subscribers_[e.request];
    s.up_to = e.options.end;
    s.next = start;
    feed(e.request, s);
    trim();
    return true;
}

/// The newest group that is held, or an older one if requested.
template <class Session>
group_sequence track_writer<Session>::first_for(const subscribe_options& wanted) const {
    auto start = next_;
    for (const auto& [sequence, g] : held_) {
        if (!g.pin) continue;
        start = sequence;
        if (wanted.start && sequence >= *wanted.start) break;
    }
    return start;
}

/// The oldest group that is held and no older than Max Age, but not before the Group Start.
template <class Session>
group_sequence track_writer<Session>::first_by_age(const subscribe_options& wanted) const {
    auto start = next_;
    const group* newest = nullptr;
    const group* after = nullptr;
    for (auto it = held_.rbegin(); it != held_.rend() && it->first >= wanted.start.value_or(group_sequence{}); ++it) {
        if (!it->second.pin) continue;
        const group& g = *it->second.pin.get();
        if (after != nullptr && wanted.max_age < complete_age) {
            const auto begun = number(after->frames() != 0 ? after->first_time() : newest->last_time());
            const auto last = std::max(number(newest->last_time()), begun);
            if (wanted.max_age == milliseconds{0} || media_time(last - begun, options_.info.timescale) > wanted.max_age)
                break;
        }
        if (newest == nullptr || newest->frames() == 0) newest = &g;
        after = &g;
        start = it->first;
    }
    return start;
}

template <class Session>
bool track_writer<Session>::on(const fetch_requested& e) {
    if (!is_ours(e.track)) return false;
    const auto g = find(e.sequence);
    if (!g || !session_->serve(e.request, g)) static_cast<void>(session_->reject(e.request, app_error::not_found));
    return true;
}

template <class Session>
bool track_writer<Session>::on(const groups_wanted& e) {
    const auto found = subscribers_.find(e.request);
    if (found == subscribers_.end()) return false;
    found->second.up_to = e.up_to;
    feed(e.request, found->second);
    trim();
    return true;
}

template <class Session>
bool track_writer<Session>::on(const request_ended& e) {
    const auto found = subscribers_.find(e.request);
    if (found == subscribers_.end()) return false;
    unserve(found->second);
    subscribers_.erase(found);
    trim();
    return true;
}

template <class Session>
bool track_writer<Session>::settle(request_id request, group_sequence sequence, bool delivered) {
    const auto found = subscribers_.find(request);
    if (found == subscribers_.end()) return false;
    auto& in_flight = found->second.in_flight;
    const auto here = std::lower_bound(in_flight.begin(), in_flight.end(), sequence);
    if (here == in_flight.end() || *here != sequence) return false;
    in_flight.erase(here);
    auto& g = held_.at(sequence);
    --g.served;
    if (delivered && passes_on_) return g.passed_on = true; // Still needed: begin_group() looks.
    if (delivered) g.group->note_delivered();
    trim();
    return true;
}

template <class Session>
void track_writer<Session>::unserve(const subscriber& s) {
    for (const auto sequence : s.in_flight) --held_.at(sequence).served;
}

template <class Session>
void track_writer<Session>::detach() {
    for (const auto& [request, s] : subscribers_) unserve(s);
    subscribers_.clear();
    session_ = nullptr;
}

template <class Session>
bool track_writer<Session>::has_room(time_point now) {
    const bool opens_group = !skipping_ && (!current_ || current_->ended() != group::state::open);
    std::optional<group_sequence> furthest;
    bool others = false; // Subscribers without a Group End.
    for (const auto& [request, s] : subscribers_) {
        if (opens_group && s.in_flight.size() >= options_.groups_max) return false;
        if (session_->unsent(request) >= options_.unsent_max) return false;
        others = others || !s.up_to;
        if (s.up_to) furthest = std::max(furthest.value_or(*s.up_to), *s.up_to);
    }
    const auto newest = opens_group ? next_ : group_sequence{number(next_) - 1};
    const bool held_back = furthest && *furthest < newest;
    if (!held_back || !others) {
        held_back_since_.reset();
        return !held_back;
    }
    if (!held_back_since_) held_back_since_ = now;
    return now - *held_back_since_ >= options_.patience;
}

template <class Session>
void track_writer<Session>::write(timestamp time, byte_view frame) {
    if (!current_ && !skipping_) begin_group();
    if (current_ && !current_->write_frame(time, frame)) abandon_group();
    grown();
    if (++frames_in_group_ == options_.group_frames) close_group();
}

template <class Session>
void track_writer<Session>::end() {
    if (frames_in_group_ != 0) close_group();
    ended_ = true;
    for (auto& [request, s] : subscribers_) static_cast<void>(session_->end_track(request, next_));
    feed_all();
}

template <class Session>
group_ref track_writer<Session>::open_group(std::optional<group_sequence> at) {
    if (frames_in_group_ != 0) close_group();
    next_ = std::max(next_, at.value_or(next_));
    begin_group();
    skipping_ = false;
    return current_;
}

template <class Session>
void track_writer<Session>::begin_group() {
    current_ = group::make(pool_, next_, format_);
    auto& g = held_[next_];
    next_ = next(next_);
    ++begun_;
    skipping_ = !current_;
    if (skipping_) return;
    current_->count_delivery(delivered_);
    g.group = current_;
    g.pin = group_pin{current_};
    feed_all();
    if (!passes_on_) return trim();
    if (auto before = std::prev(held_.end()); before != held_.begin() && (--before)->second.pin)
        held_bytes_ += before->second.bytes = before->second.group->memory();
    release_received();
    if (held_bytes_ > options_.hold_max) trim();
}

template <class Session>
void track_writer<Session>::close_group() {
    if (current_) static_cast<void>(current_->finish());
    current_ = {};
    skipping_ = false;
    frames_in_group_ = 0;
    trim();
}

/// There is no memory for the rest of it, or no subscriber.
template <class Session>
void track_writer<Session>::abandon_group() {
    current_->abort(app_error::dropped);
    let_go(held_.at(current_->sequence()));
    current_ = {};
    skipping_ = true;
}

template <class Session>
void track_writer<Session>::report_gap(request_id request, subscriber& s, group_sequence up_to) {
    if (s.next < up_to)
        static_cast<void>(session_->drop(request, s.next, group_sequence{number(up_to) - 1}, app_error::dropped));
    s.next = std::max(s.next, up_to);
}

template <class Session>
void track_writer<Session>::feed(request_id request, subscriber& s) {
    for (auto it = held_.lower_bound(s.next); it != held_.end(); ++it) {
        auto& [sequence, g] = *it;
        if (s.up_to && sequence > *s.up_to) return;
        if (!g.pin || !session_->serve(request, g.pin.get())) continue;
        ++g.served;
        s.in_flight.push_back(sequence);
        report_gap(request, s, sequence);
        s.next = next(sequence);
    }
    if (!ended_ || s.finished) return;
    report_gap(request, s, next_);
    s.finished = true;
    static_cast<void>(session_->end_track(request, next_)); // Already sent, unless it has just subscribed.
    static_cast<void>(session_->finish(request));
}

template <class Session>
void track_writer<Session>::feed_all() {
    for (auto& [request, s] : subscribers_) feed(request, s);
}

/// Whether a subscriber will or may be served from it.
template <class Session>
bool track_writer<Session>::is_needed(group_sequence sequence, const held_group& g) const {
    if (keeps_recent_) return true;
    const bool is_missed = g.group && !g.group->is_delivered() && (g.may_be_received() || subscribers_.empty());
    if (options_.mode == writing::complete && is_missed) return true;
    return std::any_of(
        subscribers_.begin(), subscribers_.end(), [&](const auto& entry) { return entry.second.next <= sequence; });
}

template <class Session>
void track_writer<Session>::let_go(held_group& g) noexcept {
    held_bytes_ -= std::exchange(g.bytes, 0);
    g.pin.release();
}

/// The same as trim(), as long as the oldest one is not needed: with many in flight, not all are looked at for each.
template <class Session>
void track_writer<Session>::release_received() {
    while (!held_.empty()) {
        auto& [sequence, g] = *held_.begin();
        if (next(sequence) == next_ || (g.pin && is_needed(sequence, g))) return;
        let_go(g);
        if (g.served != 0) return;
        held_.erase(held_.begin());
    }
}

template <class Session>
void track_writer<Session>::trim() {
    std::size_t bytes = 0;
    for (auto it = held_.rbegin(); it != held_.rend(); ++it) {
        auto& [sequence, g] = *it;
        if (!g.pin) continue;
        bytes += g.pin.get()->memory();
        const bool newest = next(sequence) == next_;
        if (bytes <= options_.hold_max && (newest || is_needed(sequence, g))) continue;
        let_go(g);
        if (current_ && newest && g.served == 0) abandon_group();
    }
    std::erase_if(held_, [&](const auto& entry) {
        const auto& [sequence, g] = entry;
        return !g.pin && g.served == 0 && !(current_ && current_->sequence() == sequence);
    });
}

template <class Session>
std::optional<group_sequence> track_writer<Session>::next_for(request_id request) const {
    const auto found = subscribers_.find(request);
    return found != subscribers_.end() ? std::optional{found->second.next} : std::nullopt;
}

template <class Session>
group_ref track_writer<Session>::find(group_sequence sequence) const {
    const auto found = held_.find(sequence);
    return found != held_.end() && found->second.pin ? found->second.pin.get() : group_ref{};
}

} // namespace moqlite

#include "outbox.hpp"

#include "text.hpp"

#include <algorithm>
#include <spdlog/spdlog.h>

namespace moqlite::programs {

void outbox::subscribe(const subscribe_requested& e) {
    // The newest group that is there, or an older one that is asked for.
    auto start = next_;
    for (const auto& [sequence, kept] : items_) {
        if (!kept.pin) continue;
        start = sequence;
        if (e.options.start && sequence >= *e.options.start) break;
    }
    if (e.options.start) start = std::max(start, *e.options.start);
    if (!session_->accept(e.request, start)) return;
    auto& s = subscribers_[e.request];
    s.up_to = e.options.end;
    s.next = start;
    spdlog::info("a subscriber came and starts at group {}", number(start));
    feed(e.request, s);
    trim();
}

void outbox::wanted(const groups_wanted& e) {
    const auto found = subscribers_.find(e.request);
    if (found == subscribers_.end()) return;
    found->second.up_to = e.up_to;
    feed(e.request, found->second);
    trim();
}

void outbox::delivered(const group_delivered& e) { settle(e.request, e.sequence, true); }

void outbox::lost(const group_lost& e) {
    spdlog::debug("group {} was not delivered: {}", number(e.sequence), to_text(e.code));
    settle(e.request, e.sequence, false);
}

void outbox::left(const request_ended& e) {
    const auto found = subscribers_.find(e.request);
    if (found == subscribers_.end()) return;
    const auto on_the_way = std::move(found->second.on_the_way);
    subscribers_.erase(found);
    for (const auto sequence : on_the_way) --items_.at(sequence).served;
    spdlog::info("a subscriber {}", e.delivered ? "has everything" : "left");
    trim();
}

void outbox::detach() {
    for (const auto& [request, s] : subscribers_)
        for (const auto sequence : s.on_the_way) --items_.at(sequence).served;
    subscribers_.clear();
    session_ = nullptr;
}

void outbox::settle(request_id request, group_sequence sequence, bool taken) {
    const auto found = subscribers_.find(request);
    if (found == subscribers_.end() || found->second.on_the_way.erase(sequence) == 0) return;
    auto& it = items_.at(sequence);
    --it.served;
    it.taken = it.taken || taken;
    trim();
}

group_ref outbox::find(group_sequence sequence) const {
    const auto found = items_.find(sequence);
    return found != items_.end() && found->second.pin ? found->second.pin.get() : group_ref{};
}

bool outbox::has_room() {
    const bool opens_group = !current_ && !skipping_;
    return std::all_of(subscribers_.begin(), subscribers_.end(), [&](const auto& entry) {
        const auto& [request, s] = entry;
        const auto newest = opens_group ? next_ : group_sequence{number(next_) - 1};
        if (s.up_to && newest > *s.up_to) return false;
        if (opens_group && s.on_the_way.size() >= groups_most) return false;
        return session_->unsent(request) < unsent_most;
    });
}

void outbox::write(timestamp time, byte_view frame) {
    if (!current_ && !skipping_) open_group();
    if (current_ && !current_->write_frame(time, frame)) give_up_group();
    if (current_ && current_->memory() > options_.hold_most) trim();
    if (++frames_in_group_ == options_.group_frames) close_group();
}

void outbox::open_group() {
    current_ = group::make(pool_, next_, dialect_);
    auto& it = items_[next_];
    next_ = next(next_);
    skipping_ = !current_;
    if (skipping_) return;
    it.pin = group_pin{current_};
    feed_all();
    trim();
}

void outbox::close_group() {
    if (current_) static_cast<void>(current_->finish());
    current_ = {};
    skipping_ = false;
    frames_in_group_ = 0;
    trim();
}

/// There is no memory for the rest of it, or nobody to take it.
void outbox::give_up_group() {
    current_->abort(app_error::dropped);
    items_.at(current_->sequence()).pin.release();
    current_ = {};
    skipping_ = true;
}

void outbox::end() {
    if (frames_in_group_ != 0) close_group();
    ended_ = true;
    for (auto& [request, s] : subscribers_) static_cast<void>(session_->end_track(request, next_));
    feed_all();
}

void outbox::feed(request_id request, subscriber& s) {
    const auto say_gap = [&](group_sequence upto) {
        if (s.next < upto)
            static_cast<void>(session_->drop(request, s.next, group_sequence{number(upto) - 1}, app_error::dropped));
        s.next = std::max(s.next, upto);
    };
    for (auto it = items_.lower_bound(s.next); it != items_.end(); ++it) {
        auto& [sequence, kept] = *it;
        if (s.up_to && sequence > *s.up_to) return;
        if (!kept.pin || !session_->serve(request, kept.pin.get())) continue;
        ++kept.served;
        s.on_the_way.insert(sequence);
        say_gap(sequence);
        s.next = next(sequence);
    }
    if (!ended_ || s.finished) return;
    say_gap(next_);
    s.finished = true;
    static_cast<void>(session_->end_track(request, next_)); // Known already, unless it has just come.
    static_cast<void>(session_->finish(request));
}

void outbox::feed_all() {
    for (auto& [request, s] : subscribers_) feed(request, s);
}

/// Somebody will be served from it, or may be.
bool outbox::is_needed(group_sequence sequence, const item& it) const {
    if (keeps_recent_) return true;
    if (options_.keep_until_taken && !it.taken && (it.served != 0 || subscribers_.empty())) return true;
    return std::any_of(
        subscribers_.begin(), subscribers_.end(), [&](const auto& entry) { return entry.second.next <= sequence; });
}

void outbox::trim() {
    std::size_t held = 0;
    for (auto it = items_.rbegin(); it != items_.rend(); ++it) {
        auto& [sequence, kept] = *it;
        if (!kept.pin) continue;
        held += kept.pin.get()->memory();
        const bool newest = next(sequence) == next_;
        if (held <= options_.hold_most && (newest || is_needed(sequence, kept))) continue;
        kept.pin.release();
        if (current_ && newest && kept.served == 0) give_up_group();
    }
    std::erase_if(items_, [&](const auto& entry) {
        const auto& [sequence, kept] = entry;
        if (kept.pin || kept.served != 0 || (current_ && current_->sequence() == sequence)) return false;
        untaken_ += kept.taken ? 0 : 1;
        return true;
    });
}

std::uint64_t outbox::untaken() const noexcept {
    const auto waiting =
        std::count_if(items_.begin(), items_.end(), [](const auto& entry) { return !entry.second.taken; });
    return untaken_ + static_cast<std::uint64_t>(waiting);
}

} // namespace moqlite::programs

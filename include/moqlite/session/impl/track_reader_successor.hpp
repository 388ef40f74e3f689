// Successors of a subscription that was cut off: of another publisher, or of the same by another way.
#pragma once

#include <moqlite/session/track_reader.hpp>

namespace moqlite {

/// Lent groups that nobody ends any more, though their log may go on, are cut off with their subscription.
template <class Session>
void track_reader<Session>::cut_groups(app_error code) {
    for (auto at = groups_.begin(); at != groups_.end();) {
        const auto here = at++;
        if (here->second.is_shared && !here->second.complete) moving_ ? suspend(here) : drop(here, code);
    }
}

template <class Session>
void track_reader<Session>::cut_off(app_error code) {
    // A publisher that never answered has refused, unless another has replaced it since.
    const bool was_there = answered_ || announced_again_;
    if (options_.follow <= duration{} || failed_ || (!was_there && !cut_)) {
        failed_ = code;
        return;
    }
    if (!cut_ || was_there) follow_until_ = now_ + options_.follow;
    if (!cut_) cut_ = code;
    // At once, but with a delay for a peer that keeps cutting off what it has accepted.
    retry_at_ = std::max(now_, retry_at_ + retry_delay);
    watch_gap();
    resubscribe();
}

/// Subscribes to the successor, once it is announced and everything from its predecessor has been read: in order, if
/// the rest is to come again.
template <class Session>
void track_reader<Session>::resubscribe() {
    if (!awaits_successor() || !is_announced() || now_ < retry_at_) return;
    const bool goes_on = moving_ && next_;
    if (!groups_.empty() && (!goes_on || groups_.contains(*next_))) return;
    stopped_at_ = position();
    next_.reset(), reading_.reset(), cap_.reset(), end_.reset(), gap_until_.reset();
    resume_ = goes_on ? stopped_at_ : std::nullopt;
    if (goes_on) {
        next_ = resume_->sequence;
        for (auto at = groups_.begin(); at != groups_.end();) suspend(at++);
    } else {
        losses_.clear();
        ++restarts_;
    }
    retry_at_ = now_;
    if (!subscribe()) failed_ = std::exchange(cut_, std::nullopt);
}

/// Lets go of a group that will come again.
template <class Session>
void track_reader<Session>::suspend(typename std::map<group_sequence, arriving>::iterator at) {
    if (!at->second.complete) static_cast<void>(session_.stop(at->second.id, app_error::cancel));
    if (!stopped_at_ && next_ == at->first) stopped_at_ = position();
    held_ -= at->second.held;
    groups_.erase(at);
}

/// Another publisher than before, reached after a move, numbers its groups differently. One without a hop id may
/// be any, also where a relay has put an id of its own in front.
template <class Session>
void track_reader<Session>::note_origin(std::span<const hop_id> hops) {
    const bool is_known = !hops.empty() && (hops.size() == 1 || hops[1] != hop_id{});
    const auto before = std::exchange(origin_, is_known ? hops.front() : hop_id{});
    if (before != hop_id{} && origin_ != hop_id{} && before != origin_) moving_ = false;
}

/// The rest of a group that was suspended is not wanted.
template <class Session>
void track_reader<Session>::pass_awaited() {
    next_ = moqlite::next(*next_);
    resume_.reset();
    stopped_at_.reset();
    raise_cap();
}

} // namespace moqlite

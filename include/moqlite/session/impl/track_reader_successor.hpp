// Times of a subscription, and successors of one that was cut off: of another publisher, or of the same by another way.
#pragma once

#include <moqlite/session/track_reader.hpp>

namespace moqlite {

template <class Session>
void track_reader<Session>::tick(time_point now) {
    now_ = now;
    if (gap_until_ && now >= *gap_until_) {
        gap_until_.reset();
        if (next_) skip_to_first(options_.mode == reading::live);
        watch_gap();
    }
    if (end_at_ && now >= *end_at_) {
        end_at_.reset();
        leave();
        ended_ = true;
        watch_gap();
    }
    if (answer_by_ && now >= *answer_by_) {
        leave();
        cut_.reset();
        failed_ = app_error::timeout;
    }
    resubscribe();
    if (awaits_successor() && now >= follow_limit()) failed_ = std::exchange(cut_, std::nullopt);
    limit_answer();
}

template <class Session>
std::optional<time_point> track_reader<Session>::reading_deadline() const noexcept {
    auto at = gap_until_.value_or(never);
    if (end_at_)
        at = std::min(at, *end_at_);
    else if (awaits_successor())
        at = std::min({at, follow_limit(), is_announced() && groups_.empty() ? retry_at_ : never});
    return at != never ? std::optional{at} : std::nullopt;
}

/// When a successor must have answered.
template <class Session>
time_point track_reader<Session>::follow_limit() const noexcept {
    return awaits_move_ ? never : follow_until_;
}

template <class Session>
void track_reader<Session>::await_move(duration longest) noexcept {
    expect_move();
    awaits_move_ = true;
    after_move_ = longest;
}

template <class Session>
void track_reader<Session>::end_move(time_point now) noexcept {
    awaits_move_ = false;
    now_ = now;
    if (cut_ && after_move_) follow_until_ = *after_move_ > duration{} ? now + *after_move_ : never;
}

/// Starts or clears the timer of a group that delays later ones.
template <class Session>
void track_reader<Session>::watch_gap() {
    if (!next_ || groups_.empty() || ended_ || awaits_successor()) return gap_until_.reset();
    const auto current = groups_.find(*next_);
    const bool live = options_.mode == reading::live;
    bool stuck = false;
    if (current == groups_.end())
        stuck = true;
    else
        stuck = live && groups_.size() > 1 && !current->second.complete && !current->second.cursor.next();
    if (!stuck) return gap_until_.reset();
    if (!gap_until_) gap_until_ = now_ + (live ? options_.patience : options_.gap_patience);
}

/// The time that the current subscription has for its answer.
template <class Session>
void track_reader<Session>::limit_answer() noexcept {
    if (!subscription_ || answered_ || options_.answer <= duration{}) return answer_by_.reset();
    if (!answer_by_) answer_by_ = now_ + options_.answer;
}

/// Unsubscribes.
template <class Session>
void track_reader<Session>::leave() {
    const auto left = std::exchange(subscription_, std::nullopt);
    answer_by_.reset();
    if constexpr (requires { session_.unsubscribe(*left); })
        if (left) static_cast<void>(session_.unsubscribe(*left));
}

template <class Session>
void track_reader<Session>::want_frame() {
    auto& g = groups_.at(*next_);
    const auto p = g.cursor.next();
    if (!p || !g.is_shared || p->size - p->offset <= g.ahead) return;
    const auto before = std::exchange(g.ahead, p->size - p->offset);
    if (!g.complete && options_.mode == reading::complete && capped())
        static_cast<void>(session_.release(g.id, g.ahead - before));
}

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
    const bool was_there = answered_ || announced_again_ || awaits_move_;
    if ((options_.follow <= duration{} && !after_move_) || failed_ || (!was_there && !cut_)) {
        failed_ = code;
        return;
    }
    const bool is_first = !cut_;
    if (is_first) cut_ = code;
    const auto wait = after_move_.value_or(options_.follow);
    if (is_first || was_there) follow_until_ = wait > duration{} ? now_ + wait : never;
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
        first_.reset();
        ++restarts_;
    }
    retry_at_ = now_;
    if (!subscribe()) failed_ = std::exchange(cut_, std::nullopt);
}

/// Lets go of a group that will come again.
template <class Session>
void track_reader<Session>::suspend(typename groups::iterator at) {
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

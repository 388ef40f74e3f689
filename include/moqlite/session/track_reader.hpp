// Reads one track in group and frame order: completely, or live, skipping late groups.
#pragma once

#include <algorithm>
#include <cstdint>
#include <moqlite/containers/node_map.hpp>
#include <moqlite/core/result.hpp>
#include <moqlite/session/detail/losses.hpp>
#include <moqlite/session/event.hpp>
#include <moqlite/session/frame_cursor.hpp>
#include <moqlite/session/group.hpp>
#include <moqlite/session/read_ahead.hpp>
#include <moqlite/session/reading.hpp>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <variant>

namespace moqlite {

/// Works on a session, or any type with its commands: pass it every event, and read pieces. A caller that reads none
/// stalls the publisher (complete), or loses the oldest groups (live).
template <class Session>
class track_reader {
public:
    struct piece : frame_cursor::piece {
        group_sequence sequence{};
    };

    track_reader(Session& s, track_reader_options options)
        : session_(s),
          options_(std::move(options)),
          pool_(3 * options_.bounds.read_ahead + spare_memory),
          ahead_(options_.bounds) {
        if (options_.start) resume_ = {*options_.start, options_.skip};
    }

    /// Subscribes. The names are copied.
    result<void> start(const track_ref& track) {
        broadcast_ = track.broadcast;
        track_ = track.track;
        next_ = options_.start;
        return subscribe();
    }

    /// Handles an event; ignores those of other subscriptions.
    void handle(const event& e, time_point now) {
        now_ = now;
        std::visit([this](const auto& what) { this->on(what); }, e);
        watch_gap();
        limit_answer();
    }

    /// The next piece to read; the same until consume(). Its view is valid until handle() or tick(). nullopt: nothing
    /// has arrived yet, or nothing will.
    [[nodiscard]] std::optional<piece> next() {
        while (next_group()) {
            if (const auto p = next_in_group()) return p;
            if (!at_group_end()) break;
            pass_group();
        }
        return std::nullopt;
    }

    // The same group by group: next_group(), then next_in_group() and consume() until at_group_end(), then
    // pass_group().

    /// The group to read next, or being read; nullopt: it has not begun to arrive, or nothing will.
    [[nodiscard]] std::optional<group_sequence> next_group() {
        while (next_) {
            const auto found = groups_.find(*next_);
            if (found == groups_.end()) {
                if (skip_known_gap()) continue;
                watch_gap(); // Later groups may be here, and no further event may start the clock.
                resubscribe();
                return std::nullopt;
            }
            const auto& code = found->second.cursor.evicted();
            if (!code) return next_;
            drop(found, *code);
        }
        return std::nullopt;
    }
    /// The next piece of that group.
    [[nodiscard]] std::optional<piece> next_in_group() {
        auto& g = groups_.at(*next_);
        auto p = g.cursor.next();
        for (; p && g.skip != 0; p = g.cursor.next()) skip_payload(g, p->data.size());
        if (!p) return std::nullopt;
        reading_ = next_;
        return piece{*p, *next_};
    }
    /// All of that group has been read.
    [[nodiscard]] bool at_group_end() { return groups_.at(*next_).complete && !groups_.at(*next_).cursor.next(); }
    /// Its log.
    [[nodiscard]] const group_ref& log() const { return groups_.at(*next_).log; }
    /// Goes on to the group after it. What has not been read of it is lost.
    void pass_group() {
        const auto found = groups_.find(*next_);
        if (found == groups_.end()) return pass_awaited();
        if (!at_group_end()) return drop(found, app_error::cancel);
        last_complete_ = *next_;
        ++groups_read_;
        groups_.erase(found);
        next_ = moqlite::next(*next_);
        raise_cap();
    }
    /// The frame of the piece that next_in_group() returned is here as a whole.
    [[nodiscard]] bool has_frame() const noexcept { return groups_.at(*next_).cursor.has_frame(); }

    /// The rest of that frame is wanted before any of it is consumed: it is released now, where the group is lent.
    void want_frame();

    /// The publisher is about to be reached another way, as by another session, and is the same: once the subscription
    /// is cut off, a complete reader goes on where it is, and not with the newest group.
    void expect_move() noexcept { moving_ = options_.mode == reading::complete; }
    /// The same, for both modes, and what is cut off does not fail before end_move(). From then on the successor has
    /// `longest` instead of `follow`; 0: for ever.
    void await_move(duration longest) noexcept;
    void end_move(time_point now) noexcept;
    /// The group being read was cut off by such a move, and its rest is yet to come.
    [[nodiscard]] bool awaits_rest(group_sequence s) const noexcept { return next_ == s && !groups_.contains(s); }

    /// The first `bytes` of the piece that next() returned have been consumed.
    void consume(std::size_t bytes) {
        const auto found = groups_.find(*reading_);
        if (found == groups_.end()) return; // It has been cut off since.
        stopped_at_.reset();
        use(found->second, bytes);
        watch_gap();
    }

    /// When to call tick(), which may make more pieces readable: read after it.
    [[nodiscard]] std::optional<time_point> deadline() const noexcept {
        const auto at = reading_deadline();
        return answer_by_ && (!at || *answer_by_ < *at) ? answer_by_ : at;
    }
    void tick(time_point now);

    /// Wanted groups that will not arrive, in the order in which that became known.
    [[nodiscard]] std::optional<lost_groups> poll_lost() { return losses_.poll(); }
    [[nodiscard]] std::optional<group_sequence> last_complete_group() const noexcept { return last_complete_; }
    /// The first group of the current subscription, as its publisher has reported it; nullopt: not yet.
    [[nodiscard]] std::optional<group_sequence> first_group() const noexcept { return first_; }
    [[nodiscard]] std::uint64_t groups_read() const noexcept { return groups_read_; }
    /// The track has ended and all of it has been read.
    [[nodiscard]] bool finished() const noexcept { return ended_ && groups_.empty(); }
    /// The subscription was refused or cut off.
    [[nodiscard]] std::optional<app_error> failed() const noexcept { return failed_; }
    /// The subscription was cut off, and no successor has answered yet.
    [[nodiscard]] bool following() const noexcept { return cut_.has_value(); }
    /// Number of successors subscribed to, each from its newest group.
    [[nodiscard]] std::uint64_t restarts() const noexcept { return restarts_; }
    /// The current subscription, whose events concern it; nullopt: there is none.
    [[nodiscard]] std::optional<subscribe_id> subscription() const noexcept { return subscription_; }
    /// The current subscription has been answered.
    [[nodiscard]] bool answered() const noexcept { return answered_; }
    /// The position to resume from over another session, by `start` and `skip`; nullopt: the start is not known. After
    /// a loss it is where the loss began, until more is consumed.
    [[nodiscard]] std::optional<track_position> position() const {
        if (stopped_at_ || !next_) return stopped_at_;
        const auto found = groups_.find(*next_);
        const auto before = resume_ && resume_->sequence == *next_ ? resume_->bytes : 0;
        return track_position{*next_, std::max(before, found != groups_.end() ? found->second.read : 0)};
    }
    /// Payload that has arrived and is not consumed yet, in bytes.
    [[nodiscard]] std::uint64_t held() const noexcept { return held_; }

private:
    struct arriving {
        arriving(group_id i, group_ref g, bool lent) noexcept : id(i), log(g), cursor(std::move(g)), is_shared(lent) {}
        group_id id;
        group_ref log;
        frame_cursor cursor;
        std::uint64_t size = 0;
        std::uint64_t held = 0; ///< Payload bytes not consumed yet.
        std::uint64_t read = 0;
        std::uint64_t skip = 0;  ///< Payload bytes still to skip.
        std::uint64_t ahead = 0; ///< Payload bytes that were released before they are consumed.
        bool is_shared;          ///< The publisher, in this process, writes the log.
        bool complete = false;
    };
    using groups = detail::node_map<group_sequence, arriving>;

    [[nodiscard]] bool is_ours(subscribe_id id) const noexcept { return subscription_ && *subscription_ == id; }
    [[nodiscard]] bool capped() const noexcept { return cap_.has_value(); }

    void use(arriving& g, std::size_t bytes) {
        g.cursor.consume(bytes);
        g.read += bytes;
        hold(g, g.is_shared ? g.cursor.unread() : g.held - bytes);
        const auto released = std::min<std::uint64_t>(g.ahead, bytes);
        g.ahead -= released;
        if (!g.complete && options_.mode == reading::complete && capped())
            static_cast<void>(session_.release(g.id, bytes - released));
    }
    void hold(arriving& g, std::uint64_t bytes) noexcept { held_ += bytes - std::exchange(g.held, bytes); }
    /// The group itself, where the session can lend it; else null.
    [[nodiscard]] group_ref lent(group_id id) noexcept {
        if constexpr (requires { session_.share(id); }) return session_.share(id);
        return {};
    }
    void skip_payload(arriving& g, std::size_t most) {
        const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(g.skip, most));
        g.skip -= n;
        use(g, n);
    }

    result<void> subscribe() {
        answered_ = announced_again_ = false;
        answer_by_.reset();
        requested_start_ = next_;
        requested_ = {.priority = options_.priority, .start = next_};
        if (options_.mode == reading::complete) {
            requested_.ordered = true;
            // Where Max Age decides about the start, only 0 means the newest group; raise_cap() corrects it.
            if (next_ || !session_.features().start_by_age) requested_.max_age = complete_age;
            if (next_) requested_.end = cap_ = last_wanted();
        } else {
            requested_.max_age = std::chrono::duration_cast<milliseconds>(options_.patience);
        }
        const auto id = session_.subscribe({broadcast_, track_}, requested_);
        if (!id) return id.error();
        subscription_ = *id;
        return {};
    }

    // Group End as credit.

    [[nodiscard]] group_sequence last_wanted() const noexcept {
        return group_sequence{number(*next_) + ahead_.distance() - 1};
    }
    void raise_cap() {
        if (options_.mode != reading::complete || !next_ || !subscription_) return;
        const auto wanted = last_wanted();
        if (cap_ && !ahead_.worth_it(*cap_, wanted)) return;
        // The publisher may have ended at the old Group End already.
        if (!session_.update(*subscription_, {.max_age = complete_age, .end = wanted})) return;
        if (cap_) ahead_.raised(*cap_, now_);
        cap_ = wanted;
        requested_.end = wanted;
    }

    // Events.

    void on(const subscription_accepted& e) {
        if (!is_ours(e.subscription)) return;
        note_answer();
        first_ = e.start;
        if (end_at_) end_at_ = now_ + options_.bounds.end_at_cap;
        if (requested_start_ && e.start > *requested_start_)
            on(groups_dropped{
                e.subscription, *requested_start_, group_sequence{number(e.start) - 1}, app_error::not_found});
        if (!next_) next_ = e.start;
        raise_cap();
    }
    void on(const subscription_end_known& e) {
        if (is_ours(e.subscription)) end_ = e.end;
    }
    void on(const groups_dropped& e) {
        if (is_ours(e.subscription)) losses_.lose({e.first, e.last, e.code}, next_);
    }
    void on(const subscription_ended& e) {
        if (!is_ours(e.subscription)) return;
        subscription_.reset();
        // A FIN at the Group End was the end if nothing has followed it, unless another error says otherwise.
        const bool was_ending = std::exchange(end_at_, std::nullopt).has_value();
        const bool was_end = was_ending && (!answered_ || e.code == app_error::cancel);
        if (!e.finished && !was_end && !has_all()) return cut_groups(e.code), cut_off(e.code);
        // Some publishers end a subscription at its Group End: ask for the groups after it.
        const bool at_cap = cap_ && !end_ && !groups_.empty() && groups_.rbegin()->first == *cap_;
        const bool past_cap = cap_ && !end_ && next_ && *next_ > *cap_;
        if (at_cap || past_cap) {
            const auto reading_at = next_;
            next_ = moqlite::next(*cap_);
            if (!subscribe()) failed_ = app_error::closed;
            next_ = reading_at;
            // Or it was the end of the track, which this version cannot signal.
            if (!session_.features().subscribe_end) end_at_ = now_ + options_.bounds.request_timeout;
            return;
        }
        if (!next_ && !groups_.empty()) next_ = groups_.begin()->first;
        if ((e.lacks_groups || !e.finished) && options_.mode == reading::complete)
            losses_.lose_missing(next_, groups_, end_);
        ended_ = true;
    }
    /// The end is known, and every group before it is here or read: whatever ends the subscription takes nothing.
    [[nodiscard]] bool has_all() const {
        if (!end_ || !next_) return end_ == group_sequence{};
        auto missing = *next_;
        for (auto g = groups_.lower_bound(missing); g != groups_.end() && g->second.complete; ++g)
            if (g->first == missing) missing = moqlite::next(missing);
        return missing >= *end_;
    }
    void on(const group_opened& e) {
        if (!is_ours(e.subscription)) return;
        note_answer();
        end_at_.reset();
        const bool late = next_ && e.sequence < *next_;
        if (late || groups_.contains(e.sequence)) {
            losses_.arrived_late(e.sequence);
            return static_cast<void>(session_.stop(e.group, app_error::cancel));
        }
        auto log = lent(e.group);
        const bool is_shared = static_cast<bool>(log);
        if (!is_shared) log = group::make(pool_, e.sequence, session_.features().frames, {}, e.first);
        if (!log) {
            static_cast<void>(session_.stop(e.group, app_error::bounds_exceeded));
            return losses_.lose({e.sequence, e.sequence, app_error::bounds_exceeded}, next_);
        }
        ahead_.group_opened(e.sequence, held_ == 0, now_);
        auto& made = groups_.try_emplace(e.sequence, e.group, std::move(log), is_shared).first->second;
        if (is_shared) hold(made, made.cursor.unread()), drop_evicted();
        if (resume_ && e.sequence == resume_->sequence) made.skip = resume_->bytes;
        if (options_.mode == reading::live && groups_.size() > read_ahead::groups_max) keep_newest();
        // Until the publisher reports its start, the first group serves as the bound.
        if (options_.mode == reading::complete && !next_ && !cap_) {
            cap_ = group_sequence{number(e.sequence) + 1};
            requested_.end = cap_;
            static_cast<void>(session_.update(*subscription_, {.end = cap_}));
        }
    }
    void on(const frame_data& e) {
        if (!is_ours(e.subscription)) return;
        const auto found = groups_.find(e.sequence);
        if (found == groups_.end() || found->second.id != e.group) return;
        auto& g = found->second;
        auto stored = e.offset == 0 ? g.log->begin_frame(e.time, e.size) : result<void>{};
        if (stored) stored = g.log->append_payload(e.data);
        if (!stored) return drop(found, app_error::bounds_exceeded);
        g.size += e.data.size();
        hold(g, g.held + e.data.size());
        if (options_.mode == reading::live && held_ > options_.bounds.read_ahead) keep_newest();
    }
    void on(const group_grown& e) {
        const auto found = groups_.find(e.sequence);
        if (found == groups_.end() || found->second.id != e.group) return;
        hold(found->second, found->second.cursor.unread());
        if (options_.mode == reading::live && held_ > options_.bounds.read_ahead) keep_newest();
    }
    void on(const group_closed& e) {
        if (!is_ours(e.subscription)) return;
        const auto found = groups_.find(e.sequence);
        if (found == groups_.end() || found->second.id != e.group) return;
        if (!e.complete) return moving_ ? suspend(found) : drop(found, e.code);
        auto& g = found->second;
        g.is_shared ? static_cast<void>(g.size = g.log->size()) : static_cast<void>(g.log->finish());
        g.complete = true;
        ahead_.group_closed(e.sequence, g.size, now_);
        raise_cap();
    }
    void on(const broadcast_available& e) {
        if (e.path != broadcast_) return;
        // The first report of a watch may be of the publisher that was asked.
        announced_again_ = announced_again_ || announced_.has_value() || e.restart;
        announced_ = true;
        note_origin(e.hops);
        resubscribe();
    }
    void on(const broadcast_ended& e) {
        if (e.path == broadcast_) announced_ = false;
    }
    void on(const session_closed& e) {
        if (!ended_ && !failed_) failed_ = e.code;
    }
    template <class Other>
    void on(const Other&) {}

    // Successors of a subscription that was cut off.

    [[nodiscard]] bool is_announced() const noexcept { return announced_.value_or(true); }
    [[nodiscard]] bool awaits_successor() const noexcept { return cut_ && !subscription_; }
    void note_answer() {
        answered_ = true;
        if (!std::exchange(cut_, std::nullopt)) return;
        stopped_at_.reset();
        moving_ = false;
        after_move_.reset();
    }
    // impl/track_reader_successor.hpp
    [[nodiscard]] std::optional<time_point> reading_deadline() const noexcept;
    [[nodiscard]] time_point follow_limit() const noexcept;
    void watch_gap();
    void limit_answer() noexcept;
    void leave();
    void cut_groups(app_error code);
    void cut_off(app_error code);
    void resubscribe();
    void suspend(typename groups::iterator at);
    void pass_awaited();
    void note_origin(std::span<const hop_id> hops);

    // Gaps and losses.

    /// Gives up a group: its unread rest is lost.
    void drop(typename groups::iterator at, app_error code) {
        auto& g = at->second;
        if (!g.complete) static_cast<void>(session_.stop(g.id, code));
        held_ -= g.held;
        const auto sequence = at->first;
        if (!stopped_at_ && next_ == sequence) stopped_at_ = position();
        groups_.erase(at);
        losses_.lose({sequence, sequence, code}, next_);
        if (!next_ || *next_ != sequence) return;
        next_ = moqlite::next(sequence);
        raise_cap();
    }
    /// Memory is short where the groups are shared: lets go of those that were evicted.
    void drop_evicted() {
        for (auto at = groups_.begin(); at != groups_.end();) {
            const auto here = at++;
            if (const auto& code = here->second.cursor.evicted()) drop(here, *code);
        }
    }
    /// Moves past groups that are known not to arrive.
    bool skip_known_gap() {
        if (const auto behind = losses_.behind(*next_)) {
            const auto here = groups_.lower_bound(*next_); // It was reported as dropped, but arrived.
            next_ = here != groups_.end() && here->first < *behind ? here->first : *behind;
            raise_cap();
            return true;
        }
        // After a clean end, what is missing and was not reported was never sent.
        return (ended_ || (awaits_successor() && !moving_)) && skip_to_first(false);
    }
    bool skip_to_first(bool cut_current) {
        if (cut_current)
            if (const auto current = groups_.find(*next_); current != groups_.end()) drop(current, app_error::old);
        const auto first = groups_.lower_bound(*next_);
        if (first == groups_.end()) return false;
        if (first->first == *next_) return true;
        const group_sequence last{number(first->first) - 1};
        if (options_.mode == reading::live || awaits_successor())
            losses_.lose({*next_, last, app_error::old}, next_);
        else
            losses_.skip(*next_, last);
        next_ = first->first;
        raise_cap();
        return true;
    }
    /// Live: the reader is too slow, so that only the newest group is worth keeping.
    void keep_newest() {
        while (groups_.size() > 1) drop(groups_.begin(), app_error::lagged);
        if (!groups_.empty()) next_ = groups_.begin()->first;
    }

    static constexpr time_point never = time_point::max();
    static constexpr duration retry_delay = std::chrono::milliseconds{200};
    static constexpr std::size_t spare_memory = 40 * 1024 * 1024; ///< One and a quarter frames of the largest size.

    Session& session_;
    track_reader_options options_;
    slab_pool pool_;
    std::string broadcast_;
    std::string track_;
    std::optional<subscribe_id> subscription_;
    subscribe_options requested_;
    std::optional<group_sequence> next_;    ///< The group being read; nullopt until the start is known.
    std::optional<group_sequence> reading_; ///< The group of the piece that next() returned last.
    std::optional<group_sequence> cap_;     ///< The Group End that we requested.
    std::optional<group_sequence> end_;
    std::optional<group_sequence> first_; ///< With which the current subscription begins.
    std::optional<group_sequence> last_complete_;
    std::optional<track_position> stopped_at_; ///< The first loss since the last consume().
    std::optional<track_position> resume_;     ///< What is read already of the group at which we began.
    detail::spare_memory memory_of_groups_{read_ahead::groups_max / 4}; ///< As many as are asked for at once.
    groups groups_{memory_of_groups_};
    std::optional<group_sequence> requested_start_; ///< The start of the last SUBSCRIBE.
    detail::losses losses_;
    std::uint64_t groups_read_ = 0;
    std::uint64_t held_ = 0;
    read_ahead ahead_;
    bool ended_ = false;
    hop_id origin_{};                     ///< Of the broadcast, as last announced; 0: not known.
    std::optional<bool> announced_;       ///< The broadcast is announced, as a watch() has last reported.
    bool announced_again_ = false;        ///< It was announced since the last SUBSCRIBE.
    bool answered_ = false;               ///< The last SUBSCRIBE was answered.
    std::optional<time_point> answer_by_; ///< When the last SUBSCRIBE must have been answered.
    std::optional<app_error> cut_;
    bool moving_ = false; ///< After expect_move(), until a successor has answered.
    bool awaits_move_ = false;
    std::optional<duration> after_move_; ///< Between await_move() and a successor's answer: its argument.
    time_point follow_until_{};
    time_point retry_at_{}; ///< When we subscribed to the last successor, or may to the next.
    std::uint64_t restarts_ = 0;
    std::optional<app_error> failed_;
    std::optional<time_point> gap_until_;
    std::optional<time_point>
        end_at_; ///< A FIN at the Group End was the end of the track, unless more arrives by then.
    time_point now_{};
};

} // namespace moqlite

#include <moqlite/session/impl/track_reader_successor.hpp>

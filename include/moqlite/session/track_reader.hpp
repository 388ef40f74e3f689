// Reads one track in group and frame order: completely, or live, skipping what is late.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <moqlite/containers/ring.hpp>
#include <moqlite/core/limits.hpp>
#include <moqlite/core/result.hpp>
#include <moqlite/session/event.hpp>
#include <moqlite/session/frame_cursor.hpp>
#include <moqlite/session/group.hpp>
#include <moqlite/session/read_ahead.hpp>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace moqlite {

enum class reading : std::uint8_t {
    complete, ///< Nothing is skipped: the publisher waits for us, by Group End (design: flow control).
    live,     ///< What is late is skipped; we slow nobody.
};

struct track_reader_options {
    reading mode = reading::complete;
    std::optional<group_sequence> start{}; ///< None: the newest group.
    moqlite::priority priority = 128;
    limits bounds{};
    /// Live: how long a group may hold up later ones.
    duration patience = std::chrono::milliseconds{500};
    /// Complete: how long a number may be missing before later, whole groups.
    duration gap_patience = std::chrono::seconds{2};
    /// Payload bytes of group `start` that are passed over, for they were read over another session.
    std::uint64_t skip = 0;
    /// How long a subscription that was cut off may wait for a successor, which begins with its newest group: the
    /// broadcast is still announced, or is announced again, to a watch() of this session. 0: a cut is a failure.
    duration follow{};
};

/// Groups that will not be read, though they were wanted.
struct lost_groups {
    group_sequence first{};
    group_sequence last{}; ///< Inclusive.
    app_error code = app_error::cancel;
    bool operator==(const lost_groups&) const = default;
};

/// How far a track has been read.
struct track_position {
    group_sequence sequence{};
    std::uint64_t bytes = 0; ///< Payload of that group.
    bool operator==(const track_position&) const = default;
};

/// Sits on a session, of any kind that has its commands: feed it every event, and take pieces.
/// Whoever takes no pieces stops the publisher (complete), or loses the oldest (live).
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
          ahead_(options_.bounds) {}

    /// Subscribes. The names are copied.
    result<void> start(const track_ref& track) {
        broadcast_ = track.broadcast;
        track_ = track.track;
        next_ = options_.start;
        return subscribe();
    }

    /// Takes note of an event; those of other subscriptions are passed over.
    void handle(const event& e, time_point now) {
        now_ = now;
        std::visit([this](const auto& what) { this->on(what); }, e);
        watch_gap();
    }

    /// What to read next; the same until consume(), its view until handle() or tick(). nullopt: nothing
    /// is there (yet).
    [[nodiscard]] std::optional<piece> next() {
        while (next_) {
            const auto found = groups_.find(*next_);
            if (found == groups_.end()) {
                if (skip_known_gap()) continue;
                watch_gap(); // Later groups may be here, and nothing more to come that tells us.
                begin_again();
                return std::nullopt;
            }
            if (const auto p = found->second.cursor.next()) {
                if (found->second.skip != 0) {
                    pass_over(found->second, p->data.size());
                    continue;
                }
                reading_ = next_;
                return piece{*p, *next_};
            }
            if (!found->second.complete) return std::nullopt;
            last_complete_ = *next_;
            ++groups_read_;
            groups_.erase(found);
            next_ = moqlite::next(*next_);
            raise_cap();
        }
        return std::nullopt;
    }

    /// The first `bytes` of the piece that next() gave have been used.
    void consume(std::size_t bytes) {
        const auto found = groups_.find(*reading_);
        if (found == groups_.end()) return; // It was cut off meanwhile.
        stopped_at_.reset();
        use(found->second, bytes);
        watch_gap();
    }

    /// When to call tick(), which may make more readable: read after it.
    [[nodiscard]] std::optional<time_point> deadline() const noexcept {
        if (over_until_) return gap_until_ ? std::min(*gap_until_, *over_until_) : over_until_;
        if (!awaits_successor()) return gap_until_;
        const auto again = announced_ && groups_.empty() ? std::min(again_at_, follow_until_) : follow_until_;
        return gap_until_ ? std::min(*gap_until_, again) : again;
    }
    void tick(time_point now) {
        now_ = now;
        if (gap_until_ && now >= *gap_until_) {
            gap_until_.reset();
            if (next_) skip_to_first(options_.mode == reading::live);
            watch_gap();
        }
        if (over_until_ && now >= *over_until_) {
            over_until_.reset();
            const auto left = *std::exchange(subscription_, std::nullopt);
            if constexpr (requires { session_.unsubscribe(left); }) static_cast<void>(session_.unsubscribe(left));
            ended_ = true;
            watch_gap();
        }
        begin_again();
        if (awaits_successor() && now >= follow_until_) failed_ = std::exchange(cut_, std::nullopt);
    }

    /// Groups that were wanted and will not come, in the order in which that became known.
    [[nodiscard]] std::optional<lost_groups> poll_lost() {
        if (lost_.empty()) return std::nullopt;
        return lost_.pop();
    }
    [[nodiscard]] std::optional<group_sequence> last_complete_group() const noexcept { return last_complete_; }
    [[nodiscard]] std::uint64_t groups_read() const noexcept { return groups_read_; }
    /// The track has ended and all of it was read.
    [[nodiscard]] bool finished() const noexcept { return ended_ && groups_.empty(); }
    /// The subscription was refused or cut off.
    [[nodiscard]] std::optional<app_error> failed() const noexcept { return failed_; }
    /// The subscription was cut off, and no successor has answered yet.
    [[nodiscard]] bool following() const noexcept { return cut_.has_value(); }
    /// Times that it was followed: subscribed to anew, from the newest group.
    [[nodiscard]] std::uint64_t restarts() const noexcept { return restarts_; }
    /// The subscription that there is was answered.
    [[nodiscard]] bool answered() const noexcept { return answered_; }
    /// The position to resume from over another session, by `start` and `skip`; nullopt: the start is not known. After
    /// a loss it is where that began, until more is consumed.
    [[nodiscard]] std::optional<track_position> position() const {
        if (stopped_at_ || !next_) return stopped_at_;
        const auto found = groups_.find(*next_);
        const auto before = options_.start == next_ ? options_.skip : 0;
        return track_position{*next_, std::max(before, found != groups_.end() ? found->second.read : 0)};
    }
    /// Payload that arrived and was not consumed, in bytes.
    [[nodiscard]] std::uint64_t held() const noexcept { return held_; }

private:
    struct arriving {
        arriving(group_id i, group_ref g) noexcept : id(i), log(g), cursor(std::move(g)) {}
        group_id id;
        group_ref log;
        frame_cursor cursor;
        std::uint64_t size = 0;
        std::uint64_t held = 0; ///< Of it, not consumed.
        std::uint64_t read = 0;
        std::uint64_t skip = 0; ///< Still to be passed over.
        bool complete = false;
    };

    [[nodiscard]] bool mine(subscribe_id id) const noexcept { return subscription_ && *subscription_ == id; }
    [[nodiscard]] bool capped() const noexcept { return cap_.has_value(); }

    void use(arriving& g, std::size_t bytes) {
        g.cursor.consume(bytes);
        g.read += bytes;
        g.held -= bytes;
        held_ -= bytes;
        if (!g.complete && options_.mode == reading::complete && capped())
            static_cast<void>(session_.release(g.id, bytes));
    }
    void pass_over(arriving& g, std::size_t most) {
        const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(g.skip, most));
        g.skip -= n;
        use(g, n);
    }

    result<void> subscribe() {
        answered_ = announced_anew_ = false;
        asked_from_ = next_;
        asked_ = {.priority = options_.priority, .start = next_};
        if (options_.mode == reading::complete) {
            asked_.ordered = true;
            asked_.max_latency = milliseconds{86'400'000};
            if (next_) asked_.end = cap_ = last_wanted();
        }
        const auto id = session_.subscribe({broadcast_, track_}, asked_);
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
        auto raised = asked_;
        raised.end = wanted;
        raised.start.reset();                                 // Stays as it was.
        if (!session_.update(*subscription_, raised)) return; // The publisher has ended at the cap that it knows.
        if (cap_) ahead_.raised(*cap_, now_);
        cap_ = wanted;
        asked_ = raised;
    }

    // Events.

    void on(const subscription_accepted& e) {
        if (!mine(e.subscription)) return;
        note_answer();
        if (over_until_) over_until_ = now_ + options_.bounds.end_at_cap;
        if (asked_from_ && e.start > *asked_from_)
            on(groups_dropped{e.subscription, *asked_from_, group_sequence{number(e.start) - 1}, app_error::not_found});
        if (!next_) next_ = e.start;
        raise_cap();
    }
    void on(const subscription_end_known& e) {
        if (mine(e.subscription)) end_ = e.end;
    }
    void on(const groups_dropped& e) {
        if (mine(e.subscription)) lose(e.first, e.last, e.code);
    }
    void on(const subscription_ended& e) {
        if (!mine(e.subscription)) return;
        subscription_.reset();
        const bool was_over = std::exchange(over_until_, std::nullopt).has_value();
        if (!e.finished && !(was_over && !answered_)) return cut_off(e.code);
        // Some publishers end a subscription at its Group End: there is more to ask for.
        const bool at_cap = cap_ && !end_ && !groups_.empty() && groups_.rbegin()->first == *cap_;
        const bool past_cap = cap_ && !end_ && next_ && *next_ > *cap_;
        if (at_cap || past_cap) {
            const auto reading_at = next_;
            next_ = moqlite::next(*cap_);
            if (!subscribe()) failed_ = app_error::closed;
            next_ = reading_at;
            // Or it was the track's end, which this version cannot say.
            if (!has_subscribe_end(session_.negotiated())) over_until_ = now_ + options_.bounds.request_timeout;
            return;
        }
        if (!next_ && !groups_.empty()) next_ = groups_.begin()->first;
        ended_ = true;
    }
    void on(const group_opened& e) {
        if (!mine(e.subscription)) return;
        note_answer();
        over_until_.reset();
        const bool late = next_ && e.sequence < *next_;
        if (late || groups_.contains(e.sequence)) {
            if (holds(skipped_, e.sequence)) lost_.push({e.sequence, e.sequence, app_error::old});
            return static_cast<void>(session_.stop(e.group, app_error::cancel));
        }
        auto log = group::make(pool_, e.sequence, session_.negotiated());
        if (!log) return static_cast<void>(session_.stop(e.group, app_error::bounds_exceeded));
        ahead_.group_opened(e.sequence, held_ == 0, now_);
        auto& made = groups_.try_emplace(e.sequence, e.group, std::move(log)).first->second;
        if (e.sequence == options_.start && restarts_ == 0) made.skip = options_.skip;
        if (options_.mode == reading::live && groups_.size() > read_ahead::most_groups) keep_newest();
        // Until the publisher says where it starts, the first group does for a bound.
        if (options_.mode == reading::complete && !next_ && !cap_) {
            cap_ = group_sequence{number(e.sequence) + 1};
            asked_.end = cap_;
            static_cast<void>(session_.update(*subscription_, asked_));
        }
    }
    void on(const frame_data& e) {
        if (!mine(e.subscription)) return;
        const auto found = groups_.find(e.sequence);
        if (found == groups_.end() || found->second.id != e.group) return;
        auto& g = found->second;
        auto stored = e.offset == 0 ? g.log->begin_frame(e.time, e.size) : result<void>{};
        if (stored) stored = g.log->append_payload(e.data);
        if (!stored) return drop(found, app_error::bounds_exceeded);
        g.size += e.data.size();
        g.held += e.data.size();
        held_ += e.data.size();
        if (options_.mode == reading::live && held_ > options_.bounds.read_ahead) keep_newest();
    }
    void on(const group_closed& e) {
        if (!mine(e.subscription)) return;
        const auto found = groups_.find(e.sequence);
        if (found == groups_.end() || found->second.id != e.group) return;
        if (!e.complete) return drop(found, e.code);
        static_cast<void>(found->second.log->finish());
        found->second.complete = true;
        ahead_.group_closed(e.sequence, found->second.size, now_);
        raise_cap();
    }
    void on(const broadcast_available& e) {
        if (e.path != broadcast_) return;
        announced_ = announced_anew_ = true;
        begin_again();
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

    [[nodiscard]] bool awaits_successor() const noexcept { return cut_ && !subscription_; }
    void note_answer() {
        answered_ = true;
        if (std::exchange(cut_, std::nullopt)) stopped_at_.reset();
    }
    void cut_off(app_error code) {
        // A publisher that never answered has refused, unless another took its place meanwhile.
        const bool was_there = answered_ || announced_anew_;
        if (options_.follow <= duration{} || failed_ || (!was_there && !cut_)) {
            failed_ = code;
            return;
        }
        if (!cut_ || was_there) follow_until_ = now_ + options_.follow;
        if (!cut_) cut_ = code;
        // At once, but not in a loop with a peer that cuts off whatever it has accepted.
        again_at_ = std::max(now_, again_at_ + try_again_after);
        watch_gap();
        begin_again();
    }
    /// Subscribes to the successor, once it is announced and all that the one before it sent was read.
    void begin_again() {
        if (!awaits_successor() || !announced_ || now_ < again_at_ || !groups_.empty()) return;
        stopped_at_ = position();
        next_.reset(), reading_.reset(), cap_.reset(), end_.reset(), gap_until_.reset();
        dropped_.clear(), skipped_.clear();
        ++restarts_;
        again_at_ = now_;
        if (!subscribe()) failed_ = std::exchange(cut_, std::nullopt);
    }

    // Gaps and losses.

    static bool holds(const std::vector<groups_dropped>& in, group_sequence s) {
        return std::any_of(in.begin(), in.end(), [&](const auto& d) { return d.first <= s && s <= d.last; });
    }
    /// Notes that groups will not come, and tells of those that are still wanted and were not told of before.
    void lose(group_sequence first, group_sequence last, app_error code) {
        if (next_) {
            first = std::max(first, *next_);
            std::erase_if(dropped_, [&](const auto& d) { return d.last < *next_; });
        }
        for (const auto& d : dropped_) {
            if (d.first <= first && first <= d.last) first = moqlite::next(d.last);
            if (first <= last && d.first <= last && last <= d.last) last = group_sequence{number(d.first) - 1};
        }
        if (last < first) return;
        lost_.push({first, last, code});
        if (dropped_.size() == most_dropped) dropped_.erase(dropped_.begin());
        dropped_.push_back({{}, first, last, code});
    }
    /// Gives up on a group: what was not read of it will not be.
    void drop(typename std::map<group_sequence, arriving>::iterator at, app_error code) {
        auto& g = at->second;
        if (!g.complete) static_cast<void>(session_.stop(g.id, code));
        held_ -= g.held;
        const auto sequence = at->first;
        if (!stopped_at_ && next_ == sequence) stopped_at_ = position();
        groups_.erase(at);
        lose(sequence, sequence, code);
        if (!next_ || *next_ != sequence) return;
        next_ = moqlite::next(sequence);
        raise_cap();
    }
    /// Moves past numbers of which it is known that they will not come.
    bool skip_known_gap() {
        for (auto d = dropped_.begin(); d != dropped_.end(); ++d) {
            if (*next_ < d->first || d->last < *next_) continue;
            const auto here = groups_.lower_bound(*next_); // It was dropped, but came.
            if (here != groups_.end() && here->first <= d->last) {
                next_ = here->first;
            } else {
                next_ = moqlite::next(d->last);
                dropped_.erase(d);
            }
            raise_cap();
            return true;
        }
        // After a clean end, what is missing was never sent.
        return (ended_ || awaits_successor()) && skip_to_first(false);
    }
    bool skip_to_first(bool cut_current) {
        if (cut_current)
            if (const auto current = groups_.find(*next_); current != groups_.end()) drop(current, app_error::old);
        const auto first = groups_.lower_bound(*next_);
        if (first == groups_.end()) return false;
        if (first->first == *next_) return true;
        if (options_.mode == reading::live || awaits_successor())
            lose(*next_, group_sequence{number(first->first) - 1}, app_error::old);
        else if (skipped_.size() < most_dropped)
            skipped_.push_back({{}, *next_, group_sequence{number(first->first) - 1}, app_error::old});
        next_ = first->first;
        raise_cap();
        return true;
    }
    /// Live: the reader is too slow for what comes; only the newest group is worth keeping.
    void keep_newest() {
        while (groups_.size() > 1) drop(groups_.begin(), app_error::lagged);
        if (!groups_.empty()) next_ = groups_.begin()->first;
    }
    /// Sets or clears the clock of a group that holds up later ones.
    void watch_gap() {
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

    static constexpr std::size_t most_dropped = 1024;
    static constexpr duration try_again_after = std::chrono::milliseconds{200};
    static constexpr std::size_t spare_memory = 40 * 1024 * 1024; ///< One frame of the largest size, and a half.

    Session& session_;
    track_reader_options options_;
    slab_pool pool_;
    std::string broadcast_;
    std::string track_;
    std::optional<subscribe_id> subscription_;
    subscribe_options asked_;
    std::optional<group_sequence> next_;    ///< The group that is being read; none until the start is known.
    std::optional<group_sequence> reading_; ///< The group of the piece that next() gave last.
    std::optional<group_sequence> cap_;     ///< The Group End that we asked for.
    std::optional<group_sequence> end_;
    std::optional<group_sequence> last_complete_;
    std::optional<track_position> stopped_at_; ///< The first loss after what was consumed last.
    std::map<group_sequence, arriving> groups_;
    std::vector<groups_dropped> dropped_;
    std::vector<groups_dropped> skipped_;      ///< Complete: passed over after gap_patience; late ones are losses.
    std::optional<group_sequence> asked_from_; ///< The start of the last SUBSCRIBE.
    detail::ring<lost_groups> lost_;
    std::uint64_t groups_read_ = 0;
    std::uint64_t held_ = 0;
    read_ahead ahead_;
    bool ended_ = false;
    bool announced_ = true;       ///< The broadcast, as far as a watch() tells.
    bool announced_anew_ = false; ///< Since the last SUBSCRIBE.
    bool answered_ = false;       ///< That SUBSCRIBE.
    std::optional<app_error> cut_;
    time_point follow_until_{};
    time_point again_at_{}; ///< When the last successor was, or the next may be, subscribed to.
    std::uint64_t restarts_ = 0;
    std::optional<app_error> failed_;
    std::optional<time_point> gap_until_;
    std::optional<time_point> over_until_; ///< A FIN at the Group End was the track's, unless more comes by then.
    time_point now_{};
};

} // namespace moqlite

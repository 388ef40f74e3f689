// The subscriptions of a session: their answers, and when they end.
#pragma once

#include <algorithm>
#include <moqlite/session/detail/context.hpp>
#include <moqlite/session/detail/subscription.hpp>
#include <moqlite/wire/lite/subscribe_response.hpp>
#include <optional>
#include <utility>

namespace moqlite::detail {

class subscription_table {
public:
    explicit subscription_table(context& c) noexcept : c_(c) {}

    /// The id of the next subscription: every lower one has been used.
    [[nodiscard]] std::uint64_t next_id() const noexcept { return next_id_; }
    /// After this the next add() does not allocate.
    void make_room() {
        subscriptions_.make_room();
        by_id_.make_room();
    }
    subscription& add(const subscribe_options& options) {
        auto& s = subscriptions_.make();
        s.id = subscribe_id{next_id_++};
        s.options = s.requested = options;
        s.lowest = options.start;
        s.highest = options.end;
        s.served = served_end{}.raised_to(options);
        s.note_frame_start();
        by_id_.insert(number(s.id), s);
        return s;
    }
    [[nodiscard]] subscription* find(subscribe_id id) noexcept { return by_id_.find(number(id)); }
    [[nodiscard]] subscription* first() noexcept { return subscriptions_.first(); }
    [[nodiscard]] static bool covers(const subscription& s, group_sequence g) noexcept {
        return (!s.lowest || *s.lowest <= g) && (!s.highest || g <= *s.highest);
    }
    void forget(subscription& s) {
        by_id_.erase(number(s.id));
        s.groups.for_each([](incoming_group& g) { g.of = nullptr; });
        subscriptions_.destroy(s);
    }

    void accepted(subscription& s, const wire::lite::subscribe_ok& ok) {
        if (std::exchange(s.answered, true)) return; // Some publishers repeat it.
        if (!has_options_in_ok(c_.dialect)) return report_start(s, ok.group);
        s.publisher = ok.options;
        auto start = ok.options.start ? ok.options.start : s.lowest;
        if (!start) start = s.first;
        if (start) report_start(s, *start); // Otherwise the first group to arrive is the start.
    }
    void report_start(subscription& s, group_sequence start) {
        s.start_reported = true;
        s.start = start;
        c_.emit(subscription_accepted{s.id, start, s.publisher});
    }
    /// Its FIN has arrived, and all known groups have ended. If the FIN may have overtaken groups, it ends only after a
    /// quiet period.
    void end_cleanly(subscription& s) {
        if (has_fin_after_groups(c_.dialect) && !awaits_groups(s)) return close(s, true, app_error::cancel);
        s.list_hook<quiet_tag>::unlink();
        s.quiet_since = c_.now;
        quiet_.push_back(s);
    }
    /// Reports the end of a subscription whose groups have all ended, finishes its stream, and forgets it.
    void close(subscription& s, bool finished, app_error code) {
        c_.emit(subscription_ended{s.id, finished, code, finished && lacks_groups(s)});
        if (s.stream != nullptr && !c_.closing) c_.out.finish(*s.stream);
        forget(s);
    }
    /// When the first quiet period expires; nullopt: no subscription is in one.
    [[nodiscard]] std::optional<time_point> quiet_until() const noexcept {
        if (quiet_.empty()) return std::nullopt;
        return quiet_.front().quiet_since + std::max(3 * c_.path.rtt, c_.bounds.end_of_track);
    }
    /// Ends the subscriptions whose quiet period has expired.
    void end_quiet() {
        for (auto until = quiet_until(); until && *until <= c_.now; until = quiet_until())
            close(quiet_.front(), true, app_error::cancel);
    }

private:
    /// Whether, according to its publisher, groups are still to come: some publishers send FIN before their last
    /// groups.
    static bool awaits_groups(const subscription& s) noexcept {
        if (!s.end) return false;
        return s.streams ? s.opened < *s.streams : lacks_groups(s);
    }
    /// Groups below the end, or below the last one where the version has no END, have neither arrived nor been reported
    /// as dropped.
    static bool lacks_groups(const subscription& s) noexcept {
        auto end = number(s.end.value_or(s.beyond));
        const auto from = s.start ? s.start : s.first ? s.first : s.options.start; // A track without groups has no OK.
        if (!from) return end != 0;
        if (s.highest) end = std::min(end, number(*s.highest) + 1);
        return end > number(*from) && end - number(*from) > s.accounted;
    }

    context& c_;
    object_pool<subscription> subscriptions_;
    pointer_table<subscription> by_id_;
    list<subscription, quiet_tag> quiet_; ///< Longest quiet first.
    std::uint64_t next_id_ = 0;
};

} // namespace moqlite::detail

// Max Age: a slow live subscriber loses groups for their age, for itself alone. Part of publishing.hpp.
#pragma once

#include <moqlite/session/detail/publishing.hpp>

namespace moqlite::detail {

// The age of a group is the time from the beginning of its successor to the newest frame of the latest group, by their
// timestamps where the timescale is known; else it is the time since the successor was served. The latest group has no
// successor, hence no age. A group is lost only while it has bytes to write, and only if a pump could not write them:
// who keeps up loses nothing, whatever the timestamps are.

inline result<void> publishing::set_timescale(request_id id, std::uint64_t timescale) {
    incoming_request* r = subscriber(id);
    if (r == nullptr) return errc::not_found;
    if (timescale == 0) return errc::invalid_argument;
    watched_.make_room();
    r->timescale = timescale;
    watch_ages(*r, true);
    return {};
}

/// nullopt: the subscriber accepts groups of any age. A capped one is held back instead.
inline std::optional<milliseconds> publishing::max_age_of(const incoming_request& r) const noexcept {
    if (r.kind != request_kind::subscribe || r.options.end || r.options.max_age >= complete_age) return std::nullopt;
    return std::max(r.options.max_age, std::chrono::duration_cast<milliseconds>(c_.bounds.latency_min));
}

/// A group is served: it is the successor of the latest, or has arrived late.
inline void publishing::enter_order(served_group& s) noexcept {
    auto& r = *s.request;
    if (r.highest && s.sequence() < *r.highest) {
        // Its true successor may have begun earlier. That its reader gets it after all is no reason to lose it.
        s.succeeded = true;
        s.successor_time = newest_time(r);
        return c_.begin_age(s);
    }
    static_cast<void>(newest_time(r)); // Of the previous one, until this one has a frame.
    if (served_group* before = std::exchange(r.latest, &s)) {
        before->succeeded = true;
        before->successor = &s;
        s.predecessor = before;
        c_.begin_age(*before);
    }
    r.highest = s.sequence();
}

/// A group is gone, or lost; `lost`: if it is the latest, the one before it takes its place.
inline void publishing::leave_order(served_group& s, bool lost) noexcept {
    auto& r = *s.request;
    const auto newest = newest_time(r);
    served_group* const before = std::exchange(s.predecessor, nullptr);
    served_group* const after = std::exchange(s.successor, nullptr);
    s.list_hook<undated_age_tag>::unlink();
    if (before != nullptr) {
        if (!before->successor_time)
            before->successor_time = s.source()->frames() != 0 ? s.source()->first_time() : newest;
        before->successor = after;
    }
    if (after != nullptr) after->predecessor = before;
    if (r.latest != &s) return;
    r.latest = nullptr;
    if (!lost) return;
    r.highest.reset();
    if (before == nullptr) return;
    before->succeeded = false;
    before->successor_time.reset();
    before->list_hook<undated_age_tag>::unlink();
    r.latest = before;
    r.highest = before->sequence();
}

/// The timestamp of the newest frame of the latest group.
inline timestamp publishing::newest_time(incoming_request& r) noexcept {
    if (r.latest != nullptr && r.latest->source()->frames() != 0) r.newest = r.latest->source()->last_time();
    return r.newest;
}

/// 0: it has none, or none that is known.
inline milliseconds publishing::age(const served_group& s) noexcept {
    if (!s.succeeded) return milliseconds{0};
    auto& r = *s.request;
    const auto newest = newest_time(r);
    if (r.timescale == 0 || newest == timestamp{}) { // Some tracks have only zeros.
        if (s.list_hook<undated_age_tag>::linked()) return milliseconds{0};
        return std::chrono::duration_cast<milliseconds>(c_.now - s.since);
    }
    auto begun = s.successor_time;
    if (!begun && s.successor != nullptr && s.successor->source()->frames() != 0)
        begun = s.successor->source()->first_time();
    if (!begun || newest <= *begun) return milliseconds{0};
    return media_time(number(newest) - number(*begun), r.timescale);
}

inline bool publishing::is_too_old(const served_group& s) noexcept {
    const auto most = max_age_of(*s.request);
    return most && age(s) > *most;
}

/// Watches the ages of a request while a group other than its latest has something to write; `changed`: the time at
/// which the first is too old may be another.
inline void publishing::watch_ages(incoming_request& r, bool changed) {
    const bool wanted = has_ages(r);
    if (wanted && (changed || r.place_watched == SIZE_MAX)) r.check_at = next_check(r);
    if (wanted == (r.place_watched != SIZE_MAX)) {
        if (wanted && changed) watched_.fix(r);
        return;
    }
    wanted ? watched_.push(r) : watched_.erase(r);
}

inline bool publishing::has_ages(const incoming_request& r) const noexcept {
    return !r.waiting.empty() && r.waiting.front().succeeded && max_age_of(r);
}

/// When the oldest group that has something to write will be too old, if media time passes as ours does. Not at once:
/// media may stand still.
inline time_point publishing::next_check(const incoming_request& r) noexcept {
    const auto most = *max_age_of(r);
    const auto old = age(r.waiting.front());
    const auto left = std::max(old < most ? most - old : milliseconds{0}, most / 8);
    return c_.now + std::chrono::duration_cast<duration>(left + milliseconds{1});
}

/// Loses the groups that are too old. O(log n) each.
inline void publishing::lose_old() {
    while (incoming_request* r = watched_.top()) {
        if (r->check_at > c_.now) return;
        while (has_ages(*r) && is_too_old(r->waiting.front())) lose(r->waiting.front(), app_error::old, true);
        watch_ages(*r, true);
    }
}

} // namespace moqlite::detail

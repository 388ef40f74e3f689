// One track that a relay carries: where it comes from, what is there, and who reads it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <moqlite/containers/list.hpp>
#include <moqlite/containers/object_pool.hpp>
#include <moqlite/relay/by_about.hpp>
#include <moqlite/relay/cache.hpp>
#include <moqlite/relay/demand.hpp>
#include <moqlite/relay/share.hpp>
#include <moqlite/session/any_session.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace moqlite::relaying {

/// By broadcast, then by session; what is looked for need not be copied.
struct way_less {
    using is_transparent = void;
    template <class A, class B>
    [[nodiscard]] bool operator()(const A& a, const B& b) const noexcept {
        const auto order = std::string_view{a.first}.compare(std::string_view{b.first});
        return order != 0 ? order < 0 : a.second < b.second;
    }
};

struct track;
struct of_track_tag;
struct moving_tag;
struct way_tag;
struct behind_tag;
struct ended_tag;

/// A subscriber of a track.
struct reader : moqlite::detail::list_hook<moqlite::detail::owned_tag>,
                moqlite::detail::list_hook<of_track_tag>,
                moqlite::detail::list_hook<behind_tag> {
    std::uint64_t session = 0;
    request_id request{};
    track* of = nullptr;
    subscribe_options options;
    bool accepted = false;
    bool finished = false;
    std::uint64_t had = 0;                 ///< Entries up to this number were offered to it before it set a Group End.
    std::optional<group_sequence> first;   ///< Lower ones are not for it; none: not known yet.
    std::optional<group_sequence> highest; ///< That it was served.

    /// Groups wait for it in the log.
    [[nodiscard]] bool is_behind() const noexcept { return moqlite::detail::list_hook<behind_tag>::linked(); }
};

using track_key = std::pair<std::string, std::string>; ///< Broadcast, track.
using query_key = std::pair<track_key, std::uint64_t>; ///< What is asked of which session.
using fetch_key = std::pair<track_key, group_sequence>;

/// A TRACK that its publisher has not answered yet, and the requests that wait for the answer.
struct asking : place {
    explicit asking(query_key what) noexcept : place(request_kind::track), about(std::move(what)) {}
    query_key about;
    query_id id{};                                          ///< At the publisher.
    std::set<std::pair<std::uint64_t, request_id>> waiting; ///< Each with its session.
};

/// A group that is being fetched from its publisher, and the requests that wait for it.
struct fetching : place, moqlite::detail::list_hook<moving_tag> {
    explicit fetching(fetch_key what) noexcept : place(request_kind::fetch), about(std::move(what)) {}
    fetch_key about;
    group_id id{}; ///< At the publisher that was asked last; `upstream` is 0 when none is.
    group_ref group;
    bool begun = false;               ///< Its first frame has come, or its end: who waits is being served.
    time_point moved_at{};            ///< When the latest piece of it came, once it has begun.
    bool strict = false;              ///< A relay waits for it: no way that is longer than our best may be asked.
    moqlite::priority priority = 0;   ///< Of the request.
    std::size_t hops = 0;             ///< Of the way by which it is asked for.
    std::vector<std::uint64_t> tried; ///< Sessions that did not have it.
    std::set<std::pair<std::uint64_t, request_id>> waiting; ///< Each with its session.
};

/// Tracks by the time at which something is to be done about them.
using track_timers = std::multimap<time_point, track*>;
/// The entry of one track there.
using track_timer = std::optional<track_timers::iterator>;

/// The stage of a track: what may still come of it.
enum class track_stage : std::uint8_t {
    live,     ///< Its publisher may send more.
    paused,   ///< Its publisher ended at a Group End, and no reader wants more yet: it has no subscription.
    complete, ///< It ended cleanly; the log is all there will be.
};

/// The standing of a track: who gets it. A standing is only ever followed by a later one.
enum class track_standing : std::uint8_t {
    found,    ///< New subscribers find it.
    retired,  ///< They do not; its readers are served to its end.
    draining, ///< Nor has it readers, but the groups that are arriving go to some that were moved elsewhere.
};

/// A track, from one publisher, under one subscription of ours.
struct track : place,
               moqlite::detail::list_hook<moqlite::detail::owned_tag>,
               moqlite::detail::list_hook<way_tag>,
               moqlite::detail::list_hook<ended_tag> {
    track() noexcept : place(request_kind::subscribe) {}
    std::string broadcast;
    std::string name;
    std::string announced;      ///< The path by whose announcement it is had: the broadcast's, or one above it.
    std::uint64_t filed_by = 0; ///< In relay::ways_: the same, or 0 once its end is known.
    track_stage stage = track_stage::live;
    track_standing standing = track_standing::found;
    std::optional<subscribe_id> subscription;
    subscribe_options asked;                ///< What its publisher was asked for.
    std::vector<group_sequence> asked_ends; ///< Group Ends before that: one of them may be the one that is reached.
    std::optional<group_sequence> start;    ///< The first that the publisher serves, once it has said so.
    std::optional<group_sequence> end;
    std::optional<group_sequence> highest;
    track_timer forget_at;         ///< Once it is complete.
    track_timer over_at;           ///< While perhaps_over, once what follows was asked for.
    track_timer cut_off_at;        ///< While its publisher, which another one took over, is silent.
    bool perhaps_over = false;     ///< The same FIN may have been the track's end: its version cannot say which.
    bool only_live = false;        ///< It takes no Group End (any more): complete readers need another subscription.
    bool outgrown = false;         ///< A group that grows beyond the cache was reported.
    bool in_use = false;           ///< Another subscription beside it is being opened: it does not go.
    bool alone = false;            ///< Its publisher refused a second subscription.
    track* live = nullptr;         ///< The second subscription to the same track, for live readers.
    track* main = nullptr;         ///< Where this is the second one: the first.
    time_point superseded_at{};    ///< Since when its publisher has been silent after another one took over.
    time_point asked_again_at{};   ///< When what follows a FIN was asked for that may have been the track's.
    std::uint64_t inputs_then = 0; ///< Inputs that this publisher had caused by then.
    track_log log;
    std::vector<groups_dropped> gaps; ///< What the publisher said will not come, the latest of it; for who comes later.
    moqlite::detail::list<reader, of_track_tag> readers;
    demand wanted;                           ///< By all of them together.
    counted<std::uint64_t> sessions_reading; ///< Once for each reader.

    [[nodiscard]] bool is_complete() const noexcept { return stage == track_stage::complete; }
    [[nodiscard]] bool is_paused() const noexcept { return stage == track_stage::paused; }
    [[nodiscard]] bool is_retired() const noexcept { return standing != track_standing::found; }
    [[nodiscard]] bool is_draining() const noexcept { return standing == track_standing::draining; }
};

inline void set_timer(track_timers& all, track_timer& its, time_point when, track& t) {
    const auto made = all.emplace(when, &t);
    if (its) all.erase(*its);
    its = made;
}
inline void clear_timer(track_timers& all, track_timer& its) noexcept {
    if (its) all.erase(*std::exchange(its, std::nullopt));
}

/// What to make of a group that was reset.
enum class resets : std::uint8_t {
    are_final,   ///< Its publisher has reset it: it will not come.
    may_be_cuts, ///< The end of the subscription may have cut it off.
};

/// Its end is known, and each group before it is complete, was reset for good, was in the log and is evicted, or will
/// not come as its publisher has said. O(groups in the log).
[[nodiscard]] inline bool has_all_groups(track& t, resets reset_groups) {
    if (!t.end) return false;
    const auto start = t.start ? t.start : t.asked.start;
    if (!start) return *t.end == group_sequence{};
    auto missing = std::max(*start, t.log.floor.value_or(*start)); // The first that was not found yet.
    const auto skip_gaps_before = [&](group_sequence here) {
        while (missing < here) {
            const auto gap = std::find_if(t.gaps.begin(), t.gaps.end(),
                [&](const groups_dropped& d) { return d.first <= missing && missing <= d.last; });
            if (gap == t.gaps.end()) return false;
            missing = next(gap->last);
        }
        return true;
    };
    bool all = true;
    t.log.for_each(missing, std::nullopt, [&](const log_entry& e) {
        const auto here = e.group->sequence();
        if (!all || *t.end <= here) return;
        const bool cut = e.group->ended() == group::state::aborted && reset_groups == resets::may_be_cuts;
        all = !e.arriving() && !cut && skip_gaps_before(here);
        missing = std::max(missing, next(here));
    });
    return all && skip_gaps_before(*t.end);
}

} // namespace moqlite::relaying

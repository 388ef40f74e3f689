// One track that a relay carries: its publisher, its log, and its readers.
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
#include <moqlite/relay/group_ranges.hpp>
#include <moqlite/relay/share.hpp>
#include <moqlite/session/any_session.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace moqlite::relaying {

/// By broadcast, then by session; lookups need not copy the key.
struct route_less {
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
struct route_tag;
struct behind_tag;
struct ended_tag;
struct filling_tag;

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
    std::uint64_t offered_before_cap = 0;  ///< Entries up to this number were offered to it before it set a Group End.
    std::optional<group_sequence> first;   ///< It gets no lower groups; nullopt: not known yet.
    std::optional<group_sequence> highest; ///< The highest group served to it.

    /// Groups are waiting for it in the log.
    [[nodiscard]] bool is_behind() const noexcept { return moqlite::detail::list_hook<behind_tag>::linked(); }
};

using track_key = std::pair<std::string, std::string>; ///< Broadcast, track.
using query_key = std::pair<track_key, std::uint64_t>; ///< Track, session that is asked.
using fetch_key = std::pair<track_key, group_sequence>;

/// A TRACK that the publisher has not answered yet, and the requests waiting for its answer.
struct track_query : upstream_request {
    explicit track_query(query_key what) noexcept : upstream_request(request_kind::track), about(std::move(what)) {}
    query_key about;
    query_id id{};                                          ///< Id on the publisher's session.
    std::set<std::pair<std::uint64_t, request_id>> waiting; ///< Session, request.
};

/// A group, or some of its frames, being fetched from a publisher, and the requests waiting for it; or the frames that
/// a group in the log of a track lacks.
struct group_fetch : upstream_request, moqlite::detail::list_hook<moving_tag>, moqlite::detail::list_hook<filling_tag> {
    group_fetch(fetch_key what, const frame_range& which) noexcept
        : upstream_request(request_kind::fetch), about(std::move(what)), frames(which) {}
    fetch_key about;
    frame_range frames;
    track* fills = nullptr;            ///< The track whose group it completes; nullptr: it is for requests.
    app_error cut = app_error::cancel; ///< The code with which that group was reset.
    group_id id{};                     ///< Id on the publisher's session; `upstream` is 0 when none is being asked.
    group_ref group;
    bool begun = false;             ///< Its first frame or its end has arrived: the waiting requests are being served.
    time_point moved_at{};          ///< When its latest bytes arrived, once it has begun.
    bool strict = false;            ///< A relay waits for it: no route longer than our best may be asked.
    moqlite::priority priority = 0; ///< Priority of the request.
    std::size_t hops = 0;           ///< Hops of the route being asked.
    std::vector<std::uint64_t> tried;                       ///< Sessions that have been asked.
    std::set<std::pair<std::uint64_t, request_id>> waiting; ///< Session, request.
};

/// Tracks by the expiry of a timer.
using track_timers = std::multimap<time_point, track*>;
/// The timer of one track.
using track_timer = std::optional<track_timers::iterator>;

/// The stage of a track: whether more groups may arrive.
enum class track_stage : std::uint8_t {
    live,     ///< Its publisher may send more.
    paused,   ///< Its publisher ended the subscription at a Group End, and no reader wants more yet.
    complete, ///< It ended cleanly; no group follows those in the log.
};

/// The standing of a track: who is served from it. Standings only advance in this order.
enum class track_standing : std::uint8_t {
    found,    ///< New subscribers find it.
    retired,  ///< New subscribers do not find it; its readers are served to its end.
    draining, ///< It also has no readers, but readers that were moved elsewhere are still served its arriving groups.
};

/// A track of one publisher, for which we have one subscription.
struct track : upstream_request,
               moqlite::detail::list_hook<moqlite::detail::owned_tag>,
               moqlite::detail::list_hook<route_tag>,
               moqlite::detail::list_hook<ended_tag> {
    explicit track(moqlite::detail::spare_memory& memory_of_entries)
        : upstream_request(request_kind::subscribe), log(memory_of_entries) {}
    std::string broadcast;
    std::string name;
    std::string announced;        ///< The announced path that covers it: the broadcast's, or one above it.
    std::uint64_t indexed_by = 0; ///< Key in relay::tracks_by_route_: the upstream session, or 0 once its end is known.
    track_stage stage = track_stage::live;
    track_standing standing = track_standing::found;
    std::optional<subscribe_id> subscription;
    std::optional<subscribe_id> finished; ///< A local publisher's, which lasts until the readers have everything.
    subscribe_options requested;          ///< The options that we sent to its publisher.
    milliseconds start_age{}; ///< Where Max Age decides about the start: the largest of a reader that begins so, too.
    std::vector<group_sequence> requested_ends; ///< Earlier Group Ends: the publisher may have ended at one of them.
    std::optional<group_sequence> start;        ///< The publisher's first group, once reported.
    std::optional<group_sequence> end;
    std::optional<group_sequence> highest;
    track_timer forget_at;  ///< Set while it is complete.
    track_timer end_timer;  ///< Set while end_suspected, once we have resubscribed.
    track_timer cut_off_at; ///< Set while its publisher has been superseded and is silent.
    /// The FIN of the subscription may have been the end of the track: the version cannot distinguish them.
    bool end_suspected = false;
    bool uncapped = false; ///< Its subscription can have no Group End (any more): complete readers need another one.
    bool outgrown = false; ///< group_outgrew_cache was reported.
    bool in_use = false;   ///< A second subscription beside it is being opened: it must not be reclaimed.
    bool second_refused = false;          ///< The publisher refused a second subscription.
    track* live = nullptr;                ///< The second subscription to the same track, for live readers.
    track* main = nullptr;                ///< If this is the second one: the first.
    time_point superseded_at{};           ///< Start of its publisher's silence after another one took over.
    time_point resubscribed_at{};         ///< When we resubscribed after a FIN that may have been the end of the track.
    std::uint64_t inputs_at_takeover = 0; ///< peer_inputs() of its publisher at superseded_at.
    track_log log;
    moqlite::detail::list<group_fetch, filling_tag> fills; ///< FETCHes for the rest of its groups.
    group_ranges accounted;                                ///< Groups that have arrived, or were reported as dropped.
    std::vector<groups_dropped> gaps; ///< The latest ranges that the publisher reported as dropped, for later readers.
    moqlite::detail::list<reader, of_track_tag> readers;
    demand wanted;                           ///< Combined options of the readers.
    counted<std::uint64_t> sessions_reading; ///< Sessions of the readers, once for each reader.

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

/// How to interpret a group that was reset.
enum class resets : std::uint8_t {
    are_final,   ///< Its publisher has reset it: it will not arrive.
    may_be_cuts, ///< The end of the subscription may have cut it off.
};

/// Whether its end is known and every group before it is complete, finally reset, evicted from the log, or reported as
/// dropped. O(groups in the log).
[[nodiscard]] inline bool has_all_groups(track& t, resets reset_groups) {
    if (!t.end) return false;
    const auto start = t.start ? t.start : t.requested.start;
    if (!start) return *t.end == group_sequence{};
    auto missing = std::max(*start, t.log.floor.value_or(*start)); // The first group not accounted for.
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

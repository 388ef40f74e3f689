// What a relay does with what its sessions say. Part of relay.hpp.
#pragma once

#include <algorithm>
#include <moqlite/relay/relay.hpp>

namespace moqlite {

inline void relay::on(peer& p, const setup_received& e) {
    p.origin = e.origin;
    // A server that we went to has nothing to be admitted to; we watch what it has.
    if (p.session->side() == role::client) return static_cast<void>(p.session->watch(""));
    notice(admission_wanted{p.key, std::string(e.path)});
}

// TRACK.

inline void relay::on(peer& p, const track_requested& e) {
    const track_key key{e.track.broadcast, e.track.track};
    if (const auto* known = known_info(key)) return static_cast<void>(p.session->answer_track(e.request, *known));
    peer* source = source_of(e.track.broadcast, p.key);
    if (source == nullptr) {
        // A track that is here though nobody announces it any more.
        const auto* t = known_track(key);
        source = t != nullptr && t->upstream != p.key ? find(t->upstream) : nullptr;
        if (source != nullptr && !asking_.contains(query_key{key, source->key})) source = nullptr;
    }
    if (source == nullptr) return static_cast<void>(p.session->reject(e.request, app_error::not_found));
    // One that was asked before is of another publisher, perhaps, and nobody knows when it answers.
    if (const auto asked = asking_.find(query_key{key, source->key}); asked != asking_.end())
        return await(p, e.request, **asked);
    if (has_track_info(source->session->negotiated()) &&
        !may_ask(*source, p.key, relaying::request_kind::track, e.track))
        return static_cast<void>(p.session->reject(e.request, app_error::bounds_exceeded));
    const auto query = source->session->request_track(e.track);
    if (!query) {
        if (query.error() == errc::unsupported)
            return static_cast<void>(p.session->answer_track(e.request, relaying::default_track_info));
        return static_cast<void>(p.session->reject(e.request, wire_code(query.error())));
    }
    auto& info = **asking_.insert(std::make_unique<relaying::asking>(query_key{key, source->key})).first;
    info.upstream = source->key;
    info.id = *query;
    source->queries.insert(number(*query), &info);
    charge(*source, info, p.key);
    await(p, e.request, info);
}

inline void relay::await(peer& p, request_id request, relaying::asking& info) {
    info.waiting.emplace(p.key, request);
    p.asked.insert(number(request), &info);
}

/// Calls f(session, request) for each who asked for what has been answered; it waits no longer. Where that finds no
/// memory, the others still wait: repair_infos() refuses them.
template <class F>
void relay::answer(peer& source, query_id query, F&& f) {
    auto* const* found = source.queries.find(number(query));
    if (found == nullptr) return;
    relaying::asking& info = **found;
    discharge(info);
    for (auto& waiting = info.waiting; !waiting.empty(); waiting.erase(waiting.begin())) {
        const auto [key, request] = *waiting.begin();
        peer* asker = find(key);
        if (asker == nullptr) continue;
        f(*asker->session, request);
        asker->asked.erase(number(request));
    }
    source.queries.erase(number(query));
    asking_.erase(asking_.find(info.about));
}

/// A subscriber has taken its TRACK back; when the last one does, so do we.
inline void relay::info_left(peer& p, request_id request) {
    auto* const* found = p.asked.find(number(request));
    if (found == nullptr) return;
    relaying::asking& info = **found;
    p.asked.erase(number(request));
    info.waiting.erase({p.key, request});
    peer* source = find(info.upstream);
    if (!info.waiting.empty()) {
        if (info.asker == p.key) pass_charge(info, info.waiting.begin()->first);
        return;
    }
    discharge(info);
    if (source != nullptr) {
        source->queries.erase(number(info.id));
        static_cast<void>(source->session->cancel(info.id));
    }
    asking_.erase(asking_.find(info.about));
}

inline void relay::on(peer& p, const track_info_received& e) {
    auto* const* found = p.queries.find(number(e.query));
    if (found == nullptr) return;
    const auto& about = (*found)->about.first;
    // What comes late from one that is not the way any more says nothing of the present publisher.
    const auto* covering = table_.covering(about.first);
    if (covering != nullptr && covering->routes.front().source == p.key)
        infos_.set({covering->path, about.first, about.second}, p.key, e.info,
            [&](const relaying::info_key& key) { return index_.contains({key.broadcast, key.name}); });
    answer(p, e.query, [&](any_session& s, request_id request) { static_cast<void>(s.answer_track(request, e.info)); });
}

inline void relay::on(peer& p, const track_refused& e) {
    answer(p, e.query, [&](any_session& s, request_id request) { static_cast<void>(s.reject(request, e.code)); });
}

// The requests of subscribers.

inline void relay::on(peer& p, const subscribe_requested& e) {
    auto why = errc::ok;
    relaying::track* t = find_or_open(e.track.broadcast, e.track.track, p.key, e.options, why);
    if (t == nullptr) return static_cast<void>(p.session->reject(e.request, wire_code(why)));
    auto& r = readers_.make();
    r.session = p.key;
    r.request = e.request;
    r.options = e.options;
    attach(*t, r);
    p.requests.insert(number(e.request), &r);
    const auto first = e.options.start.value_or(group_sequence{});
    if (t->asked.start && !t->highest && first < *t->asked.start) ask_from_earlier(*t, e.options.start);
    join(*t, r);
    ask_upstream(*t);
}

inline void relay::on(peer& p, const subscribe_updated& e) {
    auto* const* r = p.requests.find(number(e.request));
    if (r == nullptr) return;
    auto now = e.options;
    now.end = (*r)->options.end; // groups_wanted follows, if it has changed.
    set_options(**r, now);
    ask_upstream(*(*r)->of);
}

inline void relay::on(peer& p, const groups_wanted& e) {
    auto* const* found = p.requests.find(number(e.request));
    if (found == nullptr || (*found)->options.end == e.up_to) return;
    auto& r = **found;
    auto& t = *r.of;
    const auto before = r.options.end;
    if (!before) r.had = cache_.taken();
    auto now = r.options;
    now.end = e.up_to;
    set_options(r, now);
    if (before) serve_up_to_cap(t, r, next(*before));
    // The groups that have begun here it gets here.
    const bool wants_more = e.up_to && (!t.highest || *t.highest < *e.up_to);
    if (wants_more && t.only_live && !t.is_complete()) return leave_live(r);
    ask_upstream(t);
}

inline void relay::on(peer& p, const request_ended& e) {
    info_left(p, e.request);
    fetch_left(p, e.request);
    auto* const* found = p.requests.find(number(e.request));
    if (found == nullptr) return;
    relaying::reader* r = *found;
    p.requests.erase(number(e.request));
    leave(*r);
    go_on_behind(p, e.request);
}

inline void relay::on(peer& p, const group_lost& e) {
    go_on_behind(p, e.request);
    if (e.code == app_error::cancel) return; // It said itself that it does not want it.
    auto* const* found = p.requests.find(number(e.request));
    if (found == nullptr) return;
    ++groups_lost_;
    const auto& t = *(*found)->of;
    notice(reader_lost_group{p.key, t.broadcast, t.name, e.sequence, e.code});
}

// The publisher's side of a track.

inline relaying::track* relay::upstream_track(peer& p, subscribe_id id) noexcept {
    auto* const* found = p.subscriptions.find(number(id));
    return found != nullptr ? *found : nullptr;
}

inline void relay::on(peer& p, const subscription_accepted& e) {
    relaying::track* t = upstream_track(p, e.subscription);
    if (t == nullptr) return;
    has_brought(*t, relaying::yield::nothing);
    t->perhaps_over = false;
    if (t->start) {
        // Subscribed again where it had ended: what lies between is gone.
        if (t->asked.start && *t->asked.start < e.start)
            on(p, groups_dropped{
                      e.subscription, *t->asked.start, group_sequence{number(e.start) - 1}, app_error::not_found});
        return;
    }
    t->start = e.start;
    if (!t->log.floor) t->log.floor = e.start;
    t->readers.for_each([&](relaying::reader& r) {
        if (r.accepted && r.first && *r.first < e.start) {
            // It was moved here from another subscription, and what lies between will not come.
            const group_sequence last{number(e.start) - 1};
            relaying::is_live(r.options) ? drop(r, *r.first, last, app_error::old) : lose(*t, r, *r.first, last);
            r.first = e.start;
        }
        accept(*t, r);
    });
}

inline void relay::on(peer& p, const subscription_end_known& e) {
    relaying::track* t = upstream_track(p, e.subscription);
    if (t != nullptr && !t->end) on_end(*t, e.end);
}

/// No group at or after `end` will ever come.
inline void relay::on_end(relaying::track& t, group_sequence end) {
    t.end = end;
    if (!t.is_retired()) file(t);
    t.readers.for_each([&](relaying::reader& r) {
        if (any_session* s = session(r.session)) static_cast<void>(s->end_track(r.request, end));
    });
}

inline void relay::on(peer& p, const groups_dropped& e) {
    relaying::track* t = upstream_track(p, e.subscription);
    // Of one that is here its own end will tell.
    if (t == nullptr || (e.first == e.last && t->log.find(e.first) != nullptr)) return;
    if (t->gaps.size() == most_gaps) t->gaps.erase(t->gaps.begin());
    t->gaps.push_back(e);
    t->readers.for_each([&](relaying::reader& r) { drop(r, e.first, e.last, e.code); });
}

inline void relay::on(peer& p, const subscription_ended& e) {
    relaying::track* t = upstream_track(p, e.subscription);
    if (t == nullptr) return;
    p.subscriptions.erase(number(e.subscription));
    t->subscription.reset();
    relaying::clear_timer(perhaps_over_, t->over_at);
    discharge(*t);
    // Some publishers end a subscription at its Group End: there is more to ask for, once a reader wants it.
    const auto& ends = t->asked_ends;
    // Where a version cannot say END, an older one says less than the FIN: some know no Group End, and stop anywhere.
    const auto from = has_subscribe_end(p.session->negotiated()) || ends.empty() ? ends.begin() : std::prev(ends.end());
    const bool at_one = t->highest && std::find(from, ends.end(), *t->highest) != ends.end();
    const bool at_cap = t->asked.end && t->highest && (*t->highest >= *t->asked.end || at_one);
    if (e.finished && !t->end && at_cap) {
        t->stage = relaying::track_stage::paused;
        t->perhaps_over = !has_subscribe_end(p.session->negotiated());
        return ask_upstream(*t);
    }
    if (e.finished || t->perhaps_over || relaying::has_all_groups(*t, relaying::resets::may_be_cuts))
        return end_well(*t);
    if (rejoin(*t)) return;
    cut_off(*t, e.code == app_error::cancel ? app_error::dropped : e.code);
}

/// All that its publisher had is in the log.
inline void relay::end_well(relaying::track& t) {
    t.stage = relaying::track_stage::complete;
    if (!t.is_retired()) file(t);
    // Who ends it without having said where it starts starts where we have it from.
    if (!t.start) t.start = t.log.lowest().value_or(t.end.value_or(group_sequence{}));
    // Where its version cannot say the end, the FIN did.
    if (!t.end && t.highest) on_end(t, next(*t.highest));
    relaying::clear_timer(perhaps_over_, t.over_at);
    note_end(t);
    t.readers.for_each([&](relaying::reader& r) {
        accept(t, r);
        finish_if_served(t, r);
    });
    if (t.main != nullptr) return retire(t); // Who comes later finds more in the log of the other.
    destroy_if_unused(t);
}

/// A FIN that was the end of a subscription or of its track was that of the track, if nothing has followed it. Some
/// publishers accept the subscription to what follows, and are silent.
inline void relay::end_silent(time_point now) {
    while (!perhaps_over_.empty() && perhaps_over_.begin()->first <= now) {
        relaying::track& t = *perhaps_over_.begin()->second;
        if (t.is_draining() && is_read_as_it_arrives(t)) {
            relaying::set_timer(perhaps_over_, t.over_at, now + options_.bounds.request_timeout, t);
            continue;
        }
        if (t.is_draining()) {
            abandon(t);
            continue;
        }
        const auto until = silent_until(t, t.asked_again_at, options_.bounds.end_at_cap);
        if (until > now) {
            relaying::set_timer(perhaps_over_, t.over_at, until, t);
            continue;
        }
        discharge(t);
        unsubscribe(t);
        end_well(t);
    }
}

inline void relay::on(peer& p, const group_opened& e) {
    relaying::track* t = upstream_track(p, e.subscription);
    if (t == nullptr || t->log.find(e.sequence) != nullptr)
        return static_cast<void>(p.session->stop(e.group, app_error::duplicate));
    if (t->is_draining()) return static_cast<void>(p.session->stop(e.group, app_error::cancel));
    auto g = group::make(pool_, e.sequence, relaying::log_dialect(p.session->negotiated()));
    if (!g || !p.session->collect(e.group, g)) {
        static_cast<void>(p.session->stop(e.group, app_error::bounds_exceeded));
        groups_lost_ += t->wanted.readers();
        return on(p, groups_dropped{e.subscription, e.sequence, e.sequence, app_error::bounds_exceeded});
    }
    auto& entry = cache_.add(t->log, std::move(g), {p.key, e.group}, now_);
    has_brought(*t, relaying::yield::groups);
    t->highest = std::max(t->highest.value_or(e.sequence), e.sequence);
    t->perhaps_over = false;
    relaying::clear_timer(perhaps_over_, t->over_at);
    t->readers.for_each([&](relaying::reader& r) { serve(r, entry); });
    free_live_readers(*t);
}

inline void relay::on(peer& p, const group_closed& e) {
    if (e.subscription == no_subscription) return fetch_ended(p, e);
    relaying::track* t = upstream_track(p, e.subscription);
    if (t == nullptr) return;
    auto* entry = t->log.find(e.sequence);
    // Of a number that was dropped and came again, the second may still be arriving.
    if (entry != nullptr && entry->arriving() && entry->group->ended() != group::state::open)
        cache_.complete(*entry, now_);
    if (t->is_draining() && !is_read_as_it_arrives(*t)) abandon(*t);
}

// The log.

inline void relay::on(peer& p, const stream_rejected& e) { notice(peer_misbehaved{p.key, e.stream, e.why}); }

inline void relay::on(peer& p, const session_closed& e) {
    p.ended = true;
    notice(session_ended{p.key, {e.code, e.why, e.by_peer, {}}, std::string(e.reason)});
}

} // namespace moqlite

// How a relay handles the events of its sessions. Part of relay.hpp.
#pragma once

#include <algorithm>
#include <moqlite/relay/relay.hpp>

namespace moqlite {

inline void relay::on(peer& p, const setup_received& e) {
    p.origin = e.origin;
    // A server that we connected to needs no admission; we watch its announcements.
    if (p.session->side() == role::client) return watch_published(*p.session);
    notice(admission_wanted{p.key, std::string(e.path)});
}

// TRACK.

inline void relay::on(peer& p, const track_requested& e) {
    const auto asked = asked_for(p, e.track);
    if (!asked) return static_cast<void>(p.session->reject(e.request, wire_code(errc::unroutable)));
    const track_key& key = *asked;
    const track_ref track{key.first, key.second};
    if (const auto* known = known_info(key)) return static_cast<void>(p.session->answer_track(e.request, *known));
    peer* source = source_of(key.first, p.key);
    if (source == nullptr) {
        // A track that is still here although its announcement has ended.
        const auto* t = known_track(key);
        source = t != nullptr && t->upstream != p.key ? find(t->upstream) : nullptr;
        if (source != nullptr && !track_queries_.contains(query_key{key, source->key})) source = nullptr;
    }
    if (source == nullptr) return static_cast<void>(p.session->reject(e.request, wire_code(errc::unroutable)));
    // Only a query to the same publisher is shared: an earlier one may be of another publisher, and may never be
    // answered.
    if (const auto same = track_queries_.find(query_key{key, source->key}); same != track_queries_.end())
        return await(p, e.request, **same);
    if (source->session->features().track_info && !may_ask(*source, p.key, relaying::request_kind::track, track))
        return static_cast<void>(p.session->reject(e.request, app_error::bounds_exceeded));
    const auto query = source->session->request_track(track);
    if (!query) {
        if (query.error() == errc::unsupported)
            return static_cast<void>(p.session->answer_track(e.request, relaying::default_track_info));
        return static_cast<void>(p.session->reject(e.request, wire_code(query.error())));
    }
    auto& info = **track_queries_.insert(std::make_unique<relaying::track_query>(query_key{key, source->key})).first;
    info.upstream = source->key;
    info.id = *query;
    source->queries.insert(number(*query), &info);
    charge(*source, info, p.key);
    await(p, e.request, info);
}

inline void relay::await(peer& p, request_id request, relaying::track_query& info) {
    info.waiting.emplace(p.key, request);
    p.waiting_queries.insert(number(request), &info);
}

/// Calls f(session, request) for each request that waits for the answered query, and removes it. If f throws, the
/// others still wait: repair_infos() refuses them.
template <class F>
void relay::answer(peer& source, query_id query, F&& f) {
    auto* const* found = source.queries.find(number(query));
    if (found == nullptr) return;
    relaying::track_query& info = **found;
    discharge(info);
    for (auto& waiting = info.waiting; !waiting.empty(); waiting.erase(waiting.begin())) {
        const auto [key, request] = *waiting.begin();
        peer* asker = find(key);
        if (asker == nullptr) continue;
        f(*asker->session, request);
        asker->waiting_queries.erase(number(request));
    }
    source.queries.erase(number(query));
    track_queries_.erase(track_queries_.find(info.about));
}

/// A subscriber has cancelled its TRACK; when the last one does, we cancel ours.
inline void relay::track_request_ended(peer& p, request_id request) {
    auto* const* found = p.waiting_queries.find(number(request));
    if (found == nullptr) return;
    relaying::track_query& info = **found;
    p.waiting_queries.erase(number(request));
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
    track_queries_.erase(track_queries_.find(info.about));
}

inline void relay::on(peer& p, const track_info_received& e) {
    auto* const* found = p.queries.find(number(e.query));
    if (found == nullptr) return;
    const auto& about = (*found)->about.first;
    // A late answer from a publisher that is no longer the best route says nothing about the current one.
    const auto* covering = table_.covering(about.first);
    if (covering != nullptr && covering->routes.front().source == p.key)
        infos_.set({covering->path, about.first, about.second}, p.key, e.info,
            [&](const relaying::info_key& key) { return index_.contains({key.broadcast, key.name}); });
    if (const auto known = index_.find(about); known != index_.end() && known->second->upstream == p.key)
        for (relaying::track* t : {known->second, known->second->live})
            if (t != nullptr) t->readers.for_each([&](relaying::reader& r) { set_timescale(r, e.info); });
    answer(p, e.query, [&](any_session& s, request_id request) { static_cast<void>(s.answer_track(request, e.info)); });
}

inline void relay::on(peer& p, const track_refused& e) {
    answer(p, e.query, [&](any_session& s, request_id request) { static_cast<void>(s.reject(request, e.code)); });
}

// The requests of subscribers.

inline void relay::on(peer& p, const subscribe_requested& e) {
    auto why = errc::unroutable;
    const auto asked = asked_for(p, e.track);
    relaying::track* t = asked ? find_or_open(asked->first, asked->second, p.key, e.options, why) : nullptr;
    if (t == nullptr) return static_cast<void>(p.session->reject(e.request, wire_code(why)));
    auto& r = readers_.make();
    r.session = p.key;
    r.request = e.request;
    r.options = e.options;
    attach(*t, r);
    p.requests.insert(number(e.request), &r);
    if (starts_by_age(p.key)) t->start_age = std::max(t->start_age, e.options.max_age);
    const auto first = e.options.start.value_or(group_sequence{});
    if (t->requested.start && !t->highest && first < *t->requested.start) resubscribe_earlier(*t, e.options.start);
    join(*t, r);
    ask_upstream(*t);
}

inline void relay::on(peer& p, const subscribe_updated& e) {
    auto* const* r = p.requests.find(number(e.request));
    if (r == nullptr) return;
    auto now = e.options;
    now.end = (*r)->options.end; // groups_wanted follows if it has changed.
    set_options(**r, now);
    ask_upstream(*(*r)->of);
}

inline void relay::on(peer& p, const groups_wanted& e) {
    auto* const* found = p.requests.find(number(e.request));
    if (found == nullptr || (*found)->options.end == e.up_to) return;
    auto& r = **found;
    auto& t = *r.of;
    const auto before = r.options.end;
    if (!before) r.offered_before_cap = cache_.added();
    auto now = r.options;
    now.end = e.up_to;
    set_options(r, now);
    if (before) serve_up_to_cap(t, r, next(*before));
    // It still gets the groups that have begun here.
    const bool wants_more = e.up_to && (!t.highest || *t.highest < *e.up_to);
    if (wants_more && t.uncapped && !t.is_complete()) return leave_live(r);
    ask_upstream(t);
}

inline void relay::on(peer& p, const request_ended& e) {
    // The end of the whole session says nothing about the track.
    const auto code = p.session->is_closed() ? app_error::cancel : e.code.value_or(app_error::cancel);
    track_request_ended(p, e.request);
    fetch_request_ended(p, e.request, code);
    auto* const* found = p.requests.find(number(e.request));
    if (found == nullptr) return;
    relaying::reader* r = *found;
    p.requests.erase(number(e.request));
    leave(*r, code, e.delivered);
    resume_behind(p, e.request);
}

inline void relay::on(peer& p, const group_lost& e) {
    resume_behind(p, e.request);
    if (e.code == app_error::cancel) return; // The reader refused it itself.
    auto* const* found = p.requests.find(number(e.request));
    if (found == nullptr) return;
    ++groups_lost_;
    if (e.code == app_error::old) ++groups_too_old_;
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
    note_delivery(*t, relaying::delivery::nothing);
    t->end_suspected = false;
    if (t->start) {
        // We resubscribed after its end: the groups in between are gone.
        if (t->requested.start && *t->requested.start < e.start)
            on(p, groups_dropped{
                      e.subscription, *t->requested.start, group_sequence{number(e.start) - 1}, app_error::not_found});
        return;
    }
    t->start = e.start;
    if (!t->log.floor) t->log.floor = e.start;
    t->readers.for_each([&](relaying::reader& r) {
        if (r.accepted && r.first && *r.first < e.start) {
            // It was moved here from another subscription: the groups in between will not arrive.
            const group_sequence last{number(e.start) - 1};
            relaying::is_live(r.options) ? drop(r, *r.first, last, app_error::old) : lose(*t, r, *r.first, last);
            r.first = e.start;
        }
        accept(*t, r);
    });
    if (starts_by_age(p.key)) ask_upstream(*t);
}

inline void relay::on(peer& p, const subscription_end_known& e) {
    relaying::track* t = upstream_track(p, e.subscription);
    if (t != nullptr && !t->end) on_end(*t, e.end);
}

/// No group at or after `end` will exist.
inline void relay::on_end(relaying::track& t, group_sequence end) {
    t.end = end;
    if (!t.is_retired()) index_route(t);
    t.readers.for_each([&](relaying::reader& r) {
        if (any_session* s = session(r.session)) static_cast<void>(s->end_track(r.request, end));
    });
}

inline void relay::on(peer& p, const groups_dropped& e) {
    relaying::track* t = upstream_track(p, e.subscription);
    // For a group that is here, group_closed reports it.
    if (t == nullptr || (e.first == e.last && t->log.find(e.first) != nullptr)) return;
    t->accounted.add(e.first, e.last);
    note_gap(*t, e);
}

/// Groups will not arrive: reports them to the readers.
inline void relay::note_gap(relaying::track& t, const groups_dropped& gap) {
    if (t.gaps.size() == gaps_max) t.gaps.erase(t.gaps.begin());
    t.gaps.push_back(gap);
    t.readers.for_each([&](relaying::reader& r) { drop(r, gap.first, gap.last, gap.code); });
}

inline void relay::on(peer& p, const subscription_ended& e) {
    relaying::track* t = upstream_track(p, e.subscription);
    if (t == nullptr) return;
    p.subscriptions.erase(number(e.subscription));
    if (e.finished && p.session->as<local_session>() != nullptr) t->finished = t->subscription;
    t->subscription.reset();
    relaying::clear_timer(suspected_ends_, t->end_timer);
    discharge(*t);
    // Some publishers end a subscription at its Group End: we resubscribe once a reader wants more.
    const auto& ends = t->requested_ends;
    // Where a version has no END, only the latest earlier Group End counts: some publishers ignore Group Ends, and
    // their FIN may come at any group.
    const auto from = p.session->features().subscribe_end || ends.empty() ? ends.begin() : std::prev(ends.end());
    const bool at_one = t->highest && std::find(from, ends.end(), *t->highest) != ends.end();
    // A publisher that sends beyond all of them ignores them, and ends with the track.
    const bool ignored = t->requested.end && t->highest && *t->requested.end < *t->highest &&
                         std::none_of(ends.begin(), ends.end(), [&](auto end) { return *t->highest <= end; });
    const bool at_cap = t->requested.end && t->highest && !ignored && (*t->highest >= *t->requested.end || at_one);
    if (e.finished && !t->end && at_cap) {
        t->stage = relaying::track_stage::paused;
        t->end_suspected = !p.session->features().subscribe_end;
        release(*t);
        return ask_upstream(*t);
    }
    if (e.finished || t->end_suspected || relaying::has_all_groups(*t, relaying::resets::may_be_cuts))
        return end_cleanly(*t);
    if (rejoin(*t)) return;
    cut_off(*t, e.code == app_error::cancel ? app_error::dropped : e.code);
}

/// All groups of its publisher are in the log.
inline void relay::end_cleanly(relaying::track& t) {
    t.stage = relaying::track_stage::complete;
    if (!t.is_retired()) index_route(t);
    // No start was given: use our first group.
    if (!t.start) t.start = t.log.lowest().value_or(t.end.value_or(group_sequence{}));
    // Where the version has no END, the FIN was the end.
    if (!t.end && t.highest) on_end(t, next(*t.highest));
    relaying::clear_timer(suspected_ends_, t.end_timer);
    note_end(t);
    t.readers.for_each([&](relaying::reader& r) { accept(t, r); });
    // Its publisher may not have reported them: some never do, and since moq-lite-07 there is no message for it.
    if (t.end)
        t.accounted.for_each_gap(*t.start, *t.end, [&](group_sequence first, group_sequence last) {
            note_gap(t, {.first = first, .last = last, .code = app_error::dropped});
        });
    t.readers.for_each([&](relaying::reader& r) { finish_if_served(t, r); });
    if (t.wanted.readers() == 0) release(t);
    if (t.main != nullptr) return retire(t); // Later readers find more in the log of the first subscription.
    destroy_if_unused(t);
}

/// A FIN that may have ended only the subscription was the end of the track if nothing has followed it. Some publishers
/// accept the new subscription and send nothing.
inline void relay::end_silent(time_point now) {
    while (!suspected_ends_.empty() && suspected_ends_.begin()->first <= now) {
        relaying::track& t = *suspected_ends_.begin()->second;
        if (t.is_draining() && serves_arriving_groups(t)) {
            relaying::set_timer(suspected_ends_, t.end_timer, now + options_.bounds.request_timeout, t);
            continue;
        }
        if (t.is_draining()) {
            abandon(t);
            continue;
        }
        const auto until = silent_until(t, t.resubscribed_at, options_.bounds.end_at_cap);
        if (until > now) {
            relaying::set_timer(suspected_ends_, t.end_timer, until, t);
            continue;
        }
        discharge(t);
        unsubscribe(t);
        end_cleanly(t);
    }
}

inline void relay::on(peer& p, const group_opened& e) {
    relaying::track* t = upstream_track(p, e.subscription);
    if (t == nullptr || t->log.find(e.sequence) != nullptr)
        return static_cast<void>(p.session->stop(e.group, app_error::duplicate));
    if (t->is_draining()) return static_cast<void>(p.session->stop(e.group, app_error::cancel));
    auto g = p.session->adopt(e.group);
    const bool is_here = static_cast<bool>(g);
    if (!is_here) g = group::make(pool_, e.sequence, with_timestamps(p.session->features().frames), {}, e.first);
    if (!g || (!is_here && !p.session->collect(e.group, g))) {
        static_cast<void>(p.session->stop(e.group, app_error::bounds_exceeded));
        groups_lost_ += t->wanted.readers();
        return on(p, groups_dropped{e.subscription, e.sequence, e.sequence, app_error::bounds_exceeded});
    }
    t->accounted.add(e.sequence, e.sequence);
    auto& entry = cache_.add(t->log, std::move(g), {p.key, e.group}, now_);
    note_delivery(*t, relaying::delivery::groups);
    t->highest = std::max(t->highest.value_or(e.sequence), e.sequence);
    t->end_suspected = false;
    relaying::clear_timer(suspected_ends_, t->end_timer);
    t->readers.for_each([&](relaying::reader& r) { serve(r, entry); });
    free_live_readers(*t);
}

inline void relay::on(peer& p, const group_closed& e) {
    if (e.subscription == no_subscription) return fetch_ended(p, e);
    relaying::track* t = upstream_track(p, e.subscription);
    if (t == nullptr) return;
    auto* entry = t->log.find(e.sequence);
    // A dropped group may have arrived again, and the second may still be arriving.
    if (entry != nullptr && entry->arriving() && entry->group->ended() != group::state::open) {
        if (!e.complete && fill(p, *t, *entry, t->asker)) return;
        cache_.complete(*entry, now_);
    }
    if (t->is_draining() && !serves_arriving_groups(*t)) abandon(*t);
}

// The log.

inline void relay::on(peer& p, const stream_rejected& e) { notice(peer_misbehaved{p.key, e.stream, e.why}); }

inline void relay::on(peer& p, const session_closed& e) {
    p.ended = true;
    notice(session_ended{p.key, {e.code, e.why, e.by_peer, {}}, std::string(e.reason)});
}

} // namespace moqlite

// How a relay answers FETCH and forwards datagrams. Part of relay.hpp.
#pragma once

#include <algorithm>
#include <moqlite/relay/relay.hpp>
#include <utility>

namespace moqlite {

/// Answers from the log, or fetches the frames from a publisher, once for all concurrent requests. A fetched group is
/// not cached, and not served to subscribers.
inline void relay::on(peer& p, const fetch_requested& e) {
    const auto asked = asked_for(p, e.track);
    if (!asked) return static_cast<void>(p.session->reject(e.request, wire_code(errc::unroutable)));
    const track_key& key = *asked;
    if (relaying::track* known = known_track(key)) {
        for (relaying::track* t : {known, known->live}) {
            auto* entry = t != nullptr ? t->log.find(e.sequence) : nullptr;
            if (entry != nullptr && p.session->serve(e.request, entry->group)) return;
        }
    }
    const fetch_key wanted{key, e.sequence};
    relaying::group_fetch* found = shareable_fetch(wanted, e.frames, p);
    if (found == nullptr) {
        auto log = group::make(pool_, e.sequence, version::lite_05, e.frames.first);
        if (!log) return static_cast<void>(p.session->reject(e.request, wire_code(errc::out_of_memory_limit)));
        found = group_fetches_.insert(std::make_unique<relaying::group_fetch>(wanted, e.frames))->get();
        found->group = std::move(log);
        found->priority = e.priority;
        found->asker = p.key;
    }
    auto& f = *found;
    f.strict = f.strict || p.is_relay;
    if (f.begun && !serve_fetched(p, e.request, f)) return;
    f.waiting.emplace(p.key, e.request);
    p.waiting_fetches.insert(number(e.request), found);
    if (f.begun || f.upstream != 0) return;
    if (const auto why = ask_next(f); why != errc::ok) fetch_failed(f, wire_code(why));
}

/// A running fetch that `asker` can share: from a publisher that still announces the name, with the first of the frames
/// still here or to come, and not leading back to `asker`. nullptr: none.
inline relaying::group_fetch* relay::shareable_fetch(
    const fetch_key& wanted, const frame_range& frames, const peer& asker) {
    const auto [first, last] = group_fetches_.equal_range(wanted);
    if (first == last) return nullptr;
    const auto* e = table_.covering(wanted.first.first);
    const auto ways = sources_of(e);
    const auto found = std::find_if(first, last, [&](const auto& one) {
        const auto& f = *one;
        const bool leads_back =
            f.upstream == asker.key || (asker.is_relay && e != nullptr && f.hops > e->routes.front().hops.size());
        const bool is_a_way = e == nullptr || std::binary_search(ways.begin(), ways.end(), f.upstream);
        const bool has_frames = f.fills == nullptr && f.frames.covers(frames) && f.group->keeps_from(frames.first);
        return !leads_back && has_frames && is_a_way;
    });
    return found != last ? found->get() : nullptr;
}

/// The best route to a group that has not been tried yet; nullptr: none. For another relay no route longer than our
/// best is asked: each relay on the route is nearer to the publisher, so that relays cannot wait for each other in a
/// circle.
inline relay::peer* relay::next_source(relaying::group_fetch& f) {
    const auto* e = table_.covering(f.about.first.first);
    if (e == nullptr) return nullptr;
    for (const auto& way : e->routes) {
        if (std::find(f.tried.begin(), f.tried.end(), way.source) != f.tried.end()) continue;
        if (f.strict && way.hops.size() > e->routes.front().hops.size()) continue;
        const bool leads_back = std::any_of(f.waiting.begin(), f.waiting.end(), [&](const auto& one) {
            const peer* asker = find(one.first);
            const bool through = asker != nullptr && asker->is_relay && asker->origin != hop_id{} &&
                                 std::find(way.hops.begin(), way.hops.end(), asker->origin) != way.hops.end();
            return one.first == way.source || through;
        });
        peer* source = leads_back ? nullptr : find(way.source);
        if (source == nullptr) continue;
        f.hops = way.hops.size();
        return source;
    }
    return nullptr;
}

/// Asks the next publisher for the frames of a group; one without ranges for the whole group.
inline errc relay::ask_next(relaying::group_fetch& f) {
    const auto& [broadcast, name] = f.about.first;
    auto why = errc::unroutable;
    f.upstream = 0;
    while (peer* source = f.tried.size() < tried_max ? next_source(f) : nullptr) {
        f.tried.push_back(source->key);
        if (!may_ask(*source, f.asker, relaying::request_kind::fetch, {broadcast, name})) {
            why = errc::too_many_requests;
            continue;
        }
        const auto frames = source->session->features().frame_ranges ? f.frames : frame_range{};
        const auto id = source->session->fetch({broadcast, name}, f.about.second, f.priority, frames);
        if (!id) {
            why = id.error();
            continue;
        }
        f.upstream = source->key;
        f.id = *id;
        source->fetches.insert(number(*id), &f);
        charge(*source, f, f.asker);
        return errc::ok;
    }
    return why;
}

/// The publisher asked last will not deliver: asks the next one, or refuses the waiting requests. Precondition: the
/// fetch is no longer among those of its source.
inline void relay::fetch_failed(relaying::group_fetch& f, app_error code) {
    discharge(f);
    if (!f.waiting.empty() && ask_next(f) == errc::ok) return;
    f.upstream = 0;
    for (const auto& [key, request] : f.waiting) {
        peer* asker = find(key);
        if (asker == nullptr) continue;
        asker->waiting_fetches.erase(number(request));
        static_cast<void>(asker->session->reject(request, code));
    }
    forget(f);
}

/// False: refused, since its session has too many groups waiting.
inline bool relay::serve_fetched(peer& p, request_id request, relaying::group_fetch& f) {
    if (p.session->serve(request, f.group)) return true;
    static_cast<void>(p.session->reject(request, app_error::bounds_exceeded));
    return false;
}

/// The first frame of a group, or its end, has arrived: serves the waiting requests as it grows. False: none of them
/// could be served, and the fetch is over.
inline bool relay::begin_fetched(relaying::group_fetch& f) {
    if (std::exchange(f.begun, true)) return true;
    note_delivery(f, relaying::delivery::groups);
    if (f.fills != nullptr) return true;
    cache_.track_uncached(f.group);
    std::erase_if(f.waiting, [&](const auto& one) {
        peer* asker = find(one.first);
        if (asker == nullptr) return true;
        if (serve_fetched(*asker, one.second, f)) return false;
        asker->waiting_fetches.erase(number(one.second));
        return true;
    });
    return keep_fetching(f);
}

/// Some requests wait no longer. False: none does, and the FETCH was cancelled, with the code of the last one.
inline bool relay::keep_fetching(relaying::group_fetch& f, app_error code) {
    if (!f.waiting.empty()) {
        const auto its = f.waiting.lower_bound({f.asker, request_id{}});
        if (its == f.waiting.end() || its->first != f.asker) pass_charge(f, f.waiting.begin()->first);
        return true;
    }
    discharge(f);
    if (peer* source = find(f.upstream)) {
        static_cast<void>(source->session->stop(f.id, code));
        source->fetches.erase(number(f.id));
    }
    forget(f);
    return false;
}

/// Bytes of a fetched group. They are stored here, not by the session: until the first byte another publisher can still
/// be asked.
inline void relay::on(peer& p, const frame_data& e) {
    if (e.subscription != no_subscription) return;
    auto* const* found = p.fetches.find(number(e.group));
    if (found == nullptr) return;
    auto& f = **found;
    if (!begin_fetched(f)) return;
    f.moved_at = now_;
    f.moqlite::detail::list_hook<relaying::moving_tag>::unlink();
    moving_.push_back(f);
    if (e.object < f.frames.first) return; // The publisher can only send the whole group.
    auto piece = e;
    // Without timestamps, when the frame began to arrive.
    if (!has_timestamps(p.session->features().frames))
        piece.time = e.offset == 0 ? arrival_time(options_.epoch, now_) : f.group->last_time();
    store(*f.group, piece);
    const bool has_more = !p.session->features().frame_ranges && f.frames.last && f.group->has_up_to(*f.frames.last);
    if (f.group->ended() == group::state::open && !has_more) return;
    static_cast<void>(p.session->stop(e.group, has_more ? app_error::cancel : app_error::evicted));
    fetch_ended(p, {.group = e.group, .subscription = no_subscription, .complete = has_more});
}

/// Appends a piece of a frame, or what the log lacks of it.
inline void relay::store(group& g, const frame_data& e) {
    const bool goes_on = g.missing() != 0 && next(e.object) == g.next_object();
    const bool differs = goes_on && (e.size != g.last_size() || e.time != g.last_time());
    if (differs) return g.abort(app_error::evicted);
    if (!goes_on && e.offset == 0 && !g.begin_frame(e.time, e.size, e.data.size())) g.abort(app_error::evicted);
    const auto here = g.last_size() - g.missing();
    const auto known = as_size(std::min<std::uint64_t>(here - std::min(here, e.offset), e.data.size()));
    if (known != e.data.size()) static_cast<void>(g.append_payload(e.data.subspan(known)));
}

/// A group has ended or failed: the waiting requests are served to its end, and it is no longer tracked.
inline void relay::fetch_ended(peer& source, const group_closed& e) {
    auto* const* found = source.fetches.find(number(e.group));
    if (found == nullptr) return;
    auto& f = **found;
    source.fetches.erase(number(e.group));
    if (f.fills != nullptr) return filled(f, e.complete);
    // A refusal without a reason is one all the same.
    const auto refusal = e.code == app_error::cancel ? app_error::not_found : e.code;
    if (!e.complete && !f.begun) return fetch_failed(f, refusal);
    if (!begin_fetched(f)) return;
    const bool too_short = e.complete && f.group->frames() == 0 && f.frames.first != object_id{};
    if (too_short || !e.complete || !f.group->finish()) f.group->abort(too_short ? app_error::not_found : e.code);
    discharge(f);
    f.upstream = 0;
    for (const auto& [key, request] : f.waiting)
        if (peer* asker = find(key)) asker->waiting_fetches.erase(number(request));
    forget(f);
}

/// Stops fetches whose publisher has begun a group and then sent nothing for too long. No other publisher can be asked,
/// since the waiting requests already have the beginning.
inline void relay::end_silent_fetches(time_point now) {
    while (!moving_.empty() && moving_.front().moved_at + options_.bounds.request_timeout <= now) {
        relaying::group_fetch& f = moving_.take_front();
        peer* source = find(f.upstream);
        if (source == nullptr) continue;
        ++requests_overdue_;
        const auto id = f.id;
        static_cast<void>(source->session->stop(id, app_error::cancel));
        fetch_ended(*source, {id, no_subscription, {}, false, app_error::timeout});
    }
}

inline void relay::forget(relaying::group_fetch& f) {
    if (f.charged) discharge(f);
    const auto [first, last] = group_fetches_.equal_range(f.about);
    group_fetches_.erase(std::find_if(first, last, [&](const auto& one) { return one.get() == &f; }));
}

/// The peer has cancelled its FETCH; the publisher gets the code of the last one.
inline void relay::fetch_request_ended(peer& p, request_id request, app_error code) {
    auto* const* found = p.waiting_fetches.find(number(request));
    if (found == nullptr) return;
    auto& f = **found;
    p.waiting_fetches.erase(number(request));
    f.waiting.erase({p.key, request});
    static_cast<void>(keep_fetching(f, code));
}

/// Forwards a datagram at once to all readers whose version has datagrams; never stores it.
inline void relay::on(peer& p, const group_datagram& e) {
    relaying::track* t = upstream_track(p, e.subscription);
    if (t == nullptr) return;
    note_delivery(*t, relaying::delivery::groups);
    t->accounted.add(e.sequence, e.sequence);
    t->readers.for_each([&](relaying::reader& r) {
        any_session* s = session(r.session);
        const bool wanted = (!r.first || *r.first <= e.sequence) && (!r.options.end || e.sequence <= *r.options.end);
        if (s == nullptr || !wanted) return;
        if (!s->serve_datagram(r.request, e.sequence, e.time, e.data)) ++datagrams_lost_;
    });
}

} // namespace moqlite

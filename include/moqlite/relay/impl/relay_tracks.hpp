// Which reader gets which groups of a track, and what is requested of its publisher. Part of relay.hpp.
#pragma once

#include <algorithm>
#include <moqlite/relay/relay.hpp>

namespace moqlite {

/// The track that a peer asks for, by its name here: that of a broadcast for this peer alone, if there is one.
/// nullopt: no peer can ask so.
inline std::optional<relay::track_key> relay::asked_for(peer& p, const track_ref& what) {
    track_key key{what.broadcast, what.track};
    if (path::is_private(key.first)) {
        if (p.session->as<local_session>() == nullptr) return std::nullopt;
        return key;
    }
    const auto* e = table_.covering(key.first, p.alone);
    if (e != nullptr && path::is_private(e->path)) key.first = path::join(p.alone, key.first);
    return key;
}

/// The publisher to ask for a broadcast: the best route of the most specific announcement that does not lead back to
/// `asker`. nullptr: there is none.
inline relay::peer* relay::source_of(std::string_view broadcast, std::uint64_t asker) {
    const auto* e = table_.covering(broadcast);
    if (e == nullptr) return nullptr;
    const peer* its = find(asker);
    for (const auto& way : e->routes)
        if (its == nullptr || !leads_back(way, *its))
            if (peer* p = find(way.source)) return p;
    return nullptr;
}

/// Whether a route comes from a peer or passes it: a request along it could wait for itself.
inline bool relay::leads_back(const route& way, const peer& to) noexcept {
    const auto& hops = way.hops;
    return way.source == to.key ||
           (to.origin != hop_id{} && std::find(hops.begin(), hops.end(), to.origin) != hops.end());
}

/// The track that new subscribers find; nullptr: none. Retires tracks that a narrower announcement now covers.
inline relaying::track* relay::known_track(const track_key& about) {
    const auto* e = table_.covering(about.first);
    for (auto known = index_.find(about); known != index_.end(); known = index_.find(about)) {
        if (e == nullptr || known->second->announced == e->path) return known->second;
        retire(*known->second);
    }
    return nullptr;
}

/// The track for a new reader with these options; subscribes upstream if it is not here. nullptr: refused, sets `why`.
inline relaying::track* relay::find_or_open(std::string_view broadcast, std::string_view name, std::uint64_t asker,
    const subscribe_options& options, errc& why) {
    if (auto* known = known_track({std::string(broadcast), std::string(name)}))
        return track_for(*known, asker, options, why);
    peer* source = source_of(broadcast, asker);
    if (source == nullptr) return why = errc::unroutable, nullptr;
    auto* t = open({broadcast, name}, *source, asker, options, why);
    if (t != nullptr) index_.emplace(track_key{broadcast, name}, t);
    return t;
}

/// Subscribes upstream; does not add the new track to the index.
inline relaying::track* relay::open(
    const track_ref& which, peer& source, std::uint64_t asker, const subscribe_options& options, errc& why) {
    if (!may_ask(source, asker, relaying::request_kind::subscribe, which))
        return why = errc::too_many_requests, nullptr;
    auto& t = tracks_.make(cache_.memory_of_entries());
    t.broadcast = which.broadcast;
    t.name = which.track;
    const auto* e = table_.covering(t.broadcast);
    t.upstream = source.key;
    t.requested = with_start(options, asker, source.key);
    // Its log holds whole groups.
    t.requested.frame_start = {};
    t.requested.frame_end.reset();
    const auto id = source.session->subscribe(which, t.requested);
    if (!id) {
        tracks_.destroy(t);
        return why = id.error(), nullptr;
    }
    t.subscription = *id;
    source.subscriptions.insert(number(*id), &t);
    index_under(t, e != nullptr ? e->path : t.broadcast);
    charge(source, t, asker);
    return &t;
}

/// The options of a subscription to `source` for one of `asker`, if their versions begin at different groups.
inline subscribe_options relay::with_start(
    subscribe_options options, std::uint64_t asker, std::uint64_t source) noexcept {
    if (options.start || starts_by_age(asker) == starts_by_age(source)) return options;
    if (starts_by_age(source))
        options.max_age = {}; // Only that means the latest group; ask_upstream() corrects it afterwards.
    else if (options.max_age >= complete_age)
        options.start = group_sequence{};
    return options;
}

/// The first cached group for a new reader; nullopt: there is none that it wants.
inline std::optional<group_sequence> relay::first_cached(relaying::track& t, const relaying::reader& r) {
    auto* const newest = t.log.newest();
    if (newest == nullptr) return std::nullopt;
    if (!starts_by_age(r.session)) return newest->group->sequence();
    const auto* info = info_of(t);
    const auto last = number(newest->group->last_time());
    const auto* first = t.log.oldest_young(r.options.start.value_or(group_sequence{}),
        [&](const relaying::log_entry& e, const relaying::log_entry& after) {
            if (e.group->lost_head() != 0) return false;
            if (r.options.max_age >= complete_age) return true;
            if (r.options.max_age == milliseconds{0}) return false;
            if (info == nullptr || last == 0 || after.group->frames() == 0)
                return now_ - after.began <= std::min<milliseconds>(r.options.max_age, complete_age);
            const auto begun = number(after.group->first_time());
            return last <= begun || media_time(last - begun, info->timescale) <= r.options.max_age;
        });
    return first != nullptr ? std::optional{first->group->sequence()} : std::nullopt;
}

/// Whether a session's version lets Max Age decide where a subscription begins, not before its Group Start.
inline bool relay::starts_by_age(std::uint64_t key) noexcept {
    const any_session* s = session(key);
    return s != nullptr && s->features().start_by_age;
}

/// Serves a new reader the groups that are here: from its start, or else the newest; or by their age.
inline void relay::join(relaying::track& t, relaying::reader& r) {
    if (!r.options.start || starts_by_age(r.session)) r.first = first_cached(t, r);
    if (!r.first) r.first = r.options.start;
    if (!r.first && t.start) r.first = t.highest ? next(*t.highest) : *t.start;
    any_session* s = session(r.session);
    accept(t, r);
    if (t.end) static_cast<void>(s->end_track(r.request, *t.end));
    for (const auto& gap : t.gaps) drop(r, gap.first, gap.last, gap.code);
    serve_up_to_cap(t, r, r.first.value_or(group_sequence{}));
}

/// Accepts the reader's subscription once its first group is known.
inline void relay::accept(relaying::track& t, relaying::reader& r) {
    if (r.accepted || !t.start) return;
    // Groups below the floor are gone, but a late one may still be here.
    const auto there = std::min(t.log.floor.value_or(*t.start), t.log.lowest().value_or(group_sequence{UINT64_MAX}));
    r.first = std::max(r.first.value_or(*t.start), there);
    priority publisher = 0;
    const auto* info = info_of(t);
    if (info != nullptr) publisher = info->priority;
    if (any_session* s = session(r.session)) static_cast<void>(s->accept(r.request, r.first, publisher));
    r.accepted = true;
    tell_publisher(t, [&](local_session& end, subscribe_id id) { end.joined(id, *r.first); });
    if (info != nullptr) set_timescale(r, *info);
}

/// nullptr: its publisher has not been asked, or has not answered yet.
inline const track_info* relay::info_of(const relaying::track& t) {
    if (const auto* info = infos_.find({t.announced, t.broadcast, t.name})) return info;
    const peer* source = find(t.upstream);
    return source != nullptr && !source->session->features().track_info ? &relaying::default_track_info : nullptr;
}

/// The timestamps of its groups have a unit from now on.
inline void relay::set_timescale(relaying::reader& r, const track_info& info) {
    if (any_session* s = session(r.session)) static_cast<void>(s->set_timescale(r.request, info.timescale));
}

inline void relay::serve(relaying::reader& r, relaying::log_entry& e) {
    const auto sequence = e.group->sequence();
    if (r.first && sequence < *r.first) return;
    if (r.options.end && *r.options.end < sequence) return;
    any_session* s = session(r.session);
    if (s == nullptr || must_wait(r, *s, sequence)) return;
    r.highest = std::max(r.highest.value_or(sequence), sequence);
    if (s->serve(r.request, e.group)) return;
    // It was cut off, or its head is gone.
    const bool cut = e.group->ended() == group::state::aborted;
    if (cut && fill_for(r, e)) return serve(r, e);
    auto& t = *r.of;
    if (!cut && e.group->lost_head() != 0) {
        if (e.arriving() && !std::exchange(t.outgrown, true))
            notice(group_outgrew_cache{t.upstream, t.broadcast, t.name, sequence, e.group->size()});
        return lose(t, r, sequence, sequence);
    }
    drop(r, sequence, sequence, cut ? e.group->abort_code() : app_error::evicted);
}

/// Reports groups that will not arrive, as far as this reader wants them.
inline void relay::drop(relaying::reader& r, group_sequence first, group_sequence last, app_error code) {
    first = std::max(first, r.first.value_or(first));
    if (any_session* s = session(r.session); s != nullptr && first <= last)
        static_cast<void>(s->drop(r.request, first, last, code));
}

/// The same for groups that the cache has dropped.
inline void relay::lose(relaying::track& t, relaying::reader& r, group_sequence first, group_sequence last) {
    drop(r, first, last, app_error::evicted);
    groups_lost_ += number(last) - number(first) + 1;
    notice(reader_lost_group{r.session, t.broadcast, t.name, last, app_error::evicted});
}

/// Serves the groups from `from` on, as far as the reader wants them and its session accepts them. Groups that the
/// cache has dropped are reported to the operator.
inline void relay::serve_up_to_cap(relaying::track& t, relaying::reader& r, group_sequence from) {
    if (r.is_behind()) return; // resume() serves it, from an earlier group.
    const auto cap = r.options.end;
    const auto lose_up_to = [&](group_sequence here) {
        if (!r.accepted) return;
        const auto first = std::max(from, *r.first);
        const auto gone = std::min(here, t.log.floor.value_or(from));
        if (gone <= first) return;
        const group_sequence last{number(gone) - 1};
        lose(t, r, first, last);
        r.highest = std::max(r.highest.value_or(last), last);
    };
    while (auto* e = t.log.at_or_after(from)) {
        const auto here = e->group->sequence();
        if (cap && *cap < here) break;
        lose_up_to(here);
        if (e->number > r.offered_before_cap || !r.highest || *r.highest < here) serve(r, *e);
        if (r.is_behind()) return;
        from = next(here);
    }
    lose_up_to(cap ? next(*cap) : t.log.floor.value_or(from));
    finish_if_served(t, r);
}

inline void relay::finish_if_served(relaying::track& t, relaying::reader& r) {
    if (!t.is_complete() || r.finished || r.is_behind()) return;
    if (r.options.end && t.highest && *r.options.end < *t.highest) return;
    if (any_session* s = session(r.session)) static_cast<void>(s->finish(r.request));
    r.finished = true;
}

/// Adds a reader to a track and to its combined options.
inline void relay::attach(relaying::track& t, relaying::reader& r) {
    relaying::counted<std::uint64_t>::addition its_session{t.sessions_reading, r.session};
    t.wanted.add(r.options);
    its_session.keep();
    r.of = &t;
    t.readers.push_back(r);
    revalue(t, t.delivered, t.sessions_reading.size());
}

inline void relay::detach(relaying::reader& r) noexcept {
    r.of->wanted.remove(r.options);
    r.of->sessions_reading.remove(r.session);
    r.of = nullptr;
    r.moqlite::detail::list_hook<relaying::of_track_tag>::unlink();
}

inline void relay::leave(relaying::reader& r, app_error code, bool delivered) {
    auto& t = *r.of;
    const auto whose = r.session;
    if (r.accepted)
        tell_publisher(t, [&](local_session& end, subscribe_id id) {
            const any_session* its = session(whose);
            end.left(id, {.delivered = delivered, .with_session = its == nullptr || its->is_closed(), .code = code});
        });
    detach(r);
    readers_.destroy(r);
    revalue(t, t.delivered, t.sessions_reading.size());
    if (whose == t.asker && !t.readers.empty()) pass_charge(t);
    if (t.wanted.readers() != 0) return ask_upstream(t);
    abandon(t, code);
}

/// The track has no readers: unsubscribes, with the code of the last one. A track that ended stays until it expires.
inline void relay::abandon(relaying::track& t, app_error code) {
    t.log.wanted.reset();
    if (t.is_paused()) {
        t.stage = relaying::track_stage::live;
        // Its last FIN was the end of the track, unless a publisher could still send more.
        if (t.end_suspected && table_.covering(t.broadcast) == nullptr) return end_cleanly(t);
        return retire(t);
    }
    release(t);
    if (!t.subscription) return destroy_if_unused(t);
    pass_charge(t);
    unsubscribe(t, code);
    // The reader may have found the end before the publisher's FIN arrived.
    relaying::has_all_groups(t, relaying::resets::are_final) ? end_cleanly(t) : retire(t);
}

/// Changes a reader's options.
inline void relay::set_options(relaying::reader& r, const subscribe_options& now) {
    r.of->wanted.add(now);
    r.of->wanted.remove(std::exchange(r.options, now));
}

inline void relay::unsubscribe(relaying::track& t, app_error code) {
    if (!t.subscription) return;
    if (peer* source = find(t.upstream)) {
        source->subscriptions.erase(number(*t.subscription));
        static_cast<void>(source->session->unsubscribe(*t.subscription, code));
    }
    t.subscription.reset();
}

/// Updates the subscription to the combined options of the readers.
inline void relay::ask_upstream(relaying::track& t) {
    t.log.wanted = t.wanted.lowest_end();
    if (t.is_paused()) return resubscribe(t);
    peer* source = find(t.upstream);
    if (source == nullptr || !t.subscription || t.wanted.readers() == 0) return;
    auto wanted = t.wanted.sum();
    if (t.uncapped) wanted.end.reset();
    wanted.start = t.requested.start;
    // Until it has begun, Max Age is where it begins: readers whose version begins at the latest group do not count.
    if (!t.start && !t.highest && !wanted.start && starts_by_age(t.upstream))
        wanted.max_age = std::min(wanted.max_age, std::max(t.requested.max_age, t.start_age));
    if (wanted == t.requested) return;
    auto changes = changes_to(wanted);
    changes.start.reset(); // Unchanged.
    if (!source->session->update(*t.subscription, changes)) return;
    if (t.requested.end && t.requested.end != wanted.end) note_requested_end(t);
    // Publishers do not accept a Group End again after it was removed.
    if (t.requested.end && !wanted.end) t.uncapped = true;
    t.requested = wanted;
    free_live_readers(t);
}

/// The publisher may still end the subscription at the previous Group End.
inline void relay::note_requested_end(relaying::track& t) {
    std::erase_if(t.requested_ends, [&](group_sequence end) { return t.highest && end < *t.highest; });
    if (t.requested_ends.size() < requested_ends_max) t.requested_ends.push_back(*t.requested.end);
}

/// Subscribes again after the publisher has ended at a Group End, if a reader wants more.
inline void relay::resubscribe(relaying::track& t) {
    const auto wanted = t.wanted.sum();
    if (t.wanted.readers() == 0 || (wanted.end && *wanted.end <= *t.highest)) return free_live_readers(t);
    t.stage = relaying::track_stage::live;
    t.requested_ends.clear();
    t.requested = wanted;
    t.requested.start = next(*t.highest);
    peer* source = find(t.upstream);
    const auto again =
        source != nullptr ? source->session->subscribe({t.broadcast, t.name}, t.requested) : errc::closed;
    if (!again && t.end_suspected) return end_cleanly(t); // No publisher could send more.
    if (!again) return cut_off(t, app_error::dropped);
    t.subscription = *again;
    source->subscriptions.insert(number(*again), &t);
    charge(*source, t, t.readers.front().session);
    if (!t.end_suspected) return;
    t.resubscribed_at = now_;
    relaying::set_timer(suspected_ends_, t.end_timer, silent_until(t, now_, options_.bounds.end_at_cap), t);
}

/// Ends the requests of all readers.
inline void relay::cut_off(relaying::track& t, app_error code) {
    auto left = t.wanted.readers();
    // Prevents leave() from resubscribing.
    if (t.is_paused()) t.stage = relaying::track_stage::live;
    // It only serves its last groups to readers that moved elsewhere.
    if (left == 0 && t.subscription) return abandon(t);
    discharge(t); // It must not yield to a reader that is resumed below.
    retire(t);
    // The last leave() destroys the track.
    for (; left != 0; --left) {
        auto& r = t.readers.front();
        if (peer* reading = find(r.session)) {
            const auto request = r.request;
            reading->requests.erase(number(request));
            static_cast<void>(reading->session->reject(request, code));
            leave(r);
            resume_behind(*reading, request);
        } else {
            leave(r);
        }
    }
}

/// New subscribers no longer find it; its readers are served to its end.
inline void relay::retire(relaying::track& t) {
    if (!t.is_retired()) unlist(t, {t.broadcast, t.name});
    unindex_route(t);
    destroy_if_unused(t);
}

inline void relay::unlist(relaying::track& t, const track_key& key) {
    t.standing = relaying::track_standing::retired;
    if (relaying::track* main = std::exchange(t.main, nullptr)) {
        main->live = nullptr;
        return;
    }
    index_.erase(key);
    if (relaying::track* second = std::exchange(t.live, nullptr)) {
        second->main = nullptr;
        index_.emplace(key, second);
    } else if (table_.find(t.announced) == nullptr) {
        infos_.erase({t.announced, t.broadcast, t.name});
    }
}

inline void relay::destroy_if_unused(relaying::track& t) {
    if (!t.is_retired() || t.wanted.readers() != 0 || t.subscription) return;
    if (t.charged) discharge(t);
    forget_end(t);
    relaying::clear_timer(superseded_, t.cut_off_at);
    relaying::clear_timer(suspected_ends_, t.end_timer);
    if (t.main != nullptr) t.main->live = nullptr;
    if (t.live != nullptr) t.live->main = nullptr;
    release(t);
    stop_filling(t);
    cache_.forget(t.log);
    tracks_.destroy(t);
}

/// Stops an arriving group, because its publisher has too many bytes unfinished.
inline void relay::stop_arriving(relaying::source from) {
    peer* p = find(from.session);
    if (p == nullptr || !p->session->stop(from.group, wire_code(errc::out_of_memory_limit))) return;
    // The FETCH that fills a group is over when its timer expires.
    if (auto* const* filling = p->fetches.find(number(from.group))) (*filling)->group->abort((*filling)->cut);
    notice(peer_misbehaved{from.session, stream_id{number(from.group)}, errc::out_of_memory_limit});
}

/// Ended tracks are kept for the age of the cache. If there are too many, the publisher with most of them loses its
/// oldest.
inline void relay::expire_ended(time_point now) {
    const auto expire = [this](relaying::track& t) {
        forget_end(t);
        retire(t);
    };
    while (!ended_.empty() && ended_.begin()->first <= now) expire(*ended_.begin()->second);
    while (ended_.size() > ended_max) {
        auto* of_one = ended_of_.largest();
        expire(of_one != nullptr ? of_one->front() : *ended_.begin()->second);
    }
}

inline void relay::note_end(relaying::track& t) {
    relaying::set_timer(ended_, t.forget_at, now_ + options_.bounds.cache_age, t);
    ended_of_.remove(t.upstream, t);
    ended_of_.add(t.upstream, t);
}
inline void relay::forget_end(relaying::track& t) noexcept {
    relaying::clear_timer(ended_, t.forget_at);
    ended_of_.remove(t.upstream, t);
}

} // namespace moqlite

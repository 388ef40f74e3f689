// What a relay does with what its sessions say. Part of relay.hpp.
#pragma once

#include <algorithm>
#include <moqlite/relay/relay.hpp>

namespace moqlite {

inline void relay::on(peer& p, const setup_received& e) {
    // A server that we went to has nothing to be admitted to; we watch what it has.
    if (p.session->side() == role::client) return static_cast<void>(p.session->watch(""));
    notice(admission_wanted{p.key, std::string(e.path)});
}

// Announcements.

inline void relay::on(peer& p, const broadcast_available& e) {
    const auto* known = table_.find(e.path);
    const auto publisher = [](const auto& hops) { return hops.empty() ? hop_id{} : hops.front(); };
    const bool taken_over = known == nullptr || publisher(e.hops) == hop_id{} ||
                            publisher(known->routes.front().hops) != publisher(e.hops);
    table_.set(e.path, {{e.hops.begin(), e.hops.end()}, p.key});
    notice(broadcast_changed{p.key, std::string(e.path), true});
    if (!taken_over) return;
    // Another publisher: what its predecessor left behind is not its track.
    const track_key from{e.path, ""};
    for (auto i = index_.lower_bound(from); i != index_.end() && i->first.first == e.path;) {
        relaying::track* t = i++->second;
        if (t->upstream != p.key) retire(*t);
    }
    std::erase_if(infos_, [&](const auto& info) { return info.first.first == e.path; });
}

inline void relay::on(peer& p, const broadcast_ended& e) {
    if (!table_.remove(e.path, p.key)) return;
    notice(broadcast_changed{p.key, std::string(e.path), false});
    if (table_.find(e.path) == nullptr)
        std::erase_if(infos_, [&](const auto& info) { return info.first.first == e.path; });
}

// TRACK.

inline void relay::on(peer& p, const track_requested& e) {
    const track_key key{e.track.broadcast, e.track.track};
    if (const auto known = infos_.find(key); known != infos_.end())
        return static_cast<void>(p.session->answer_track(e.request, known->second));
    for (auto& [id, info] : pending_) {
        if (info.broadcast != key.first || info.name != key.second) continue;
        info.waiting.emplace_back(p.key, e.request);
        return;
    }
    peer* source = source_of(e.track.broadcast, p.key);
    if (source == nullptr) return static_cast<void>(p.session->reject(e.request, app_error::not_found));
    const auto query = source->session->request_track(e.track);
    if (!query) {
        // It has no TRACK; what it would say by default is as good.
        if (query.error() == errc::unsupported) return static_cast<void>(p.session->answer_track(e.request, {}));
        return static_cast<void>(p.session->reject(e.request, wire_code(query.error())));
    }
    const auto id = next_pending_++;
    pending_.emplace(id, pending_info{key.first, key.second, {{p.key, e.request}}});
    source->queries.insert(number(*query), id);
}

inline void relay::on(peer& p, const track_info_received& e) {
    const auto* id = p.queries.find(number(e.query));
    if (id == nullptr) return;
    const auto info = pending_.extract(*id);
    p.queries.erase(number(e.query));
    const auto& about = info.mapped();
    if (infos_.size() >= options_.bounds.announcements) infos_.clear();
    if (table_.find(about.broadcast) != nullptr) infos_.insert_or_assign({about.broadcast, about.name}, e.info);
    for (const auto& [key, request] : about.waiting)
        if (any_session* s = session(key)) static_cast<void>(s->answer_track(request, e.info));
}

inline void relay::on(peer& p, const track_refused& e) {
    const auto* id = p.queries.find(number(e.query));
    if (id == nullptr) return;
    const auto info = pending_.extract(*id);
    p.queries.erase(number(e.query));
    for (const auto& [key, request] : info.mapped().waiting)
        if (any_session* s = session(key)) static_cast<void>(s->reject(request, e.code));
}

// The requests of subscribers.

inline void relay::on(peer& p, const subscribe_requested& e) {
    auto why = errc::ok;
    relaying::track* t = find_or_open(e.track.broadcast, e.track.track, p.key, e.options, why);
    if (t == nullptr) return static_cast<void>(p.session->reject(e.request, wire_code(why)));
    auto& r = readers_.make();
    r.session = p.key;
    r.request = e.request;
    r.of = t;
    r.options = e.options;
    t->readers.push_back(r);
    ++t->reader_count;
    if (e.options.end)
        t->caps.insert(*e.options.end);
    else
        ++t->uncapped;
    p.requests.insert(number(e.request), &r);
    join(*t, r);
    ask_upstream(*t);
}

inline void relay::on(peer& p, const subscribe_updated& e) {
    auto* const* r = p.requests.find(number(e.request));
    if (r == nullptr) return;
    const auto cap = (*r)->options.end; // groups_wanted follows, if it has changed.
    (*r)->options = e.options;
    (*r)->options.end = cap;
    ask_upstream(*(*r)->of);
}

inline void relay::on(peer& p, const groups_wanted& e) {
    auto* const* found = p.requests.find(number(e.request));
    if (found == nullptr || (*found)->options.end == e.up_to) return;
    auto& r = **found;
    auto& t = *r.of;
    const auto before = r.options.end;
    set_cap(t, r, e.up_to);
    if (before) serve_up_to_cap(t, r, next(*before));
    ask_up_to(t);
}

inline void relay::on(peer& p, const request_ended& e) {
    auto* const* found = p.requests.find(number(e.request));
    if (found == nullptr) return;
    relaying::reader* r = *found;
    p.requests.erase(number(e.request));
    leave(*r);
}

inline void relay::on(peer& p, const group_lost& e) {
    if (e.code == app_error::cancel) return; // It said itself that it does not want it.
    ++groups_lost_;
    auto* const* found = p.requests.find(number(e.request));
    if (found == nullptr) return;
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
    if (t == nullptr || t->start) return;
    t->start = e.start;
    if (!t->log.floor) t->log.floor = e.start;
    t->readers.for_each([&](relaying::reader& r) { accept(*t, r); });
}

inline void relay::on(peer& p, const subscription_end_known& e) {
    relaying::track* t = upstream_track(p, e.subscription);
    if (t == nullptr || t->end) return;
    t->end = e.end;
    t->readers.for_each([&](relaying::reader& r) {
        if (any_session* s = session(r.session)) static_cast<void>(s->end_track(r.request, e.end));
    });
}

inline void relay::on(peer& p, const groups_dropped& e) {
    relaying::track* t = upstream_track(p, e.subscription);
    if (t == nullptr) return;
    t->readers.for_each([&](relaying::reader& r) {
        const auto from = r.first ? std::max(*r.first, e.first) : e.first;
        any_session* s = session(r.session);
        if (s != nullptr && from <= e.last) static_cast<void>(s->drop(r.request, from, e.last, e.code));
    });
}

inline void relay::on(peer& p, const subscription_ended& e) {
    relaying::track* t = upstream_track(p, e.subscription);
    if (t == nullptr) return;
    p.subscriptions.erase(number(e.subscription));
    t->subscription.reset();
    // Some publishers end a subscription at its Group End: there is more to ask for.
    if (e.finished && !t->end && t->asked.end && t->highest && *t->highest >= *t->asked.end) {
        t->asked.start = next(*t->highest);
        t->asked.end = t->uncapped != 0 ? std::nullopt : std::optional{std::max(*t->caps.rbegin(), *t->asked.start)};
        if (const auto again = p.session->subscribe({t->broadcast, t->name}, t->asked)) {
            t->subscription = *again;
            p.subscriptions.insert(number(*again), t);
            return;
        }
    }
    t->complete = e.finished;
    if (!e.finished) {
        auto left = t->reader_count;
        retire(*t);
        // The last leave() destroys the track.
        for (; left != 0; --left) {
            auto& r = t->readers.front();
            peer* reading = find(r.session);
            if (reading != nullptr) {
                reading->requests.erase(number(r.request));
                static_cast<void>(reading->session->reject(r.request, e.code == app_error::cancel ? app_error::dropped : e.code));
            }
            leave(r);
        }
        return;
    }
    t->ended_at = now_;
    ended_.emplace(now_ + options_.bounds.cache_age, t);
    t->readers.for_each([&](relaying::reader& r) {
        accept(*t, r);
        finish_if_served(*t, r);
    });
    destroy_if_unused(*t);
}

inline void relay::on(peer& p, const group_opened& e) {
    relaying::track* t = upstream_track(p, e.subscription);
    if (t == nullptr || t->log.find(e.sequence) != nullptr)
        return static_cast<void>(p.session->stop(e.group, app_error::duplicate));
    auto g = group::make(pool_, e.sequence, p.session->negotiated());
    if (!g || !p.session->collect(e.group, g))
        return static_cast<void>(p.session->stop(e.group, app_error::bounds_exceeded));
    auto& entry = cache_.add(t->log, std::move(g), now_);
    t->highest = std::max(t->highest.value_or(e.sequence), e.sequence);
    t->readers.for_each([&](relaying::reader& r) { serve(r, entry); });
}

inline void relay::on(peer& p, const group_closed& e) {
    relaying::track* t = upstream_track(p, e.subscription);
    if (t == nullptr) return;
    if (auto* entry = t->log.find(e.sequence)) cache_.complete(*entry);
}

// The log.

inline void relay::on(peer& p, const stream_rejected& e) { notice(peer_misbehaved{p.key, e.stream, e.why}); }

inline void relay::on(peer& p, const session_closed& e) {
    notice(session_ended{p.key, {e.code, e.why, e.by_peer, {}}, std::string(e.reason)});
}

} // namespace moqlite

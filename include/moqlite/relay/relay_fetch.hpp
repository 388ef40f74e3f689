// How a relay answers FETCH, and passes datagrams on. Part of relay.hpp.
#pragma once

#include <algorithm>
#include <moqlite/relay/relay.hpp>

namespace moqlite {

/// From the log, or from the publisher: once for all who ask at the same time. What was fetched is not kept,
/// and no subscriber sees it.
inline void relay::on(peer& p, const fetch_requested& e) {
    const track_key key{e.track.broadcast, e.track.track};
    if (const auto known = index_.find(key); known != index_.end()) {
        for (relaying::track* t : {known->second, known->second->live}) {
            const auto* entry = t != nullptr ? t->log.find(e.sequence) : nullptr;
            if (entry != nullptr && p.session->serve(e.request, entry->group)) return;
        }
    }
    const auto refuse = [&](app_error code) { static_cast<void>(p.session->reject(e.request, code)); };
    const fetch_key wanted{key, e.sequence};
    pending_fetch* found = coming(wanted, p.key);
    if (found == nullptr) {
        peer* source = source_of(e.track.broadcast, p.key);
        if (source == nullptr) return refuse(app_error::not_found);
        const auto begun = fetch(*source, e);
        if (!begun) return refuse(wire_code(begun.error()));
        found = &*fetching_.emplace(wanted, *begun);
        source->fetches.insert(number(found->second.id), found);
    }
    auto& f = found->second;
    if (!p.session->serve(e.request, f.group)) return refuse(app_error::evicted);
    if (f.waiting.empty()) cache_.lend(f.group);
    f.waiting.emplace(p.key, e.request);
    p.fetched.insert(number(e.request), found);
}

/// A fetch that others wait for, and whose group is there from its beginning; nullptr: none, but from `asking`.
inline relay::pending_fetch* relay::coming(const fetch_key& wanted, std::uint64_t asking) {
    const auto [first, last] = fetching_.equal_range(wanted);
    const auto found = std::find_if(first, last,
        [&](const pending_fetch& one) { return one.second.upstream != asking && one.second.group->lost_head() == 0; });
    return found != last ? &*found : nullptr;
}

inline result<relaying::fetching> relay::fetch(peer& source, const fetch_requested& e) {
    if (source.fetches.size() >= most_queries) return errc::too_many_requests;
    auto log = group::make(pool_, e.sequence, relaying::log_dialect(source.session->negotiated()));
    if (!log) return errc::out_of_memory_limit;
    const auto id = source.session->fetch(e.track, e.sequence, e.priority);
    if (!id) return id.error();
    static_cast<void>(source.session->collect(*id, log));
    return relaying::fetching{source.key, *id, std::move(log), {}};
}

/// A group has come, or will not: those who wait are served from it to its end, and it is nobody's any more.
inline void relay::fetch_ended(peer& source, group_id id) {
    auto* const* found = source.fetches.find(number(id));
    if (found == nullptr) return;
    for (const auto& [key, request] : (*found)->second.waiting)
        if (peer* asker = find(key)) asker->fetched.erase(number(request));
    forget(**found);
}

inline void relay::forget(pending_fetch& fetch) {
    if (peer* source = find(fetch.second.upstream)) source->fetches.erase(number(fetch.second.id));
    const auto [first, last] = fetching_.equal_range(fetch.first);
    fetching_.erase(std::find_if(first, last, [&](const pending_fetch& one) { return &one == &fetch; }));
}

/// Who has asked for it wants it no more.
inline void relay::fetch_left(peer& p, request_id request) {
    auto* const* found = p.fetched.find(number(request));
    if (found == nullptr) return;
    pending_fetch& fetch = **found;
    auto& f = fetch.second;
    p.fetched.erase(number(request));
    f.waiting.erase({p.key, request});
    if (!f.waiting.empty()) return;
    if (peer* source = find(f.upstream)) static_cast<void>(source->session->stop(f.id, app_error::cancel));
    forget(fetch);
}

/// At once to all who have the version for it, or not at all.
inline void relay::on(peer& p, const datagram_received& e) {
    relaying::track* t = upstream_track(p, e.subscription);
    if (t == nullptr) return;
    t->readers.for_each([&](relaying::reader& r) {
        any_session* s = session(r.session);
        const bool wanted = (!r.first || *r.first <= e.sequence) && (!r.options.end || e.sequence <= *r.options.end);
        if (s == nullptr || !wanted) return;
        if (!s->serve_datagram(r.request, e.sequence, e.time, e.data)) ++datagrams_lost_;
    });
}

inline void relay::on(peer& p, const goaway_received& e) {
    if (!std::exchange(p.leaving, true)) notice(peer_leaving{p.key, std::string(e.uri)});
}

} // namespace moqlite

// Recovery after an event that was handled only in part because an allocation failed. Part of relay.hpp.
#pragma once

#include <algorithm>
#include <moqlite/relay/relay.hpp>

namespace moqlite {

// The caller ends the session whose event threw. A half-handled event leaves orphaned objects, but no dangling
// pointers: each step below checks all objects of one kind, once after such an event, and ends the orphans in the usual
// way. If that throws as well, the next tick() continues.

inline void relay::repair() {
    table_.finish_change();
    repair_announcements();
    repair_readers();
    tracks_.for_each([this](relaying::track& t) { repair_track(t); });
    repair_infos();
    repair_fetches();
    recount_shares();
}

/// Removes the routes of sessions that are gone.
inline void relay::repair_announcements() {
    std::vector<std::pair<std::string, std::uint64_t>> gone;
    table_.for_each([&](const announcements::entry& e) {
        for (const auto& way : e.routes)
            if (way.source != 0 && find(way.source) == nullptr) gone.emplace_back(e.path, way.source);
    });
    for (const auto& [path, source] : gone) {
        const auto before = best_route(path);
        table_.remove(path, source);
        notice(broadcast_changed{source, path, false});
        take_over(path, before, source);
    }
}

/// Removes readers whose session is gone, or does not know them.
inline void relay::repair_readers() {
    readers_.for_each([&](relaying::reader& r) {
        peer* p = find(r.session);
        auto* const* found = p != nullptr ? p->requests.find(number(r.request)) : nullptr;
        if (found != nullptr && *found == &r) return;
        if (p != nullptr) static_cast<void>(p->session->reject(r.request, app_error::dropped));
        if (r.of != nullptr) detach(r); // Its track is checked next.
        readers_.destroy(r);
    });
}

/// Repairs a track that lacks its subscription, its index entry, or readers. It may be destroyed, but no other track.
inline void relay::repair_track(relaying::track& t) {
    t.in_use = false;
    peer* source = find(t.upstream);
    auto* const* subscribed =
        t.subscription && source != nullptr ? source->subscriptions.find(number(*t.subscription)) : nullptr;
    if (t.subscription && (subscribed == nullptr || *subscribed != &t)) {
        if (source != nullptr) static_cast<void>(source->session->unsubscribe(*t.subscription));
        t.subscription.reset();
    }
    const auto indexed = index_.find(track_key{t.broadcast, t.name});
    const bool listed = t.main != nullptr ? t.main->live == &t : indexed != index_.end() && indexed->second == &t;
    if (!listed && !t.is_retired()) {
        // New subscribers do not find it.
        if (t.main != nullptr) t.main = nullptr;
        if (t.live != nullptr) std::exchange(t.live, nullptr)->main = nullptr;
        t.standing = relaying::track_standing::retired;
    }
    if (t.is_complete()) {
        relaying::clear_timer(suspected_ends_, t.end_timer);
        if (!t.forget_at) note_end(t);
        t.readers.for_each([&](relaying::reader& r) {
            accept(t, r);
            finish_if_served(t, r);
        });
    }
    if (!t.is_retired() && !t.moqlite::detail::list_hook<relaying::route_tag>::linked()) index_route(t);
    if (t.wanted.readers() == 0) {
        const bool may_stay = t.is_complete() || t.subscription;
        return may_stay ? abandon(t) : retire(t);
    }
    if (!t.is_complete() && !t.is_paused() && !t.subscription) return cut_off(t, app_error::dropped);
    ask_upstream(t);
}

/// Removes TRACKs that will not be answered, or that no request waits for.
inline void relay::repair_infos() {
    for (auto i = track_queries_.begin(); i != track_queries_.end();) {
        auto& info = **i;
        peer* source = find(info.upstream);
        auto* const* asked = source != nullptr ? source->queries.find(number(info.id)) : nullptr;
        const bool is_asked = asked != nullptr && *asked == i->get();
        std::erase_if(info.waiting, [&](const auto& one) { return find(one.first) == nullptr; });
        if (is_asked && !info.waiting.empty()) {
            if (find(info.asker) == nullptr) info.asker = info.waiting.begin()->first;
            ++i;
            continue;
        }
        if (is_asked) source->queries.erase(number(info.id));
        if (source != nullptr) static_cast<void>(source->session->cancel(info.id));
        for (const auto& [key, request] : info.waiting) {
            peer* waits = find(key);
            waits->waiting_queries.erase(number(request));
            static_cast<void>(waits->session->reject(request, app_error::dropped));
        }
        discharge(info);
        i = track_queries_.erase(i);
    }
}

/// The same for FETCHes.
inline void relay::repair_fetches() {
    for (auto i = group_fetches_.begin(); i != group_fetches_.end();) {
        auto& f = **i;
        peer* source = f.upstream != 0 ? find(f.upstream) : nullptr;
        auto* const* asked = source != nullptr ? source->fetches.find(number(f.id)) : nullptr;
        const bool is_asked = asked != nullptr && *asked == i->get();
        std::erase_if(f.waiting, [&](const auto& one) { return find(one.first) == nullptr; });
        if (is_asked && (!f.waiting.empty() || f.fills != nullptr)) {
            if (find(f.asker) == nullptr && !f.waiting.empty()) f.asker = f.waiting.begin()->first;
            ++i;
            continue;
        }
        if (is_asked) source->fetches.erase(number(f.id));
        if (source != nullptr) static_cast<void>(source->session->stop(f.id, app_error::cancel));
        f.group->abort(app_error::dropped);
        complete_filled(f);
        for (const auto& [key, request] : f.waiting) {
            peer* waits = find(key);
            waits->waiting_fetches.erase(number(request));
            static_cast<void>(waits->session->reject(request, app_error::dropped));
        }
        discharge(f);
        i = group_fetches_.erase(i);
    }
}

/// Recomputes the shares from the open requests.
inline void relay::recount_shares() {
    for (auto& [key, p] : peers_) p->shares = {};
    const auto recount = [this](relaying::upstream_request& p, bool is_open, std::uint64_t asker) {
        p.charged = false;
        peer* source = is_open ? find(p.upstream) : nullptr;
        if (source == nullptr) return p.unlink();
        source->shares.add(p, asker);
        if (p.delivered != relaying::delivery::unanswered || p.linked()) return;
        p.since = now_;
        (p.kind == relaying::request_kind::subscribe ? source->unanswered : unanswered_).push_back(p);
    };
    tracks_.for_each([&](relaying::track& t) {
        t.sessions = t.sessions_reading.size();
        const bool keeps = find(t.asker) != nullptr || t.readers.empty();
        recount(t, t.subscription.has_value(), keeps ? t.asker : t.readers.front().session);
    });
    for (const auto& info : track_queries_) recount(*info, true, info->asker);
    for (const auto& f : group_fetches_) recount(*f, f->upstream != 0, f->asker);
}

} // namespace moqlite

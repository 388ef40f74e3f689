// How a relay fills holes: a group that its publisher has cut off is continued by a FETCH of the missing frames. Part
// of relay.hpp.
#pragma once

#include <moqlite/relay/relay.hpp>

namespace moqlite {

/// The publisher has cut off a group, and a reader wants every frame: fetches those that are missing, and its readers
/// read on. A few times per group. Live readers accept the loss. False: it is not done.
inline bool relay::fill(peer& source, relaying::track& t, relaying::log_entry& entry, std::uint64_t asker) {
    auto& g = *entry.group;
    const bool wanted = t.wanted.readers() != t.wanted.live() && !t.is_retired() && entry.fills != fills_max;
    if (!wanted || !g.can_reopen() || !source.session->features().frame_ranges || source.session->is_closed())
        return false;
    const track_ref about{t.broadcast, t.name};
    if (!may_ask(source, asker, relaying::request_kind::fetch, about)) return false;
    // The request that yielded may have resumed a reader, which has filled the group.
    if (!g.can_reopen()) return g.ended() == group::state::open;
    const frame_range missing{object_id{number(g.next_object()) - (g.missing() != 0 ? 1 : 0)}, {}};
    const auto made = group_fetches_.insert(
        std::make_unique<relaying::group_fetch>(fetch_key{{t.broadcast, t.name}, g.sequence()}, missing));
    auto& f = **made;
    f.group = entry.group;
    f.cut = g.abort_code();
    f.fills = &t;
    t.fills.push_back(f);
    const auto id = source.session->fetch(about, g.sequence(), t.requested.priority, missing);
    if (!id) return group_fetches_.erase(made), false;
    f.id = *id;
    f.upstream = source.key;
    source.fetches.insert(number(*id), &f);
    charge(source, f, asker);
    ++entry.fills;
    entry.from = {source.key, *id};
    if (!entry.arriving()) cache_.reopen(entry, now_);
    g.reopen();
    return true;
}

/// The same when a reader comes to a group that was cut off while no reader wanted every frame.
inline bool relay::fill_for(const relaying::reader& r, relaying::log_entry& entry) {
    peer* source = relaying::is_live(r.options) ? nullptr : find(r.of->upstream);
    return source != nullptr && entry.group->lost_head() == 0 && fill(*source, *r.of, entry, r.session);
}

/// The FETCH has ended, or has failed: then the group stays cut off, with the code that it was reset with.
inline void relay::filled(relaying::group_fetch& f, bool complete) {
    auto& t = *f.fills;
    if (!complete || !f.group->finish()) f.group->abort(f.cut);
    complete_filled(f);
    discharge(f);
    forget(f);
    if (t.is_draining() && !serves_arriving_groups(t)) abandon(t);
}

/// The group no longer arrives.
inline void relay::complete_filled(relaying::group_fetch& f) {
    if (f.fills == nullptr) return;
    auto* entry = f.fills->log.find(f.about.second);
    if (entry != nullptr && entry->group == f.group && entry->arriving()) cache_.complete(*entry, now_);
}

/// The track is about to go.
inline void relay::stop_filling(relaying::track& t) {
    while (!t.fills.empty()) {
        auto& f = t.fills.take_front();
        if (peer* source = find(f.upstream)) {
            static_cast<void>(source->session->stop(f.id, app_error::cancel));
            source->fetches.erase(number(f.id));
        }
        f.group->abort(f.cut);
        discharge(f);
        forget(f);
    }
}

} // namespace moqlite

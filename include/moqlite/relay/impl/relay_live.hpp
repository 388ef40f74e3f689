// Live and complete readers of one track, and how they are kept apart. Part of relay.hpp.
#pragma once

#include <algorithm>
#include <moqlite/relay/relay.hpp>

namespace moqlite {

// Complete readers ask for groups up to a Group End, which is sent upstream as their back-pressure. Live readers share
// that subscription while it keeps up; when it is held back at its Group End they move to a second one without a Group
// End, and stay there: each moves at most once. A track has at most these two.

/// All requested groups have arrived or are arriving; the publisher may have more.
inline bool relay::is_held_back(const relaying::track& t) noexcept {
    if (t.is_complete() || !t.requested.end || !t.highest || *t.highest < *t.requested.end) return false;
    return !t.end || next(*t.highest) < *t.end;
}

/// The track or its second subscription, whichever serves a reader with these options.
inline relaying::track* relay::track_for(
    relaying::track& t, std::uint64_t asker, const subscribe_options& options, errc& why) {
    if (t.is_complete()) return &t;
    if (!relaying::is_live(options)) return t.uncapped ? open_main(t, asker, options, why) : &t;
    if (t.uncapped) return &t;
    if (t.live == nullptr && is_held_back(t)) open_second(t, asker, options);
    return t.live != nullptr ? t.live : &t;
}

/// Opens a subscription with a Group End beside one that can have none. New subscribers find it.
inline relaying::track* relay::open_main(
    relaying::track& live, std::uint64_t asker, const subscribe_options& options, errc& why) {
    peer* source = find(live.upstream);
    if (source == nullptr) return why = errc::not_found, nullptr;
    live.in_use = true;
    relaying::track* t = open({live.broadcast, live.name}, *source, asker, options, why);
    live.in_use = false;
    if (t == nullptr) return nullptr;
    index_under(*t, live.announced);
    t->live = &live;
    live.main = t;
    if (live.is_retired()) {
        // New readers are served by another publisher: they find neither of these two.
        t->standing = relaying::track_standing::retired;
        unindex_route(*t);
        return t;
    }
    index_.insert_or_assign(track_key{live.broadcast, live.name}, t);
    return t;
}

/// Opens a subscription without Group End beside one that is held back.
inline void relay::open_second(relaying::track& t, std::uint64_t asker, const subscribe_options& options) {
    peer* source = find(t.upstream);
    if (source == nullptr || t.second_refused || t.is_retired()) return;
    auto why = errc::ok;
    relaying::track* second = open({t.broadcast, t.name}, *source, asker, options, why);
    if (second == nullptr) return;
    index_under(*second, t.announced);
    second->uncapped = true;
    second->main = &t;
    t.live = second;
}

/// Moves the live readers of a track that is held back to a second subscription, where they continue with the newest
/// group.
inline void relay::free_live_readers(relaying::track& t) {
    if (t.wanted.live() == 0 || t.uncapped || !is_held_back(t)) return;
    if (t.live == nullptr) {
        auto options = t.wanted.sum();
        options.ordered = false;
        options.end.reset();
        // It counts in the share of one of its readers.
        std::uint64_t asker = 0;
        t.readers.for_each([&](relaying::reader& r) {
            if (asker == 0 && relaying::is_live(r.options)) asker = r.session;
        });
        open_second(t, asker, options);
    }
    if (t.live == nullptr) return; // They stay, and are served what arrives.
    t.readers.for_each([&](relaying::reader& r) {
        if (relaying::is_live(r.options)) move(r, *t.live);
    });
    ask_upstream(*t.live);
    ask_upstream(t);
}

/// Moves a reader to another track.
inline void relay::change_track(relaying::reader& r, relaying::track& to) {
    auto& from = *r.of;
    relaying::counted<std::uint64_t>::addition its_session{to.sessions_reading, r.session};
    to.wanted.add(r.options);
    its_session.keep();
    detach(r);
    r.of = &to;
    to.readers.push_back(r);
    revalue(from, from.delivered, from.sessions_reading.size());
    revalue(to, to.delivered, to.sessions_reading.size());
    if (r.session == from.asker && !from.readers.empty()) pass_charge(from);
}

/// A reader continues with the next group of another subscription to its track.
inline void relay::move(relaying::reader& r, relaying::track& to) {
    const auto& from = *r.of;
    if (from.highest) r.first = std::max(r.first.value_or(group_sequence{}), next(*from.highest));
    change_track(r, to);
}

/// The second subscription was refused: its readers return to the first.
inline bool relay::rejoin(relaying::track& second) {
    relaying::track* t = second.main;
    if (t == nullptr || second.start || second.highest) return false;
    t->second_refused = true;
    second.readers.for_each([&](relaying::reader& r) {
        change_track(r, *t);
        r.accepted ? serve_up_to_cap(*t, r, r.first.value_or(group_sequence{})) : join(*t, r);
    });
    retire(second);
    ask_upstream(*t);
    return true;
}

/// A live reader has set a Group End beyond the groups that have begun: its subscription cannot be held back for it, so
/// it moves.
inline void relay::leave_live(relaying::reader& r) {
    relaying::track* live = r.of;
    auto why = errc::ok;
    auto options = r.options;
    if (live->highest) options.start = next(*live->highest);
    relaying::track* t = live->main != nullptr ? live->main : open_main(*live, r.session, options, why);
    if (t == nullptr) return;
    move(r, *t);
    serve_up_to_cap(*t, r, r.first.value_or(group_sequence{}));
    ask_upstream(*t);
    if (live->wanted.readers() != 0) return ask_upstream(*live);
    serves_arriving_groups(*live) ? drain(*live) : abandon(*live);
}

/// Whether a reader that moved elsewhere is still served a group that is arriving here.
inline bool relay::serves_arriving_groups(relaying::track& t) {
    return t.log.arriving.find_first(SIZE_MAX, [](const auto& e) { return e.group->has_readers(); }) != nullptr;
}

/// Lets the arriving groups finish, and accepts no others.
inline void relay::drain(relaying::track& live) {
    if (peer* source = find(live.upstream)) {
        static_cast<void>(source->session->update(*live.subscription, {.end = live.highest.value_or(no_end)}));
    }
    // The remaining readers may leave without an event.
    relaying::set_timer(suspected_ends_, live.end_timer, now_ + options_.bounds.request_timeout, live);
    if (!live.is_retired()) unlist(live, {live.broadcast, live.name});
    live.standing = relaying::track_standing::draining;
    retire(live);
}

/// Nothing has arrived yet of a track requested from `requested.start` on, and a reader wants an earlier group: that
/// start may be in the future. Subscribes again with the earliest start that any reader could want.
inline void relay::resubscribe_earlier(relaying::track& t, std::optional<group_sequence> start) {
    peer* source = find(t.upstream);
    if (source == nullptr || !t.subscription) return;
    auto options = t.requested;
    options.start = start ? std::optional{group_sequence{}} : std::nullopt;
    const auto again = source->session->subscribe({t.broadcast, t.name}, options);
    if (!again) return;
    unsubscribe(t);
    t.subscription = *again;
    source->subscriptions.insert(number(*again), &t);
    t.requested = options;
    t.start.reset();
    t.log.floor.reset();
}

} // namespace moqlite

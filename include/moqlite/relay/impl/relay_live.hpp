// Live and complete readers of one track: who waits for whom. Part of relay.hpp.
#pragma once

#include <algorithm>
#include <moqlite/relay/relay.hpp>

namespace moqlite {

// Complete readers ask for groups up to a Group End, which goes upstream and is their back-pressure. Live readers
// share that subscription as long as it keeps up; when it waits at its Group End they get a second one, without
// any, and stay there: each moves at most once. A track has at most these two.

/// All that its publisher was asked for has come, or is arriving; more may be there.
inline bool relay::is_held_back(const relaying::track& t) noexcept {
    if (t.is_complete() || !t.asked.end || !t.highest || *t.highest < *t.asked.end) return false;
    return !t.end || next(*t.highest) < *t.end;
}

/// Of a track that is here, or its second subscription, what serves a reader of these options.
inline relaying::track* relay::track_for(
    relaying::track& t, std::uint64_t asking, const subscribe_options& options, errc& why) {
    if (t.is_complete()) return &t;
    if (!relaying::is_live(options)) return t.only_live ? open_main(t, asking, options, why) : &t;
    if (t.only_live) return &t;
    if (t.live == nullptr && is_held_back(t)) open_second(t, asking, options);
    return t.live != nullptr ? t.live : &t;
}

/// A subscription with a Group End, beside one that can have none. It becomes the one that others find.
inline relaying::track* relay::open_main(
    relaying::track& live, std::uint64_t asking, const subscribe_options& options, errc& why) {
    peer* source = find(live.upstream);
    if (source == nullptr) return why = errc::not_found, nullptr;
    live.in_use = true;
    relaying::track* t = open({live.broadcast, live.name}, *source, asking, options, why);
    live.in_use = false;
    if (t == nullptr) return nullptr;
    file_under(*t, live.announced);
    t->live = &live;
    live.main = t;
    if (live.is_retired()) {
        // Who comes now is served by another publisher: neither of these two is found.
        t->standing = relaying::track_standing::retired;
        unfile(*t);
        return t;
    }
    index_.insert_or_assign(track_key{live.broadcast, live.name}, t);
    return t;
}

/// A subscription without Group End, beside one that is held back.
inline void relay::open_second(relaying::track& t, std::uint64_t asking, const subscribe_options& options) {
    peer* source = find(t.upstream);
    if (source == nullptr || t.alone || t.is_retired()) return;
    auto why = errc::ok;
    relaying::track* second = open({t.broadcast, t.name}, *source, asking, options, why);
    if (second == nullptr) return;
    file_under(*second, t.announced);
    second->only_live = true;
    second->main = &t;
    t.live = second;
}

/// Live readers of a track that is held back go on without its complete readers, with the newest group.
inline void relay::free_live_readers(relaying::track& t) {
    if (t.wanted.live() == 0 || t.only_live || !is_held_back(t)) return;
    if (t.live == nullptr) {
        auto options = t.wanted.sum();
        options.ordered = false;
        options.end.reset();
        // It counts for one of those that it is for.
        std::uint64_t asking = 0;
        t.readers.for_each([&](relaying::reader& r) {
            if (asking == 0 && relaying::is_live(r.options)) asking = r.session;
        });
        open_second(t, asking, options);
    }
    if (t.live == nullptr) return; // They are served what comes.
    t.readers.for_each([&](relaying::reader& r) {
        if (relaying::is_live(r.options)) move(r, *t.live);
    });
    ask_upstream(*t.live);
    ask_upstream(t);
}

/// A reader is another track's from now on.
inline void relay::change_track(relaying::reader& r, relaying::track& to) {
    auto& from = *r.of;
    relaying::counted<std::uint64_t>::addition its_session{to.sessions_reading, r.session};
    to.wanted.add(r.options);
    its_session.keep();
    detach(r);
    r.of = &to;
    to.readers.push_back(r);
    revalue(from, from.brings, from.sessions_reading.size());
    revalue(to, to.brings, to.sessions_reading.size());
    if (r.session == from.asker && !from.readers.empty()) pass_charge(from);
}

/// A reader goes on with the next group of another subscription to its track.
inline void relay::move(relaying::reader& r, relaying::track& to) {
    const auto& from = *r.of;
    if (from.highest) r.first = std::max(r.first.value_or(group_sequence{}), next(*from.highest));
    change_track(r, to);
}

/// The second subscription was refused: its readers take what comes by the first.
inline bool relay::rejoin(relaying::track& second) {
    relaying::track* t = second.main;
    if (t == nullptr || second.start || second.highest) return false;
    t->alone = true;
    second.readers.for_each([&](relaying::reader& r) {
        change_track(r, *t);
        r.accepted ? serve_up_to_cap(*t, r, r.first.value_or(group_sequence{})) : join(*t, r);
    });
    retire(second);
    ask_upstream(*t);
    return true;
}

/// A live reader has set a Group End beyond what has begun: where it is, it could hold nothing back.
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
    is_read_as_it_arrives(*live) ? drain(*live) : abandon(*live);
}

/// Somebody who was moved elsewhere is served from a group that is arriving here.
inline bool relay::is_read_as_it_arrives(relaying::track& t) {
    return t.log.arriving.find_first(SIZE_MAX, [](const auto& e) { return e.group->has_readers(); }) != nullptr;
}

/// Takes the groups that are arriving to their end, and no others.
inline void relay::drain(relaying::track& live) {
    if (peer* source = find(live.upstream)) {
        auto last = live.asked;
        last.start.reset(); // Stays as it was.
        last.end = live.highest;
        static_cast<void>(source->session->update(*live.subscription, last));
    }
    // Those who are served may leave, and nobody says so.
    relaying::set_timer(perhaps_over_, live.over_at, now_ + options_.bounds.request_timeout, live);
    if (!live.is_retired()) unlist(live, {live.broadcast, live.name});
    live.standing = relaying::track_standing::draining;
    retire(live);
}

/// Nothing has come yet of a track that was asked for from `asked.start` on, and somebody wants an earlier group: that
/// start may be in the future. The publisher is asked once more, for everything that anybody could want.
inline void relay::ask_from_earlier(relaying::track& t, std::optional<group_sequence> start) {
    peer* source = find(t.upstream);
    if (source == nullptr || !t.subscription) return;
    auto options = t.asked;
    options.start = start ? std::optional{group_sequence{}} : std::nullopt;
    const auto again = source->session->subscribe({t.broadcast, t.name}, options);
    if (!again) return;
    unsubscribe(t);
    t.subscription = *again;
    source->subscriptions.insert(number(*again), &t);
    t.asked = options;
    t.start.reset();
    t.log.floor.reset();
}

} // namespace moqlite

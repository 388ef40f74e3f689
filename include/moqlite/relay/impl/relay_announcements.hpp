// How changes of announcements affect the tracks of a relay. Part of relay.hpp.
#pragma once

#include <algorithm>
#include <moqlite/relay/relay.hpp>

namespace moqlite {

/// The name by which the one session hears of a broadcast for it alone.
inline std::string relay::shown_name(std::string_view path) {
    const auto slash = path.find('/');
    return std::string(slash == path.npos ? std::string_view{} : path.substr(slash + 1));
}

inline void relay::on(peer& p, const broadcast_available& e) {
    const bool is_private = path::is_private(e.path);
    if (is_private && p.session->as<local_session>() == nullptr) return; // No peer names what is for another alone.
    p.is_relay = p.is_relay || e.hops.size() > 1;
    if (!is_announced_by(e.path, p.key) && !count_announcement(p, e.path)) {
        static_cast<void>(p.session->decline(e.watch, e.path));
        if (!std::exchange(p.over_share, true)) notice(peer_misbehaved{p.key, {}, errc::too_many_announcements});
        return;
    }
    const auto before = best_route(e.path);
    const auto cost = p.leaving ? route_cost::highest() : e.cost;
    if (is_private) table_.touch(shown_name(e.path)); // It replaces that one for one session, where that ends first.
    const bool is_local = p.session->as<local_session>() != nullptr;
    table_.set(e.path, {identified(p, e.hops), p.key, cost, is_local});
    if (!is_private) notice(broadcast_changed{p.key, std::string(e.path), true});
    take_over(e.path, before, p.key);
}

inline void relay::on(peer& p, const broadcast_ended& e) {
    const auto before = best_route(e.path);
    if (!table_.remove(e.path, p.key)) return;
    const bool is_private = path::is_private(e.path);
    if (is_private) table_.touch(shown_name(e.path));
    p.announced -= weight(e.path);
    announced_ -= weight(e.path);
    if (!is_private) notice(broadcast_changed{p.key, std::string(e.path), false});
    take_over(e.path, before, p.key);
}

/// A peer that leaves takes no new request: its routes are used where there is no other.
inline void relay::on(peer& p, const goaway_received& e) {
    p.leaving = true;
    notice(peer_leaving{p.key, std::string(e.uri)});
    std::vector<std::string> paths;
    p.session->for_each_available([&](std::string_view path) { paths.emplace_back(path); });
    for (const auto& path : paths) {
        const auto before = best_route(path);
        const auto* announced = table_.find(path);
        if (announced == nullptr) continue;
        const auto its = std::find_if(
            announced->routes.begin(), announced->routes.end(), [&](const route& way) { return way.source == p.key; });
        if (its == announced->routes.end()) continue;
        auto costly = *its;
        costly.cost = route_cost::highest();
        table_.set(path, std::move(costly));
        take_over(path, before, p.key);
    }
}

/// A publisher without a hop id gets one for its connection, so that other relays can tell its routes from those of
/// others. The hop without an id stays: the route is anonymous.
inline std::vector<hop_id> relay::identified(const peer& p, std::span<const hop_id> hops) const {
    std::vector<hop_id> out;
    const auto own = number(options_.origin);
    if (own != 0 && !hops.empty() && hops.front() == hop_id{} && hops.size() < options_.bounds.route_hops) {
        // Our hop is random and unique: so is this, a mix of it and the number of the connection.
        auto mixed = own + p.key * 0x9e3779b97f4a7c15;
        for (const auto factor : {0xbf58476d1ce4e5b9, 0x94d049bb133111eb}) mixed = (mixed ^ mixed >> 29) * factor;
        const hop_id id{(mixed ^ mixed >> 32) >> 11 | 1}; // Below 2^53, for JavaScript.
        if (id != options_.origin && std::find(hops.begin(), hops.end(), id) == hops.end()) out.push_back(id);
    }
    out.insert(out.end(), hops.begin(), hops.end());
    return out;
}

/// The approximate cost of an announcement: its entry, its route, and the listeners' state.
inline std::size_t relay::weight(std::string_view path) noexcept { return path.size() + 512; }

/// Counts another path of this peer. False: it exceeds the peer's share.
inline bool relay::count_announcement(peer& p, std::string_view path) {
    const auto all = options_.bounds.announced_by_all;
    const auto of_others = announced_ - p.announced;
    const auto with_this = p.announced + weight(path);
    // The last eighth is reserved for sessions that announce next to nothing.
    const auto shared = all - all / 8;
    const bool small = p.announced == 0 || with_this <= all / 32768;
    const auto most = small ? all - std::min(all, of_others) : (shared - std::min(shared, of_others)) / 2;
    if (with_this > most) return false;
    p.announced += weight(path);
    announced_ += weight(path);
    p.over_share = false;
    return true;
}

/// The best route of an announcement of exactly this path.
inline std::optional<route> relay::best_route(std::string_view announced) const {
    const auto* e = table_.find(announced);
    return e != nullptr ? std::optional{e->routes.front()} : std::nullopt;
}

/// After a change by `changer`: retires the tracks of the previous publisher, since those of the next are different
/// tracks. So are tracks that a new, narrower announcement covers; known_track() notices that when they are requested.
inline void relay::take_over(std::string_view announced, const std::optional<route>& before, std::uint64_t changer) {
    const auto now = best_route(announced);
    // Tracks that continue or have ended are still served until the name is announced again.
    if (!now) return forget_infos_of_no_track(announced);
    if (before) {
        const bool untouched = before->source != changer && now->source != changer;
        if (untouched) return;
        const bool same_session = before->source == now->source;
        if (same_publisher(*before, *now)) return same_session ? void() : watch_earlier_sessions(announced, *now);
    }
    // Another publisher may also use the same route: one with another hop id.
    const auto first = [](const route& way) { return way.hops.empty() ? hop_id{} : way.hops.front(); };
    const bool renamed = before && before->source == now->source && first(*before) != hop_id{} &&
                         first(*now) != hop_id{} && first(*before) != first(*now);
    std::vector<relaying::track*> old;
    const std::pair key{std::string(announced), std::uint64_t{0}};
    for (auto i = tracks_by_route_.lower_bound(key); i != tracks_by_route_.end() && i->first.first == announced; ++i)
        if (!before || renamed || i->first.second != now->source)
            i->second.for_each([&](relaying::track& t) { old.push_back(&t); });
    const auto announcing = sources_of(!old.empty() ? table_.find(announced) : nullptr);
    for (relaying::track* t : old) {
        // Its publisher still announces the name: it is alive, or its session has not timed out yet.
        const bool announces = std::binary_search(announcing.begin(), announcing.end(), t->upstream);
        if (t->upstream != now->source && announces) supersede(*t);
        retire(*t);
    }
    forget_infos(announced);
}

/// Indexes a track that new subscribers find, so that take_over() finds it without iterating over all.
inline void relay::index_route(relaying::track& t) {
    unindex_route(t);
    const std::uint64_t by = t.is_complete() || t.end ? 0 : t.upstream;
    tracks_by_route_[{t.announced, by}].push_back(t);
    t.indexed_by = by;
}
inline void relay::index_under(relaying::track& t, std::string_view announced) {
    unindex_route(t);
    t.announced = announced;
    index_route(t);
}
inline void relay::unindex_route(relaying::track& t) noexcept {
    auto& hook = static_cast<moqlite::detail::list_hook<relaying::route_tag>&>(t);
    if (!hook.linked()) return;
    hook.unlink();
    const auto found = tracks_by_route_.find(std::pair{std::string_view{t.announced}, t.indexed_by});
    if (found->second.empty()) tracks_by_route_.erase(found);
}

/// Whether two routes lead to one publisher, with the same timestamps over both.
inline bool relay::same_publisher(const route& a, const route& b) noexcept {
    if (a.hops.empty() || b.hops.empty() || a.hops.front() == hop_id{} || a.hops.front() != b.hops.front())
        return false;
    const peer* first = find(a.source);
    const peer* second = find(b.source);
    if (first == second) return true;
    return first != nullptr && second != nullptr &&
           relaying::same_timestamps(first->session->features().frames, second->session->features().frames);
}

/// A publisher that announces the name on its own session may have reconnected before an earlier session timed out.
inline void relay::watch_earlier_sessions(std::string_view announced, const route& now) {
    if (!now.is_direct()) return;
    for (const auto& way : table_.find(announced)->routes) {
        if (way.source == now.source || !way.is_direct()) continue;
        const auto its = tracks_by_route_.find(std::pair{announced, way.source});
        if (its != tracks_by_route_.end()) its->second.for_each([&](relaying::track& t) { supersede(t); });
    }
}

/// The sessions that announce an entry, sorted.
inline std::vector<std::uint64_t> relay::sources_of(const announcements::entry* e) {
    std::vector<std::uint64_t> all;
    if (e != nullptr)
        for (const auto& way : e->routes) all.push_back(way.source);
    std::sort(all.begin(), all.end());
    return all;
}

inline bool relay::is_announced_by(std::string_view announced, std::uint64_t source) const {
    const auto* e = table_.find(announced);
    return e != nullptr &&
           std::any_of(e->routes.begin(), e->routes.end(), [&](const route& way) { return way.source == source; });
}

// A superseded publisher may be dead: it gets limits.takeover_grace, and three round trips, to show that it is alive. A
// live one may have nothing to send for a long time, so we send it something to acknowledge.

inline void relay::supersede(relaying::track& t) {
    // Everything it will send is here, or it has no readers.
    if (t.cut_off_at || t.is_complete() || t.end || t.wanted.readers() == 0) return;
    watch_superseded(t);
}

inline void relay::watch_superseded(relaying::track& t) {
    peer* p = find(t.upstream);
    t.superseded_at = now_;
    t.inputs_at_takeover = p != nullptr ? p->session->peer_inputs() : 0;
    if (p != nullptr && t.subscription) static_cast<void>(p->session->repeat_update(*t.subscription));
    relaying::set_timer(superseded_, t.cut_off_at, silent_until(t, now_, options_.bounds.takeover_grace), t);
}

/// When the publisher of a track, silent since `since`, will have been silent for `least` and for three round trips.
inline time_point relay::silent_until(const relaying::track& t, time_point since, duration least) noexcept {
    const peer* p = find(t.upstream);
    // Bounded, since a peer can prolong its round trips at will by withholding acknowledgements.
    const auto rtt = p != nullptr ? std::min(p->session->rtt(), options_.bounds.stall_timeout) : duration{};
    return since + std::max(least, 3 * rtt);
}

/// Cuts off the readers of superseded publishers that have stayed silent; they subscribe again.
inline void relay::cut_off_superseded(time_point now) {
    while (!superseded_.empty() && superseded_.begin()->first <= now) {
        relaying::track& t = *superseded_.begin()->second;
        // The round trip may have been measured, or have grown, since.
        const auto until = silent_until(t, t.superseded_at, options_.bounds.takeover_grace);
        if (until > now) {
            relaying::set_timer(superseded_, t.cut_off_at, until, t);
            continue;
        }
        relaying::clear_timer(superseded_, t.cut_off_at);
        if (t.is_complete() || t.end || t.wanted.readers() == 0) continue;
        const peer* p = find(t.upstream);
        const bool alive = p != nullptr && p->session->peer_inputs() != t.inputs_at_takeover;
        // While paused it has no subscription, so its silence means nothing.
        alive || t.is_paused() ? watch_superseded(t) : cut_off(t, app_error::dropped);
    }
}

/// The TRACK_INFO of a track, from the publisher that would be asked now, or of the track that is still here.
inline const track_info* relay::known_info(const track_key& about) {
    if (const auto* e = table_.covering(about.first)) return infos_.find({e->path, about.first, about.second});
    const auto* t = known_track(about);
    return t != nullptr ? infos_.find({t->announced, about.first, about.second}) : nullptr;
}

/// Forgets the TRACK_INFO below an announcement, since the tracks of another publisher are different tracks.
inline void relay::forget_infos(std::string_view announced) {
    infos_.erase_of(announced, [](const relaying::info_key&) { return false; });
}

/// Keeps the TRACK_INFO of tracks that can still be subscribed to: subscribers ask for it first.
inline void relay::forget_infos_of_no_track(std::string_view announced) {
    infos_.erase_of(
        announced, [&](const relaying::info_key& key) { return index_.contains({key.broadcast, key.name}); });
}

} // namespace moqlite

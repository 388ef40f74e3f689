// What an end of a local session commands. Part of local_session.hpp.
#pragma once

#include <algorithm>
#include <moqlite/session/local_session.hpp>

namespace moqlite {

// Requests to the peer.

inline result<subscribe_id> local_session::subscribe(const track_ref& track, const subscribe_options& options) {
    if (!is_open()) return errc::closed;
    if (options.frame_start != object_id{} || options.frame_end) return errc::unsupported;
    auto& s = subscriptions_.make();
    s.id = subscribe_id{next_id_++};
    s.broadcast = path::normalise(track.broadcast);
    s.track = track.track;
    s.options = options;
    subscriptions_by_id_.insert(number(s.id), s);
    const request_id request{number(s.id)};
    tell(subscribe_requested{request, {}, options});
    tell(groups_wanted{request, options.end});
    return s.id;
}

inline result<void> local_session::update(subscribe_id id, const subscribe_changes& changes) {
    auto* s = subscriptions_by_id_.find(number(id));
    if (!is_open() || s == nullptr) return is_open() ? errc::not_found : errc::closed;
    const auto before = std::exchange(s->options, changes.applied_to(s->options));
    const request_id request{number(id)};
    tell(subscribe_updated{request, s->options});
    if (before.end != s->options.end) tell(groups_wanted{request, s->options.end});
    if (!before.end && s->options.end) s->arriving_groups.for_each([](arriving& a) { a.hold(); });
    return {};
}

/// Answered at once: whoever serves us is alive.
inline result<void> local_session::repeat_update(subscribe_id id) noexcept {
    if (!is_open() || subscriptions_by_id_.find(number(id)) == nullptr) return errc::not_found;
    ++inputs_;
    return {};
}

inline result<void> local_session::unsubscribe(subscribe_id id, app_error code) {
    auto* s = subscriptions_by_id_.find(number(id));
    if (!is_open() || s == nullptr) return is_open() ? errc::not_found : errc::closed;
    const auto why = code == app_error::cancel || s->over ? std::nullopt : std::optional{code};
    tell(request_ended{request_id{number(id)}, s->over, why});
    notes_.erase_if([&](const event& e) { return is_about(e, id); });
    // Its groups may have other readers, now or later: their publisher goes on.
    end(*s, false);
    return {};
}

inline void local_session::joined(subscribe_id id, group_sequence first) {
    if (is_open() && subscriptions_by_id_.find(number(id)) != nullptr)
        tell(reader_joined{request_id{number(id)}, first});
}

inline void local_session::left(subscribe_id id, reader_left how) {
    how.request = request_id{number(id)};
    if (is_open() && subscriptions_by_id_.find(number(id)) != nullptr) tell(how);
}

inline result<query_id> local_session::request_track(const track_ref& track) {
    if (!is_open()) return errc::closed;
    auto& q = queries_.make();
    q.broadcast = path::normalise(track.broadcast);
    q.track = track.track;
    const auto id = next_id_++;
    tracks_by_id_.insert(id, q);
    tell(track_requested{request_id{id}, {}});
    return query_id{id};
}

inline result<void> local_session::cancel(query_id id) {
    auto* q = tracks_by_id_.find(number(id));
    if (!is_open() || q == nullptr) return errc::not_found;
    tracks_by_id_.erase(number(id));
    queries_.destroy(*q);
    tell(request_ended{request_id{number(id)}});
    return {};
}

inline result<group_id> local_session::fetch(
    const track_ref& track, group_sequence sequence, priority urgency, const frame_range& frames) {
    if (!is_open()) return errc::closed;
    if (frames != frame_range{}) return errc::unsupported;
    auto& q = queries_.make();
    q.broadcast = path::normalise(track.broadcast);
    q.track = track.track;
    q.sequence = sequence;
    const auto id = next_id_++;
    fetches_by_id_.insert(id, q);
    tell(fetch_requested{request_id{id}, {}, sequence, urgency});
    return group_id{id};
}

inline group_ref local_session::share(group_id id) noexcept {
    auto* a = arriving_by_id_.find(number(id));
    if (a == nullptr || a->cursor || a->of == nullptr) return {};
    a->how = arriving::use::shared;
    a->seen = a->source()->size();
    a->hold();
    return a->source();
}

inline result<void> local_session::release(group_id id, std::uint64_t bytes) noexcept {
    auto* a = arriving_by_id_.find(number(id));
    if (a == nullptr) return errc::not_found;
    a->released += bytes;
    if (a->holds) a->source()->took(a->released);
    return {};
}

inline group_ref local_session::adopt(group_id id) noexcept {
    auto g = share(id);
    if (!g) return g;
    auto& a = *arriving_by_id_.find(number(id));
    a.how = arriving::use::adopted;
    if (std::exchange(a.holds, false)) g->hold_back(false);
    return g;
}

inline result<void> local_session::stop(group_id id, app_error code) {
    auto* a = arriving_by_id_.find(number(id));
    if (query* q = fetches_by_id_.find(number(id))) {
        if (a != nullptr) forget(*a);
        fetches_by_id_.erase(number(id));
        queries_.destroy(*q);
        if (is_open()) tell(request_ended{request_id{number(id)}, false, code});
        return {};
    }
    if (a == nullptr) return errc::not_found;
    auto& s = *a->of;
    if (is_open()) tell(group_lost{request_id{number(s.id)}, a->source()->sequence(), code});
    if (a->how == arriving::use::adopted) a->source()->abort(code);
    forget(*a);
    finish_if_over(s);
    return {};
}

inline result<watch_id> local_session::watch(std::string_view prefix, bool hidden) {
    if (!is_open()) return errc::closed;
    if (watches_.size() >= bounds_.watches) return errc::too_many_requests;
    auto& w = watches_.make();
    w.id = watch_id{next_id_++};
    w.prefix = path::normalise(prefix);
    w.hidden = hidden;
    w.ready = &ready_;
    w.queue = &pending_;
    w.hears_private = hears_private_;
    // What our peer learned from us is not reported to us; a table of its own has no sources.
    w.source = peer_->table_ != &peer_->own_table_ ? peer_->key_ : UINT64_MAX;
    watches_by_id_.insert(number(w.id), w);
    peer_->table_->listen(w, {w.prefix});
    return w.id;
}

inline result<void> local_session::unwatch(watch_id id) {
    auto* w = watches_by_id_.find(number(id));
    if (w == nullptr) return errc::not_found;
    watches_by_id_.erase(number(id));
    watches_.destroy(*w);
    std::erase_if(available_, [&](const auto& each) { return each.second == id; });
    return {};
}

inline result<void> local_session::decline(watch_id id, std::string_view path) {
    if (available_.erase({std::string(path), id}) == 0) return errc::not_found;
    return {};
}

// Answers to the peer.

inline result<void> local_session::announce(std::string_view path, std::vector<hop_id> hops) {
    if (!is_open()) return errc::closed;
    const auto whole = path::normalise(path);
    if (!wire::is_utf8(whole)) return errc::bad_utf8;
    if (path::has_wildcard(whole)) return errc::invalid_argument;
    if (path::segments(whole) > bounds_.path_segments) return errc::too_many_segments;
    if (whole.size() > bounds_.name) return errc::name_too_long;
    table_->set(whole, {std::move(hops), 0});
    return {};
}

inline result<void> local_session::unannounce(std::string_view path) {
    if (!table_->remove(path::normalise(path), 0)) return errc::not_found;
    return {};
}

inline result<void> local_session::answer_track(request_id id, const track_info& info) {
    auto* q = is_open() ? peer_->tracks_by_id_.find(number(id)) : nullptr;
    if (q == nullptr) return errc::not_found;
    tell(track_info_received{query_id{number(id)}, info});
    peer_->tracks_by_id_.erase(number(id));
    peer_->queries_.destroy(*q);
    return {};
}

inline result<void> local_session::accept(request_id id, std::optional<group_sequence> start, priority) {
    auto* s = served(id);
    if (s == nullptr) return errc::not_found;
    if (s->accepted) return errc::already_answered;
    tell(subscription_accepted{s->id, start.value_or(s->options.start.value_or(group_sequence{}))});
    s->accepted = true;
    if (start) s->options.start = start;
    return {};
}

inline result<void> local_session::reject(request_id id, app_error code, std::string_view) {
    if (auto* s = served(id)) {
        peer_->close_groups(*s, code); // First, as the next: they may throw std::bad_alloc.
        tell(subscription_ended{subscribe_id{number(id)}, false, code});
        peer_->end(*s, true);
        return {};
    }
    if (!is_open()) return errc::closed;
    if (query* q = peer_->tracks_by_id_.find(number(id))) {
        tell(track_refused{query_id{number(id)}, code});
        peer_->tracks_by_id_.erase(number(id));
        peer_->queries_.destroy(*q);
        return {};
    }
    query* q = peer_->fetches_by_id_.find(number(id));
    if (q == nullptr) return errc::not_found;
    tell(group_closed{group_id{number(id)}, no_subscription, {}, false, code});
    if (q->group != nullptr) peer_->forget(*q->group);
    peer_->fetches_by_id_.erase(number(id));
    peer_->queries_.destroy(*q);
    return {};
}

inline result<void> local_session::serve(request_id id, const group_ref& g) {
    if (!is_open()) return errc::closed;
    const frame_range all{g->first_object(), {}};
    const bool is_readable = group_reader::can_read(*g, g->format(), all) && g->first_object() == object_id{};
    if (!is_readable) return errc::not_found;
    if (g->ended() == group::state::aborted) return errc::group_ended;
    if (auto* s = served(id)) {
        const auto sequence = g->sequence();
        if (s->options.end && *s->options.end < sequence) return errc::beyond_group_end;
        if (s->options.start && sequence < *s->options.start) return errc::before_group_start;
        if (s->finishing || (s->end && *s->end <= sequence)) return errc::group_ended;
        const auto most = s->options.end ? bounds_.capped_groups : bounds_.live_groups;
        if (s->waiting >= most) return errc::out_of_memory_limit;
        s->highest = std::max(s->highest.value_or(sequence), sequence);
        return peer_->open(s, group_id{peer_->next_id_++}, g);
    }
    query* q = peer_->fetches_by_id_.find(number(id));
    if (q == nullptr) return errc::not_found;
    if (q->group != nullptr) return errc::already_answered;
    if (g->sequence() != q->sequence)
        return g->sequence() < q->sequence ? errc::before_group_start : errc::beyond_group_end;
    if (const auto why = peer_->open(nullptr, group_id{number(id)}, g); why != errc::ok) return why;
    q->group = peer_->arriving_by_id_.find(number(id));
    return {};
}

/// Begins to read a group that our peer serves.
inline errc local_session::open(subscription* of, group_id id, const group_ref& g) {
    arriving_by_id_.make_room();
    auto& a = arriving_.make();
    a.id = id;
    a.of = of;
    a.attach(g, wake_);
    arriving_by_id_.insert(number(id), a);
    if (of == nullptr) {
        a.wake();
        return errc::ok;
    }
    of->arriving_groups.push_back(a);
    ++of->waiting;
    note(group_opened{id, of->id, g->sequence(), g->subgroup(), g->first_object()});
    return errc::ok;
}

inline result<group_ref> local_session::open_group(request_id id, group_sequence sequence) {
    auto g = group::make(*pool_, sequence, features().frames);
    if (!g) return errc::out_of_memory_limit;
    if (const auto done = serve(id, g); !done) return done.error();
    return g;
}

inline result<void> local_session::serve_datagram(
    request_id id, group_sequence sequence, timestamp time, byte_view payload) {
    auto* s = served(id);
    if (s == nullptr) return errc::not_found;
    if (payload.size() > bounds_.datagram) return errc::value_too_large;
    if (peer_->datagrams_.size() == datagrams_max) return errc::out_of_memory_limit;
    peer_->datagrams_.push({payload.begin(), payload.end()});
    tell(group_datagram{s->id, sequence, time, {}});
    return {};
}

inline result<void> local_session::drop(request_id id, group_sequence first, group_sequence last, app_error code) {
    auto* s = served(id);
    if (s == nullptr) return errc::not_found;
    tell(groups_dropped{s->id, first, last, code});
    return {};
}

inline result<void> local_session::end_track(request_id id, group_sequence end) {
    auto* s = served(id);
    if (s == nullptr) return errc::not_found;
    if (s->end) return errc::already_answered;
    if (s->highest && end <= *s->highest) return errc::invalid_argument;
    s->end = end;
    tell(subscription_end_known{s->id, end});
    return {};
}

inline result<void> local_session::finish(request_id id) {
    auto* s = served(id);
    if (s == nullptr) return errc::not_found;
    // At its Group End the track may go on.
    const bool at_cap = s->highest && s->highest == s->options.end;
    if (!s->end && !at_cap) {
        s->end = s->highest ? next(*s->highest) : s->options.start.value_or(group_sequence{});
        tell(subscription_end_known{s->id, *s->end});
    }
    if (!s->end) return {};
    s->finishing = true;
    peer_->finish_if_over(*s);
    return {};
}

inline bool local_session::takes_more(request_id id) noexcept {
    const auto* s = served(id);
    if (s == nullptr) return false;
    return s->waiting < (s->options.end ? bounds_.capped_groups : bounds_.live_groups) / 2;
}

// Ends.

inline void local_session::forget(arriving& a) noexcept {
    if (reported_ == &a) reported_ = nullptr;
    if (std::exchange(a.holds, false)) a.source()->hold_back(false);
    if (a.of != nullptr) --a.of->waiting;
    arriving_by_id_.erase(number(a.id));
    arriving_.destroy(a);
}

/// A subscription of ours that its publisher has finished ends with its last group.
inline void local_session::finish_if_over(subscription& s) {
    if (!s.finishing || !s.arriving_groups.empty() || s.over) return;
    note(subscription_ended{s.id, true});
    if (passes_on_) return static_cast<void>(s.over = true);
    if (is_open()) tell(request_ended{request_id{number(s.id)}, true});
    end(s, false);
}

/// Reports the groups of a subscription that our peer gives up as closed: complete, where the reader has their log.
inline void local_session::close_groups(subscription& s, app_error code) {
    s.arriving_groups.for_each([&](arriving& a) {
        const bool whole = a.how != arriving::use::reported && a.source()->ended() == group::state::finished;
        note(group_closed{a.id, s.id, a.source()->sequence(), whole, whole ? app_error::cancel : code});
    });
}

/// Forgets a subscription of ours, and its groups.
inline void local_session::end(subscription& s, bool aborts_groups) noexcept {
    s.arriving_groups.for_each([&](arriving& a) {
        if (aborts_groups && a.how == arriving::use::adopted) a.source()->abort(app_error::cancel);
        forget(a);
    });
    subscriptions_by_id_.erase(number(s.id));
    subscriptions_.destroy(s);
}

/// Closes both ends.
inline void local_session::part(const session_closed& how) {
    if (!is_open()) return;
    auto& other = *peer_;
    report_requests(other, how.code);
    other.report_requests(*this, how.code);
    peer_ = other.peer_ = nullptr;
    auto at_peer = how;
    at_peer.by_peer = !how.by_peer;
    end_all(how);
    other.end_all(how.why == errc::closed ? at_peer : how);
}

/// Reports the peer's requests as ended.
inline void local_session::report_requests(local_session& peer, app_error code) {
    const auto report = [&](std::uint64_t id) { notes_.push(request_ended{request_id{id}, false, code}); };
    peer.subscriptions_.for_each([&](subscription& s) { report(number(s.id)); });
    for (auto* queries : {&peer.tracks_by_id_, &peer.fetches_by_id_})
        queries->for_each([&](std::uint64_t id, query&) { report(id); });
}

/// Reports what we requested as ended, and the end itself.
inline void local_session::end_all(const session_closed& how) {
    while (arriving* a = arriving_.first()) {
        if (a->how == arriving::use::adopted) a->source()->abort(how.code);
        notes_.push(group_closed{
            a->id, a->of != nullptr ? a->of->id : no_subscription, a->source()->sequence(), false, how.code});
        forget(*a);
    }
    subscriptions_.for_each([&](subscription& s) { notes_.push(subscription_ended{s.id, false, how.code}); });
    tracks_by_id_.for_each([&](std::uint64_t id, query&) { notes_.push(track_refused{query_id{id}, how.code}); });
    fetches_by_id_.for_each([&](std::uint64_t id, query& q) {
        if (q.group == nullptr) notes_.push(group_closed{group_id{id}, no_subscription, {}, false, how.code});
    });
    for (const auto& [path, watch] : available_) notes_.push(broadcast_ended{watch, path});
    reason_ = how.reason;
    closed_ = how;
    closed_->reason = reason_;
    ready_.mark();
}

} // namespace moqlite

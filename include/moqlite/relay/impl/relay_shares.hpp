// How much of a publisher each session may ask for, and for how long. Part of relay.hpp.
#pragma once

#include <algorithm>
#include <moqlite/relay/relay.hpp>

namespace moqlite {

/// Whether one more request may be made of `source` for `asker`; if not, that is counted and reported.
inline bool relay::may_ask(peer& source, std::uint64_t asker, relaying::request_kind kind, const track_ref& about) {
    constexpr auto least = relaying::shares::least;
    const auto known = source.session->requests_left();
    const auto open = source.subscriptions.size() + source.queries.size() + source.fetches.size();
    // A guess where the transport does not say how many streams the publisher grants.
    const auto expected = options_.bounds.upstream_requests;
    const auto left = known ? static_cast<std::size_t>(*known) : expected - std::min(expected, open);
    // The last of it is kept for sessions that have next to nothing, and for queries, which end soon: they need not
    // wait until a stream comes back.
    const auto reserve = std::max(least, (left + open) / 8);
    const bool small = source.shares.of(asker) < least ||
                       (kind != relaying::request_kind::subscribe && source.shares.queries_of(asker) < least);
    if (left > reserve || (left != 0 && small)) return true;
    if (relaying::place* p = taking_back_ ? nullptr : yielding(source, asker, about)) {
        report_refused(p->asker, source, named(*p));
        const struct mark {
            explicit mark(bool& flag) noexcept : is(flag) { is = true; }
            ~mark() { is = false; }
            bool& is;
        } taking{taking_back_};
        end_request(source, *p, wire_code(errc::too_many_requests));
        return true;
    }
    if (!known && small) return true;
    report_refused(asker, source, about);
    return false;
}

/// The request that ends so that `asker` can have another one; nullptr: none. The tracks that are found by the name
/// that it is about are in use by who asks.
inline relaying::place* relay::yielding(peer& source, std::uint64_t asker, const track_ref& about) {
    const auto spared = [&](const relaying::place& p) {
        if (p.kind != relaying::request_kind::subscribe) return false;
        const auto& t = static_cast<const relaying::track&>(p);
        return (!t.is_retired() || t.in_use) && t.broadcast == about.broadcast && t.name == about.track;
    };
    if (relaying::place* p = source.shares.yielding(asker, spared)) return p;
    // A SUBSCRIBE may wait for its answer as long as nobody needs its place.
    const auto mine = source.shares.of(asker);
    relaying::place* overdue = source.unanswered.find_first(most_overdue, [&](const relaying::place& p) {
        const bool late = p.since + options_.bounds.request_timeout <= now_;
        return late && source.shares.of(p.asker) > mine && !spared(p);
    });
    if (overdue != nullptr) ++requests_overdue_;
    return overdue;
}

inline void relay::report_refused(std::uint64_t asker, const peer& source, const track_ref& about) {
    ++requests_refused_;
    notice(request_refused{asker, source.key, std::string(about.broadcast), std::string(about.track)});
}

/// What a request of ours is about, as long as it is open.
inline track_ref relay::named(const relaying::place& p) {
    switch (p.kind) {
    case relaying::request_kind::track: {
        const auto& [broadcast, name] = static_cast<const relaying::asking&>(p).about.first;
        return {broadcast, name};
    }
    case relaying::request_kind::fetch: {
        const auto& [broadcast, name] = static_cast<const relaying::fetching&>(p).about.first;
        return {broadcast, name};
    }
    case relaying::request_kind::subscribe: break;
    }
    const auto& t = static_cast<const relaying::track&>(p);
    return {t.broadcast, t.name};
}

/// Ends a request of ours before its publisher does. Those who wait for it are told `code`; a FETCH is asked of the
/// next publisher.
inline void relay::end_request(peer& source, relaying::place& p, app_error code) {
    switch (p.kind) {
    case relaying::request_kind::subscribe: return cut_off(static_cast<relaying::track&>(p), code);
    case relaying::request_kind::track: {
        const auto id = static_cast<relaying::asking&>(p).id;
        static_cast<void>(source.session->cancel(id));
        return on(source, track_refused{id, code});
    }
    case relaying::request_kind::fetch: {
        const auto id = static_cast<relaying::fetching&>(p).id;
        static_cast<void>(source.session->stop(id, app_error::cancel));
        return fetch_ended(source, {.group = id, .subscription = no_subscription, .code = code});
    }
    }
}

/// Counts a request that was made of `source` in the share of `asker`.
inline void relay::charge(peer& source, relaying::place& p, std::uint64_t asker) {
    source.shares.add(p, asker);
    if (p.brings != relaying::yield::unanswered) return;
    p.since = now_;
    (p.kind == relaying::request_kind::subscribe ? source.unanswered : unanswered_).push_back(p);
}

/// The request has ended.
inline void relay::discharge(relaying::place& p) {
    p.unlink();
    if (peer* source = find(p.upstream)) source->shares.remove(p);
    p.charged = false;
}

/// The session for which a request was made wants it no more, but `asker` does.
inline void relay::pass_charge(relaying::place& p, std::uint64_t asker) {
    peer* source = find(p.upstream);
    if (source == nullptr || !p.charged) return;
    source->shares.remove(p);
    source->shares.add(p, asker);
}
inline void relay::pass_charge(relaying::track& t) {
    t.readers.empty() ? discharge(t) : pass_charge(t, t.readers.front().session);
}

inline void relay::revalue(relaying::place& p, relaying::yield brings, std::size_t sessions) {
    if (peer* source = find(p.upstream)) source->shares.revalue(p, brings, sessions);
}

/// A request was answered, or a group has come by it.
inline void relay::has_brought(relaying::place& p, relaying::yield what) {
    if (p.brings >= what) return;
    p.unlink();
    revalue(p, what, p.sessions);
}

/// A publisher that leaves a TRACK or FETCH unanswered for too long is asked no more.
inline void relay::end_overdue(time_point now) {
    while (!unanswered_.empty() && unanswered_.front().since + options_.bounds.request_timeout <= now) {
        auto& p = *unanswered_.pop_front();
        peer* source = find(p.upstream);
        if (source == nullptr) continue;
        ++requests_overdue_;
        end_request(*source, p, app_error::timeout);
    }
}

} // namespace moqlite

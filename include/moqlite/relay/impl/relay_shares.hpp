// How many requests to a publisher each session may cause, and for how long. Part of relay.hpp.
#pragma once

#include <algorithm>
#include <moqlite/relay/relay.hpp>

namespace moqlite {

/// Whether another request may be made to `source` for `asker`; if not, counts and reports it.
inline bool relay::may_ask(peer& source, std::uint64_t asker, relaying::request_kind kind, const track_ref& about) {
    constexpr auto guaranteed = relaying::shares::guaranteed;
    const auto known = source.session->requests_left();
    const auto open = source.subscriptions.size() + source.queries.size() + source.fetches.size();
    // A guess where the transport does not report the streams that the publisher grants.
    const auto expected = options_.bounds.upstream_requests;
    const auto left = known ? static_cast<std::size_t>(*known) : expected - std::min(expected, open);
    // The last requests are reserved for sessions that have next to nothing, and for queries, which end soon: they need
    // not wait for a stream to be returned.
    const auto reserve = std::max(guaranteed, (left + open) / 8);
    const bool small = source.shares.of(asker) < guaranteed ||
                       (kind != relaying::request_kind::subscribe && source.shares.queries_of(asker) < guaranteed);
    if (left > reserve || (left != 0 && small)) return true;
    if (relaying::upstream_request* p = reclaiming_ ? nullptr : yielding(source, asker, about)) {
        report_refused(p->asker, source, named(*p));
        const struct mark {
            explicit mark(bool& flag) noexcept : is(flag) { is = true; }
            ~mark() { is = false; }
            bool& is;
        } reclaiming{reclaiming_};
        end_request(source, *p, wire_code(errc::too_many_requests));
        return true;
    }
    if (!known && small) return true;
    report_refused(asker, source, about);
    return false;
}

/// The request that yields so that `asker` can make another one; nullptr: none. Tracks with the name in `about` are
/// spared: the caller is using them.
inline relaying::upstream_request* relay::yielding(peer& source, std::uint64_t asker, const track_ref& about) {
    const auto spared = [&](const relaying::upstream_request& p) {
        if (p.kind != relaying::request_kind::subscribe) return false;
        const auto& t = static_cast<const relaying::track&>(p);
        return (!t.is_retired() || t.in_use) && t.broadcast == about.broadcast && t.name == about.track;
    };
    if (relaying::upstream_request* p = source.shares.yielding(asker, spared)) return p;
    // A SUBSCRIBE may wait for its answer until another request needs its slot.
    const auto mine = source.shares.of(asker);
    relaying::upstream_request* overdue =
        source.unanswered.find_first(overdue_max, [&](const relaying::upstream_request& p) {
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

/// The track that a request of ours is for; valid while it is open.
inline track_ref relay::named(const relaying::upstream_request& p) {
    switch (p.kind) {
    case relaying::request_kind::track: {
        const auto& [broadcast, name] = static_cast<const relaying::track_query&>(p).about.first;
        return {broadcast, name};
    }
    case relaying::request_kind::fetch: {
        const auto& [broadcast, name] = static_cast<const relaying::group_fetch&>(p).about.first;
        return {broadcast, name};
    }
    case relaying::request_kind::subscribe: break;
    }
    const auto& t = static_cast<const relaying::track&>(p);
    return {t.broadcast, t.name};
}

/// Ends a request of ours before its publisher does. The waiting requests get `code`; a FETCH tries the next publisher.
inline void relay::end_request(peer& source, relaying::upstream_request& p, app_error code) {
    switch (p.kind) {
    case relaying::request_kind::subscribe: return cut_off(static_cast<relaying::track&>(p), code);
    case relaying::request_kind::track: {
        const auto id = static_cast<relaying::track_query&>(p).id;
        static_cast<void>(source.session->cancel(id));
        return on(source, track_refused{id, code});
    }
    case relaying::request_kind::fetch: {
        const auto id = static_cast<relaying::group_fetch&>(p).id;
        static_cast<void>(source.session->stop(id, app_error::cancel));
        return fetch_ended(source, {.group = id, .subscription = no_subscription, .code = code});
    }
    }
}

/// Counts a request to `source` in the share of `asker`.
inline void relay::charge(peer& source, relaying::upstream_request& p, std::uint64_t asker) {
    source.shares.add(p, asker);
    if (p.delivered != relaying::delivery::unanswered) return;
    p.since = now_;
    (p.kind == relaying::request_kind::subscribe ? source.unanswered : unanswered_).push_back(p);
}

/// The request has ended.
inline void relay::discharge(relaying::upstream_request& p) {
    p.unlink();
    if (peer* source = find(p.upstream)) source->shares.remove(p);
    p.charged = false;
}

/// The session for which a request was made no longer needs it, but `asker` does.
inline void relay::pass_charge(relaying::upstream_request& p, std::uint64_t asker) {
    peer* source = find(p.upstream);
    if (source == nullptr || !p.charged) return;
    source->shares.remove(p);
    source->shares.add(p, asker);
}
inline void relay::pass_charge(relaying::track& t) {
    t.readers.empty() ? discharge(t) : pass_charge(t, t.readers.front().session);
}

inline void relay::revalue(relaying::upstream_request& p, relaying::delivery delivered, std::size_t sessions) {
    if (peer* source = find(p.upstream)) source->shares.revalue(p, delivered, sessions);
}

/// A request was answered, or has delivered a group.
inline void relay::note_delivery(relaying::upstream_request& p, relaying::delivery what) {
    if (p.delivered >= what) return;
    p.unlink();
    revalue(p, what, p.sessions);
}

/// Ends TRACKs and FETCHes that a publisher has left unanswered for too long.
inline void relay::end_overdue(time_point now) {
    while (!unanswered_.empty() && unanswered_.front().since + options_.bounds.request_timeout <= now) {
        auto& p = unanswered_.take_front();
        peer* source = find(p.upstream);
        if (source == nullptr) continue;
        ++requests_overdue_;
        end_request(*source, p, app_error::timeout);
    }
}

} // namespace moqlite

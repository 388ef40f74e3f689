// How much of a publisher each session may ask for, and for how long. Part of relay.hpp.
#pragma once

#include <algorithm>
#include <moqlite/relay/relay.hpp>

namespace moqlite {

/// Requests that a publisher still takes: a guess where the transport does not say how many streams it grants.
inline std::size_t relay::requests_left(const peer& source) noexcept {
    if (const auto known = source.session->requests_left()) return static_cast<std::size_t>(*known);
    const auto open = source.subscriptions.size() + source.queries.size() + source.fetches.size();
    const auto expected = options_.bounds.upstream_requests;
    return std::max(open < expected ? expected - open : 0, expected / 8);
}

/// Whether one more request may be made of `source` for `asker`; if not, it is counted and reported.
inline bool relay::may_ask(peer& source, std::uint64_t asker, relaying::request_kind kind, const track_ref& about) {
    const auto found = source.shares.find(asker);
    auto its = found != source.shares.end() ? found->second : relaying::share{};
    if (its.allows(kind, requests_left(source))) return true;
    ++requests_refused_;
    notice(request_refused{asker, source.key, std::string(about.broadcast), std::string(about.track)});
    return false;
}

inline void relay::charge(peer& source, std::uint64_t asker, relaying::request_kind kind) {
    ++source.shares[asker].of(kind);
}

inline void relay::discharge(std::uint64_t source, std::uint64_t asker, relaying::request_kind kind) {
    peer* p = find(source);
    if (p == nullptr) return;
    const auto found = p->shares.find(asker);
    if (found == p->shares.end()) return;
    --found->second.of(kind);
    if (found->second.empty()) p->shares.erase(found);
}

/// The reader for whom a track was subscribed to has left: the subscription counts for another one.
inline void relay::pass_charge(relaying::track& t) {
    const auto before = std::exchange(t.asker, t.readers.empty() ? 0 : t.readers.front().session);
    if (before != 0) discharge(t.upstream, before, relaying::request_kind::subscribe);
    peer* source = find(t.upstream);
    if (t.asker != 0 && source != nullptr) charge(*source, t.asker, relaying::request_kind::subscribe);
}

inline void relay::expect_answer(const peer& source, relaying::unanswered what) {
    what.source = source.key;
    what.since = now_;
    while (!unanswered_.empty() && is_answered(unanswered_.front())) unanswered_.pop_front();
    unanswered_.push_back(what);
}

inline bool relay::is_answered(const relaying::unanswered& what) noexcept {
    peer* source = find(what.source);
    if (source == nullptr) return true;
    if (!what.is_fetch) return source->queries.find(what.id) == nullptr;
    auto* const* found = source->fetches.find(what.id);
    return found == nullptr || (*found)->second.begun;
}

/// A publisher that leaves a TRACK or FETCH unanswered for too long is asked no more.
inline void relay::end_overdue(time_point now) {
    while (!unanswered_.empty() && unanswered_.front().since + options_.bounds.request_timeout <= now) {
        const auto what = unanswered_.front();
        unanswered_.pop_front();
        if (is_answered(what)) continue;
        ++requests_overdue_;
        peer& source = *find(what.source);
        if (what.is_fetch) {
            pending_fetch& fetch = **source.fetches.find(what.id);
            static_cast<void>(source.session->stop(group_id{what.id}, app_error::cancel));
            source.fetches.erase(what.id);
            fetch_failed(fetch, app_error::timeout);
        } else {
            static_cast<void>(source.session->cancel(query_id{what.id}));
            on(source, track_refused{query_id{what.id}, app_error::timeout});
        }
    }
}

} // namespace moqlite

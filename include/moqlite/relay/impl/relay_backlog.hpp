// Complete readers that are slower than their publisher are served from the log. Part of relay.hpp.
#pragma once

#include <algorithm>
#include <moqlite/relay/relay.hpp>

namespace moqlite {

// A session drops the oldest of too many groups that wait for one peer. A complete reader accepts no loss: it is given
// at most half of that bound at once. Further groups stay in the log, by the rules of the cache, and are served as
// groups are delivered.

/// Whether a group must stay in the log because too many already wait for this reader.
inline bool relay::must_wait(relaying::reader& r, any_session& s, group_sequence sequence) {
    if (r.highest && sequence <= *r.highest) return false; // It arrived late; the groups waiting in the log are newer.
    if (relaying::is_live(r.options)) {
        if (!r.is_behind()) return false;
        // It has just changed from complete to live.
        r.moqlite::detail::list_hook<relaying::behind_tag>::unlink();
        if (r.highest && next(*r.highest) < sequence)
            drop(r, next(*r.highest), group_sequence{number(sequence) - 1}, app_error::lagged);
        return false;
    }
    if (r.is_behind()) return true;
    if (s.takes_more(r.request)) return false;
    peer* p = find(r.session);
    if (p == nullptr) return false;
    p->behind.push_back(r);
    return true;
}

/// Serves the waiting groups to a reader that is behind, as far as its session accepts them.
inline void relay::resume(relaying::reader& r) {
    r.moqlite::detail::list_hook<relaying::behind_tag>::unlink();
    peer* p = find(r.session);
    if (p == nullptr) return;
    if (!p->session->takes_more(r.request)) return p->behind.push_back(r); // Others go first next time.
    serve_up_to_cap(*r.of, r, r.highest ? next(*r.highest) : r.first.value_or(group_sequence{}));
}

/// A group of a session was delivered or given up. Resumes its reader and one other, which may have waited for the
/// session's share of memory. O(log n).
inline void relay::resume_behind(peer& p, request_id request) {
    if (p.behind.empty()) return;
    auto* const* found = p.requests.find(number(request));
    if (found != nullptr && (*found)->is_behind()) resume(**found);
    if (!p.behind.empty()) resume(p.behind.front());
}

inline void relay::on(peer& p, const group_delivered& e) { resume_behind(p, e.request); }

} // namespace moqlite

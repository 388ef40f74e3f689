// Complete readers that are slower than their publisher go on from the log. Part of relay.hpp.
#pragma once

#include <algorithm>
#include <moqlite/relay/relay.hpp>

namespace moqlite {

// A session drops the oldest of too many groups that wait for one peer. A complete reader takes no loss: it is given no
// more than half of that bound at once. What comes meanwhile stays in the log, by the rules of the cache, and is served
// as groups are delivered.

/// Whether a group must stay in the log, because too many wait for this reader already.
inline bool relay::must_wait(relaying::reader& r, any_session& s, group_sequence sequence) {
    if (r.highest && sequence <= *r.highest) return false; // It came late; what waits in the log is newer.
    if (relaying::is_live(r.options)) {
        if (!r.is_behind()) return false;
        // It was complete until now.
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

/// Serves what waits in the log for a reader that is behind, as far as its session takes it.
inline void relay::go_on(relaying::reader& r) {
    r.moqlite::detail::list_hook<relaying::behind_tag>::unlink();
    peer* p = find(r.session);
    if (p == nullptr) return;
    if (!p->session->takes_more(r.request)) return p->behind.push_back(r); // Others come first next time.
    serve_up_to_cap(*r.of, r, r.highest ? next(*r.highest) : r.first.value_or(group_sequence{}));
}

/// Groups of a session were delivered, or given up. The reader whose group it was goes on, and one other: they may have
/// waited for the session's share of the memory. O(log n).
inline void relay::go_on_behind(peer& p, request_id request) {
    if (p.behind.empty()) return;
    auto* const* found = p.requests.find(number(request));
    if (found != nullptr && (*found)->is_behind()) go_on(**found);
    if (!p.behind.empty()) go_on(p.behind.front());
}

inline void relay::on(peer& p, const group_delivered& e) { go_on_behind(p, e.request); }

} // namespace moqlite

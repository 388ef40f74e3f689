// The requests that sessions cause at one publisher, and which of them yields when the publisher grants no more.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <moqlite/containers/list.hpp>
#include <moqlite/core/time.hpp>
#include <set>
#include <utility>

namespace moqlite::relaying {

struct unanswered_tag;

enum class request_kind : std::uint8_t {
    subscribe, ///< Lasts while there are readers.
    track,     ///< Lasts until it is answered.
    fetch,     ///< The same.
};

/// What a request has delivered so far, least first.
enum class delivery : std::uint8_t {
    unanswered,
    nothing, ///< Accepted, but no group has arrived.
    groups,
};

/// An open request of ours at a publisher.
struct upstream_request : moqlite::detail::list_hook<unanswered_tag> {
    explicit upstream_request(request_kind k) noexcept : kind(k) {}
    [[nodiscard]] bool is_idle() const noexcept { return delivered != delivery::groups; }

    request_kind kind;
    delivery delivered = delivery::unanswered;
    bool charged = false;       ///< It counts in the share of `asker`.
    std::uint64_t upstream = 0; ///< Key of the publisher's session.
    std::uint64_t asker = 0;    ///< Key of the session whose share it counts in; 0: none.
    std::size_t sessions = 1;   ///< Number of sessions that read it.
    std::uint64_t number = 0;   ///< It is the n-th charged at this publisher.
    time_point since{};         ///< When it was made.
};

/// The open requests at one publisher, by the session for which each was made. O(log n) each.
class shares {
public:
    /// Requests that a session may have before its share is compared with those of others.
    static constexpr std::size_t guaranteed = 4;

    void add(upstream_request& p, std::uint64_t asker) {
        p.asker = asker;
        p.number = ++added_;
        insert(p);
    }
    void remove(upstream_request& p) {
        if (!std::exchange(p.charged, false)) return;
        change(p.asker, [&](share& s) { s.requests.erase(&p), count(s, p, SIZE_MAX); });
        if (of(p.asker) == 0) by_asker_.erase(p.asker);
    }
    /// Updates the value of a request, and its rank if it is charged.
    void revalue(upstream_request& p, delivery delivered, std::size_t sessions) {
        if (!p.charged || (p.delivered == delivered && p.sessions == sessions)) return set(p, delivered, sessions);
        remove(p);
        set(p, delivered, sessions);
        insert(p);
    }
    [[nodiscard]] std::size_t of(std::uint64_t asker) const noexcept {
        const auto found = by_asker_.find(asker);
        return found == by_asker_.end() ? 0 : found->second.requests.size();
    }
    /// TRACKs and FETCHes among them.
    [[nodiscard]] std::size_t queries_of(std::uint64_t asker) const noexcept {
        const auto found = by_asker_.find(asker);
        return found == by_asker_.end() ? 0 : found->second.queries;
    }

    /// The request that yields to another request of `asker`; nullptr: none. No session loses one to a session that
    /// would then have as many. Idle requests go first, from the session with most of them; requests that deliver
    /// groups go only from the largest session, to sessions that have next to nothing. Those for which spared(request)
    /// holds, a few, are skipped.
    template <class Spared>
    [[nodiscard]] upstream_request* yielding(std::uint64_t asker, Spared&& spared) const {
        const auto mine = of(asker);
        if (!by_idle_.empty()) {
            const auto& [idle, session] = *by_idle_.rbegin();
            if (of(session) >= std::max(mine + 2, guaranteed + 1))
                if (upstream_request* p = worst_of(session, spared); p != nullptr && p->is_idle()) return p;
        }
        if (by_size_.empty() || by_size_.rbegin()->first < mine + 2) return nullptr;
        upstream_request* p = worst_of(by_size_.rbegin()->second, spared);
        if (p == nullptr || p->is_idle()) return p;
        return mine < (p->sessions <= 1 ? guaranteed : guaranteed / 2) ? p : nullptr;
    }

private:
    /// The order of yielding: least delivered, fewest sessions, newest.
    struct by_worth {
        bool operator()(const upstream_request* a, const upstream_request* b) const noexcept {
            if (a->delivered != b->delivered) return a->delivered < b->delivered;
            if (a->sessions != b->sessions) return a->sessions < b->sessions;
            return a->number > b->number;
        }
    };
    struct share {
        std::set<upstream_request*, by_worth> requests;
        std::size_t idle = 0;
        std::size_t queries = 0;
    };
    using ranking = std::set<std::pair<std::size_t, std::uint64_t>>; ///< Number of requests, session.

    static void set(upstream_request& p, delivery delivered, std::size_t sessions) noexcept {
        p.delivered = delivered;
        p.sessions = sessions;
    }
    /// If an allocation throws, the request is not charged, or not ranked; everything else stays consistent.
    void insert(upstream_request& p) {
        change(p.asker, [&](share& s) { s.requests.insert(&p), count(s, p, 1), p.charged = true; });
    }
    /// `by` is 1, or SIZE_MAX for -1.
    static void count(share& s, const upstream_request& p, std::size_t by) noexcept {
        if (p.is_idle()) s.idle += by;
        if (p.kind != request_kind::subscribe) s.queries += by;
    }
    template <class F>
    void change(std::uint64_t asker, F&& f) {
        auto& s = by_asker_[asker];
        const auto rank = [&](ranking& r, std::size_t before, std::size_t now) {
            if (before == now) return;
            if (before != 0) r.erase({before, asker});
            if (now != 0) r.insert({now, asker});
        };
        const auto size = s.requests.size();
        const auto idle = s.idle;
        f(s);
        rank(by_size_, size, s.requests.size());
        rank(by_idle_, idle, s.idle);
    }
    template <class Spared>
    upstream_request* worst_of(std::uint64_t session, Spared& spared) const {
        std::size_t looked_at = 0;
        for (upstream_request* p : by_asker_.find(session)->second.requests) {
            if (!spared(*p)) return p;
            if (++looked_at == spared_max) break;
        }
        return nullptr;
    }

    static constexpr std::size_t spared_max = 8;
    std::map<std::uint64_t, share> by_asker_;
    ranking by_size_;
    ranking by_idle_; ///< Sessions with idle requests, by their number.
    std::uint64_t added_ = 0;
};

} // namespace moqlite::relaying

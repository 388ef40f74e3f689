// What sessions make a relay ask of one publisher, and whose request yields when that takes no more.
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
    subscribe, ///< Lasts as long as somebody reads.
    track,     ///< Lasts until it is answered.
    fetch,     ///< The same.
};

/// What a request has brought so far, the least first.
enum class yield : std::uint8_t {
    unanswered,
    nothing, ///< It was accepted, but no group has come.
    groups,
};

/// A request of ours that is open at a publisher.
struct place : moqlite::detail::list_hook<unanswered_tag> {
    explicit place(request_kind k) noexcept : kind(k) {}
    [[nodiscard]] bool is_idle() const noexcept { return brings != yield::groups; }

    request_kind kind;
    yield brings = yield::unanswered;
    bool charged = false;       ///< It counts in the share of `asker`.
    std::uint64_t upstream = 0; ///< Key of the session that was asked.
    std::uint64_t asker = 0;    ///< Key of the session in whose share it is; 0: in none.
    std::size_t sessions = 1;   ///< That read it.
    std::uint64_t number = 0;   ///< The n-th that was charged at this publisher.
    time_point since{};         ///< When it was asked.
};

/// The requests that are open at one publisher, by the session for which each was made. O(log n) each.
class shares {
public:
    /// Requests that every session may have before its share is compared with those of others.
    static constexpr std::size_t least = 4;

    void add(place& p, std::uint64_t asker) {
        p.asker = asker;
        p.number = ++added_;
        insert(p);
    }
    void remove(place& p) {
        if (!std::exchange(p.charged, false)) return;
        change(p.asker, [&](share& s) { s.places.erase(&p), count(s, p, SIZE_MAX); });
        if (of(p.asker) == 0) by_asker_.erase(p.asker);
    }
    /// A charged place is worth something else than before.
    void revalue(place& p, yield brings, std::size_t sessions) {
        if (!p.charged || (p.brings == brings && p.sessions == sessions)) return set(p, brings, sessions);
        remove(p);
        set(p, brings, sessions);
        insert(p);
    }
    [[nodiscard]] std::size_t of(std::uint64_t asker) const noexcept {
        const auto found = by_asker_.find(asker);
        return found == by_asker_.end() ? 0 : found->second.places.size();
    }
    /// TRACKs and FETCHes among them.
    [[nodiscard]] std::size_t queries_of(std::uint64_t asker) const noexcept {
        const auto found = by_asker_.find(asker);
        return found == by_asker_.end() ? 0 : found->second.queries;
    }

    /// The place that yields to a further request of `asker`; nullptr: none does. Nobody loses one to a session that
    /// would have as many then. First goes what brings nothing, of whoever has most of that; what brings groups goes
    /// from the largest only, to sessions that have next to nothing. `spared(place)` are left alone: few.
    template <class Spared>
    [[nodiscard]] place* yielding(std::uint64_t asker, Spared&& spared) const {
        const auto mine = of(asker);
        if (!by_idle_.empty()) {
            const auto& [idle, session] = *by_idle_.rbegin();
            if (of(session) >= std::max(mine + 2, least + 1))
                if (place* p = worst_of(session, spared); p != nullptr && p->is_idle()) return p;
        }
        if (by_size_.empty() || by_size_.rbegin()->first < mine + 2) return nullptr;
        place* p = worst_of(by_size_.rbegin()->second, spared);
        if (p == nullptr || p->is_idle()) return p;
        return mine < (p->sessions <= 1 ? least : least / 2) ? p : nullptr;
    }

private:
    /// What yields first comes first: what brings least, to the fewest sessions, the newest.
    struct by_worth {
        bool operator()(const place* a, const place* b) const noexcept {
            if (a->brings != b->brings) return a->brings < b->brings;
            if (a->sessions != b->sessions) return a->sessions < b->sessions;
            return a->number > b->number;
        }
    };
    struct share {
        std::set<place*, by_worth> places;
        std::size_t idle = 0;
        std::size_t queries = 0;
    };
    using ranking = std::set<std::pair<std::size_t, std::uint64_t>>; ///< Number of places, session.

    static void set(place& p, yield brings, std::size_t sessions) noexcept {
        p.brings = brings;
        p.sessions = sessions;
    }
    /// Without memory the place is not charged, or not ranked, and nothing else is amiss.
    void insert(place& p) {
        change(p.asker, [&](share& s) { s.places.insert(&p), count(s, p, 1), p.charged = true; });
    }
    /// `by` is 1, or SIZE_MAX for one less.
    static void count(share& s, const place& p, std::size_t by) noexcept {
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
        const auto size = s.places.size();
        const auto idle = s.idle;
        f(s);
        rank(by_size_, size, s.places.size());
        rank(by_idle_, idle, s.idle);
    }
    template <class Spared>
    place* worst_of(std::uint64_t session, Spared& spared) const {
        std::size_t looked_at = 0;
        for (place* p : by_asker_.find(session)->second.places) {
            if (!spared(*p)) return p;
            if (++looked_at == most_spared) break;
        }
        return nullptr;
    }

    static constexpr std::size_t most_spared = 8;
    std::map<std::uint64_t, share> by_asker_;
    ranking by_size_;
    ranking by_idle_; ///< Only sessions with places that are idle, by these.
    std::uint64_t added_ = 0;
};

} // namespace moqlite::relaying

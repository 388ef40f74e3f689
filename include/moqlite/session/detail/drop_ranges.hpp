// SUBSCRIBE_DROPs waiting for room at the peer: adjacent ones are merged.
#pragma once

#include <algorithm>
#include <cstddef>
#include <moqlite/containers/tree.hpp>
#include <moqlite/core/error.hpp>
#include <moqlite/core/ids.hpp>

namespace moqlite::detail {

/// Disjoint ranges of group sequences, each with the code of its latest drop.
class drop_ranges {
public:
    struct range {
        group_sequence first{};
        group_sequence last{}; ///< Inclusive.
        app_error code = app_error::cancel;
    };
    [[nodiscard]] bool empty() const noexcept { return ranges_.empty(); }
    [[nodiscard]] std::size_t size() const noexcept { return ranges_.size(); }

    void clear() noexcept { ranges_.clear(); }
    /// O(log n + merged ranges).
    void add(range r) {
        auto* at = ranges_.last_until(r.first);
        if (at == nullptr || !touches(at->what, r)) at = ranges_.upper_bound(r.first);
        while (at != nullptr && (at->what.first <= r.last || touches(r, at->what))) {
            r.first = std::min(r.first, at->what.first);
            r.last = std::max(r.last, at->what.last);
            ranges_.erase(*at);
            at = ranges_.lower_bound(r.first);
        }
        ranges_.make(r);
    }
    /// Removes the lowest range. Precondition: there is one.
    range take() {
        auto& lowest = *ranges_.first();
        const range r = lowest.what;
        ranges_.erase(lowest);
        return r;
    }

private:
    /// Whether `b` begins in `a` or directly after it.
    static bool touches(const range& a, const range& b) noexcept {
        return a.first <= b.first && (b.first <= a.last || number(b.first) == number(a.last) + 1);
    }
    struct dropped : tree_hook {
        explicit dropped(const range& r) noexcept : what(r) {}
        range what;
    };
    struct first_of {
        group_sequence operator()(const dropped& d) const noexcept { return d.what.first; }
    };
    tree<dropped, group_sequence, first_of> ranges_;
};

} // namespace moqlite::detail

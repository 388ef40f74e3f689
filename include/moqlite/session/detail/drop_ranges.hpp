// SUBSCRIBE_DROPs waiting for room at the peer: adjacent ones are merged.
#pragma once

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <map>
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

    /// O(log n + merged ranges).
    void add(range r) {
        auto at = ranges_.upper_bound(r.first);
        if (at != ranges_.begin() && touches(std::prev(at)->second, r)) --at;
        while (at != ranges_.end() && (at->second.first <= r.last || touches(r, at->second))) {
            r.first = std::min(r.first, at->second.first);
            r.last = std::max(r.last, at->second.last);
            at = ranges_.erase(at);
        }
        ranges_.emplace_hint(at, r.first, r);
    }
    /// Removes the lowest range. Precondition: there is one.
    range take() {
        const range r = ranges_.begin()->second;
        ranges_.erase(ranges_.begin());
        return r;
    }

private:
    /// Whether `b` begins in `a` or directly after it.
    static bool touches(const range& a, const range& b) noexcept {
        return a.first <= b.first && number(b.first) <= number(a.last) + 1;
    }
    std::map<group_sequence, range> ranges_;
};

} // namespace moqlite::detail

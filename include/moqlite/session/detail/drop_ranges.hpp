// SUBSCRIBE_DROPs that a peer has not had room for: what follows one another is one range.
#pragma once

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <map>
#include <moqlite/core/error.hpp>
#include <moqlite/core/ids.hpp>

namespace moqlite::detail {

/// Disjoint ranges of group sequences, each with the code of what was dropped last in it.
class drop_ranges {
public:
    struct range {
        group_sequence first{};
        group_sequence last{}; ///< Inclusive.
        app_error code = app_error::cancel;
    };
    [[nodiscard]] bool empty() const noexcept { return ranges_.empty(); }
    [[nodiscard]] std::size_t size() const noexcept { return ranges_.size(); }

    /// Takes O(log n), and what is merged.
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
    /// The lowest. Precondition: there is one.
    range take() {
        const range r = ranges_.begin()->second;
        ranges_.erase(ranges_.begin());
        return r;
    }

private:
    /// `b` begins in `a`, or right behind it.
    static bool touches(const range& a, const range& b) noexcept {
        return a.first <= b.first && number(b.first) <= number(a.last) + 1;
    }
    std::map<group_sequence, range> ranges_;
};

} // namespace moqlite::detail

// Which groups of a track are accounted for.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>
#include <moqlite/core/ids.hpp>

namespace moqlite::relaying {

/// A set of group sequences, as ranges. It is bounded: beyond that, the lowest gap is forgotten.
class group_ranges {
public:
    /// Adds `first` to `last`, both below 2^62. O(log n + merged ranges).
    void add(group_sequence first, group_sequence last) {
        auto from = number(first);
        auto to = number(last) + 1;
        auto after = ranges_.upper_bound(from);
        if (after != ranges_.begin() && std::prev(after)->second >= from) {
            const auto before = std::prev(after);
            if (after == ranges_.end() || after->first > to)
                return static_cast<void>(before->second = std::max(before->second, to)); // It only extends a range.
            from = before->first;
            to = std::max(to, before->second);
            after = before;
        }
        while (after != ranges_.end() && after->first <= to) {
            to = std::max(to, after->second);
            after = ranges_.erase(after);
        }
        ranges_.emplace_hint(after, from, to);
        if (ranges_.size() <= most) return;
        const auto second = std::next(ranges_.begin());
        ranges_.begin()->second = second->second;
        ranges_.erase(second);
    }
    /// Calls f(first, last) for each range between `from` and `end`, exclusive, that is not in the set, lowest first.
    template <class F>
    void for_each_gap(group_sequence from, group_sequence end, F&& f) const {
        auto missing = number(from);
        const auto until = number(end);
        const auto gap = [&](std::uint64_t to) {
            if (missing < to) f(group_sequence{missing}, group_sequence{to - 1});
        };
        for (const auto& [first, beyond] : ranges_) {
            if (first >= until) break;
            gap(first);
            missing = std::max(missing, beyond);
        }
        gap(until);
    }

private:
    static constexpr std::size_t most = 64;
    std::map<std::uint64_t, std::uint64_t> ranges_; ///< From the first to one past the last.
};

} // namespace moqlite::relaying

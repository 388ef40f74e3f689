// A set of stream ids, filled from below for each kind: it takes memory only for gaps.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>
#include <moqlite/core/ids.hpp>

namespace moqlite::detail {

class id_ranges {
public:
    void add(stream_id id) {
        auto& these = of(id);
        const auto n = number(id) / 4;
        auto after = these.upper_bound(n);
        auto from = n;
        auto to = n + 1;
        if (after != these.begin()) {
            const auto before = std::prev(after);
            if (before->second > n) return;
            if (before->second == n) {
                from = before->first;
                these.erase(before);
            }
        }
        if (after != these.end() && after->first == to) {
            to = after->second;
            these.erase(after);
        }
        these.emplace(from, to);
    }
    [[nodiscard]] bool contains(stream_id id) const {
        const auto& these = ranges_[number(id) & 3];
        const auto after = these.upper_bound(number(id) / 4);
        return after != these.begin() && std::prev(after)->second > number(id) / 4;
    }

private:
    using ranges = std::map<std::uint64_t, std::uint64_t>; ///< From the first to one past the last.
    ranges& of(stream_id id) noexcept { return ranges_[number(id) & 3]; }
    std::array<ranges, 4> ranges_;
};

} // namespace moqlite::detail

// Which groups of a track will not arrive, and which of them its reader has been told of.
#pragma once

#include <algorithm>
#include <moqlite/containers/ring.hpp>
#include <moqlite/core/app_error.hpp>
#include <moqlite/core/ids.hpp>
#include <optional>
#include <utility>
#include <vector>

namespace moqlite {

/// Wanted groups that will not be read.
struct lost_groups {
    group_sequence first{};
    group_sequence last{}; ///< Inclusive.
    app_error code = app_error::cancel;
    bool operator==(const lost_groups&) const = default;
};

namespace detail {

class losses {
public:
    [[nodiscard]] std::optional<lost_groups> poll() {
        if (reports_.empty()) return std::nullopt;
        return reports_.pop();
    }
    /// Groups will not arrive: reports those that are not read yet, from `next` on, and not reported yet.
    void lose(lost_groups what, std::optional<group_sequence> next) {
        if (next) {
            what.first = std::max(what.first, *next);
            std::erase_if(known_, [&](const auto& k) { return k.last < *next; });
        }
        for (const auto& k : known_) {
            if (k.first <= what.first && what.first <= k.last) what.first = moqlite::next(k.last);
            if (what.first <= what.last && k.first <= what.last && what.last <= k.last) what.last = before(k.first);
        }
        if (what.last < what.first) return;
        reports_.push(what);
        if (known_.size() == most) known_.erase(known_.begin());
        known_.push_back(what);
    }
    /// Reading goes on behind groups that may still arrive.
    void skip(group_sequence first, group_sequence last) {
        if (skipped_.size() < most) skipped_.push_back({first, last, app_error::dropped});
    }
    /// The group has arrived, too late to be read: reports it if it was skipped.
    void arrived_late(group_sequence s) {
        const auto has = [&](const auto& k) { return k.first <= s && s <= k.last; };
        if (std::any_of(skipped_.begin(), skipped_.end(), has)) reports_.push({s, s, app_error::old});
    }
    /// The first group behind those around `s` that are known not to arrive; nullopt: it may arrive.
    [[nodiscard]] std::optional<group_sequence> behind(group_sequence s) const {
        for (const auto& k : known_)
            if (k.first <= s && s <= k.last) return moqlite::next(k.last);
        return std::nullopt;
    }
    /// The track has ended at `end`: what was skipped is lost, and from `next` on what neither is in `here`, in order,
    /// nor known not to arrive.
    template <class Groups>
    void lose_missing(std::optional<group_sequence> next, const Groups& here, std::optional<group_sequence> end) {
        for (const auto& s : std::exchange(skipped_, {})) reports_.push(s);
        if (!next) return;
        auto all = known_;
        for (const auto& [sequence, group] : here) all.push_back({sequence, sequence, {}});
        if (end) {
            std::erase_if(all, [&](const auto& each) { return each.first >= *end; });
            all.push_back({*end, *end, {}});
        }
        std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
        auto from = *next;
        for (const auto& each : all) {
            if (from < each.first) lose({from, before(each.first), app_error::dropped}, next);
            from = std::max(from, moqlite::next(each.last));
        }
    }
    void clear() noexcept { known_.clear(), skipped_.clear(); }

private:
    static group_sequence before(group_sequence s) noexcept { return group_sequence{number(s) - 1}; }

    static constexpr std::size_t most = 1024;
    std::vector<lost_groups> known_;   ///< Reported, and not passed yet.
    std::vector<lost_groups> skipped_; ///< Not reported unless they arrive late, or the track ends without them.
    ring<lost_groups> reports_;
};

} // namespace detail
} // namespace moqlite

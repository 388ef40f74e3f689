// The frames that a program has asked for, and whether a group has exactly these.
#pragma once

#include "payload.hpp"

#include <algorithm>
#include <cstdint>
#include <map>
#include <moqlite/core/subscribe_options.hpp>
#include <optional>
#include <set>
#include <utility>

namespace moqlite::fuzz {

/// The wishes of one subscription or fetch. Updates travel while groups do: a group may be as any of them, or the
/// first, wanted it.
class wishes {
public:
    wishes() = default;
    /// The wishes of a subscription.
    explicit wishes(const subscribe_options& o) : now_(o) { note(); }
    /// The wishes of a fetch.
    wishes(group_sequence g, const frame_range& frames)
        : wishes(subscribe_options{.start = g, .end = g, .frame_start = frames.first, .frame_end = frames.last}) {}
    void update(const subscribe_options& o) {
        const auto start = o.start ? o.start : now_.start;
        now_ = o;
        now_.start = start;
        note();
    }

    /// The group may begin with that frame.
    [[nodiscard]] bool may_begin(group_sequence g, std::uint64_t first) const {
        if (begins_.contains({g, first})) return true;
        return first == 0 && (begins_.size() > 1 || begins_.begin()->first != g);
    }
    /// The group may end before the frame `next`, however long it is.
    [[nodiscard]] bool may_end(group_sequence g, std::uint64_t next) const {
        return next != 0 && ends_.contains({g, object_id{next - 1}});
    }
    /// The group may have the frame before `next`, if there is one.
    [[nodiscard]] bool may_reach(group_sequence g, std::uint64_t next) const {
        const auto reaches = [&](const auto& e) { return e.first != g || !e.second || next <= number(*e.second) + 1; };
        return ends_.size() > 1 || std::any_of(ends_.begin(), ends_.end(), reaches);
    }

private:
    void note() {
        begins_.insert({now_.start.value_or(group_sequence{}), number(now_.frame_start)});
        ends_.insert({now_.end, now_.frame_end});
    }

    subscribe_options now_;
    std::set<std::pair<group_sequence, std::uint64_t>> begins_;
    std::set<std::pair<std::optional<group_sequence>, std::optional<object_id>>> ends_;
};

/// The number of frames of finished groups, by group.
class finished_groups {
public:
    void add(group_sequence g, std::uint64_t frames) { counts_[g].insert(frames); }
    /// A group that is complete had the frames from `first` up to, not including, `next`.
    void check(group_sequence g, const wishes& of, std::uint64_t first, std::uint64_t next) const {
        must(of.may_begin(g, first), "a group begins with the frame that was asked for");
        if (next > first && of.may_end(g, next)) return;
        must(next == first || of.may_reach(g, next), "no frame comes after the last that was asked for");
        const auto found = counts_.find(g);
        must(found != counts_.end(), "a complete group was finished, or asked for in part");
        // A request that begins behind the end gets an empty group.
        const bool whole = found->second.contains(next) || (next == first && *found->second.begin() <= first);
        must(whole, "a complete group has all its frames");
    }

private:
    std::map<group_sequence, std::set<std::uint64_t>> counts_;
};

} // namespace moqlite::fuzz

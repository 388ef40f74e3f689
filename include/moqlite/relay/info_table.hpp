// What publishers have answered to TRACK.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>
#include <moqlite/relay/by_source.hpp>
#include <moqlite/session/event.hpp>
#include <string>
#include <string_view>
#include <utility>

namespace moqlite::relaying {

struct info_tag;

/// A track, and the path by whose announcement it is had.
struct info_key {
    std::string announced, broadcast, name;
    auto operator<=>(const info_key&) const = default;
};

/// A bounded table of TRACK_INFO; full, it forgets the longest known that nobody needs, of the publisher that answered
/// most.
class info_table {
public:
    using key = info_key;

    explicit info_table(std::size_t most) noexcept : most_(most) {}

    /// nullptr: not known.
    [[nodiscard]] const track_info* find(const key& about) const noexcept {
        const auto found = infos_.find(about);
        return found != infos_.end() ? &found->second.info : nullptr;
    }
    /// Sets what a session has answered of a track. `needed(key)`: the track is here, its answer serves its
    /// subscribers.
    template <class Needed>
    void set(const key& about, std::uint64_t source, const track_info& info, Needed&& needed) {
        if (const auto found = infos_.find(about); found != infos_.end()) return void(found->second.info = info);
        if (infos_.size() >= most_) forget_one(needed);
        const auto at = infos_.try_emplace(about).first;
        at->second.info = info;
        at->second.about = &at->first;
        at->second.source = source;
        of_.add(source, at->second);
    }
    void erase(const key& about) {
        if (const auto found = infos_.find(about); found != infos_.end()) forget(found);
    }
    /// Forgets all that an announcement brought but what is `kept(key)`.
    template <class Kept>
    void erase_of(std::string_view announced, Kept&& kept) {
        for (auto i = infos_.lower_bound(key{std::string(announced), "", ""});
            i != infos_.end() && i->first.announced == announced;)
            i = kept(i->first) ? std::next(i) : forget(i);
    }

private:
    struct known : moqlite::detail::list_hook<info_tag> {
        track_info info;
        const key* about = nullptr;
        std::uint64_t source = 0;
    };
    using table = std::map<key, known>;

    table::iterator forget(table::iterator one) {
        of_.remove(one->second.source, one->second);
        return infos_.erase(one);
    }
    template <class Needed>
    void forget_one(Needed& needed) {
        auto* of_one = of_.largest();
        if (of_one == nullptr) return static_cast<void>(forget(infos_.begin()));
        for (int i = 0; i != most_passed_over && needed(*of_one->front().about); ++i)
            of_one->push_back(*of_one->pop_front());
        forget(infos_.find(*of_one->front().about));
    }

    static constexpr int most_passed_over = 16;
    std::size_t most_;
    table infos_;
    by_source<known, info_tag> of_; ///< The longest known of each publisher first.
};

} // namespace moqlite::relaying

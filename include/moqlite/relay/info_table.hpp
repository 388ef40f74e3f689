// What publishers have answered to TRACK.
#pragma once

#include <compare>
#include <cstddef>
#include <iterator>
#include <map>
#include <moqlite/session/detail/list.hpp>
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

/// A bounded table of TRACK_INFO; full, it forgets the longest known that nobody needs.
class info_table {
public:
    using key = info_key;

    explicit info_table(std::size_t most) noexcept : most_(most) {}

    /// nullptr: not known.
    [[nodiscard]] const track_info* find(const key& about) const noexcept {
        const auto found = infos_.find(about);
        return found != infos_.end() ? &found->second.info : nullptr;
    }
    /// Sets what is known of a track. `needed(key)`: the track is here, its answer serves its subscribers.
    template <class Needed>
    void set(const key& about, const track_info& info, Needed&& needed) {
        if (const auto found = infos_.find(about); found != infos_.end()) return void(found->second.info = info);
        if (infos_.size() >= most_) forget_one(needed);
        const auto at = infos_.try_emplace(about).first;
        at->second.info = info;
        at->second.about = &at->first;
        by_age_.push_back(at->second);
    }
    void erase(const key& about) { infos_.erase(about); }
    /// Forgets all that an announcement brought but what is `kept(key)`.
    template <class Kept>
    void erase_of(std::string_view announced, Kept&& kept) {
        for (auto i = infos_.lower_bound(key{std::string(announced), "", ""});
            i != infos_.end() && i->first.announced == announced;)
            i = kept(i->first) ? std::next(i) : infos_.erase(i);
    }

private:
    struct known : moqlite::detail::list_hook<info_tag> {
        track_info info;
        const key* about = nullptr;
    };
    template <class Needed>
    void forget_one(Needed& needed) {
        for (int i = 0; i != most_passed_over && needed(*by_age_.front().about); ++i)
            by_age_.push_back(*by_age_.pop_front());
        infos_.erase(infos_.find(*by_age_.front().about));
    }

    static constexpr int most_passed_over = 16;
    std::size_t most_;
    std::map<key, known> infos_;
    moqlite::detail::list<known, info_tag> by_age_; ///< The longest known first.
};

} // namespace moqlite::relaying

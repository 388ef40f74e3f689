// Publishers' answers to TRACK.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <moqlite/relay/by_about.hpp>
#include <moqlite/relay/by_source.hpp>
#include <moqlite/session/event.hpp>
#include <set>
#include <string>
#include <string_view>
#include <utility>

namespace moqlite::relaying {

struct info_tag;

/// A track, and the announced path that covers it.
struct info_key {
    std::string announced, broadcast, name;
    auto operator<=>(const info_key&) const = default;
};

/// A bounded table of TRACK_INFO. When full, it forgets the oldest unneeded entry of the publisher with most entries.
class info_table {
public:
    using key = info_key;

    explicit info_table(std::size_t most) noexcept : most_(most) {}

    /// nullptr: not known.
    [[nodiscard]] const track_info* find(const key& about) const noexcept {
        const auto found = infos_.find(about);
        return found != infos_.end() ? &(*found)->info : nullptr;
    }
    /// Sets a session's answer for a track. `needed(key)`: the track is here, and its subscribers need the answer.
    template <class Needed>
    void set(const key& about, std::uint64_t source, const track_info& info, Needed&& needed) {
        if (const auto found = infos_.find(about); found != infos_.end()) return void((*found)->info = info);
        if (infos_.size() >= most_) forget_one(needed);
        const auto at = infos_.insert(std::make_unique<known>(about, info, source)).first;
        of_.add(source, **at);
    }
    void erase(const key& about) {
        if (const auto found = infos_.find(about); found != infos_.end()) forget(found);
    }
    /// Forgets all entries below an announcement except those for which kept(key) holds.
    template <class Kept>
    void erase_of(std::string_view announced, Kept&& kept) {
        for (auto i = infos_.lower_bound(key{std::string(announced), "", ""});
            i != infos_.end() && (*i)->about.announced == announced;)
            i = kept((*i)->about) ? std::next(i) : forget(i);
    }

private:
    struct known : moqlite::detail::list_hook<info_tag> {
        known(const key& k, const track_info& i, std::uint64_t s) : about(k), info(i), source(s) {}
        key about;
        track_info info;
        std::uint64_t source;
    };
    using table = std::set<std::unique_ptr<known>, by_about>;

    table::iterator forget(table::iterator one) {
        of_.remove((*one)->source, **one);
        return infos_.erase(one);
    }
    template <class Needed>
    void forget_one(Needed& needed) {
        auto* of_one = of_.largest();
        if (of_one == nullptr) return static_cast<void>(forget(infos_.begin()));
        for (int i = 0; i != spared_max && needed(of_one->front().about); ++i) of_one->push_back(of_one->take_front());
        forget(infos_.find(of_one->front().about));
    }

    static constexpr int spared_max = 16;
    std::size_t most_;
    table infos_;
    by_source<known, info_tag> of_; ///< Oldest entry of each publisher first.
};

} // namespace moqlite::relaying

// Items of many publishers within one bound: the publisher with the most items loses one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <moqlite/containers/list.hpp>
#include <set>
#include <utility>

namespace moqlite::relaying {

/// Items by the session that they come from, oldest first. O(log n) each.
template <class T, class Tag>
class by_source {
public:
    using items = moqlite::detail::list<T, Tag>;

    /// If an allocation throws, the item is not ranked and cannot be chosen.
    void add(std::uint64_t source, T& item) {
        share& its = sources_[source];
        if (its.size == 0) by_size_.insert({0, source});
        its.of.push_back(item);
        rank(source, its, its.size + 1);
    }
    void remove(std::uint64_t source, T& item) noexcept {
        moqlite::detail::list_hook<Tag>& hook = item;
        if (!hook.linked()) return;
        hook.unlink();
        const auto its = sources_.find(source);
        rank(source, its->second, its->second.size - 1);
        if (its->second.size != 0) return;
        by_size_.erase({0, source});
        sources_.erase(its);
    }
    /// The items of the session that has the most; nullptr: there are none.
    [[nodiscard]] items* largest() noexcept {
        if (by_size_.empty()) return nullptr;
        return &sources_.find(by_size_.rbegin()->second)->second.of;
    }

private:
    struct share {
        items of;
        std::size_t size = 0;
    };
    void rank(std::uint64_t source, share& its, std::size_t now) noexcept {
        auto node = by_size_.extract({its.size, source});
        node.value().first = its.size = now;
        by_size_.insert(std::move(node));
    }

    std::map<std::uint64_t, share> sources_;
    std::set<std::pair<std::size_t, std::uint64_t>> by_size_; ///< Number of items, session.
};

} // namespace moqlite::relaying

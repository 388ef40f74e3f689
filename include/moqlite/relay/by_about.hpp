// Ordering of items that contain their own key.
#pragma once

#include <memory>

namespace moqlite::relaying {

/// Orders owned items by their member `about`, for a std::set or std::multiset that is searched by key.
struct by_about {
    using is_transparent = void;
    template <class A, class B>
    [[nodiscard]] bool operator()(const A& a, const B& b) const noexcept {
        return about(a) < about(b);
    }

private:
    template <class T>
    static const auto& about(const std::unique_ptr<T>& item) noexcept {
        return item->about;
    }
    template <class Key>
    static const Key& about(const Key& key) noexcept {
        return key;
    }
};

} // namespace moqlite::relaying

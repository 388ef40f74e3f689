// A binary heap from which any element can be removed in O(log n).
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace moqlite::detail {

/// A binary heap of elements that store their position in it. `Before(a, b)`: a is nearer the top. `Position(item)` is
/// a reference to the element's position, `npos` while it is in no heap.
template <class T, class Before, class Position>
class indexed_heap {
public:
    static constexpr std::size_t npos = SIZE_MAX;

    [[nodiscard]] bool empty() const noexcept { return items_.empty(); }
    [[nodiscard]] std::size_t size() const noexcept { return items_.size(); }
    [[nodiscard]] T* top() const noexcept { return items_.empty() ? nullptr : items_.front(); }

    /// After this the next push() does not allocate.
    void make_room() {
        if (items_.size() == items_.capacity()) items_.reserve(2 * items_.size() + 1);
    }
    void push(T& item) {
        items_.push_back(&item);
        Position{}(item) = items_.size() - 1;
        up(items_.size() - 1);
    }
    void erase(T& item) noexcept {
        const auto i = std::exchange(Position{}(item), npos);
        if (i == npos) return; // Its push() ran out of memory.
        T* last = items_.back();
        items_.pop_back();
        if (last == &item) return;
        put(i, last);
        moved(i);
    }
    /// The element's rank has changed.
    void fix(T& item) noexcept { moved(Position{}(item)); }
    /// `Before` has changed. O(n).
    void reorder() noexcept {
        for (auto i = items_.size() / 2; i != 0; --i) down(i - 1);
    }

private:
    void put(std::size_t i, T* item) noexcept {
        items_[i] = item;
        Position{}(*item) = i;
    }
    void moved(std::size_t i) noexcept { down(up(i)); }
    std::size_t up(std::size_t i) noexcept {
        T* item = items_[i];
        for (; i != 0 && Before{}(*item, *items_[(i - 1) / 2]); i = (i - 1) / 2) put(i, items_[(i - 1) / 2]);
        put(i, item);
        return i;
    }
    void down(std::size_t i) noexcept {
        T* item = items_[i];
        for (auto child = 2 * i + 1; child < items_.size(); child = 2 * i + 1) {
            if (child + 1 < items_.size() && Before{}(*items_[child + 1], *items_[child])) ++child;
            if (!Before{}(*items_[child], *item)) break;
            put(i, items_[child]);
            i = child;
        }
        put(i, item);
    }
    std::vector<T*> items_;
};

} // namespace moqlite::detail

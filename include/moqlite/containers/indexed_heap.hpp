// A binary heap from which any element can be removed in O(log n).
#pragma once

#include <cstddef>
#include <cstdint>
#include <moqlite/containers/block.hpp>
#include <utility>

namespace moqlite::detail {

/// A growing array of pointers, one for all heaps.
class pointer_array {
public:
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] void*& operator[](std::size_t i) noexcept { return items_[i]; }
    [[nodiscard]] void* operator[](std::size_t i) const noexcept { return items_[i]; }
    void make_room() {
        if (size_ != items_.size()) return;
        block<void*> larger(2 * size_ + 1);
        for (std::size_t i = 0; i != size_; ++i) larger[i] = items_[i];
        items_ = std::move(larger);
    }
    void push_back(void* item) {
        make_room();
        items_[size_++] = item;
    }
    void* pop_back() noexcept { return items_[--size_]; }

private:
    block<void*> items_;
    std::size_t size_ = 0;
};

/// A binary heap of elements that store their position in it. `Before(a, b)`: a is nearer the top. `Position(item)` is
/// a reference to the element's position, `npos` while it is in no heap.
template <class T, class Before, class Position>
class indexed_heap {
public:
    static constexpr std::size_t npos = SIZE_MAX;

    [[nodiscard]] bool empty() const noexcept { return items_.size() == 0; }
    [[nodiscard]] std::size_t size() const noexcept { return items_.size(); }
    [[nodiscard]] T* top() const noexcept { return empty() ? nullptr : at(0); }
    /// The top. Precondition: it is not empty.
    [[nodiscard]] T& front() const noexcept { return *at(0); }

    /// After this the next push() does not allocate.
    void make_room() { items_.make_room(); }
    void push(T& item) {
        items_.push_back(&item);
        Position{}(item) = items_.size() - 1;
        up(items_.size() - 1);
    }
    void erase(T& item) noexcept {
        const auto i = std::exchange(Position{}(item), npos);
        if (i == npos) return; // Its push() ran out of memory.
        T* last = static_cast<T*>(items_.pop_back());
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
    [[nodiscard]] T* at(std::size_t i) const noexcept { return static_cast<T*>(items_[i]); }
    void put(std::size_t i, T* item) noexcept {
        items_[i] = item;
        Position{}(*item) = i;
    }
    void moved(std::size_t i) noexcept { down(up(i)); }
    std::size_t up(std::size_t i) noexcept {
        T* item = at(i);
        for (; i != 0 && Before{}(*item, *at((i - 1) / 2)); i = (i - 1) / 2) put(i, at((i - 1) / 2));
        put(i, item);
        return i;
    }
    void down(std::size_t i) noexcept {
        T* item = at(i);
        for (auto child = 2 * i + 1; child < items_.size(); child = 2 * i + 1) {
            if (child + 1 < items_.size() && Before{}(*at(child + 1), *at(child))) ++child;
            if (!Before{}(*at(child), *item)) break;
            put(i, at(child));
            i = child;
        }
        put(i, item);
    }
    pointer_array items_;
};

} // namespace moqlite::detail

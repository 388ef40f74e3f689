// A queue that allocates only to exceed its largest size so far.
#pragma once

#include <cassert>
#include <cstddef>
#include <moqlite/containers/block.hpp>
#include <utility>

namespace moqlite::detail {

/// A queue in a ring buffer that grows.
template <class T>
class ring {
public:
    [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    void push(T item) {
        if (size_ == items_.size()) grow();
        items_[(first_ + size_++) & (items_.size() - 1)] = std::move(item);
    }
    /// Appends the element that its slot held before, to be overwritten in place.
    T& push_used() {
        if (size_ == items_.size()) grow();
        return items_[(first_ + size_++) & (items_.size() - 1)];
    }
    T pop() {
        assert(!empty());
        T item = std::move(items_[first_]);
        first_ = (first_ + 1) & (items_.size() - 1);
        --size_;
        return item;
    }
    [[nodiscard]] const T& front() const noexcept {
        assert(!empty());
        return items_[first_];
    }
    /// Calls f(const T&) on each, first the front.
    template <class F>
    void for_each(F&& f) const {
        for (std::size_t i = 0; i != size_; ++i) f(items_[(first_ + i) & (items_.size() - 1)]);
    }
    void clear() noexcept { first_ = size_ = 0; }
    /// The others keep their order.
    template <class F>
    void erase_if(F&& is_unwanted) {
        std::size_t kept = 0;
        for (std::size_t i = 0; i != size_; ++i) {
            auto& item = items_[(first_ + i) & (items_.size() - 1)];
            if (is_unwanted(std::as_const(item))) continue;
            if (kept != i) items_[(first_ + kept) & (items_.size() - 1)] = std::move(item);
            ++kept;
        }
        size_ = kept;
    }
    /// After this the next `n` pushes do not allocate.
    void make_room(std::size_t n) {
        while (items_.size() - size_ < n) grow();
    }

private:
    void grow() {
        block<T> larger(items_.empty() ? 4 : items_.size() * 2);
        for (std::size_t i = 0; i < size_; ++i) larger[i] = std::move(items_[(first_ + i) & (items_.size() - 1)]);
        items_ = std::move(larger);
        first_ = 0;
    }
    block<T> items_; // Their number is 0 or a power of two.
    std::size_t first_ = 0;
    std::size_t size_ = 0;
};

} // namespace moqlite::detail

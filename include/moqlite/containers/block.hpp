// An owned array, much cheaper to compile than std::vector.
#pragma once

#include <cstddef>
#include <utility>

namespace moqlite::detail {

/// A fixed number of value-initialised elements on the heap.
template <class T>
class block {
public:
    block() noexcept = default;
    explicit block(std::size_t n) : items_(new T[n]()), size_(n) {}
    block(block&& other) noexcept
        : items_(std::exchange(other.items_, nullptr)), size_(std::exchange(other.size_, std::size_t{0})) {}
    block& operator=(block&& other) noexcept {
        std::swap(items_, other.items_);
        std::swap(size_, other.size_);
        return *this;
    }
    ~block() { delete[] items_; }

    [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] T& operator[](std::size_t i) noexcept { return items_[i]; }
    [[nodiscard]] const T& operator[](std::size_t i) const noexcept { return items_[i]; }
    [[nodiscard]] T* begin() noexcept { return items_; }
    [[nodiscard]] T* end() noexcept { return items_ + size_; }

private:
    T* items_ = nullptr;
    std::size_t size_ = 0;
};

} // namespace moqlite::detail

// Memory for the names in a session's events: they stay in place until the next input.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <moqlite/core/ids.hpp>
#include <moqlite/core/poison.hpp>
#include <new>
#include <span>
#include <string_view>
#include <utility>

namespace moqlite::detail {

/// An arena, allocated piece by piece and freed as a whole. It holds the names of one input: for each message at most a
/// whole path and its hops. One small block is kept for the next input.
class event_names {
public:
    event_names() = default;
    event_names(const event_names&) = delete;
    event_names& operator=(const event_names&) = delete;
    ~event_names() {
        while (last_ != nullptr) free_last();
    }

    /// A copy that stays until clear().
    [[nodiscard]] std::string_view keep(std::string_view text) {
        if (text.empty()) return {};
        auto* to = reinterpret_cast<char*>(take(text.size()));
        std::memcpy(to, text.data(), text.size());
        return {to, text.size()};
    }
    [[nodiscard]] std::span<const hop_id> keep(std::span<const hop_id> hops) {
        if (hops.empty()) return {};
        auto* to = reinterpret_cast<hop_id*>(take(hops.size_bytes()));
        std::memcpy(to, hops.data(), hops.size_bytes());
        return {to, hops.size()};
    }
    [[nodiscard]] bool empty() const noexcept { return last_ == nullptr || last_->size == 0; }
    /// It holds more than the block that is kept.
    [[nodiscard]] bool is_large() const noexcept { return last_ != nullptr && last_->capacity > first_capacity; }
    /// Frees all copies.
    void clear() noexcept {
        while (is_large()) free_last();
        if (last_ == nullptr) return;
        last_->size = 0;
        poison(last_ + 1, last_->capacity);
    }

private:
    struct alignas(8) block {
        block* before;
        std::size_t capacity;
        std::size_t size;
    };
    static constexpr std::size_t first_capacity = 232;
    static constexpr std::size_t most_at_once = 16 * 1024;

    std::byte* take(std::size_t size) {
        const auto n = (size + 7) / 8 * 8; // Hops are aligned.
        if (last_ == nullptr || last_->capacity - last_->size < n) add_block(n);
        std::byte* at = reinterpret_cast<std::byte*>(last_ + 1) + last_->size;
        last_->size += n;
        unpoison(at, n);
        return at;
    }
    void add_block(std::size_t n) {
        auto capacity = first_capacity;
        if (last_ != nullptr) capacity = std::min(4 * last_->capacity, most_at_once);
        // The block that is kept is the first one, and small.
        if (last_ == nullptr && n > first_capacity) add_block(first_capacity), capacity = n;
        capacity = std::max(capacity, n);
        void* memory = ::operator new(sizeof(block) + capacity);
        last_ = new (memory) block{last_, capacity, 0};
        poison(last_ + 1, capacity);
    }
    void free_last() noexcept {
        block* gone = std::exchange(last_, last_->before);
        unpoison(gone + 1, gone->capacity);
        ::operator delete(static_cast<void*>(gone));
    }
    block* last_ = nullptr;
};

} // namespace moqlite::detail

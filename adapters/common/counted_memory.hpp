// Counts and bounds the memory that a C library uses for one connection, which its peer can make it use.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>

namespace moqlite::adapters {

/// An allocator for ngtcp2 or nghttp3: `Functions` is ngtcp2_mem or nghttp3_mem, which have the same members. Beyond
/// `bound` bytes an allocation fails; both libraries then end the connection.
template <class Functions>
class counted_memory {
public:
    explicit counted_memory(std::size_t bound = SIZE_MAX) noexcept
        : bound_{bound}, functions_{this, allocate, release, allocate_zeroed, reallocate} {}
    counted_memory(const counted_memory&) = delete;
    counted_memory& operator=(const counted_memory&) = delete;

    [[nodiscard]] const Functions* functions() const noexcept { return &functions_; }
    /// Bytes in use, including the header of each allocation.
    [[nodiscard]] std::size_t used() const noexcept { return used_; }

private:
    /// Precedes every allocation.
    struct alignas(std::max_align_t) header {
        std::size_t size;
    };

    static void* allocate(std::size_t size, void* self) noexcept {
        auto& m = *static_cast<counted_memory*>(self);
        const auto left = m.bound_ - m.used_;
        if (size > left || left - size < sizeof(header)) return nullptr;
        void* raw = std::malloc(sizeof(header) + size);
        if (raw == nullptr) return nullptr;
        m.used_ += sizeof(header) + size;
        return new (raw) header{size} + 1;
    }
    static void release(void* piece, void* self) noexcept {
        if (piece == nullptr) return;
        auto* h = static_cast<header*>(piece) - 1;
        static_cast<counted_memory*>(self)->used_ -= sizeof(header) + h->size;
        std::free(h);
    }
    static void* allocate_zeroed(std::size_t count, std::size_t size, void* self) noexcept {
        if (size != 0 && count > SIZE_MAX / size) return nullptr;
        void* piece = allocate(count * size, self);
        if (piece != nullptr) std::memset(piece, 0, count * size);
        return piece;
    }
    static void* reallocate(void* piece, std::size_t size, void* self) noexcept {
        void* bigger = allocate(size, self);
        if (bigger == nullptr || piece == nullptr) return bigger;
        std::memcpy(bigger, piece, std::min(size, (static_cast<header*>(piece) - 1)->size));
        release(piece, self);
        return bigger;
    }

    std::size_t bound_;
    std::size_t used_ = 0;
    Functions functions_;
};

} // namespace moqlite::adapters

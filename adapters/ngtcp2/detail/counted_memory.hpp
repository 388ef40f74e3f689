// The memory of one ngtcp2_conn, counted: what a peer makes it keep has a bound.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <new>
#include <ngtcp2/ngtcp2.h>

namespace moqlite::ngtcp2::detail {

/// Counts and never refuses: the endpoint looks after each packet, and one packet adds little.
class counted_memory {
public:
    counted_memory() noexcept : functions_{this, allocate, release, allocate_zeroed, reallocate} {}
    counted_memory(const counted_memory&) = delete;
    counted_memory& operator=(const counted_memory&) = delete;

    [[nodiscard]] const ngtcp2_mem* functions() const noexcept { return &functions_; }
    /// Bytes, with our own heads before each piece.
    [[nodiscard]] std::size_t used() const noexcept { return used_; }

private:
    struct alignas(std::max_align_t) head {
        std::size_t size;
    };

    static void* allocate(std::size_t size, void* self) noexcept {
        if (size > static_cast<std::size_t>(-1) - sizeof(head)) return nullptr;
        void* raw = std::malloc(sizeof(head) + size);
        if (raw == nullptr) return nullptr;
        static_cast<counted_memory*>(self)->used_ += sizeof(head) + size;
        return new (raw) head{size} + 1;
    }
    static void release(void* piece, void* self) noexcept {
        if (piece == nullptr) return;
        auto* h = static_cast<head*>(piece) - 1;
        static_cast<counted_memory*>(self)->used_ -= sizeof(head) + h->size;
        std::free(h);
    }
    static void* allocate_zeroed(std::size_t count, std::size_t size, void* self) noexcept {
        if (size != 0 && count > static_cast<std::size_t>(-1) / size) return nullptr;
        void* piece = allocate(count * size, self);
        if (piece != nullptr) std::memset(piece, 0, count * size);
        return piece;
    }
    static void* reallocate(void* piece, std::size_t size, void* self) noexcept {
        void* bigger = allocate(size, self);
        if (bigger == nullptr || piece == nullptr) return bigger;
        std::memcpy(bigger, piece, std::min(size, (static_cast<head*>(piece) - 1)->size));
        release(piece, self);
        return bigger;
    }

    std::size_t used_ = 0;
    ngtcp2_mem functions_;
};

} // namespace moqlite::ngtcp2::detail

// Memory for one nghttp3_conn, up to a bound: header fields, tables and requests that a peer makes it keep.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <new>
#include <nghttp3/nghttp3.h>

namespace moqlite::nghttp3::detail {

/// Beyond the bound nghttp3 is told that there is no memory, and ends the connection.
class bounded_memory {
public:
    explicit bounded_memory(std::size_t bound) noexcept
        : left_{bound}, functions_{this, allocate, release, allocate_zeroed, reallocate} {}
    bounded_memory(const bounded_memory&) = delete;
    bounded_memory& operator=(const bounded_memory&) = delete;

    [[nodiscard]] const nghttp3_mem* functions() const noexcept { return &functions_; }

private:
    /// Stands before every piece.
    struct alignas(std::max_align_t) head {
        std::size_t size;
    };

    static void* allocate(std::size_t size, void* self) noexcept {
        auto& m = *static_cast<bounded_memory*>(self);
        if (size > m.left_ || m.left_ - size < sizeof(head)) return nullptr;
        void* raw = std::malloc(sizeof(head) + size);
        if (raw == nullptr) return nullptr;
        m.left_ -= sizeof(head) + size;
        return new (raw) head{size} + 1;
    }
    static void release(void* piece, void* self) noexcept {
        if (piece == nullptr) return;
        auto* h = static_cast<head*>(piece) - 1;
        static_cast<bounded_memory*>(self)->left_ += sizeof(head) + h->size;
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

    std::size_t left_;
    nghttp3_mem functions_;
};

} // namespace moqlite::nghttp3::detail

// Pieces of memory of one size, some of which are kept for reuse.
#pragma once

#include <cassert>
#include <cstddef>
#include <moqlite/core/poison.hpp>
#include <new>
#include <utility>

namespace moqlite::detail {

/// Memory for objects of one size. It keeps some pieces that were given back, so that objects which come and go all the
/// time do not allocate. All sizes that it is passed are equal.
class spare_memory {
public:
    /// Keeps `most` pieces.
    explicit spare_memory(std::size_t most = 32) noexcept : most_(most) {}
    spare_memory(const spare_memory&) = delete;
    spare_memory& operator=(const spare_memory&) = delete;
    ~spare_memory() {
        while (first_ != nullptr) ::operator delete(take_kept());
    }
    [[nodiscard]] void* take(std::size_t size) { return first_ != nullptr ? take_kept() : ::operator new(size); }
    void give_back(void* piece, std::size_t size) noexcept {
        if (kept_ == most_) return ::operator delete(piece);
        keep(piece, size);
    }
    /// After this the next take() does not allocate.
    void make_room(std::size_t size) {
        if (first_ == nullptr) keep(::operator new(size), size);
    }

private:
    struct spare {
        spare* next;
        std::size_t size;
    };
    void keep(void* piece, std::size_t size) noexcept {
        assert(size >= sizeof(spare));
        first_ = new (piece) spare{first_, size};
        poison(first_ + 1, size - sizeof(spare));
        ++kept_;
    }
    void* take_kept() noexcept {
        spare* const taken = std::exchange(first_, first_->next);
        unpoison(taken + 1, taken->size - sizeof(spare));
        --kept_;
        return taken;
    }
    spare* first_ = nullptr;
    std::size_t kept_ = 0;
    std::size_t most_;
};

} // namespace moqlite::detail

// Pooled, counted memory for payload, in a few sizes.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <moqlite/core/poison.hpp>
#include <moqlite/core/time.hpp>
#include <new>

namespace moqlite {

/// One piece of a group's log. Its bytes follow the object.
struct slab {
    slab* next = nullptr;
    std::uint64_t begin = 0; ///< Offset of its first byte in the group.
    std::uint32_t size = 0;  ///< Bytes written.
    std::uint32_t capacity = 0;
    std::uint32_t pins = 0; ///< Readers whose first unacknowledged byte is here, and caches.
    std::uint32_t kind = 0; ///< Index of its size class.
    // In a log of frames: the first that begins here, so that frames are found without reading from the front.
    std::uint64_t frame = no_frame; ///< Its number in the group.
    std::uint64_t frame_at = 0;     ///< Its offset in the log.
    timestamp time_before{};        ///< The timestamp of the frame before it.

    static constexpr std::uint64_t no_frame = UINT64_MAX;

    [[nodiscard]] std::byte* data() noexcept { return reinterpret_cast<std::byte*>(this + 1); }
    [[nodiscard]] std::uint32_t room() const noexcept { return capacity - size; }
    [[nodiscard]] std::uint64_t end() const noexcept { return begin + size; }
};

namespace detail {

/// Shared by a pool and the groups that take from it; lives as long as the last of them.
class slab_store {
public:
    explicit slab_store(std::size_t limit) noexcept : limit_(limit) {}
    slab_store(const slab_store&) = delete;
    slab_store& operator=(const slab_store&) = delete;

    void retain() noexcept { ++references_; }
    void release() noexcept {
        if (--references_ == 0) delete this;
    }
    /// The pool is gone: returned slabs are freed.
    void close() noexcept {
        keep_max_ = 0;
        trim();
    }

    /// A slab for about `wanted` bytes; after `previous`, of the next larger size, so that long groups have few slabs
    /// and short ones waste little. nullptr at the limit, or when allocation fails.
    [[nodiscard]] slab* take(std::size_t wanted, const slab* previous) noexcept {
        std::uint32_t kind = 0;
        if (previous != nullptr)
            kind = std::min<std::uint32_t>(previous->kind + 1, sizes.size() - 1);
        else
            while (kind + 1 < sizes.size() && sizes[kind] < wanted) ++kind;
        const auto total = sizes[kind] + sizeof(slab);
        if (total > left()) return nullptr;
        slab* s = free_[kind];
        if (s != nullptr) {
            free_[kind] = s->next;
            kept_ -= total;
            unpoison(s->data(), s->capacity);
        } else {
            void* memory = ::operator new(total, std::nothrow);
            if (memory == nullptr) return nullptr;
            s = static_cast<slab*>(memory);
        }
        in_use_ += total;
        return new (s) slab{.capacity = static_cast<std::uint32_t>(sizes[kind]), .kind = kind};
    }

    void give_back(slab* s) noexcept {
        const auto total = sizes[s->kind] + sizeof(slab);
        in_use_ -= total;
        poison(s->data(), s->capacity);
        if (kept_ + total > keep_max_) {
            free_memory(s);
            return;
        }
        s->next = free_[s->kind];
        free_[s->kind] = s;
        kept_ += total;
    }

    /// Returns the slabs kept for reuse to the heap.
    void trim() noexcept {
        for (auto& first : free_)
            while (first != nullptr) {
                slab* s = first;
                first = s->next;
                free_memory(s);
            }
        kept_ = 0;
    }

    /// Counts memory beside the slabs. False: the limit is reached. The first charge always succeeds, so that even
    /// under the smallest limit it is a write that fails.
    [[nodiscard]] bool charge(std::size_t bytes) noexcept {
        if (bytes > left() && in_use_ + charged_ != 0) return false;
        charged_ += bytes;
        return true;
    }
    void uncharge(std::size_t bytes) noexcept { charged_ -= bytes; }
    [[nodiscard]] std::size_t charged() const noexcept { return charged_; }
    [[nodiscard]] std::size_t in_use() const noexcept { return in_use_; }
    [[nodiscard]] std::size_t limit() const noexcept { return limit_; }

    [[nodiscard]] std::size_t left() const noexcept {
        const auto used = in_use_ + charged_;
        return used < limit_ ? limit_ - used : 0;
    }

private:
    ~slab_store() { trim(); }
    static void free_memory(slab* s) noexcept {
        unpoison(s->data(), s->capacity);
        ::operator delete(static_cast<void*>(s));
    }
    // A frame of 64 KiB and its header fit the largest.
    static constexpr std::array<std::size_t, 4> sizes{960, 4032, 16320, 65536 + 128};
    std::array<slab*, sizes.size()> free_{};
    std::size_t limit_;
    std::size_t in_use_ = 0;
    std::size_t charged_ = 0;
    std::size_t kept_ = 0;
    std::size_t keep_max_ = 8 * 1024 * 1024;
    std::size_t references_ = 1;
};

} // namespace detail

/// Allocates slabs up to a limit and keeps returned ones for reuse. Groups may outlive it.
class slab_pool {
public:
    /// `limit`: bytes in use, headers included.
    explicit slab_pool(std::size_t limit = SIZE_MAX) : store_(*new detail::slab_store(limit)) {}
    slab_pool(const slab_pool&) = delete;
    slab_pool& operator=(const slab_pool&) = delete;
    ~slab_pool() {
        store_.close();
        store_.release();
    }
    [[nodiscard]] slab* take(std::size_t wanted, const slab* previous) noexcept {
        return store_.take(wanted, previous);
    }
    void give_back(slab* s) noexcept { store_.give_back(s); }
    /// Returns the slabs kept for reuse to the heap.
    void trim() noexcept { store_.trim(); }
    /// Counts memory beside the slabs: groups, and the state of sessions that serve them. False: the limit is reached.
    [[nodiscard]] bool charge(std::size_t bytes) noexcept { return store_.charge(bytes); }
    void uncharge(std::size_t bytes) noexcept { store_.uncharge(bytes); }
    /// Charged bytes: they count towards the limit together with those in use.
    [[nodiscard]] std::size_t charged() const noexcept { return store_.charged(); }
    /// Bytes that may still be allocated or charged.
    [[nodiscard]] std::size_t left() const noexcept { return store_.left(); }
    /// Bytes of slabs.
    [[nodiscard]] std::size_t in_use() const noexcept { return store_.in_use(); }
    [[nodiscard]] std::size_t limit() const noexcept { return store_.limit(); }

private:
    friend class group;
    detail::slab_store& store_;
};

} // namespace moqlite

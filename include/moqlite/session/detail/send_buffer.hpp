// Control bytes waiting to be sent and acknowledged. They never move.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <moqlite/core/bytes.hpp>
#include <moqlite/core/poison.hpp>
#include <new>
#include <span>
#include <utility>

namespace moqlite::detail {

/// A queue of bytes in small blocks that stay in place until they are acknowledged or cleared.
class send_buffer {
public:
    send_buffer() = default;
    send_buffer(const send_buffer&) = delete;
    send_buffer& operator=(const send_buffer&) = delete;
    ~send_buffer() { clear(); }

    /// Appends all of `bytes`, or nothing if an allocation throws.
    void append(byte_view bytes) {
        block* const last = tail_;
        const auto room = last != nullptr ? std::min<std::size_t>(bytes.size(), last->capacity - last->size) : 0;
        send_buffer rest; // Kept apart until all its blocks have been allocated.
        rest.end_ = rest.written_ = rest.acked_ = end_ + room;
        for (auto left = bytes.subspan(room); !left.empty();) {
            block& b = rest.add_block(left.size());
            left = left.subspan(rest.fill(b, left));
        }
        if (last != nullptr && room != 0) {
            if (next_ == nullptr) next_ = last;
            fill(*last, bytes.first(room));
        }
        take_blocks(rest);
    }
    /// Swaps the contents.
    void swap(send_buffer& other) noexcept {
        std::swap(head_, other.head_);
        std::swap(tail_, other.tail_);
        std::swap(next_, other.next_);
        std::swap(end_, other.end_);
        std::swap(written_, other.written_);
        std::swap(acked_, other.acked_);
    }
    /// Fills `out` with unsent ranges; returns their number and adds their sizes to `total`.
    [[nodiscard]] std::size_t lend(std::span<byte_view> out, std::size_t& total) noexcept {
        std::size_t count = 0;
        auto from = written_;
        for (block* b = next_; b != nullptr && count < out.size(); b = b->next) {
            const auto skip = as_size(from - b->begin);
            out[count++] = {b->data() + skip, b->size - skip};
            total += b->size - skip;
            from = b->begin + b->size;
        }
        return count;
    }
    void wrote(std::uint64_t n) noexcept {
        written_ += n;
        while (next_ != nullptr && written_ >= next_->begin + next_->size) next_ = next_->next;
    }
    void acked(std::uint64_t n) noexcept {
        acked_ += n;
        while (head_ != nullptr && acked_ >= head_->begin + head_->size && (head_->next != nullptr || acked_ == end_)) {
            free_block(std::exchange(head_, head_->next));
            if (head_ == nullptr) tail_ = nullptr;
        }
    }
    /// Frees everything. Precondition: the transport will not retransmit it.
    void clear() noexcept {
        while (head_ != nullptr) free_block(std::exchange(head_, head_->next));
        tail_ = next_ = nullptr;
        written_ = acked_ = end_;
    }
    [[nodiscard]] std::uint64_t unsent() const noexcept { return end_ - written_; }
    [[nodiscard]] std::uint64_t unacked() const noexcept { return end_ - acked_; }
    [[nodiscard]] std::uint64_t in_flight() const noexcept { return written_ - acked_; }
    /// The transport may still retransmit some of it.
    [[nodiscard]] bool is_lent() const noexcept { return written_ != acked_; }

private:
    struct block {
        block* next;
        std::uint64_t begin;
        std::uint32_t size;
        std::uint32_t capacity;
        [[nodiscard]] std::byte* data() noexcept { return reinterpret_cast<std::byte*>(this + 1); }
    };
    static void free_block(block* b) noexcept {
        poison(b->data(), b->capacity);
        unpoison(b->data(), b->capacity);
        ::operator delete(static_cast<void*>(b));
    }
    /// Copies as much of `bytes` as fits `b`, the last block.
    std::size_t fill(block& b, byte_view bytes) noexcept {
        const auto n = std::min<std::size_t>(bytes.size(), b.capacity - b.size);
        std::memcpy(b.data() + b.size, bytes.data(), n);
        b.size += static_cast<std::uint32_t>(n);
        end_ += n;
        return n;
    }
    /// Precondition: the blocks of `rest` begin where this buffer ends.
    void take_blocks(send_buffer& rest) noexcept {
        if (rest.head_ == nullptr) return;
        (tail_ != nullptr ? tail_->next : head_) = rest.head_;
        if (next_ == nullptr) next_ = rest.head_;
        tail_ = std::exchange(rest.tail_, nullptr);
        end_ = rest.end_;
        rest.head_ = nullptr;
    }
    block& add_block(std::size_t wanted) {
        const auto capacity = std::clamp<std::size_t>(wanted, 104, 4072);
        void* memory = ::operator new(sizeof(block) + capacity);
        auto* b = new (memory) block{nullptr, end_, 0, static_cast<std::uint32_t>(capacity)};
        (tail_ != nullptr ? tail_->next : head_) = b;
        tail_ = b;
        return *b;
    }
    block* head_ = nullptr;
    block* tail_ = nullptr;
    block* next_ = nullptr; ///< The first block with unsent bytes: many written ones may precede it.
    std::uint64_t end_ = 0;
    std::uint64_t written_ = 0;
    std::uint64_t acked_ = 0;
};

} // namespace moqlite::detail

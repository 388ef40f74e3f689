// Bytes in a row of slabs: appended at the back, given back from the front.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <moqlite/core/bytes.hpp>
#include <moqlite/session/slab.hpp>
#include <span>
#include <utility>

namespace moqlite::detail {

/// Append-only bytes with fixed offsets. Its owner passes the store that the slabs come from.
class slab_chain {
public:
    /// nullptr: nothing has been appended yet.
    [[nodiscard]] slab* front() const noexcept { return front_; }
    [[nodiscard]] slab* back() const noexcept { return back_; }
    /// The next byte begins a slab.
    [[nodiscard]] bool is_full() const noexcept { return back_ == nullptr || back_->room() == 0; }
    /// The offset of the first byte that has not been freed.
    [[nodiscard]] std::uint64_t begin() const noexcept { return front_ != nullptr ? front_->begin : 0; }
    /// The offset behind the last byte.
    [[nodiscard]] std::uint64_t end() const noexcept { return back_ != nullptr ? back_->end() : 0; }
    /// Bytes of its slabs, unused room included.
    [[nodiscard]] std::size_t memory() const noexcept { return memory_; }

    /// Copies `bytes` to the back; `expected`: bytes about to be appended, these included. False: no memory, and part
    /// of them may have been appended.
    [[nodiscard]] bool append(slab_store& store, byte_view bytes, std::size_t expected) noexcept {
        do {
            if (back_ == nullptr || (back_->room() == 0 && !bytes.empty()))
                if (!grow(store, expected)) return false;
            const auto n = std::min<std::size_t>(bytes.size(), back_->room());
            if (n != 0) std::memcpy(back_->data() + back_->size, bytes.data(), n);
            back_->size += static_cast<std::uint32_t>(n);
            bytes = bytes.subspan(n);
        } while (!bytes.empty());
        return true;
    }

    /// Ensures that the next `n` bytes lie in one slab. Precondition: the smallest slab has room for them. False: no
    /// memory.
    [[nodiscard]] bool keep_together(slab_store& store, std::size_t n) noexcept {
        return (back_ != nullptr && back_->room() >= n) || grow(store, n);
    }

    /// Keeps all bytes from the front; a pin on an empty chain keeps its first slab.
    slab* pin_front() noexcept {
        ++(front_ != nullptr ? front_->pins : early_pins_);
        return front_;
    }
    /// `s`: what pin_front() returned, or the slab that the pin was moved to.
    void unpin(slab* s) noexcept {
        // An early pin went to the first slab, which it keeps in place.
        --(s != nullptr ? s->pins : front_ != nullptr ? front_->pins : early_pins_);
    }
    static void move_pin(slab* from, slab* to) noexcept {
        --from->pins;
        ++to->pins;
    }
    /// Frees unpinned slabs at the front, now and whenever the chain grows. The last slab stays.
    void free_front(slab_store& store) noexcept {
        passing_ = true;
        while (front_ != back_ && front_->pins == 0) {
            memory_ -= front_->capacity;
            store.give_back(std::exchange(front_, front_->next));
        }
    }
    /// Precondition: nothing pins it.
    void clear(slab_store& store) noexcept {
        while (front_ != nullptr) store.give_back(std::exchange(front_, front_->next));
        back_ = nullptr;
        memory_ = 0;
    }

private:
    bool grow(slab_store& store, std::size_t expected) noexcept {
        slab* s = store.take(expected, back_);
        if (s == nullptr) return false;
        s->begin = end();
        memory_ += s->capacity;
        (back_ != nullptr ? back_->next : front_) = s;
        back_ = s;
        if (front_ == s) s->pins = std::exchange(early_pins_, 0);
        if (passing_) free_front(store);
        return true;
    }

    slab* front_ = nullptr;
    slab* back_ = nullptr;
    std::size_t memory_ = 0;
    std::uint32_t early_pins_ = 0;
    bool passing_ = false;
};

/// A place in a chain.
struct chain_position {
    std::uint64_t at = 0;
    slab* in = nullptr; ///< The slab of the byte at `at`, or of the byte before; nullptr: the chain was empty.

    /// At the end of a slab, moves to the next.
    void hop() noexcept {
        while (at >= in->end() && in->next != nullptr) in = in->next;
    }
    /// The bytes that follow in the same slab.
    [[nodiscard]] byte_view here() const noexcept { return {in->data() + (at - in->begin), as_size(in->end() - at)}; }
    /// At least as many of the following bytes as `pieces` holds, if there are; copied there if they lie in several
    /// slabs.
    [[nodiscard]] byte_view gather(std::span<std::byte> pieces) const noexcept {
        if (here().size() >= pieces.size() || in->next == nullptr) return here();
        std::size_t n = 0;
        for (chain_position p = *this; n != pieces.size(); ++n, ++p.at) {
            p.hop();
            if (p.at == p.in->end()) break;
            pieces[n] = p.here().front();
        }
        return pieces.first(n);
    }
};

} // namespace moqlite::detail

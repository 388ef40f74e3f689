// A hash table from numbers to small values; it allocates only to exceed its largest size so far.
#pragma once

#include <cstddef>
#include <cstdint>
#include <moqlite/containers/block.hpp>
#include <moqlite/core/bytes.hpp>
#include <utility>

namespace moqlite::detail {

/// Maps numbers to values by open addressing. V is cheap to copy.
template <class V>
class id_table {
public:
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] bool empty() const noexcept { return size_ == 0; }

    /// nullptr: absent. The pointer is valid until the next insert or erase.
    [[nodiscard]] V* find(std::uint64_t key) noexcept {
        if (slots_.empty()) return nullptr;
        for (auto i = home(key);; i = after(i)) {
            if (!slots_[i].used) return nullptr;
            if (slots_[i].key == key) return &slots_[i].value;
        }
    }
    /// After this the next insert() does not allocate.
    void make_room() {
        if ((size_ + 1) * 4 > slots_.size() * 3) grow();
    }
    /// Precondition: the key is absent. The reference is valid until the next insert or erase.
    V& insert(std::uint64_t key, V value) {
        make_room();
        ++size_;
        return place(key, std::move(value));
    }
    bool erase(std::uint64_t key) noexcept {
        V* found = find(key);
        if (found == nullptr) return false;
        std::size_t hole = home(key);
        while (&slots_[hole].value != found) hole = after(hole);
        // Closes the gap: moves back the entries that were displaced past it.
        for (auto i = after(hole); slots_[i].used; i = after(i)) {
            const auto distance = (i - home(slots_[i].key)) & (slots_.size() - 1);
            if (distance < ((i - hole) & (slots_.size() - 1))) continue;
            slots_[hole] = std::move(slots_[i]);
            hole = i;
        }
        slots_[hole] = {};
        --size_;
        return true;
    }
    /// Calls f(key, V&) on each; f must not insert or erase.
    template <class F>
    void for_each(F&& f) {
        for (auto& s : slots_)
            if (s.used) f(s.key, s.value);
    }

private:
    struct slot {
        std::uint64_t key = 0;
        V value{};
        bool used = false;
    };
    [[nodiscard]] std::size_t home(std::uint64_t key) const noexcept {
        return as_size(((key * 0x9e3779b97f4a7c15u) >> 20) & (slots_.size() - 1));
    }
    [[nodiscard]] std::size_t after(std::size_t i) const noexcept { return (i + 1) & (slots_.size() - 1); }
    V& place(std::uint64_t key, V value) {
        auto i = home(key);
        while (slots_[i].used) i = after(i);
        slots_[i] = {key, std::move(value), true};
        return slots_[i].value;
    }
    void grow() {
        block<slot> old(slots_.empty() ? 4 : slots_.size() * 2);
        std::swap(old, slots_);
        for (auto& s : old)
            if (s.used) place(s.key, std::move(s.value));
    }
    block<slot> slots_;
    std::size_t size_ = 0;
};

/// Maps numbers to pointers, all in one instantiation of id_table.
template <class T>
class pointer_table {
public:
    [[nodiscard]] std::size_t size() const noexcept { return all_.size(); }
    [[nodiscard]] bool empty() const noexcept { return all_.empty(); }
    /// nullptr: absent.
    [[nodiscard]] T* find(std::uint64_t key) noexcept {
        void** found = all_.find(key);
        return found != nullptr ? static_cast<T*>(*found) : nullptr;
    }
    /// After this the next insert() does not allocate.
    void make_room() { all_.make_room(); }
    /// Precondition: the key is absent.
    void insert(std::uint64_t key, T& value) { all_.insert(key, &value); }
    bool erase(std::uint64_t key) noexcept { return all_.erase(key); }
    /// Calls f(key, T&) on each; f must not insert or erase.
    template <class F>
    void for_each(F&& f) {
        all_.for_each([&](std::uint64_t key, void* value) { f(key, *static_cast<T*>(value)); });
    }

private:
    id_table<void*> all_;
};

} // namespace moqlite::detail

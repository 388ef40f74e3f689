// The few containers that a session needs: none allocates once it has seen its largest size.
#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <moqlite/core/poison.hpp>
#include <moqlite/session/detail/list.hpp>
#include <utility>
#include <vector>

namespace moqlite::detail {

/// A queue in a ring that grows.
template <class T>
class ring {
public:
    [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    void push(T item) {
        if (size_ == items_.size()) grow();
        items_[(first_ + size_++) & (items_.size() - 1)] = std::move(item);
    }
    T pop() {
        assert(!empty());
        T item = std::move(items_[first_]);
        first_ = (first_ + 1) & (items_.size() - 1);
        --size_;
        return item;
    }
    void clear() noexcept { first_ = size_ = 0; }
    /// The next `n` pushes need no memory.
    void make_room(std::size_t n) {
        while (items_.size() - size_ < n) grow();
    }

private:
    void grow() {
        std::vector<T> larger(items_.empty() ? 4 : items_.size() * 2);
        for (std::size_t i = 0; i < size_; ++i) larger[i] = std::move(items_[(first_ + i) & (items_.size() - 1)]);
        items_ = std::move(larger);
        first_ = 0;
    }
    std::vector<T> items_; // a power of two of them, or none
    std::size_t first_ = 0;
    std::size_t size_ = 0;
};

/// From numbers to values, open addressing. V is cheap to copy.
template <class V>
class id_table {
public:
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] bool empty() const noexcept { return size_ == 0; }

    /// nullptr: not there. Stays valid until the next insert or erase.
    [[nodiscard]] V* find(std::uint64_t key) noexcept {
        if (slots_.empty()) return nullptr;
        for (auto i = home(key);; i = after(i)) {
            if (!slots_[i].used) return nullptr;
            if (slots_[i].key == key) return &slots_[i].value;
        }
    }
    /// The next insert() needs no memory.
    void make_room() {
        if ((size_ + 1) * 4 > slots_.size() * 3) grow();
    }
    /// Precondition: the key is not there.
    void insert(std::uint64_t key, V value) {
        make_room();
        place(key, std::move(value));
        ++size_;
    }
    bool erase(std::uint64_t key) noexcept {
        V* found = find(key);
        if (found == nullptr) return false;
        std::size_t hole = home(key);
        while (&slots_[hole].value != found) hole = after(hole);
        // Closes the gap: moves back whoever was pushed past it.
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
        return static_cast<std::size_t>((key * 0x9e3779b97f4a7c15u) >> 20) & (slots_.size() - 1);
    }
    [[nodiscard]] std::size_t after(std::size_t i) const noexcept { return (i + 1) & (slots_.size() - 1); }
    void place(std::uint64_t key, V value) {
        auto i = home(key);
        while (slots_[i].used) i = after(i);
        slots_[i] = {key, std::move(value), true};
    }
    void grow() {
        std::vector<slot> old(slots_.empty() ? 4 : slots_.size() * 2);
        old.swap(slots_);
        for (auto& s : old)
            if (s.used) place(s.key, std::move(s.value));
    }
    std::vector<slot> slots_;
    std::size_t size_ = 0;
};

/// A binary heap of elements that know where in it they are. `Before(a, b)`: a is nearer the top.
/// `Position(item)` is a reference to the element's place, `npos` while it is in no heap.
template <class T, class Before, class Position>
class indexed_heap {
public:
    static constexpr std::size_t npos = SIZE_MAX;

    [[nodiscard]] bool empty() const noexcept { return items_.empty(); }
    [[nodiscard]] std::size_t size() const noexcept { return items_.size(); }
    [[nodiscard]] T* top() const noexcept { return items_.empty() ? nullptr : items_.front(); }

    /// The next push() needs no memory.
    void make_room() {
        if (items_.size() == items_.capacity()) items_.reserve(2 * items_.size() + 1);
    }
    void push(T& item) {
        items_.push_back(&item);
        Position{}(item) = items_.size() - 1;
        up(items_.size() - 1);
    }
    void erase(T& item) noexcept {
        const auto i = std::exchange(Position{}(item), npos);
        if (i == npos) return; // Its push() found no memory.
        T* last = items_.back();
        items_.pop_back();
        if (last == &item) return;
        put(i, last);
        moved(i);
    }
    /// The element's rank has changed.
    void fix(T& item) noexcept { moved(Position{}(item)); }
    /// `Before` has changed. O(n).
    void reorder() noexcept {
        for (auto i = items_.size() / 2; i != 0; --i) down(i - 1);
    }

private:
    void put(std::size_t i, T* item) noexcept {
        items_[i] = item;
        Position{}(*item) = i;
    }
    void moved(std::size_t i) noexcept { down(up(i)); }
    std::size_t up(std::size_t i) noexcept {
        T* item = items_[i];
        for (; i != 0 && Before{}(*item, *items_[(i - 1) / 2]); i = (i - 1) / 2) put(i, items_[(i - 1) / 2]);
        put(i, item);
        return i;
    }
    void down(std::size_t i) noexcept {
        T* item = items_[i];
        for (auto child = 2 * i + 1; child < items_.size(); child = 2 * i + 1) {
            if (child + 1 < items_.size() && Before{}(*items_[child + 1], *items_[child])) ++child;
            if (!Before{}(*items_[child], *item)) break;
            put(i, items_[child]);
            i = child;
        }
        put(i, item);
    }
    std::vector<T*> items_;
};

struct owned_tag;

/// Objects of one kind that stay where they are; freed ones are used again. T has a list_hook<owned_tag>.
template <class T>
class object_pool {
public:
    object_pool() = default;
    object_pool(const object_pool&) = delete;
    object_pool& operator=(const object_pool&) = delete;
    ~object_pool() {
        while (T* item = live_.pop_front()) delete item;
        while (spare_ != nullptr) ::operator delete(take_spare());
    }
    /// The next make() needs no memory, unless the constructor does.
    void make_room() {
        if (spare_ != nullptr) return;
        spare_ = new (::operator new(sizeof(T))) spare{nullptr};
        poison(spare_ + 1, sizeof(T) - sizeof(spare));
        ++spares_;
    }
    template <class... Args>
    T& make(Args&&... args) {
        void* memory = spare_ != nullptr ? take_spare() : ::operator new(sizeof(T));
        T* item = new (memory) T(std::forward<Args>(args)...);
        live_.push_back(*item);
        ++size_;
        return *item;
    }
    void destroy(T& item) noexcept {
        item.~T();
        --size_;
        if (spares_ == spares_max) return ::operator delete(static_cast<void*>(&item));
        spare_ = new (&item) spare{spare_};
        poison(spare_ + 1, sizeof(T) - sizeof(spare));
        ++spares_;
    }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] T* first() noexcept { return live_.empty() ? nullptr : &live_.front(); }
    template <class F>
    void for_each(F&& f) {
        live_.for_each(std::forward<F>(f));
    }

private:
    struct spare {
        spare* next;
    };
    static_assert(sizeof(T) >= sizeof(spare));
    static constexpr std::size_t spares_max = 32;
    void* take_spare() noexcept {
        --spares_;
        unpoison(spare_ + 1, sizeof(T) - sizeof(spare));
        return std::exchange(spare_, spare_->next);
    }
    list<T, owned_tag> live_;
    spare* spare_ = nullptr;
    std::size_t spares_ = 0;
    std::size_t size_ = 0;
};

} // namespace moqlite::detail

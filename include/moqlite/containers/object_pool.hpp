// Objects of one type, whose memory is reused.
#pragma once

#include <cstddef>
#include <moqlite/containers/list.hpp>
#include <moqlite/containers/spare_memory.hpp>
#include <new>
#include <utility>

namespace moqlite::detail {

struct owned_tag;

/// Objects of type T at stable addresses; the memory of destroyed ones is reused. T has a list_hook<owned_tag>.
template <class T>
class object_pool {
public:
    /// Keeps the memory of `kept` objects.
    explicit object_pool(std::size_t kept = 32) noexcept : memory_(kept) {}
    object_pool(const object_pool&) = delete;
    object_pool& operator=(const object_pool&) = delete;
    ~object_pool() {
        while (T* item = live_.pop_front()) delete item;
    }
    /// After this the next make() does not allocate, unless the constructor does.
    void make_room() { memory_.make_room(sizeof(T)); }
    template <class... Args>
    T& make(Args&&... args) {
        T* item = new (memory_.take(sizeof(T))) T(std::forward<Args>(args)...);
        live_.push_back(*item);
        ++size_;
        return *item;
    }
    void destroy(T& item) noexcept {
        item.~T();
        --size_;
        memory_.give_back(&item, sizeof(T));
    }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] T* first() noexcept { return live_.empty() ? nullptr : &live_.front(); }
    template <class F>
    void for_each(F&& f) {
        live_.for_each(std::forward<F>(f));
    }

private:
    list<T, owned_tag> live_;
    spare_memory memory_;
    std::size_t size_ = 0;
};

} // namespace moqlite::detail

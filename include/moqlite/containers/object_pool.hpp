// Objects of one type, whose memory is reused.
#pragma once

#include <cstddef>
#include <moqlite/containers/list.hpp>
#include <moqlite/core/poison.hpp>
#include <new>
#include <utility>

namespace moqlite::detail {

struct owned_tag;

/// Objects of type T at stable addresses; the memory of destroyed ones is reused. T has a list_hook<owned_tag>.
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
    /// After this the next make() does not allocate, unless the constructor does.
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

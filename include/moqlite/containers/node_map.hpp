// A std::map whose elements come and go without allocating.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <moqlite/containers/spare_memory.hpp>
#include <utility>

namespace moqlite::detail {

/// Takes the nodes of one kind of map from `memory`, which must outlive the maps.
template <class T>
class node_allocator {
public:
    using value_type = T;
    node_allocator(spare_memory& memory) noexcept : memory_(&memory) {}
    template <class U>
    node_allocator(const node_allocator<U>& other) noexcept : memory_(other.memory_) {}
    [[nodiscard]] T* allocate(std::size_t n) { return static_cast<T*>(memory_->take(n * sizeof(T))); }
    void deallocate(T* at, std::size_t n) noexcept { memory_->give_back(at, n * sizeof(T)); }
    [[nodiscard]] bool operator==(const node_allocator&) const noexcept = default;

private:
    template <class>
    friend class node_allocator;
    spare_memory* memory_;
};

template <class Key, class Value>
using node_map = std::map<Key, Value, std::less<Key>, node_allocator<std::pair<const Key, Value>>>;

} // namespace moqlite::detail

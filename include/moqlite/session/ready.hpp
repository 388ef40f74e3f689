// Who has something to do: sessions put themselves on a list, and nobody looks at the others.
#pragma once

#include <cstdint>
#include <moqlite/containers/list.hpp>
#include <optional>

namespace moqlite {

class group_reader;

namespace detail {
struct ready_tag;
struct woken_tag;
} // namespace detail

/// A session's place on a ready_list.
class ready_entry : public detail::list_hook<detail::ready_tag> {
public:
    ready_entry(class ready_list* list, std::uint64_t key) noexcept : list_(list), key_(key) {}
    /// Puts it on its list, once.
    void mark() noexcept;
    [[nodiscard]] std::uint64_t key() const noexcept { return key_; }

private:
    ready_list* list_;
    std::uint64_t key_;
};

/// The sessions that want to be pumped, in the order in which they came to want it. Must outlive them.
class ready_list {
public:
    /// The key that a session was made with; nullopt: nobody wants anything.
    [[nodiscard]] std::optional<std::uint64_t> pop() noexcept {
        if (auto* entry = entries_.pop_front()) return entry->key();
        return std::nullopt;
    }
    [[nodiscard]] bool empty() const noexcept { return entries_.empty(); }

private:
    friend class ready_entry;
    detail::list<ready_entry, detail::ready_tag> entries_;
};

inline void ready_entry::mark() noexcept {
    if (list_ != nullptr && !linked()) list_->entries_.push_back(*this);
}

/// Where the groups that a session serves report that they have grown.
struct wake_queue {
    detail::list<group_reader, detail::woken_tag> woken;
    ready_entry* entry = nullptr;
};

} // namespace moqlite

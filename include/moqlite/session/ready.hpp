// A list on which sessions put themselves when they have work, so that idle ones cost nothing.
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
    /// Puts the session on its list, once.
    void mark() noexcept;
    [[nodiscard]] std::uint64_t key() const noexcept { return key_; }

private:
    ready_list* list_;
    std::uint64_t key_;
};

/// The sessions that ask to be pumped, in the order in which they asked. Must outlive them.
class ready_list {
public:
    /// The key of the next session; nullopt: the list is empty.
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

/// The queue on which the groups that a session serves report growth.
struct wake_queue {
    detail::list<group_reader, detail::woken_tag> woken;
    ready_entry* entry = nullptr;
};

} // namespace moqlite

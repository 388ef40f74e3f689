// Intrusive lists: membership is a member of the element, so joining and leaving never allocate.
#pragma once

#include <cassert>
#include <cstddef>

namespace moqlite::detail {

/// Membership in one list of kind Tag; an element derives from one hook for each kind. Destroying it unlinks it.
template <class Tag>
class list_hook {
public:
    list_hook() noexcept = default;
    list_hook(const list_hook&) = delete;
    list_hook& operator=(const list_hook&) = delete;
    ~list_hook() { unlink(); }

    [[nodiscard]] bool linked() const noexcept { return next_ != nullptr; }
    void unlink() noexcept {
        if (!linked()) return;
        prev_->next_ = next_;
        next_->prev_ = prev_;
        prev_ = next_ = nullptr;
    }

private:
    template <class, class>
    friend class list;
    list_hook* prev_ = nullptr;
    list_hook* next_ = nullptr;
};

/// A list of T, linked by its hook of kind Tag. It owns nothing; destroying it unlinks its elements.
template <class T, class Tag>
class list {
    using hook = list_hook<Tag>;

public:
    list() noexcept { root_.prev_ = root_.next_ = &root_; }
    list(const list&) = delete;
    list& operator=(const list&) = delete;
    ~list() {
        while (!empty()) root_.next_->unlink();
        root_.prev_ = root_.next_ = nullptr;
    }

    [[nodiscard]] bool empty() const noexcept { return root_.next_ == &root_; }
    [[nodiscard]] T& front() noexcept { return assert(!empty()), element(*root_.next_); }
    [[nodiscard]] const T& front() const noexcept { return assert(!empty()), static_cast<const T&>(*root_.next_); }

    void push_back(T& item) noexcept {
        hook& h = item;
        assert(!h.linked());
        h.prev_ = root_.prev_;
        h.next_ = &root_;
        root_.prev_->next_ = &h;
        root_.prev_ = &h;
    }
    T* pop_front() noexcept { return empty() ? nullptr : &take_front(); }
    /// Precondition: it is not empty.
    T& take_front() noexcept {
        T& item = front();
        static_cast<hook&>(item).unlink();
        return item;
    }
    /// Calls f(T&) on each; f may unlink its argument, and no other element.
    template <class F>
    void for_each(F&& f) {
        for (hook* h = root_.next_; h != &root_;) {
            hook* following = h->next_;
            f(element(*h));
            h = following;
        }
    }
    /// The first among the `most` front elements for which pred(T&) holds; nullptr: none.
    template <class F>
    T* find_first(std::size_t most, F&& pred) {
        for (hook* h = root_.next_; h != &root_ && most != 0; h = h->next_, --most)
            if (pred(element(*h))) return &element(*h);
        return nullptr;
    }

private:
    /// Casts a reference: a cast of pointers would test for null.
    static T& element(hook& h) noexcept { return static_cast<T&>(h); }
    hook root_;
};

} // namespace moqlite::detail

// A balanced search tree that owns its elements. Less to compile than std::map: all trees share what balances them.
#pragma once

#include <array>
#include <cassert>
#include <cstddef>
#include <utility>

namespace moqlite::detail {

/// What makes its owner an element of one tree: an AVL node.
class tree_hook {
public:
    tree_hook() noexcept = default;
    tree_hook(const tree_hook&) = delete;
    tree_hook& operator=(const tree_hook&) = delete;

private:
    friend class tree_path;
    template <class, class, class>
    friend class tree;
    tree_hook* lower_ = nullptr;
    tree_hook* higher_ = nullptr;
    int height_ = 1; ///< Of the subtree; a leaf has 1.
};

/// The links from the root of a tree to a place in it, through which a change there is balanced.
class tree_path {
public:
    void descend(tree_hook*& link) noexcept { links_[size_++] = &link; }
    /// Puts a new leaf where the last link leads, which is nullptr.
    void insert(tree_hook& leaf) noexcept {
        *links_[--size_] = &leaf;
        balance();
    }
    /// Takes out the node to which the last link leads.
    void erase() noexcept {
        tree_hook*& link = *links_[size_ - 1];
        tree_hook& gone = *link;
        if (gone.lower_ == nullptr || gone.higher_ == nullptr) {
            link = gone.lower_ != nullptr ? gone.lower_ : gone.higher_;
            --size_;
            return balance();
        }
        const auto below = size_;
        descend(gone.higher_);
        tree_hook* following = gone.higher_;
        for (; following->lower_ != nullptr; following = following->lower_) descend(following->lower_);
        *links_[--size_] = following->higher_;
        following->lower_ = gone.lower_;
        following->higher_ = gone.higher_;
        following->height_ = gone.height_;
        link = following;
        if (below < size_) links_[below] = &following->higher_;
        balance();
    }

private:
    static int height(const tree_hook* n) noexcept { return n != nullptr ? n->height_ : 0; }
    static void measure(tree_hook& n) noexcept {
        const int a = height(n.lower_);
        const int b = height(n.higher_);
        n.height_ = 1 + (a < b ? b : a);
    }
    /// Puts `child` in the place of `n`, which becomes its child on the side of `n`.
    static tree_hook& raise_lower(tree_hook& n, tree_hook& child) noexcept {
        n.lower_ = std::exchange(child.higher_, &n);
        measure(n);
        measure(child);
        return child;
    }
    static tree_hook& raise_higher(tree_hook& n, tree_hook& child) noexcept {
        n.higher_ = std::exchange(child.lower_, &n);
        measure(n);
        measure(child);
        return child;
    }
    static tree_hook& balanced(tree_hook& n) noexcept {
        tree_hook* a = n.lower_;
        tree_hook* b = n.higher_;
        if (b != nullptr && b->height_ > height(a) + 1) {
            tree_hook* inner = b->lower_;
            return raise_higher(
                n, inner != nullptr && inner->height_ > height(b->higher_) ? raise_lower(*b, *inner) : *b);
        }
        if (a != nullptr && a->height_ > height(b) + 1) {
            tree_hook* inner = a->higher_;
            return raise_lower(
                n, inner != nullptr && inner->height_ > height(a->lower_) ? raise_higher(*a, *inner) : *a);
        }
        measure(n);
        return n;
    }
    void balance() noexcept {
        for (; size_ != 0; --size_) *links_[size_ - 1] = &balanced(**links_[size_ - 1]);
    }
    std::array<tree_hook**, 64> links_; ///< Enough for more nodes than there is memory.
    std::size_t size_ = 0;
};

/// Elements of type T, each with a tree_hook, in the order of `KeyOf{}(element)`, a Key; no two are equal. Lookups take
/// O(log n) and give nullptr where there is none.
template <class T, class Key, class KeyOf>
class tree {
public:
    tree() noexcept = default;
    tree(const tree&) = delete;
    tree& operator=(const tree&) = delete;
    ~tree() { clear(); }

    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] bool empty() const noexcept { return root_ == nullptr; }
    [[nodiscard]] T* first() const noexcept {
        tree_hook* n = root_;
        while (n != nullptr && n->lower_ != nullptr) n = n->lower_;
        return element(n);
    }
    [[nodiscard]] T* find(const Key& key) const noexcept {
        T* found = lower_bound(key);
        return found != nullptr && !(key < KeyOf{}(*found)) ? found : nullptr;
    }
    /// The first that is not before `key`.
    [[nodiscard]] T* lower_bound(const Key& key) const noexcept {
        tree_hook* found = nullptr;
        for (tree_hook* n = root_; n != nullptr;) {
            const bool before = key_of(*n) < key;
            if (!before) found = n;
            n = before ? n->higher_ : n->lower_;
        }
        return element(found);
    }
    /// The first that is after `key`.
    [[nodiscard]] T* upper_bound(const Key& key) const noexcept {
        tree_hook* found = nullptr;
        for (tree_hook* n = root_; n != nullptr;) {
            const bool after = key < key_of(*n);
            if (after) found = n;
            n = after ? n->lower_ : n->higher_;
        }
        return element(found);
    }
    /// The last that is not after `key`.
    [[nodiscard]] T* last_until(const Key& key) const noexcept {
        tree_hook* found = nullptr;
        for (tree_hook* n = root_; n != nullptr;) {
            const bool after = key < key_of(*n);
            if (!after) found = n;
            n = after ? n->lower_ : n->higher_;
        }
        return element(found);
    }
    /// Makes an element, whose key is absent, from `args`.
    template <class... Args>
    T& make(Args&&... args) {
        T& made = *new T(std::forward<Args>(args)...);
        path_to(made, false).insert(made);
        ++size_;
        return made;
    }
    void erase(T& e) noexcept {
        path_to(e, true).erase();
        --size_;
        delete &e;
    }
    void clear() noexcept {
        destroy(std::exchange(root_, nullptr));
        size_ = 0;
    }
    /// Calls f(T&) on each in order; f must not insert or erase.
    template <class F>
    void for_each(F&& f) const {
        walk(root_, [](const tree_hook&) { return false; }, [&](T& e) { return f(e), true; });
    }
    /// Calls f(T&) on those that are not before `key`, in order, until f returns false. O(log n + calls).
    template <class F>
    void for_each_from(const Key& key, F&& f) const {
        walk(root_, [&](const tree_hook& n) { return key_of(n) < key; }, f);
    }

private:
    static T* element(tree_hook* n) noexcept { return static_cast<T*>(n); }
    static Key key_of(const tree_hook& n) noexcept { return KeyOf{}(static_cast<const T&>(n)); }
    tree_path path_to(T& e, bool inside) noexcept {
        tree_path path;
        tree_hook** link = &root_;
        for (path.descend(*link); *link != nullptr && !(inside && *link == &e); path.descend(*link))
            link = KeyOf{}(e) < key_of(**link) ? &(*link)->lower_ : &(*link)->higher_;
        assert((*link != nullptr) == inside && "two elements with one key");
        return path;
    }
    template <class Before, class F>
    static bool walk(tree_hook* n, const Before& before, F&& f) {
        if (n == nullptr) return true;
        if (!before(*n) && !(walk(n->lower_, before, f) && f(static_cast<T&>(*n)))) return false;
        return walk(n->higher_, before, f);
    }
    static void destroy(tree_hook* n) noexcept {
        if (n == nullptr) return;
        destroy(n->lower_);
        destroy(n->higher_);
        delete element(n);
    }
    tree_hook* root_ = nullptr;
    std::size_t size_ = 0;
};

} // namespace moqlite::detail

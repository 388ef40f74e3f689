// The combined options of a track's readers, updated as they join, change and leave.
#pragma once

#include <cstddef>
#include <map>
#include <moqlite/session/event.hpp>
#include <optional>
#include <utility>

namespace moqlite::relaying {

/// Values and how often each occurs. O(log n) each; extremes O(1).
template <class T>
class counted {
public:
    void add(const T& value) {
        if (const auto found = counts_.find(value); found != counts_.end()) return static_cast<void>(++found->second);
        if (!spare_) return static_cast<void>(counts_.emplace(value, 1));
        spare_.key() = value;
        spare_.mapped() = 1;
        counts_.insert(std::move(spare_));
    }
    /// Precondition: the value is present.
    void remove(const T& value) noexcept {
        const auto found = counts_.find(value);
        if (--found->second == 0) spare_ = counts_.extract(found);
    }
    /// Adds a value, and removes it again unless keep() is called.
    class addition {
    public:
        addition(counted& to, const T& value) : to_(&to), value_(value) { to.add(value); }
        addition(const addition&) = delete;
        addition& operator=(const addition&) = delete;
        ~addition() {
            if (to_ != nullptr) to_->remove(value_);
        }
        void keep() noexcept { to_ = nullptr; }

    private:
        counted* to_;
        T value_;
    };
    [[nodiscard]] bool empty() const noexcept { return counts_.empty(); }
    /// Number of distinct values.
    [[nodiscard]] std::size_t size() const noexcept { return counts_.size(); }
    [[nodiscard]] const T& lowest() const noexcept { return counts_.begin()->first; }
    [[nodiscard]] const T& highest() const noexcept { return counts_.rbegin()->first; }

private:
    std::map<T, std::size_t> counts_;
    typename std::map<T, std::size_t>::node_type spare_; ///< Of the last value that went: readers often replace theirs.
};

/// A live reader accepts loss when it is too slow. A complete reader that does not know its start yet has no Group End
/// in its first SUBSCRIBE either, but is identified by its Max Age.
[[nodiscard]] inline bool is_live(const subscribe_options& o) noexcept {
    return !o.end && !(o.ordered && o.max_age >= complete_age);
}

/// The sum of subscriptions without iterating over them: O(log n) for each one added or removed.
class demand {
public:
    /// Adds completely, or not at all if an allocation throws.
    void add(const subscribe_options& o) {
        counted<priority>::addition its_priority{priorities_, o.priority};
        counted<milliseconds>::addition its_age{ages_, o.max_age};
        if (o.end) ends_.add(*o.end);
        its_priority.keep();
        its_age.keep();
        ++readers_;
        if (o.ordered) ++ordered_;
        if (is_live(o)) ++live_;
    }
    /// Precondition: the same options were added.
    void remove(const subscribe_options& o) noexcept {
        --readers_;
        if (o.ordered) --ordered_;
        priorities_.remove(o.priority);
        ages_.remove(o.max_age);
        if (o.end) ends_.remove(*o.end);
        if (is_live(o)) --live_;
    }

    [[nodiscard]] std::size_t readers() const noexcept { return readers_; }
    [[nodiscard]] std::size_t live() const noexcept { return live_; }
    /// The lowest Group End of any reader; nullopt: no reader has one.
    [[nodiscard]] std::optional<group_sequence> lowest_end() const noexcept {
        return ends_.empty() ? std::nullopt : std::optional{ends_.lowest()};
    }
    /// The highest Group End of any reader; nullopt: no reader has one.
    [[nodiscard]] std::optional<group_sequence> highest_end() const noexcept {
        return ends_.empty() ? std::nullopt : std::optional{ends_.highest()};
    }
    /// The highest priority, ordered if every reader is, the largest Max Age, and the highest Group End, which readers
    /// without one do not remove. No Group Start.
    [[nodiscard]] subscribe_options sum() const noexcept {
        subscribe_options all{.priority = 0, .ordered = ordered_ == readers_};
        if (readers_ == 0) return all;
        all.priority = priorities_.highest();
        all.max_age = ages_.highest();
        all.end = highest_end();
        return all;
    }

private:
    std::size_t readers_ = 0;
    std::size_t ordered_ = 0;
    std::size_t live_ = 0;
    counted<priority> priorities_;
    counted<milliseconds> ages_;
    counted<group_sequence> ends_;
};

} // namespace moqlite::relaying

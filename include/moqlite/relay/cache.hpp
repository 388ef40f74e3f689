// What a relay remembers: groups of every track, oldest out first, by bytes and by age.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <moqlite/core/limits.hpp>
#include <moqlite/session/detail/list.hpp>
#include <moqlite/session/group.hpp>
#include <moqlite/session/slab.hpp>
#include <optional>

namespace moqlite::relaying {

struct aged_tag;
class track_log;

/// One group of a log.
struct log_entry : moqlite::detail::list_hook<aged_tag> {
    log_entry(track_log& l, group_ref g, time_point now) : log(&l), group(g), pin(std::move(g)), arrived(now) {}
    track_log* log;
    group_ref group;
    group_pin pin;       ///< Keeps its bytes; let go where they are not worth it.
    time_point arrived;
    std::uint64_t number = 0; ///< The n-th that the cache took, from 1.
    std::size_t counted = 0; ///< Bytes of it in the cache's sum; 0 while it is arriving.
};

/// The groups of one track that are there, by number.
class track_log {
public:
    [[nodiscard]] bool empty() const noexcept { return entries_.empty(); }
    [[nodiscard]] log_entry* find(group_sequence s) noexcept {
        const auto found = entries_.find(s);
        return found == entries_.end() ? nullptr : &found->second;
    }
    [[nodiscard]] std::optional<group_sequence> lowest() const noexcept {
        if (entries_.empty()) return std::nullopt;
        return entries_.begin()->first;
    }
    [[nodiscard]] log_entry* newest() noexcept { return entries_.empty() ? nullptr : &entries_.rbegin()->second; }
    /// Calls f(log_entry&) on those from `first` to `last`, in order; f must not change the log.
    template <class F>
    void for_each(group_sequence first, std::optional<group_sequence> last, F&& f) {
        for (auto i = entries_.lower_bound(first); i != entries_.end() && (!last || i->first <= *last); ++i) f(i->second);
    }
    /// The first number that may still be there: lower ones are gone, or never came.
    std::optional<group_sequence> floor;
    /// Some reader has not asked for the groups after this one yet; none: every reader has for all.
    std::optional<group_sequence> wanted;

private:
    friend class cache;
    std::map<group_sequence, log_entry> entries_;
};

/// Bounds all logs together. Its logs must be forgotten before they go.
class cache {
public:
    cache(slab_pool& pool, const limits& bounds) noexcept : pool_(pool), bounds_(bounds) {}

    /// Precondition: the log has no group of this number.
    log_entry& add(track_log& log, group_ref g, time_point now) {
        const auto sequence = g->sequence();
        auto& e = log.entries_.try_emplace(sequence, log, std::move(g), now).first->second;
        e.number = ++taken_;
        aged_.push_back(e);
        ++count_;
        return e;
    }
    /// Counts a group whose last byte has come.
    void complete(log_entry& e) noexcept {
        e.counted = e.group->memory();
        bytes_ += e.counted;
    }
    /// Drops all of a log.
    void forget(track_log& log) {
        while (!log.entries_.empty()) drop(log.entries_.begin()->second);
    }
    /// Drops what is over the bounds, oldest first. The newest group of a track serves whoever comes,
    /// so it goes last, and never for its age.
    void enforce(time_point now) {
        for (std::size_t spared = 0; bytes_ > bounds_.cache && !aged_.empty();) {
            auto& oldest = aged_.front();
            if (is_newest(oldest) && spared++ < count_)
                to_back(oldest);
            else
                drop(oldest);
        }
        for (std::size_t left = count_; left != 0 && aged_.front().arrived + bounds_.cache_age <= now; --left) {
            auto& oldest = aged_.front();
            // What a complete reader has not asked for yet waits for it.
            const bool waits = oldest.log->wanted && *oldest.log->wanted < oldest.group->sequence();
            if (!waits && !is_newest(oldest)) {
                drop(oldest);
                continue;
            }
            oldest.arrived = now;
            to_back(oldest);
        }
        relieve();
    }
    [[nodiscard]] std::optional<time_point> deadline() noexcept {
        if (aged_.empty()) return std::nullopt;
        return aged_.front().arrived + bounds_.cache_age;
    }
    [[nodiscard]] std::uint64_t taken() const noexcept { return taken_; }
    [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }

private:
    static bool is_newest(log_entry& e) noexcept { return &e == e.log->newest(); }
    void to_back(log_entry& e) {
        e.unlink();
        aged_.push_back(e);
    }
    void drop(log_entry& e) {
        auto& log = *e.log;
        const auto sequence = e.group->sequence();
        if (!log.floor || *log.floor <= sequence) log.floor = next(sequence);
        bytes_ -= e.counted;
        if (e.group->has_readers()) lingering_.push_back(e.group);
        log.entries_.erase(sequence);
        --count_;
    }
    /// Near the limit of memory, first the heads of groups that outgrew the cache go, then readers
    /// that hold on to what the cache has dropped.
    void relieve() {
        for (std::size_t i = std::min(lingering_.size(), most_at_once); i != 0; --i) {
            auto g = std::move(lingering_.front());
            lingering_.pop_front();
            if (g->has_readers()) lingering_.push_back(std::move(g));
        }
        const auto high = bounds_.memory - bounds_.memory / 8;
        if (pool_.in_use() <= high) return;
        aged_.for_each([&](log_entry& e) {
            if (pool_.in_use() > high && e.counted == 0) e.pin.release();
        });
        // What readers hold goes when their sessions are pumped: reckon with it.
        auto left = pool_.in_use();
        const auto evict = [&](group& g) {
            left -= std::min(left, g.memory());
            g.evict_readers(app_error::evicted);
        };
        for (; left > high && !lingering_.empty(); lingering_.pop_front()) evict(*lingering_.front());
        while (left > high && !aged_.empty()) {
            auto& e = aged_.front();
            evict(*e.group);
            drop(e);
        }
    }

    static constexpr std::size_t most_at_once = 16;
    slab_pool& pool_;
    limits bounds_;
    std::size_t bytes_ = 0; ///< Of the groups that are complete.
    std::size_t count_ = 0; ///< Of entries.
    std::uint64_t taken_ = 0; ///< Entries there ever were.
    moqlite::detail::list<log_entry, aged_tag> aged_;
    std::deque<group_ref> lingering_; ///< Dropped, but held by readers.
};

} // namespace moqlite::relaying

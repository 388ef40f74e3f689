// The cache of a relay: groups of all tracks, bounded by bytes and age, oldest dropped first.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <moqlite/containers/indexed_heap.hpp>
#include <moqlite/containers/list.hpp>
#include <moqlite/containers/node_map.hpp>
#include <moqlite/containers/ring.hpp>
#include <moqlite/core/limits.hpp>
#include <moqlite/session/group.hpp>
#include <moqlite/session/slab.hpp>
#include <optional>
#include <utility>
#include <vector>

namespace moqlite::relaying {

struct aged_tag;
struct arriving_tag;
class track_log;

/// The session on which a group arrives, and its id there.
struct source {
    std::uint64_t session = 0;
    group_id group{};
};

/// One group of a log.
struct log_entry : moqlite::detail::list_hook<aged_tag>, moqlite::detail::list_hook<arriving_tag>, memory_watch {
    log_entry(track_log& l, group_ref g, source s, time_point now)
        : log(&l), from(s), group(g), pin(std::move(g)), began(now), arrived(now) {
        group->watch_memory(*this);
    }
    log_entry(const log_entry&) = delete;
    log_entry& operator=(const log_entry&) = delete;
    /// The group has not ended.
    [[nodiscard]] bool arriving() const noexcept { return moqlite::detail::list_hook<arriving_tag>::linked(); }
    track_log* log;
    source from;
    group_ref group;
    group_pin pin; ///< Keeps its bytes; released where they are not worth keeping.
    time_point began;
    time_point arrived;                ///< When its last byte arrived, or later when it was last spared.
    std::uint8_t fills = 0;            ///< How often the rest of the group was fetched.
    std::uint64_t number = 0;          ///< The entry is the n-th added to the cache, from 1.
    std::size_t counted = 0;           ///< Its bytes in the cache's sum; 0 while it is arriving.
    std::size_t age_place = SIZE_MAX;  ///< Position in the heap by age, if it is there.
    std::size_t size_place = SIZE_MAX; ///< Position in the heap of newest groups by size, if it is there.
};

/// The cached groups of one track, by sequence.
class track_log {
public:
    /// Takes the memory of its entries, not that of their groups, from `memory`.
    explicit track_log(moqlite::detail::spare_memory& memory) : entries_{memory} {}
    [[nodiscard]] bool empty() const noexcept { return entries_.empty(); }
    [[nodiscard]] log_entry* find(group_sequence s) noexcept {
        const auto found = entries_.find(s);
        return found == entries_.end() ? nullptr : &found->second;
    }
    [[nodiscard]] std::optional<group_sequence> lowest() const noexcept {
        if (entries_.empty()) return std::nullopt;
        return entries_.begin()->first;
    }
    [[nodiscard]] log_entry* at_or_after(group_sequence s) noexcept {
        const auto found = entries_.lower_bound(s);
        return found == entries_.end() ? nullptr : &found->second;
    }
    [[nodiscard]] log_entry* newest() noexcept { return entries_.empty() ? nullptr : &entries_.rbegin()->second; }
    /// The first group of a subscription that takes every group from `from` on that is young: goes back from the
    /// newest while young(entry, its successor). nullptr: there is none from `from` on.
    template <class F>
    [[nodiscard]] log_entry* oldest_young(group_sequence from, F&& young) {
        log_entry* found = nullptr;
        for (auto i = entries_.rbegin(); i != entries_.rend() && from <= i->first; ++i) {
            if (found != nullptr && !young(i->second, *found)) break;
            found = &i->second;
        }
        return found;
    }
    /// Calls f(log_entry&) on entries `first` to `last`, in order; f must not change the log.
    template <class F>
    void for_each(group_sequence first, std::optional<group_sequence> last, F&& f) {
        for (auto i = entries_.lower_bound(first); i != entries_.end() && (!last || i->first <= *last); ++i)
            f(i->second);
    }
    moqlite::detail::list<log_entry, arriving_tag> arriving; ///< Groups that have not ended.
    /// The lowest sequence that may still be here: lower ones are gone, or never arrived.
    std::optional<group_sequence> floor;
    /// Some reader has not requested the groups after this one yet; nullopt: all readers want all groups.
    std::optional<group_sequence> wanted;

private:
    friend class cache;
    moqlite::detail::node_map<group_sequence, log_entry> entries_;
};

/// Bounds all logs together. Call forget() before destroying a log.
class cache {
public:
    cache(slab_pool& pool, const limits& bounds) noexcept
        : pool_(pool), bounds_(bounds), memory_of_entries_(bounds.live_groups) {
        // A minimum age prevents spinning: a spared group counts as new again.
        bounds_.cache_age = std::max<duration>(bounds.cache_age, std::chrono::milliseconds{1});
    }

    /// Of the entries of all logs.
    [[nodiscard]] moqlite::detail::spare_memory& memory_of_entries() noexcept { return memory_of_entries_; }
    /// Precondition: the log has no group of this sequence.
    log_entry& add(track_log& log, group_ref g, source from, time_point now) {
        const auto sequence = g->sequence();
        make_room();
        auto* const newest = log.newest();
        auto& e = log.entries_.try_emplace(sequence, log, std::move(g), from, now).first->second;
        e.number = ++added_;
        e.resized = &resized_;
        arriving_.push_back(e);
        log.arriving.push_back(e);
        if (newest != nullptr && !newest->arriving() && !is_newest(*newest)) queue(*newest);
        return e;
    }
    /// Counts a group whose last byte has arrived.
    void complete(log_entry& e, time_point now) {
        make_room();
        e.moqlite::detail::list_hook<arriving_tag>::unlink();
        e.arrived = now;
        ++count_;
        e.counted = e.group->memory();
        bytes_ += e.counted;
        queue(e);
    }
    /// More of a group that was complete arrives.
    void reopen(log_entry& e, time_point now) noexcept {
        unqueue(e);
        e.arrived = now;
        bytes_ -= std::exchange(e.counted, 0);
        --count_;
        arriving_.push_back(e);
        e.log->arriving.push_back(e);
    }
    /// Tracks a group that is read but not cached, so that its readers can be evicted near the memory limit.
    void track_uncached(group_ref g) {
        forget_released();
        lingering_.push(std::move(g));
    }
    /// Drops all groups of a log.
    void forget(track_log& log) {
        while (!log.entries_.empty()) drop(log.entries_.begin()->second);
    }
    /// Drops groups beyond the bounds, oldest first. The newest group of a track serves new readers: it is dropped
    /// after all others and never for its age; where only such are left, the largest goes first. Near the memory limit,
    /// calls stop(source) for groups that must stop arriving.
    template <class Stop>
    void enforce(time_point now, Stop&& stop) {
        while (memory_watch* e = resized_.pop_front()) recount(static_cast<log_entry&>(*e));
        while (bytes_ > bounds_.cache || count_ > bounds_.cache / group_bytes_min) {
            if (!aged_.empty())
                drop(*aged_.top());
            else if (newest_.empty())
                break;
            else
                drop(bytes_ > bounds_.cache ? *largest_.top() : newest_.front());
        }
        while (!aged_.empty() && aged_.top()->arrived + bounds_.cache_age <= now) {
            auto& oldest = *aged_.top();
            if (!is_awaited(oldest)) {
                drop(oldest);
                continue;
            }
            oldest.arrived = now;
            aged_.fix(oldest);
        }
        while (is_old(newest_, now)) {
            auto& e = newest_.front();
            e.arrived = now;
            to_back(newest_, e);
        }
        // A group that has been arriving for that long is not kept for late readers. It stays on the list, where its
        // publisher's unfinished groups are counted.
        while (is_old(arriving_, now)) {
            auto& e = arriving_.front();
            if (!is_awaited(e) && !is_newest(e)) e.pin.release();
            e.arrived = now;
            to_back(arriving_, e);
        }
        free_memory(stop);
    }
    [[nodiscard]] std::optional<time_point> deadline() noexcept {
        std::optional<time_point> at;
        if (!aged_.empty()) at = aged_.top()->arrived;
        for (auto* all : {&newest_, &arriving_})
            if (!all->empty() && (!at || all->front().arrived < *at)) at = all->front().arrived;
        if (at) *at += bounds_.cache_age;
        return at;
    }
    [[nodiscard]] std::uint64_t added() const noexcept { return added_; }
    [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }

private:
    /// A complete reader has not requested it yet.
    static bool is_awaited(const log_entry& e) noexcept {
        return e.log->wanted && *e.log->wanted < e.group->sequence();
    }
    static bool is_newest(log_entry& e) noexcept { return &e == e.log->newest(); }
    using entries = moqlite::detail::list<log_entry, aged_tag>;
    [[nodiscard]] bool is_old(entries& all, time_point now) noexcept {
        return !all.empty() && all.front().arrived + bounds_.cache_age <= now;
    }
    static void to_back(entries& all, log_entry& e) noexcept {
        e.moqlite::detail::list_hook<aged_tag>::unlink();
        all.push_back(e);
    }
    /// Its memory has changed: it has got the headers of another format, or lost its head.
    void recount(log_entry& e) noexcept {
        const auto now = e.group->memory();
        if (e.arriving() || now == e.counted) return;
        bytes_ += now - e.counted;
        e.counted = now;
        if (e.size_place != by_size::npos) largest_.fix(e);
    }
    /// After this the rest of a change does not allocate, so that it happens completely or not at all.
    void make_room() {
        aged_.make_room();
        largest_.make_room();
    }
    /// Queues a complete group for dropping; again whenever it becomes the newest of its track, or ceases to be.
    void queue(log_entry& e) {
        unqueue(e);
        if (is_newest(e)) {
            newest_.push_back(e);
            largest_.push(e);
        } else {
            aged_.push(e);
        }
    }
    void unqueue(log_entry& e) noexcept {
        e.moqlite::detail::list_hook<aged_tag>::unlink();
        if (e.age_place != by_age::npos) aged_.erase(e);
        if (e.size_place != by_size::npos) largest_.erase(e);
    }
    void drop(log_entry& e) {
        auto& log = *e.log;
        const bool newest = is_newest(e);
        make_room();
        if (e.group->has_readers()) lingering_.push(e.group);
        unqueue(e);
        const auto sequence = e.group->sequence();
        if (!log.floor || *log.floor <= sequence) log.floor = next(sequence);
        bytes_ -= e.counted;
        if (!e.arriving()) --count_;
        log.entries_.erase(sequence);
        log_entry* const following = newest ? log.newest() : nullptr;
        if (following != nullptr && !following->arriving()) queue(*following);
    }
    void forget_released() {
        for (std::size_t i = std::min(lingering_.size(), checks_per_call); i != 0; --i) {
            auto g = lingering_.pop();
            if (g->has_readers()) lingering_.push(std::move(g));
        }
    }

    /// The unfinished groups of one session, oldest first.
    struct unfinished {
        std::size_t bytes = 0;
        std::vector<log_entry*> groups;
    };
    /// For every session, the one with most bytes first.
    [[nodiscard]] std::vector<unfinished> all_unfinished() {
        std::map<std::uint64_t, unfinished> by_session;
        arriving_.for_each([&](log_entry& e) {
            auto& its = by_session[e.from.session];
            its.bytes += footprint(*e.group);
            its.groups.push_back(&e);
        });
        std::vector<unfinished> all;
        for (auto& [session, its] : by_session) all.push_back(std::move(its));
        std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.bytes > b.bytes; });
        return all;
    }

    /// Near the memory limit the largest holder loses first: a publisher with unfinished groups, or the readers of
    /// dropped ones. Then cached groups go, oldest first.
    template <class Stop>
    void free_memory(Stop& stop) {
        forget_released();
        const auto high = bounds_.memory - bounds_.memory / 8;
        const auto used = pool_.in_use() + pool_.charged();
        if (used <= high) return;
        shortage s{used, high - bounds_.memory / 32};
        auto all = all_unfinished();
        std::size_t held = 0;
        lingering_.for_each([&](const group_ref& g) { held += footprint(*g); });
        if (all.empty() || held >= all.front().bytes) evict_lingering(s);
        for (std::size_t i = 0; i != all.size() && s; ++i) {
            const auto share = i + 1 != all.size() ? all[i + 1].bytes : 0;
            reduce(all[i], std::max(share, bounds_.memory / 16), s, stop);
        }
        evict_lingering(s);
        while (s && (!aged_.empty() || !newest_.empty())) {
            auto& e = aged_.empty() ? newest_.front() : *aged_.top();
            s.freed(footprint(*e.group));
            e.group->evict_readers(app_error::evicted);
            drop(e);
        }
        while (s && !arriving_.empty()) {
            auto& e = arriving_.front();
            s.freed(footprint(*e.group));
            refuse(e, stop);
        }
    }
    /// An arriving group must be stopped at its publisher too, which would otherwise go on filling it.
    template <class Stop>
    void refuse(log_entry& e, Stop& stop) {
        stop(e.from);
        drop(e);
    }
    /// A group's share of the pool: its slabs, and itself.
    [[nodiscard]] static std::size_t footprint(const group& g) noexcept { return g.memory() + sizeof(group); }
    /// Bytes in use and bytes allowed. Evicted readers free their bytes only when their sessions are pumped, so it is
    /// counted here.
    struct shortage {
        std::size_t left;
        std::size_t enough;
        explicit operator bool() const noexcept { return left > enough; }
        void freed(std::size_t n) noexcept { left -= std::min(left, n); }
    };
    void evict_lingering(shortage& s) {
        while (s && !lingering_.empty()) {
            const auto g = lingering_.pop();
            s.freed(footprint(*g));
            g->evict_readers(app_error::evicted);
        }
    }
    /// Reduces one publisher's groups: first their heads, then the readers that are far behind, then, while it has more
    /// than `share`, whole groups.
    template <class Stop>
    void reduce(unfinished& a, std::size_t share, shortage& s, Stop& stop) {
        const auto freed = [&](std::size_t n) {
            s.freed(n);
            a.bytes -= std::min(a.bytes, n);
        };
        for (std::size_t i = 0; i != a.groups.size() && s; ++i) {
            const auto before = a.groups[i]->group->memory();
            a.groups[i]->pin.release();
            freed(before - a.groups[i]->group->memory());
        }
        const auto far = bounds_.memory / 64;
        for (std::size_t i = 0; i != a.groups.size() && s; ++i) {
            auto& g = *a.groups[i]->group;
            if (g.memory() > far && g.evict_readers(app_error::evicted, far)) freed(g.memory() - far);
        }
        for (std::size_t i = 0; i != a.groups.size() && s && a.bytes > share; ++i) {
            auto& e = *a.groups[i];
            freed(footprint(*e.group));
            refuse(e, stop);
        }
    }

    struct older {
        bool operator()(const log_entry& a, const log_entry& b) const noexcept {
            return a.arrived != b.arrived ? a.arrived < b.arrived : a.number < b.number;
        }
    };
    struct larger {
        bool operator()(const log_entry& a, const log_entry& b) const noexcept {
            return a.counted != b.counted ? a.counted > b.counted : older{}(a, b);
        }
    };
    struct age_place {
        std::size_t& operator()(log_entry& e) const noexcept { return e.age_place; }
    };
    struct size_place {
        std::size_t& operator()(log_entry& e) const noexcept { return e.size_place; }
    };
    using by_age = moqlite::detail::indexed_heap<log_entry, older, age_place>;
    using by_size = moqlite::detail::indexed_heap<log_entry, larger, size_place>;

    static constexpr std::size_t checks_per_call = 16;
    static constexpr std::size_t group_bytes_min = 512; ///< Counted per group at least: an empty one has no slab.
    slab_pool& pool_;
    limits bounds_;
    moqlite::detail::spare_memory memory_of_entries_;
    std::size_t bytes_ = 0;   ///< Bytes of complete groups.
    std::size_t count_ = 0;   ///< Number of complete groups.
    std::uint64_t added_ = 0; ///< Number of entries ever added.
    moqlite::detail::list<memory_watch, moqlite::detail::resized_tag> resized_;
    entries arriving_;
    by_age aged_;     ///< Complete groups that are not the newest of their tracks.
    entries newest_;  ///< Complete groups that are the newest of their tracks, longest kept first.
    by_size largest_; ///< The same, by size.
    moqlite::detail::ring<group_ref> lingering_; ///< Not cached, but held by readers.
};

} // namespace moqlite::relaying

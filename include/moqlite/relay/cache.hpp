// What a relay remembers: groups of every track, oldest out first, by bytes and by age.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <moqlite/containers/indexed_heap.hpp>
#include <moqlite/containers/list.hpp>
#include <moqlite/core/limits.hpp>
#include <moqlite/session/group.hpp>
#include <moqlite/session/slab.hpp>
#include <optional>
#include <vector>

namespace moqlite::relaying {

struct aged_tag;
struct arriving_tag;
class track_log;

/// The session that brings a group, and its name for it.
struct source {
    std::uint64_t session = 0;
    group_id group{};
};

/// One group of a log.
struct log_entry : moqlite::detail::list_hook<aged_tag>, moqlite::detail::list_hook<arriving_tag> {
    log_entry(track_log& l, group_ref g, source s, time_point now)
        : log(&l), from(s), group(g), pin(std::move(g)), arrived(now) {}
    /// It has not ended.
    [[nodiscard]] bool arriving() const noexcept { return moqlite::detail::list_hook<arriving_tag>::linked(); }
    track_log* log;
    source from;
    group_ref group;
    group_pin pin; ///< Keeps its bytes; let go where they are not worth it.
    time_point arrived;
    std::uint64_t number = 0;          ///< The n-th that the cache took, from 1.
    std::size_t counted = 0;           ///< Bytes of it in the cache's sum; 0 while it is arriving.
    std::size_t age_place = SIZE_MAX;  ///< Among those that go by age, if it is one.
    std::size_t size_place = SIZE_MAX; ///< Among the newest of each track, by size.
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
    [[nodiscard]] log_entry* at_or_after(group_sequence s) noexcept {
        const auto found = entries_.lower_bound(s);
        return found == entries_.end() ? nullptr : &found->second;
    }
    [[nodiscard]] log_entry* newest() noexcept { return entries_.empty() ? nullptr : &entries_.rbegin()->second; }
    /// Calls f(log_entry&) on those from `first` to `last`, in order; f must not change the log.
    template <class F>
    void for_each(group_sequence first, std::optional<group_sequence> last, F&& f) {
        for (auto i = entries_.lower_bound(first); i != entries_.end() && (!last || i->first <= *last); ++i)
            f(i->second);
    }
    moqlite::detail::list<log_entry, arriving_tag> arriving; ///< Those that have not ended.
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
    cache(slab_pool& pool, const limits& bounds) noexcept : pool_(pool), bounds_(bounds) {
        // What is spared is old again only later: no turn of the loop, and no deadline, may find it old for ever.
        bounds_.cache_age = std::max<duration>(bounds.cache_age, std::chrono::milliseconds{1});
    }

    /// Precondition: the log has no group of this number.
    log_entry& add(track_log& log, group_ref g, source from, time_point now) {
        const auto sequence = g->sequence();
        make_room();
        auto* const newest = log.newest();
        auto& e = log.entries_.try_emplace(sequence, log, std::move(g), from, now).first->second;
        e.number = ++taken_;
        arriving_.push_back(e);
        log.arriving.push_back(e);
        if (newest != nullptr && !newest->arriving() && !is_newest(*newest)) queue(*newest);
        return e;
    }
    /// Counts a group whose last byte has come.
    void complete(log_entry& e, time_point now) {
        make_room();
        e.moqlite::detail::list_hook<arriving_tag>::unlink();
        e.arrived = now;
        ++count_;
        e.counted = e.group->memory();
        bytes_ += e.counted;
        queue(e);
    }
    /// Takes note of a group that is only read, and kept by nobody: near the limit of memory its readers pay, too.
    void lend(group_ref g) {
        forget_released();
        lingering_.push_back(std::move(g));
    }
    /// Drops all of a log.
    void forget(track_log& log) {
        while (!log.entries_.empty()) drop(log.entries_.begin()->second);
    }
    /// Drops what is over the bounds, oldest first. The newest group of a track serves whoever comes: it goes after all
    /// others, never for its age, and where only such are left the largest makes room. Near the limit of memory,
    /// stop(source) is called for groups that must not arrive any further.
    template <class Stop>
    void enforce(time_point now, Stop&& stop) {
        while (bytes_ > bounds_.cache || count_ > bounds_.cache / least_bytes) {
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
        // What has been arriving for that long is not kept for who comes late. It stays on the list: its
        // publisher may yet have to answer for it.
        while (is_old(arriving_, now)) {
            auto& e = arriving_.front();
            if (!is_awaited(e) && !is_newest(e)) e.pin.release();
            e.arrived = now;
            to_back(arriving_, e);
        }
        relieve(stop);
    }
    [[nodiscard]] std::optional<time_point> deadline() noexcept {
        std::optional<time_point> at;
        if (!aged_.empty()) at = aged_.top()->arrived;
        for (auto* all : {&newest_, &arriving_})
            if (!all->empty() && (!at || all->front().arrived < *at)) at = all->front().arrived;
        if (at) *at += bounds_.cache_age;
        return at;
    }
    [[nodiscard]] std::uint64_t taken() const noexcept { return taken_; }
    [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }

private:
    /// A complete reader has not asked for it yet.
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
    /// The rest of a change needs no memory, so that it is made as a whole or not at all.
    void make_room() {
        aged_.make_room();
        largest_.make_room();
    }
    /// Puts a complete group where its turn to go is: anew when it becomes the newest of its track, or is no longer.
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
        if (e.group->has_readers()) lingering_.push_back(e.group);
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
        for (std::size_t i = std::min(lingering_.size(), most_at_once); i != 0; --i) {
            auto g = std::move(lingering_.front());
            lingering_.pop_front();
            if (g->has_readers()) lingering_.push_back(std::move(g));
        }
    }

    /// The groups that one session has begun and not finished, the oldest first.
    struct unfinished {
        std::size_t bytes = 0;
        std::vector<log_entry*> groups;
    };
    /// Of every session, the one that holds most first.
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

    /// Near the limit of memory whoever holds most of it loses first: a publisher that finishes nothing,
    /// or readers of what the cache has dropped. The rest goes from the oldest on.
    template <class Stop>
    void relieve(Stop& stop) {
        forget_released();
        const auto high = bounds_.memory - bounds_.memory / 8;
        const auto used = pool_.in_use() + pool_.charged();
        if (used <= high) return;
        shortage s{used, high - bounds_.memory / 32};
        auto all = all_unfinished();
        std::size_t held = 0;
        for (const auto& g : lingering_) held += footprint(*g);
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
    /// A group that arrives must not go without its publisher being told: it would go on to fill it.
    template <class Stop>
    void refuse(log_entry& e, Stop& stop) {
        stop(e.from);
        drop(e);
    }
    /// A group's part of the pool: its slabs, and itself.
    [[nodiscard]] static std::size_t footprint(const group& g) noexcept { return g.memory() + sizeof(group); }
    /// Bytes in use and bytes that may be. What readers hold goes when their sessions are pumped: it is reckoned with.
    struct shortage {
        std::size_t left;
        std::size_t enough;
        explicit operator bool() const noexcept { return left > enough; }
        void freed(std::size_t n) noexcept { left -= std::min(left, n); }
    };
    void evict_lingering(shortage& s) {
        for (; s && !lingering_.empty(); lingering_.pop_front()) {
            s.freed(footprint(*lingering_.front()));
            lingering_.front()->evict_readers(app_error::evicted);
        }
    }
    /// Takes from one publisher's groups: first the heads, then the readers that are far behind, then,
    /// as long as it has more than `share`, the groups.
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

    static constexpr std::size_t most_at_once = 16;
    static constexpr std::size_t least_bytes = 512; ///< That a group counts for; one without frames has no slab.
    slab_pool& pool_;
    limits bounds_;
    std::size_t bytes_ = 0;   ///< Of the groups that are complete.
    std::size_t count_ = 0;   ///< Of these groups.
    std::uint64_t taken_ = 0; ///< Entries there ever were.
    entries arriving_;
    by_age aged_;                     ///< Complete, and not the newest of their tracks.
    entries newest_;                  ///< Complete, and the newest; the longest kept first.
    by_size largest_;                 ///< The same.
    std::deque<group_ref> lingering_; ///< Dropped, but held by readers.
};

} // namespace moqlite::relaying

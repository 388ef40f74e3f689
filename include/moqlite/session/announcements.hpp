// The table of broadcasts and the routes to them, which every session reads at its own pace.
#pragma once

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <moqlite/containers/block.hpp>
#include <moqlite/containers/id_table.hpp>
#include <moqlite/containers/list.hpp>
#include <moqlite/containers/ring.hpp>
#include <moqlite/containers/tree.hpp>
#include <moqlite/core/bytes.hpp>
#include <moqlite/core/ids.hpp>
#include <moqlite/core/path.hpp>
#include <moqlite/core/time.hpp>
#include <moqlite/session/detail/held_changes.hpp>
#include <moqlite/session/detail/retractions.hpp>
#include <moqlite/session/detail/route_hash.hpp>
#include <moqlite/session/ready.hpp>
#include <moqlite/session/route.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace moqlite {

namespace detail {
struct listener_tag;
struct pending_tag;
struct ended_tag;
} // namespace detail

/// A table of broadcasts. A listener reads the broadcasts below its prefixes, and those above them, since an
/// announcement covers every path beneath it. First it reads the initial set: the one above, then those below in path
/// order. Then it reads changes: one state per path, no history. A change costs O(log n) plus the listeners that it
/// concerns; a listener takes memory for what it has been sent. A broadcast that ended is kept until every listener
/// that knows it has read its end. Its clock is the latest input of the sessions that share it.
class announcements {
public:
    struct entry : detail::list_hook<detail::ended_tag>, detail::tree_hook {
        explicit entry(std::string_view p) : path(p), hash(detail::path_hash(p)) { routes.reserve(1); }
        std::string path;
        std::uint64_t hash;        ///< Of the path.
        std::vector<route> routes; ///< Best first. Empty: the broadcast has ended.
        std::size_t slot = 0;      ///< A small number, unique to the entry while any listener knows it.
    private:
        friend class announcements;
        std::size_t known_by = 0; ///< Number of listeners that know it, or are about to.
    };

    /// The state of an entry with one listener.
    struct known_state {
        std::uint32_t digest = 0;                ///< As set_known() recorded it; 0: not known to exist.
        std::uint32_t source = 0;                ///< The same.
        detail::hold_id held = detail::not_held; ///< Its change is held back; or has been, and may be passed on.
        bool changed = false;                    ///< It is waiting to be read again.
        bool retracted = false;                  ///< Since then it has had no route for a time.
    };

    /// A reader of the table.
    class listener : public detail::list_hook<detail::pending_tag> {
    public:
        listener() = default;
        ~listener() {
            if (table_ != nullptr) table_->forget(*this);
        }
        ready_entry* ready = nullptr;                                 ///< Marked when there is something to read.
        detail::list<listener, detail::pending_tag>* queue = nullptr; ///< Joined then; its owner removes it.
        std::uint64_t source = 0;                                     ///< Routes from this source are not reported.
        bool hears_private = false;                                   ///< Below the empty prefix, too.
        bool overrun = false; ///< It fell so far behind that the table dropped it; it reads nothing more.
        /// Number of changes to be read. Listeners of one owner may share a count, and thereby its bound.
        std::size_t* waiting = &own_waiting_;

    private:
        friend class announcements;
        std::size_t own_waiting_ = 0;
        struct interest : detail::list_hook<detail::listener_tag> {
            listener* of = nullptr;
            std::size_t rank = 0; ///< Index of the prefix among the listener's.
        };
        struct cursor {
            std::size_t rank = 0; ///< Index of the prefix being read; lower ones have been read.
            bool begun = false;
            std::string at; ///< The last path read.
        };
        announcements* table_ = nullptr;
        time_point born_{}; ///< When it began to listen.
        std::vector<std::string> prefixes_;
        detail::block<interest> interests_;   ///< One per prefix.
        cursor initial_;                      ///< Its position in the initial set.
        detail::id_table<known_state> known_; ///< By slot.
        detail::ring<entry*> changed_;
        bool missed_ = false; ///< More changes than may wait: it reads the whole table again.
    };

    announcements() = default;
    announcements(const announcements&) = delete;
    announcements& operator=(const announcements&) = delete;
    ~announcements() {
        by_prefix_.for_each(
            [](watched_prefix& p) { p.interests.for_each([](listener::interest& i) { i.of->table_ = nullptr; }); });
    }

    /// Adds a route, or replaces the one from the same source; an identical route changes nothing. `path` is
    /// normalised.
    void set(std::string_view path, route r) {
        finish_change();
        auto& e = at(path);
        if (std::find(e.routes.begin(), e.routes.end(), r) != e.routes.end()) return;
        if (e.routes.size() == e.routes.capacity()) e.routes.reserve(2 * e.routes.size());
        r.since = last_change_ + 1;
        std::erase_if(e.routes, [&](const route& old) {
            if (old.source == r.source) r.since = old.since;
            return old.source == r.source;
        });
        const auto worse = [&](const route& old) { return is_better(e.hash, r, old); };
        e.routes.insert(std::find_if(e.routes.begin(), e.routes.end(), worse), std::move(r));
        changed(e);
    }
    /// Listeners read the entry again, since what hides it from some has changed.
    void touch(std::string_view path) {
        finish_change();
        if (entry* found = by_path_.find(path)) changed(*found);
    }
    /// Whether there are broadcasts for one session alone.
    [[nodiscard]] bool has_private() const noexcept { return privates_ != 0; }
    /// False: there was no such route.
    bool remove(std::string_view path, std::uint64_t source) {
        finish_change();
        entry* const found = by_path_.find(path);
        if (found == nullptr) return false;
        entry& e = *found;
        const auto gone = std::find_if(e.routes.begin(), e.routes.end(), [&](auto& r) { return r.source == source; });
        if (gone == e.routes.end()) return false;
        if (gone == e.routes.begin() && source != 0) withdrawn_.add(e.hash, facts(*gone), last_change_ + 1, now_);
        e.routes.erase(gone);
        changed(e);
        return true;
    }
    /// The time of the latest input.
    void note_time(time_point now) noexcept { now_ = std::max(now_, now); }
    [[nodiscard]] time_point latest_input() const noexcept { return now_; }
    /// Completes a change that a failed allocation interrupted.
    void finish_change() {
        if (unfinished_ != nullptr) changed(*unfinished_);
    }
    /// Calls f(const entry&) on every broadcast, including ended ones that are still kept; f must not change the table.
    template <class F>
    void for_each(F&& f) const {
        by_path_.for_each([&](const entry& e) { f(e); });
    }
    /// nullptr: it is not announced.
    [[nodiscard]] const entry* find(std::string_view path) const noexcept {
        const entry* found = by_path_.find(path);
        return found != nullptr && !found->routes.empty() ? found : nullptr;
    }
    /// The most specific broadcast that covers `path`: an announcement covers its path and all paths beneath, unless
    /// there is a narrower one. `path` is normalised. nullptr: nothing covers it. O(segments * log n).
    [[nodiscard]] const entry* covering(std::string_view path) const noexcept {
        return first_above(path, [](const entry& e) { return !e.routes.empty(); });
    }
    [[nodiscard]] entry* covering(std::string_view path) noexcept {
        return const_cast<entry*>(std::as_const(*this).covering(path));
    }
    /// The same for a session, for which alone those below `alone` ("": none) are: the narrower one of it and
    /// everyone's.
    [[nodiscard]] entry* covering(std::string_view path, std::string_view alone) {
        entry* const all = covering(path);
        entry* const its = alone.empty() || !has_private() ? nullptr : covering(path::join(alone, path));
        if (its == nullptr || !path::is_private(its->path)) return all;
        return all != nullptr && all->path.size() > path::strip(its->path, alone).value_or("").size() ? all : its;
    }
    /// The same as find(), or one that has ended and is still kept.
    [[nodiscard]] entry* kept(std::string_view path) noexcept { return by_path_.find(path); }
    /// The number of the last change.
    [[nodiscard]] std::uint64_t newest() const noexcept { return last_change_; }
    /// Number of broadcasts that are announced.
    [[nodiscard]] std::size_t size() const noexcept { return by_path_.size() - ended_count_; }
    /// Number of ended broadcasts whose end some listener has not read yet.
    [[nodiscard]] std::size_t ended() const noexcept { return ended_count_; }

    // Listeners.

    /// Starts reading what is below `prefixes`: normalised, and none below another. Once for each listener.
    void listen(listener& l, std::vector<std::string> prefixes) {
        if (!prefixes.empty()) l.table_ = this;
        l.born_ = now_;
        l.prefixes_ = std::move(prefixes);
        l.interests_ = detail::block<listener::interest>(l.prefixes_.size());
        for (std::size_t rank = 0; rank != l.prefixes_.size(); ++rank) {
            const std::string& prefix = l.prefixes_[rank];
            auto& i = l.interests_[rank];
            i.of = &l;
            i.rank = rank;
            watched_prefix* found = by_prefix_.find(prefix);
            (found != nullptr ? *found : by_prefix_.make(prefix)).interests.push_back(i);
        }
        wake(l);
    }
    /// The next entry for the listener, whose routes may be empty; nullptr: none. Answer with set_known().
    [[nodiscard]] entry* next(listener& l) {
        if (l.changed_.empty()) {
            entry* unread = advance(l, l.initial_);
            if (unread != nullptr || !std::exchange(l.missed_, false)) return unread;
            l.initial_ = {};
            return advance(l, l.initial_);
        }
        entry* e = l.changed_.pop();
        --*l.waiting;
        if (l.changed_.empty()) l.changed_ = {}; // Frees the memory of past changes.
        if (auto* known = l.known_.find(e->slot)) known->changed = false;
        return e;
    }
    /// next() returns the whole table again.
    static void read_again(listener& l) noexcept { l.missed_ = true; }
    /// Calls f(const entry&) on the entries that next() would return if nothing changed, until f returns false.
    template <class F>
    void peek(const listener& l, F&& f) const {
        auto c = l.initial_;
        while (const entry* e = advance(l, c))
            if (!f(*e)) return;
    }
    /// The state of an entry with the listener.
    [[nodiscard]] static known_state known(listener& l, const entry& e) noexcept {
        const auto* found = l.known_.find(e.slot);
        return found != nullptr ? *found : known_state{};
    }
    /// Until when a route of an entry that the listener does not know is held back, since it may be a stale one to a
    /// publisher that has retracted its announcement; nullopt: it is not.
    [[nodiscard]] std::optional<time_point> held_until(const listener& l, const entry& e, const route& way) noexcept {
        return withdrawn_.held_until(e.hash, facts(way), l.born_, now_);
    }
    /// The listener holds the entry's change back under this id, until end_hold() or set_known().
    static void hold(listener& l, entry& e, detail::hold_id id) {
        if (auto* found = l.known_.find(e.slot)) {
            found->held = id;
            return;
        }
        l.known_.insert(e.slot, {.held = id});
        ++e.known_by;
    }
    /// It has been held back for long enough: the listener reads the entry again, unless its hold was superseded.
    void end_hold(listener& l, std::size_t slot, detail::hold_id id) {
        auto* found = l.known_.find(slot);
        if (found == nullptr || found->held != id) return;
        found->held = detail::hold_passed;
        if (!found->changed) queue(l, *slots_[slot], found);
    }
    /// The listener now knows an entry under `digest`, and `source` as it likes; digest 0: it knows that there is none.
    /// This may destroy the entry.
    void set_known(listener& l, entry& e, std::uint32_t digest, std::uint32_t source = 0) {
        auto* found = l.known_.find(e.slot);
        if (found == nullptr) {
            if (digest == 0) return;
            l.known_.insert(e.slot, {.digest = digest, .source = source});
            ++e.known_by;
            return;
        }
        *found = {.digest = digest, .source = source, .changed = found->changed};
        if (digest != 0 || found->changed) return;
        l.known_.erase(e.slot);
        if (l.known_.empty()) l.known_ = {};
        release(e);
    }

private:
    /// A prefix with a listener.
    struct watched_prefix : detail::tree_hook {
        explicit watched_prefix(std::string_view p) : prefix(p) {}
        std::string prefix;
        detail::list<listener::interest, detail::listener_tag> interests; ///< Never empty.
    };
    struct path_of {
        std::string_view operator()(const entry& e) const noexcept { return e.path; }
        std::string_view operator()(const watched_prefix& p) const noexcept { return p.prefix; }
    };

    /// The order of moq-lite-wire §10. A route with a hop that has no id is anonymous: it may be a loop. Among equal
    /// routes that have passed another relay a hash decides, so that all relays choose alike; of publishers that have
    /// announced here the newest wins, since it may have reconnected.
    static bool is_better(std::uint64_t path, const route& a, const route& b) noexcept {
        const auto facts = [](const route& r) {
            const bool anonymous = std::find(r.hops.begin(), r.hops.end(), hop_id{}) != r.hops.end();
            return std::tuple{anonymous, r.cost, r.source != 0, r.hops.size()};
        };
        const auto of_a = facts(a);
        const auto of_b = facts(b);
        if (of_a != of_b) return of_a < of_b;
        if (!a.is_direct() && a.hops != b.hops) {
            const auto hash_a = detail::route_hash(path, a.hops);
            const auto hash_b = detail::route_hash(path, b.hops);
            if (hash_a != hash_b) return hash_a < hash_b;
        }
        return a.since > b.since;
    }
    static detail::retractions::route facts(const route& r) noexcept {
        return {r.hops.empty() ? hop_id{} : r.hops.front(), {r.cost, r.hops.size()}, r.since};
    }
    /// The first entry, at `path` or above it, for which pred(entry) holds; nullptr: none.
    template <class F>
    [[nodiscard]] entry* first_above(std::string_view path, F&& pred) const noexcept {
        while (true) {
            if (entry* found = by_path_.find(path); found != nullptr && pred(*found)) return found;
            if (path.empty()) return nullptr;
            const auto slash = path.rfind('/');
            path = path.substr(0, slash == std::string_view::npos ? 0 : slash);
        }
    }
    entry& at(std::string_view path) {
        if (entry* found = by_path_.find(path)) return *found;
        // Allocates everything first, also for its end: what follows cannot fail.
        if (free_slots_.empty() && slots_.size() == slots_.capacity()) slots_.reserve(2 * slots_.size() + 1);
        if (free_slots_.capacity() <= slots_.size()) free_slots_.reserve(2 * slots_.size() + 1);
        entry& e = by_path_.make(path);
        privates_ += path::is_private(path) ? std::size_t{1} : 0;
        if (free_slots_.empty()) {
            e.slot = slots_.size();
            slots_.push_back(&e);
        } else {
            e.slot = free_slots_.back();
            free_slots_.pop_back();
            slots_[e.slot] = &e;
        }
        bytes_ += path.size();
        return e;
    }
    void erase(entry& e) noexcept {
        if (unfinished_ == &e) unfinished_ = nullptr;
        privates_ -= path::is_private(e.path) ? std::size_t{1} : 0;
        leave_ended(e);
        bytes_ -= e.path.size();
        slots_[e.slot] = nullptr;
        free_slots_.push_back(e.slot);
        by_path_.erase(e);
    }
    void leave_ended(entry& e) noexcept {
        if (!e.linked()) return;
        e.unlink();
        --ended_count_;
        ended_bytes_ -= e.path.size();
        if (ended_.empty()) most_ = most_bytes_ = 0;
    }
    void changed(entry& e) {
        ++last_change_;
        unfinished_ = &e;
        for_each_interest(e.path, [&](listener::interest& i) { note(i, e); });
        unfinished_ = nullptr;
        if (!e.routes.empty()) return leave_ended(e);
        if (e.known_by == 0) return erase(e);
        if (e.linked()) return;
        most_ = std::max(most_, size());
        most_bytes_ = std::max(most_bytes_, bytes_ - ended_bytes_);
        ended_.push_back(e);
        ++ended_count_;
        ended_bytes_ += e.path.size();
        bound_ended();
    }
    /// Calls f(interest&) for every prefix of `path`, and for every one beneath it.
    template <class F>
    void for_each_interest(std::string_view path, F&& f) {
        if (by_prefix_.empty()) return;
        // Between "a" and "a/b" there may be others, such as "a-b".
        std::string beneath{path};
        if (!path.empty()) beneath += '/';
        by_prefix_.for_each_from(beneath, [&](watched_prefix& p) {
            if (!path::strip(p.prefix, path)) return false;
            if (!p.prefix.empty()) p.interests.for_each(f);
            return true;
        });
        for (std::size_t end = 0;; end = std::min(path.find('/', end + 1), path.size())) {
            if (watched_prefix* found = by_prefix_.find(path.substr(0, end))) found->interests.for_each(f);
            if (end == path.size()) return;
        }
    }
    /// Queues an entry for the listener, unless it will reach the entry anyway.
    void note(listener::interest& i, entry& e) {
        listener& l = *i.of;
        if (!l.hears_private && l.prefixes_[i.rank].empty() && path::is_private(e.path)) return;
        const auto& c = l.initial_;
        if (i.rank > c.rank || (i.rank == c.rank && (!c.begun || c.at < e.path))) return;
        auto* found = l.known_.find(e.slot);
        if (found != nullptr) found->retracted = found->retracted || e.routes.empty();
        if (found != nullptr ? found->changed : e.routes.empty())
            return; // It is queued, or the listener never knew it.
        if (found == nullptr && *l.waiting < waiting_max()) {
            found = &l.known_.insert(e.slot, {});
            ++e.known_by;
        }
        queue(l, e, found);
    }
    /// The listener is to read an entry again. If too many wait, it reads the whole table.
    void queue(listener& l, entry& e, known_state* its) {
        wake(l);
        if (its == nullptr || *l.waiting >= waiting_max()) return static_cast<void>(l.missed_ = true);
        l.changed_.push(&e);
        its->changed = true;
        ++*l.waiting;
    }
    static void wake(listener& l) {
        if (l.queue != nullptr && !l.linked()) l.queue->push_back(l);
        if (l.ready != nullptr) l.ready->mark();
    }
    /// The next entry in path order, below one prefix after the other.
    [[nodiscard]] entry* advance(const listener& l, listener::cursor& c) const {
        for (; c.rank != l.prefixes_.size(); ++c.rank, c.begun = false) {
            const std::string& prefix = l.prefixes_[c.rank];
            if (!std::exchange(c.begun, true)) {
                c.at = prefix;
                // Ended entries count: a listener may know one.
                if (entry* above = first_above(prefix, [](const entry&) { return true; })) return above;
            }
            if (c.at.empty() && !l.hears_private) c.at = path::after_private;
            // Between "a" and "a/b" there may be others, such as "a-b".
            const bool inside = prefix.empty() || c.at.size() != prefix.size();
            entry* found = inside ? by_path_.upper_bound(c.at) : by_path_.lower_bound(prefix + '/');
            if (found == nullptr || !path::strip(found->path, prefix)) continue;
            c.at = found->path;
            return found;
        }
        return nullptr;
    }
    void release(entry& e) {
        if (--e.known_by == 0 && e.routes.empty()) erase(e);
    }
    /// The listener reads nothing more.
    void forget(listener& l) {
        l.table_ = nullptr;
        for (auto& i : l.interests_) {
            i.unlink();
            watched_prefix* found = by_prefix_.find(l.prefixes_[i.rank]);
            if (found != nullptr && found->interests.empty()) by_prefix_.erase(*found);
        }
        l.interests_ = {};
        l.initial_ = {l.prefixes_.size(), false, {}};
        *l.waiting -= l.changed_.size();
        l.changed_ = {};
        l.missed_ = false;
        auto known = std::exchange(l.known_, {});
        known.for_each([&](std::uint64_t slot, known_state&) { release(*slots_[as_size(slot)]); });
    }
    /// While too many ended entries are kept, drops the listeners that keep the oldest one.
    void bound_ended() {
        // Publishers that leave together end all their broadcasts at once, before any listener can have read that.
        const auto most = std::max(ended_max, 2 * most_);
        const auto most_bytes = std::max(ended_bytes_max, 2 * most_bytes_);
        while (ended_count_ > most || ended_bytes_ > most_bytes) {
            const entry& oldest = ended_.front();
            std::vector<listener*> slow;
            for_each_interest(oldest.path, [&](listener::interest& i) {
                if (i.of->known_.find(oldest.slot) != nullptr) slow.push_back(i.of);
            });
            assert(!slow.empty() && "an ended entry is kept only while a listener knows it");
            for (listener* l : slow) {
                l->overrun = true;
                forget(*l);
                wake(*l);
            }
        }
    }

    /// A share of the table, so that reading the whole table instead costs a few entries per change.
    [[nodiscard]] std::size_t waiting_max() const noexcept { return std::max<std::size_t>(4096, by_path_.size() / 16); }

    static constexpr std::size_t ended_max = 65536; ///< Or twice the largest number announced at once.
    /// Bound on the bytes of their paths; or twice those of the table.
    static constexpr std::size_t ended_bytes_max = 32 * 1024 * 1024;
    detail::tree<entry, std::string_view, path_of> by_path_;
    detail::tree<watched_prefix, std::string_view, path_of> by_prefix_;
    std::size_t privates_ = 0; ///< Entries of broadcasts for one session alone.
    std::vector<entry*> slots_;
    std::vector<std::size_t> free_slots_;
    entry* unfinished_ = nullptr; ///< A failed allocation kept some listeners from being notified of its change.
    detail::list<entry, detail::ended_tag> ended_; ///< The one that ended first in front.
    std::size_t ended_count_ = 0;
    std::size_t ended_bytes_ = 0;
    std::size_t bytes_ = 0;      ///< Bytes of all paths.
    std::size_t most_ = 0;       ///< Largest number announced at once since ended ones are kept,
    std::size_t most_bytes_ = 0; ///< and the bytes of their paths.
    std::uint64_t last_change_ = 0;
    time_point now_{}; ///< Of the latest input.
    detail::retractions withdrawn_;
};

} // namespace moqlite

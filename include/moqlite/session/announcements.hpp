// What is there to watch: broadcasts and the routes to them, read by every session at its own pace.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <moqlite/core/ids.hpp>
#include <moqlite/session/detail/list.hpp>
#include <moqlite/session/ready.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace moqlite {

namespace detail {
struct listener_tag;
} // namespace detail

/// One way to a broadcast.
struct route {
    std::vector<hop_id> hops; ///< Origin first; empty for one of our own.
    std::uint64_t source = 0; ///< Key of the session that it came by; 0 for one of our own.
    std::uint64_t cost = 0;   ///< Of the whole way, as its links were priced.
    std::uint64_t since = 0;  ///< The table's: the change with which its source began to announce it.
    bool operator==(const route& other) const noexcept {
        return hops == other.hops && source == other.source && cost == other.cost;
    }
};

/// A table of broadcasts. Each change gets the next number; a listener remembers the last number
/// that it has told its peer, so that what a slow peer missed is one state a path, not a history.
class announcements {
public:
    struct entry {
        std::string path{};
        std::vector<route> routes{}; ///< Best first: cheapest, fewest hops, newest. Empty: it ended.
        std::uint64_t change = 0;    ///< Number of its last change.
        bool live = false;           ///< It had a route at its last change.
        std::size_t slot = 0;        ///< A small number, the entry's own while any listener knows of it.
    };

    /// A reader of the table. Marks its session ready when there is something new.
    class listener : public detail::list_hook<detail::listener_tag> {
    public:
        ready_entry* ready = nullptr;
        std::uint64_t seen = 0;          ///< The last change that was told.
        std::uint64_t source = 0;        ///< Routes from here are not told.
        bool overrun = false;            ///< It fell so far behind that the table forgot what it missed.
        std::vector<std::uint32_t> told; ///< By slot: a digest of what the peer believes; 0: not there.
    };

    announcements() = default;
    announcements(const announcements&) = delete;
    announcements& operator=(const announcements&) = delete;

    /// Adds a route, or replaces the one from the same source; the same again changes nothing. `path` is normalised.
    void set(std::string_view path, route r) {
        auto& e = at(path);
        if (std::find(e.routes.begin(), e.routes.end(), r) != e.routes.end()) return;
        r.since = last_change_ + 1;
        std::erase_if(e.routes, [&](const route& old) {
            if (old.source == r.source) r.since = old.since;
            return old.source == r.source;
        });
        const auto better = [&](const route& old) {
            return old.cost != r.cost ? old.cost > r.cost : old.hops.size() >= r.hops.size();
        };
        e.routes.insert(std::find_if(e.routes.begin(), e.routes.end(), better), std::move(r));
        changed(e);
    }
    /// False: there was no such route.
    bool remove(std::string_view path, std::uint64_t source) {
        const auto found = by_path_.find(path);
        if (found == by_path_.end()) return false;
        entry& e = *found->second;
        if (std::erase_if(e.routes, [&](const route& r) { return r.source == source; }) == 0) return false;
        changed(e);
        return true;
    }
    /// nullptr: nobody announces it.
    [[nodiscard]] const entry* find(std::string_view path) const noexcept {
        const auto found = by_path_.find(path);
        return found == by_path_.end() || found->second->routes.empty() ? nullptr : found->second.get();
    }
    /// The oldest change after `seen`; nullptr: none.
    [[nodiscard]] const entry* after(std::uint64_t seen) const noexcept {
        const auto found = by_change_.upper_bound(seen);
        return found == by_change_.end() ? nullptr : found->second;
    }
    [[nodiscard]] std::uint64_t newest() const noexcept { return last_change_; }
    /// Broadcasts that are there.
    [[nodiscard]] std::size_t size() const noexcept { return by_path_.size() - ended_; }

    void listen(listener& l) { listeners_.push_back(l); }

private:
    entry& at(std::string_view path) {
        const auto found = by_path_.find(path);
        if (found != by_path_.end()) return *found->second;
        auto made = std::make_unique<entry>(entry{.path = std::string(path)});
        if (free_slots_.empty()) {
            made->slot = slots_++;
        } else {
            made->slot = free_slots_.back();
            free_slots_.pop_back();
        }
        ++ended_; // until it has a route
        ended_bytes_ += made->path.size();
        const std::string_view key = made->path;
        return *by_path_.emplace(key, std::move(made)).first->second;
    }
    void changed(entry& e) {
        const bool live = !e.routes.empty();
        if (e.live != live) {
            live ? --ended_ : ++ended_;
            live ? ended_bytes_ -= e.path.size() : ended_bytes_ += e.path.size();
        }
        e.live = live;
        by_change_.erase(e.change);
        e.change = ++last_change_;
        by_change_.emplace(e.change, &e);
        listeners_.for_each([](listener& l) { l.ready->mark(); });
        if (ended_ > kept_ended + size() / 2 || too_many_ended()) prune();
    }
    [[nodiscard]] bool too_many_ended() const noexcept { return ended_ > ended_max || ended_bytes_ > ended_bytes_max; }
    // Forgets what ended, where every listener has been told, or is too far behind to be.
    void prune() {
        auto forget = last_change_;
        if (too_many_ended()) {
            forget -= ended_ / 2;
            listeners_.for_each([&](listener& l) { l.overrun = l.overrun || l.seen < forget; });
        } else {
            listeners_.for_each([&](listener& l) { forget = std::min(forget, l.seen); });
        }
        for (auto i = by_change_.begin(); i != by_change_.end() && i->first <= forget;) {
            entry& e = *i->second;
            if (e.live) {
                ++i;
                continue;
            }
            i = by_change_.erase(i);
            free_slots_.push_back(e.slot);
            --ended_;
            ended_bytes_ -= e.path.size();
            by_path_.erase(by_path_.find(e.path));
        }
    }

    static constexpr std::size_t kept_ended = 64;
    static constexpr std::size_t ended_max = 65536;
    static constexpr std::size_t ended_bytes_max =
        32 * 1024 * 1024; ///< Of their paths: what several peers may announce, ended at once.
    std::map<std::string_view, std::unique_ptr<entry>> by_path_; ///< The keys are the entries' own.
    std::map<std::uint64_t, entry*> by_change_;
    std::vector<std::size_t> free_slots_;
    std::size_t slots_ = 0;
    std::size_t ended_ = 0; ///< Entries that are not live.
    std::size_t ended_bytes_ = 0;
    std::uint64_t last_change_ = 0;
    detail::list<listener, detail::listener_tag> listeners_;
};

} // namespace moqlite

// Invariants of a session's events.
#pragma once

#include "random.hpp"

#include <functional>
#include <map>
#include <moqlite/session/event.hpp>
#include <must.hpp>
#include <set>
#include <string>
#include <utility>
#include <variant>

namespace moqlite::sim {

/// Order and completeness of one session's events.
class checker {
public:
    explicit checker(hasher& said) : said_(said) {}

    void see(const event& e) {
        must(!closed_, "no event after session_closed");
        said_.add(e.index());
        std::visit([this](const auto& what) { this->on(what); }, e);
    }
    [[nodiscard]] bool closed() const noexcept { return closed_; }

    // Commands after which there may be no further event of their object.
    void stopped(group_id id) { groups_.erase(id); }
    /// A fetched group has no group_opened: it was requested.
    void fetched(group_id id, group_sequence sequence, object_id first = {}) {
        const group_state begun{no_subscription, sequence, number(first)};
        must(groups_.emplace(id, begun).second, "a fetch has a name of its own");
    }
    void unsubscribed(subscribe_id id) {
        std::erase_if(groups_, [&](const auto& g) { return g.second.subscription == id; });
        ended_subscriptions_.insert(id);
    }
    /// For an application that gives its commands by itself, such as a relay: whether a subscription, or the group of a
    /// fetch, is one that it has asked for and has not left.
    struct wanted {
        std::function<bool(subscribe_id)> subscription;
        std::function<bool(group_id)> fetch;
    };
    void ask(wanted w) { wanted_ = std::move(w); }
    void unwatched(watch_id id) {
        std::erase_if(live_, [&](const auto& one) { return one.first == id; });
    }

private:
    struct group_state {
        subscribe_id subscription{};
        group_sequence sequence{};
        std::uint64_t frame = 0;
        std::uint64_t offset = 0;
        bool inside = false;
        std::uint64_t size = 0;
    };

    void on(const group_opened& e) {
        must(!ended_subscriptions_.contains(e.subscription), "no group after subscription_ended");
        must(!left(e.subscription), "no group after its subscription was left");
        must(seen_groups_.insert(e.group).second, "a group is opened once");
        groups_.emplace(e.group, group_state{e.subscription, e.sequence, number(e.first)});
        said_.add(number(e.sequence));
    }
    void on(const frame_data& e) {
        learn_fetch(e, e.object);
        const auto found = groups_.find(e.group);
        must(found != groups_.end(), "frame_data belongs to an open group");
        auto& g = found->second;
        must(g.subscription == e.subscription && g.sequence == e.sequence, "a group keeps its names");
        must(number(e.object) == g.frame, "frames come in order, none is missing");
        must(e.offset == g.offset, "bytes of a frame come in order, none is missing");
        must(!g.inside || g.size == e.size, "a frame keeps its size");
        must(e.offset + e.data.size() <= e.size, "a frame is no larger than it said");
        g.offset += e.data.size();
        g.size = e.size;
        g.inside = g.offset != e.size;
        if (!g.inside) g.offset = 0, ++g.frame;
        said_.add(e.data);
    }
    void on(const group_closed& e) {
        learn_fetch(e);
        const auto found = groups_.find(e.group);
        must(found != groups_.end(), "a group is closed once, after it was opened");
        must(!e.complete || !found->second.inside, "a complete group has no half frame");
        groups_.erase(found);
        said_.add(static_cast<std::uint64_t>(e.code) * 2 + (e.complete ? 1u : 0u));
    }
    void on(const subscription_ended& e) {
        must(!left(e.subscription), "no end of a subscription that was left");
        must(ended_subscriptions_.insert(e.subscription).second, "a subscription ends once");
        for (const auto& [id, g] : groups_)
            must(g.subscription != e.subscription, "its groups are closed before a subscription ends");
    }
    void on(const subscription_accepted& e) { alive(e.subscription); }
    void on(const subscription_end_known& e) { alive(e.subscription); }
    void on(const groups_dropped& e) {
        alive(e.subscription);
        must(e.first <= e.last, "a range of dropped groups is a range");
    }
    void on(const group_datagram& e) {
        alive(e.subscription);
        said_.add(e.data);
    }
    void alive(subscribe_id id) { must(!ended_subscriptions_.contains(id), "nothing after subscription_ended"); }

    void on(const subscribe_requested& e) { must(requests_.insert(e.request).second, "a request id is new"); }
    void on(const track_requested& e) { must(requests_.insert(e.request).second, "a request id is new"); }
    void on(const fetch_requested& e) { must(requests_.insert(e.request).second, "a request id is new"); }
    void on(const subscribe_updated& e) { open_request(e.request); }
    void on(const groups_wanted& e) { open_request(e.request); }
    void on(const group_delivered& e) { open_request(e.request); }
    void on(const group_lost& e) { open_request(e.request); }
    void on(const request_ended& e) {
        open_request(e.request);
        requests_.erase(e.request);
    }
    void open_request(request_id id) {
        must(requests_.contains(id), "nothing of a request before it came or after it ended");
    }

    void on(const broadcast_available& e) {
        const bool fresh = live_.emplace(e.watch, std::string(e.path)).second;
        must(fresh != e.restart, "a broadcast is announced once, or again as a restart");
        said_.add(as_bytes(e.path));
    }
    void on(const broadcast_ended& e) {
        must(live_.erase({e.watch, std::string(e.path)}) == 1, "what ends was announced");
        said_.add(as_bytes(e.path));
    }
    void on(const watch_ended& e) {
        for (const auto& [watch, path] : live_) must(watch != e.watch, "its broadcasts end before a watch does");
    }
    void on(const session_closed& e) {
        closed_ = true;
        std::erase_if(groups_, [this](const auto& g) {
            return g.second.subscription == no_subscription ? left(g.first) : left(g.second.subscription);
        });
        must(groups_.empty(), "groups are closed before the session");
        must(live_.empty(), "broadcasts end before the session");
        said_.add(static_cast<std::uint64_t>(e.why));
    }
    template <class Other>
    void on(const Other&) {}

    [[nodiscard]] bool left(subscribe_id id) const { return wanted_.subscription && !wanted_.subscription(id); }
    [[nodiscard]] bool left(group_id id) const { return wanted_.fetch && !wanted_.fetch(id); }
    /// The first event of a group fetched by the application itself, which knows what it has asked for.
    template <class Event>
    void learn_fetch(const Event& e, object_id first = {}) {
        if (!wanted_.fetch || e.subscription != no_subscription) return;
        must(!left(e.group), "nothing of a fetch that was not asked for, or was stopped");
        if (!seen_groups_.insert(e.group).second) return;
        groups_.emplace(e.group, group_state{no_subscription, e.sequence, number(first)});
    }

    hasher& said_;
    bool closed_ = false;
    wanted wanted_;
    std::map<group_id, group_state> groups_;
    std::set<group_id> seen_groups_;
    std::set<subscribe_id> ended_subscriptions_;
    std::set<request_id> requests_;
    std::set<std::pair<watch_id, std::string>> live_;
};

} // namespace moqlite::sim

// Chooses the next group to send: by priority of its subscription, then oldest or newest group first.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <moqlite/containers/indexed_heap.hpp>
#include <moqlite/core/ids.hpp>
#include <utility>

namespace moqlite {

class flow;

/// A group that can be sent. It is in at most one lane of its flow.
class send_item {
public:
    send_item(flow& f, group_sequence sequence) noexcept : flow_(f), sequence_(sequence) {}
    [[nodiscard]] group_sequence sequence() const noexcept { return sequence_; }
    [[nodiscard]] bool scheduled() const noexcept { return position_ != SIZE_MAX; }

private:
    friend class flow;
    friend class scheduler;
    flow& flow_;
    group_sequence sequence_;
    std::size_t position_ = SIZE_MAX;
    std::size_t lane_ = 0;
};

/// Ranks the groups of one subscription against those of others.
struct flow_rank {
    priority subscriber = 0; ///< Larger first.
    priority publisher = 0;  ///< Breaks ties.
    bool ordered = false;    ///< Within the flow: oldest group first, else newest.
    bool operator==(const flow_rank&) const = default;
};

/// The groups of one subscription that can be sent.
class flow {
public:
    flow() = default;
    flow(const flow&) = delete;
    flow& operator=(const flow&) = delete;
    [[nodiscard]] const flow_rank& rank() const noexcept { return rank_; }

private:
    friend class scheduler;
    struct before {
        bool operator()(const send_item& a, const send_item& b) const noexcept {
            return a.flow_.ordered_ ? a.sequence_ < b.sequence_ : b.sequence_ < a.sequence_;
        }
    };
    struct position {
        std::size_t& operator()(send_item& i) const noexcept { return i.position_; }
    };
    /// Reorders the groups by the current rank. It is done only when a group is asked for, because a peer may change
    /// the rank at will.
    void reorder() noexcept {
        if (std::exchange(ordered_, rank_.ordered) == rank_.ordered) return;
        for (auto& l : lanes_) l.reorder();
    }
    flow_rank rank_;
    bool ordered_ = false;   ///< The order in which the groups are sorted.
    std::uint64_t turn_ = 0; ///< When it was last served; flows of equal rank take turns.
    std::array<std::size_t, 2> positions_{SIZE_MAX, SIZE_MAX};
    std::array<detail::indexed_heap<send_item, before, position>, 2> lanes_;
};

/// Every group of a session that can be sent, in two lanes: those that have a stream and those that
/// still need one. Each operation takes O(log n).
class scheduler {
public:
    enum class lane : std::uint8_t { bound, unbound };

    void add(send_item& item, lane to) {
        flow& f = item.flow_;
        item.lane_ = static_cast<std::size_t>(to);
        f.lanes_[item.lane_].make_room(); // All allocations first.
        item.lane_ == 0 ? bound_flows_.make_room() : unbound_flows_.make_room();
        f.lanes_[item.lane_].push(item);
        if (to == lane::unbound) ++unbound_;
        if (f.positions_[item.lane_] != SIZE_MAX) return;
        // A flow that had nothing to send gets no extra turns for the time it missed.
        if (f.lanes_[0].size() + f.lanes_[1].size() == 1) f.turn_ = ++turn_;
        item.lane_ == 0 ? bound_flows_.push(f) : unbound_flows_.push(f);
    }
    void remove(send_item& item) noexcept {
        flow& f = item.flow_;
        if (item.lane_ == 1) --unbound_;
        f.lanes_[item.lane_].erase(item);
        if (!f.lanes_[item.lane_].empty()) return;
        item.lane_ == 0 ? bound_flows_.erase(f) : unbound_flows_.erase(f);
    }
    /// The most urgent group; one without a stream only if it `may_bind`. nullptr: none.
    [[nodiscard]] send_item* top(bool may_bind) noexcept {
        flow* bound = bound_flows_.top();
        flow* unbound = may_bind ? unbound_flows_.top() : nullptr;
        if (bound == nullptr && unbound == nullptr) return nullptr;
        for (flow* f : {bound, unbound})
            if (f != nullptr) f->reorder();
        if (bound == nullptr) return unbound->lanes_[1].top();
        if (unbound == nullptr) return bound->lanes_[0].top();
        if (bound != unbound) return before{}(*unbound, *bound) ? unbound->lanes_[1].top() : bound->lanes_[0].top();
        send_item& a = bound->lanes_[0].front();
        send_item& b = bound->lanes_[1].front();
        return flow::before{}(b, a) ? &b : &a;
    }
    /// Serves the flows of equal rank before this one's next group.
    void served(send_item& item) noexcept {
        flow& f = item.flow_;
        f.turn_ = ++turn_;
        fix(f);
    }
    /// Sets the rank of the flow and all its groups.
    void rank(flow& f, const flow_rank& now) noexcept {
        f.rank_ = now;
        fix(f);
    }
    /// Groups that wait for a stream.
    [[nodiscard]] std::size_t unbound() const noexcept { return unbound_; }
    [[nodiscard]] bool empty() const noexcept { return bound_flows_.empty() && unbound_flows_.empty(); }

private:
    struct before {
        bool operator()(const flow& a, const flow& b) const noexcept {
            if (a.rank_.subscriber != b.rank_.subscriber) return a.rank_.subscriber > b.rank_.subscriber;
            if (a.rank_.publisher != b.rank_.publisher) return a.rank_.publisher > b.rank_.publisher;
            return a.turn_ < b.turn_;
        }
    };
    template <std::size_t Lane>
    struct position {
        std::size_t& operator()(flow& f) const noexcept { return f.positions_[Lane]; }
    };
    void fix(flow& f) noexcept {
        if (f.positions_[0] != SIZE_MAX) bound_flows_.fix(f);
        if (f.positions_[1] != SIZE_MAX) unbound_flows_.fix(f);
    }

    detail::indexed_heap<flow, before, position<0>> bound_flows_;
    detail::indexed_heap<flow, before, position<1>> unbound_flows_;
    std::size_t unbound_ = 0;
    std::uint64_t turn_ = 0;
};

} // namespace moqlite

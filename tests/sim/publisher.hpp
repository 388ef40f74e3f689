// Applications that publish a clip: up to each subscriber's Group End, or live, the same for all.
#pragma once

#include "clip.hpp"
#include "endpoint.hpp"

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <vector>

namespace moqlite::sim {

/// Serves each subscriber of one session from its start to its Group End, and ends the track.
template <class Session = moqlite::session>
class on_demand {
public:
    on_demand(endpoint<Session>& e, clip c) : at(e), clip_(std::move(c)) {
        at.on([this](const event& what) { std::visit([this](const auto& x) { this->on(x); }, what); });
    }
    /// Sends END at once, not after the last group.
    bool early_end = false;
    std::uint64_t subscribers = 0;
    std::uint64_t delivered = 0;       ///< Groups.
    std::uint64_t lost = 0;            ///< Groups.
    std::uint64_t ended_delivered = 0; ///< Requests.
    std::uint64_t ended = 0;           ///< Requests.
    /// Called with a group instead of writing it at once.
    std::function<void(request_id, group_ref)> write;
    endpoint<Session>& at;

private:
    struct subscriber {
        group_sequence next{};
        bool done = false;
    };

    void on(const subscribe_requested& e) {
        if (e.track != track_ref{clip_.broadcast, clip_.track}) return;
        ++subscribers;
        const auto start = std::max(e.options.start.value_or(group_sequence{clip_.first}), group_sequence{clip_.first});
        asking_[e.request] = {start};
        at->accept(e.request, start).value();
        if (early_end) at->end_track(e.request, clip_.end()).value();
    }
    void on(const groups_wanted& e) {
        const auto found = asking_.find(e.request);
        if (found == asking_.end() || found->second.done) return;
        auto& s = found->second;
        for (; s.next < clip_.end() && (!e.up_to || s.next <= *e.up_to); s.next = next(s.next)) {
            auto g = at->open_group(e.request, s.next).value();
            if (write)
                write(e.request, g);
            else
                clip_.write_all(*g);
        }
        if (e.up_to && s.next <= *e.up_to) must(s.next >= clip_.end(), "all that is wanted is served");
        if (e.up_to)
            must(at->open_group(e.request, next(*e.up_to)).error() == errc::beyond_group_end || s.next >= clip_.end(),
                "nothing beyond what is wanted is served");
        if (s.next < clip_.end()) return;
        s.done = true;
        if (!early_end) at->end_track(e.request, clip_.end()).value();
        at->finish(e.request).value();
    }
    void on(const group_delivered& e) {
        if (asking_.contains(e.request)) ++delivered;
    }
    void on(const group_lost& e) {
        if (asking_.contains(e.request)) ++lost;
    }
    void on(const request_ended& e) {
        if (asking_.erase(e.request) == 0) return;
        ++ended;
        if (e.delivered) ++ended_delivered;
    }
    template <class Other>
    void on(const Other&) {}

    clip clip_;
    std::map<request_id, subscriber> asking_;
};

/// Publishes a clip in real (virtual) time to every subscriber of every session added to it;
/// a late joiner gets the current group from its first frame.
class live_publisher {
public:
    live_publisher(world& w, clip c, duration every, slab_pool& pool)
        : world_(w), clip_(std::move(c)), every_(every), pool_(pool) {}

    template <class Session>
    void serve_on(endpoint<Session>& e) {
        e.on([this, &e](const event& what) {
            if (const auto* asked = std::get_if<subscribe_requested>(&what)) {
                if (asked->track == track_ref{clip_.broadcast, clip_.track}) join(e, *asked);
            } else if (const auto* gone = std::get_if<request_ended>(&what)) {
                std::erase_if(subscribers_, [&](const auto& s) { return s.owner == &e && s.request == gone->request; });
            } else if (const auto* group = std::get_if<group_lost>(&what)) {
                lost.push_back(group->sequence);
            } else if (std::holds_alternative<session_closed>(what)) {
                std::erase_if(subscribers_, [&](const auto& s) { return s.owner == &e; });
            }
        });
    }
    void start() { begin(group_sequence{clip_.first}); }
    [[nodiscard]] bool over() const noexcept { return over_; }
    [[nodiscard]] std::size_t subscribers() const noexcept { return subscribers_.size(); }
    [[nodiscard]] std::optional<group_sequence> now() const {
        return group_ ? std::optional{group_->sequence()} : std::nullopt;
    }

    std::vector<group_sequence> lost;

private:
    struct subscriber {
        party* owner = nullptr;
        request_id request{};
        std::function<void(group_ref)> serve;
        std::function<void(group_sequence)> end;
    };

    template <class Session>
    void join(endpoint<Session>& e, const subscribe_requested& asked) {
        const auto request = asked.request;
        subscribers_.push_back(
            {&e, request, [&e, request](group_ref g) { static_cast<void>(e->serve(request, std::move(g))); },
                [&e, request](group_sequence end) {
                    static_cast<void>(e->end_track(request, end));
                    static_cast<void>(e->finish(request));
                }});
        e->accept(request, now()).value();
        if (group_) subscribers_.back().serve(group_);
        if (over_) subscribers_.back().end(clip_.end());
    }
    void begin(group_sequence s) {
        if (s == clip_.end()) {
            over_ = true;
            for (auto& one : subscribers_) one.end(s);
            return;
        }
        pin_.release();
        group_ = group::make(pool_, s, version::lite_05);
        pin_ = group_pin{group_};
        for (auto& one : subscribers_) one.serve(group_);
        const auto frames = clip_.frames_of(s);
        for (std::uint64_t f = 0; f < frames; ++f)
            world_.after(every_ * static_cast<int>(f) / static_cast<int>(frames), [this, f] {
                clip_.write(*group_, f); // The next group begins after the last frame of this one.
                for (auto& one : subscribers_) world_.touch(*one.owner);
            });
        world_.after(every_, [this, s] { begin(next(s)); });
    }

    world& world_;
    clip clip_;
    duration every_;
    slab_pool& pool_;
    group_ref group_;
    group_pin pin_;
    std::vector<subscriber> subscribers_;
    bool over_ = false;
};

} // namespace moqlite::sim

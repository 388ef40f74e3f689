// A relay in a simulation: many connections, one turn.
#pragma once

#include "endpoint.hpp"

#include <algorithm>
#include <map>
#include <memory>
#include <moqlite/relay/relay.hpp>
#include <string>
#include <vector>

namespace moqlite::sim {

class relay_node final : public party {
public:
    relay_node(world& w, relay_options o) : world_(w), bounds_(o.bounds), relay_(std::move(o)) {}

    /// Takes one end of a connection, client or server.
    std::uint64_t take(any_side& s, version v = version::lite_05) {
        const auto key = relay_.add(s.side_of(), alpn(v), world_.now()).value();
        const auto made = drivers_.emplace(key, s.drive(*this, *relay_.session(key), [this, key](const event& e) {
            if (const auto* asked = std::get_if<subscribe_requested>(&e)) ++requests_[std::string(asked->track.track)];
            relay_.handle(key, e, world_.now());
        }));
        made.first->second->checks().ask(
            {.subscription = [this, key](subscribe_id id) { return relay_.follows(key, id); },
                .fetch = [this, key](group_id id) { return relay_.fetches(key, id); }});
        return key;
    }
    /// The connection is about to end.
    void forget(std::uint64_t key) { drivers_.erase(key); }
    relay* operator->() {
        world_.touch(*this);
        return &relay_;
    }

    void turn() override {
        for (bool busy = true; busy;) {
            busy = false;
            while (const auto key = relay_.poll_ready())
                if (const auto found = drivers_.find(*key); found != drivers_.end()) found->second->mark();
            for (auto& [key, d] : drivers_) busy = d->turn() || busy;
            busy = take_notices() || busy;
            dismiss();
            if (!busy) relay_.tick(world_.now());
            busy = busy || take_ready();
        }
        for (auto* app : locals) world_.touch(*app);
        const auto memory = relay_.stats().memory;
        most_memory_ = std::max(most_memory_, memory);
        must(memory <= bounds_.memory, "a relay keeps to its memory");
    }
    void tick() override {
        for (auto& [key, d] : drivers_)
            if (const auto due = d->deadline(); due && *due <= world_.now()) d->tick();
        relay_.tick(world_.now());
    }
    std::optional<time_point> deadline() override {
        auto first = relay_.deadline();
        for (auto& [key, d] : drivers_)
            if (const auto due = d->deadline(); due && (!first || *due < *first)) first = due;
        return first;
    }

    [[nodiscard]] std::size_t most_memory() const noexcept { return most_memory_; }
    /// Subscriptions of others, by track.
    [[nodiscard]] std::uint64_t requests(const std::string& track) { return requests_[track]; }
    std::vector<party*> locals; ///< Applications at its local ends: each has a turn after its own.
    std::vector<reader_lost_group> lost;
    std::vector<session_ended> ended;
    std::vector<peer_misbehaved> misbehaved;

private:
    bool take_ready() {
        bool any = false;
        while (const auto key = relay_.poll_ready()) {
            any = true;
            if (const auto found = drivers_.find(*key); found != drivers_.end()) found->second->mark();
        }
        return any;
    }
    bool take_notices() {
        bool any = false;
        while (const auto notice = relay_.poll_notice()) {
            any = true;
            if (const auto* wanted = std::get_if<admission_wanted>(&*notice))
                must(relay_.admit(wanted->session, {}).has_value(), "a peer is admitted once");
            if (const auto* l = std::get_if<reader_lost_group>(&*notice)) lost.push_back(*l);
            if (const auto* m = std::get_if<peer_misbehaved>(&*notice)) misbehaved.push_back(*m);
            if (const auto* gone = std::get_if<session_ended>(&*notice)) {
                ended.push_back(*gone);
                leaving_.push_back(gone->session);
            }
        }
        return any;
    }

    /// Destroys ended sessions once their own close, if any, has been sent.
    void dismiss() {
        std::erase_if(leaving_, [this](std::uint64_t key) {
            const auto found = drivers_.find(key);
            if (found != drivers_.end() && !found->second->let_go()) return false;
            drivers_.erase(key);
            relay_.remove(key);
            return true;
        });
    }

    world& world_;
    limits bounds_;
    relay relay_;
    std::map<std::uint64_t, std::unique_ptr<any_driver>> drivers_;
    std::vector<std::uint64_t> leaving_;
    std::map<std::string, std::uint64_t> requests_;
    std::size_t most_memory_ = 0;
};

} // namespace moqlite::sim

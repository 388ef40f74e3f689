// The set-up of relay scenarios: one relay, and guests on links of their own.
#pragma once

#include "belief.hpp"
#include "pair.hpp"
#include "relay_node.hpp"

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

namespace moqlite::sim {

template <class Net>
[[nodiscard]] relay_options relay_options_for(limits bounds, hop_id origin) {
    return {.bounds = options_for<Net>(bounds, origin).bounds, .origin = origin};
}

/// A client of the relay.
template <class Net>
struct guest_of {
    guest_of(world& w, relay_node& r, typename Net::machine& home, const typename Net::network_link& l, hop_id origin,
        version v, limits bounds = {})
        : own(w, l),
          net(w, own, home, l, v),
          at(w, net.client, v, options_for<Net>(bounds, origin)),
          relay(r),
          key(r.take(net.server, v)) {}
    guest_of(const guest_of&) = delete;
    guest_of& operator=(const guest_of&) = delete;
    ~guest_of() { relay.forget(key); }
    typename Net::machine own;
    typename Net::connection net;
    endpoint<> at;
    relay_node& relay;
    std::uint64_t key;
};

/// A relay, a publisher and viewers, each on a link of its own.
template <class Net>
struct theatre_of {
    using guest = guest_of<Net>;
    explicit theatre_of(world& w, limits bounds = {}, const typename Net::network_link& windows = {})
        : world_(w), home(w, windows), relay(w, relay_options_for<Net>(bounds, hop_id{1})) {}
    guest& join(const typename Net::network_link& l) { return join(l, world_.spoken); }
    guest& join(const typename Net::network_link& l, version v) {
        guests.push_back(std::make_unique<guest>(world_, relay, home, l, hop_id{100 + guests.size()}, v));
        return *guests.back();
    }
    /// Runs until the relay knows the broadcast from `publisher`.
    void announce(guest& publisher, const std::string& path) {
        must(publisher.at->announce(path).has_value(), "a path can be announced");
        world_.run_until(
            [&] {
                const auto* e = relay->broadcasts().find(path);
                return e != nullptr && std::any_of(e->routes.begin(), e->routes.end(),
                                           [&](const route& r) { return r.source == publisher.key; });
            },
            60s);
    }
    /// Runs until the relay has `readers`, and has subscribed upstream.
    void gather(const live_publisher& camera, std::size_t readers) {
        world_.run_until([&] { return relay->stats().readers == readers && camera.subscribers() == 1; }, 60s);
    }
    world& world_;
    typename Net::machine home;
    relay_node relay;
    std::vector<std::unique_ptr<guest>> guests;
};

} // namespace moqlite::sim

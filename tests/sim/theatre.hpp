// The cast of relay scenarios: one relay, and guests on links of their own.
#pragma once

#include "belief.hpp"
#include "pair.hpp"
#include "relay_node.hpp"

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

namespace moqlite::sim {

/// A relay, a publisher and viewers, each on a link of its own.
struct theatre {
    explicit theatre(world& w, limits bounds = {}) : world_(w), relay(w, {.bounds = bounds, .origin = hop_id{1}}) {}
    guest& join(const link& l, version v = version::lite_05) {
        guests.push_back(std::make_unique<guest>(world_, relay, l, hop_id{100 + guests.size()}, v));
        return *guests.back();
    }
    /// Runs until the relay knows of the broadcast, by way of `publisher`.
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
    world& world_;
    relay_node relay;
    std::vector<std::unique_ptr<guest>> guests;
};

/// Links on which a small live track fits.
[[nodiscard]] inline link good_link(chance& dice) {
    auto l = dice.one_of({lan(), wifi(), satellite()});
    l.segment = dice.between(200, 1200);
    l.grid = dice.one_of<duration>({1us, 1ms});
    return l;
}

} // namespace moqlite::sim

// The usual set-up: one connection, a client and a server.
#pragma once

#include "endpoint.hpp"
#include "publisher.hpp"
#include "seeds.hpp"
#include "viewer.hpp"

#include <algorithm>

namespace moqlite::sim {

[[nodiscard]] inline version any_version(chance& dice) {
    return dice.one_of({version::lite_03, version::lite_04, version::lite_05, version::lite_06, version::lite_07_wip});
}

/// Session options for a transport whose connections take time to establish.
template <class Net>
[[nodiscard]] session_options options_for(limits bounds, hop_id origin) {
    bounds.handshake_timeout = std::max(bounds.handshake_timeout, Net::patience);
    return {.bounds = bounds, .origin = origin};
}

/// Two sessions of one kind over one link. The client watches, the server publishes, by convention.
template <class Net, class Session = moqlite::session>
struct pair_of {
    pair_of(world& w, const typename Net::network_link& l, limits bounds = {}) : pair_of(w, l, w.spoken, bounds) {}
    pair_of(world& w, const typename Net::network_link& l, version v, limits bounds = {})
        : near(w, l),
          far(w, l),
          net(w, near, far, l, v),
          client(w, net.client, v, options_for<Net>(bounds, hop_id{11})),
          server(w, net.server, v, options_for<Net>(bounds, hop_id{22})) {}

    /// After all requests have ended: nothing is left of any of them, but `stuck` streams of the client.
    void check_empty(std::size_t stuck = 0) {
        must(net.client.open_streams() <= stuck && net.server.open_streams() == 0,
            "every stream is finished or reset in the end");
        must(net.client.ids_in_hand() <= limits{}.streams_in_hand, "no more ids are in hand than may be");
        must(net.server.ids_in_hand() <= limits{}.streams_in_hand, "no more ids are in hand than may be");
        must(client.pool().in_use() == 0 && server.pool().in_use() == 0, "no memory is held for nothing");
    }
    typename Net::machine near;
    typename Net::machine far;
    typename Net::connection net;
    endpoint<Session> client;
    endpoint<Session> server;
};

} // namespace moqlite::sim

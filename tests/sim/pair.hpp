// The usual cast: one connection, a client and a server on it.
#pragma once

#include "endpoint.hpp"
#include "publisher.hpp"
#include "seeds.hpp"
#include "viewer.hpp"

namespace moqlite::sim {

[[nodiscard]] inline version any_version(chance& dice) {
    return dice.one_of({version::lite_03, version::lite_04, version::lite_05, version::lite_06_wip});
}

/// Two sessions of one kind over one link. The client watches, the server publishes, by convention.
template <class Session = moqlite::session>
struct pair_of {
    pair_of(world& w, const link& l, version v = version::lite_05, limits bounds = {})
        : net(w, l),
          client(w, net.client, v, {.bounds = bounds, .origin = hop_id{11}}),
          server(w, net.server, v, {.bounds = bounds, .origin = hop_id{22}}) {}

    /// After all requests have ended: nothing is left of any of them.
    void check_empty() {
        must(net.client.open_streams() == 0 && net.server.open_streams() == 0,
            "every stream is finished or reset in the end");
        must(net.client.ids_in_hand() <= limits{}.streams_in_hand, "no more ids are in hand than may be");
        must(net.server.ids_in_hand() <= limits{}.streams_in_hand, "no more ids are in hand than may be");
        must(client.pool().in_use() == 0 && server.pool().in_use() == 0, "no memory is held for nothing");
    }
    connection net;
    endpoint<Session> client;
    endpoint<Session> server;
};
using pair = pair_of<>;

} // namespace moqlite::sim

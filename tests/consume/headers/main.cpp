// Two sessions in memory, with the loop of every program.
#include "../scene.hpp"
#include "every_header.hpp"

#include <chrono>
#include <cstdio>

namespace {

using namespace moqlite;

/// A turn of one session, with any transport: inputs, events, outputs. False: nothing happened.
template <class Session, class Facts, class Transport, class OnEvent>
bool turn(Session& s, Facts& facts, Transport& to, time_point now, OnEvent&& on_event) {
    const auto drain = [&] {
        while (const auto e = s.poll_event()) on_event(*e);
    };
    drain();                                 // Commands, or the constructor, may have queued some.
    bool any = facts.deliver(s, now, drain); // Each input, and its events before the next.
    if (const auto due = s.deadline(); due && *due <= now) s.tick(now), drain();
    if (!pump(s, to)) any = true; // Sends what is queued. False: pump again when there is room.
    drain();                      // A pump may queue events, too.
    return any;
}

/// A session at its end of the link. Both sides of the contract are checked.
struct end {
    end(role side, version v, memory_transport& transport)
        : is(side, v, {}, time_point{std::chrono::seconds{1}}),
          books(side),
          session(is, books),
          wire(transport, books),
          facts(transport) {}
    template <class OnEvent>
    bool turn(time_point now, OnEvent&& on_event) {
        return ::turn(session, facts, wire, now, on_event);
    }

    moqlite::session is;
    contract_checker<> books;
    checking_session<moqlite::session> session;
    checking_transport<memory_transport> wire;
    memory_transport& facts;
};

bool talk(version v) {
    scene::subscriber viewer;
    memory_link link;
    end client{role::client, v, link.client};
    end server{role::server, v, link.server};
    (void)client.is.watch("");
    bool well = true;
    const auto watch = [&](const event& e) {
        viewer.take(client.is, e);
        well = well && !std::holds_alternative<session_closed>(e);
    };
    const auto publish = [&](const event& e) { scene::publish(server.is, e); };
    for (int n = 0; n < 100 && !viewer.ended(); ++n) {
        const time_point now{std::chrono::seconds{1} + std::chrono::milliseconds{n}};
        client.turn(now, watch);
        server.turn(now, publish);
    }
    std::printf("%s: %s\n", alpn(v).data(), viewer.content() ? "one frame came, and then the end" : "it went wrong");
    return well && viewer.content();
}

} // namespace

int main() { return talk(version::lite_05) ? 0 : 1; }

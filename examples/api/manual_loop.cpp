// No adapter, no network: the library in a loop of one's own. Lines of standard input go from a publisher through a
// relay to a viewer, which prints them. With a QUIC stack in place of memory_link, the rest stays.
#include <chrono>
#include <iostream>
#include <moqlite/relay/relay.hpp>
#include <moqlite/session/memory_transport.hpp>
#include <moqlite/session/session.hpp>
#include <moqlite/session/track_reader.hpp>
#include <moqlite/session/track_writer.hpp>
#include <string>

namespace moq = moqlite;

constexpr auto spoken = moq::version::lite_06;
constexpr moq::track_ref lines{"text", "lines"};

/// One turn of a session: what has arrived, its timer, and what it has to say. True: something had arrived.
template <class Session, class OnEvent>
bool turn(Session& s, moq::memory_transport& wire, moq::time_point now, OnEvent on_event) {
    const auto drain = [&] {
        while (const auto e = s.poll_event()) on_event(*e);
    };
    drain();
    const bool any = wire.deliver(s, now, drain);
    if (const auto due = s.deadline(); due && *due <= now) s.tick(now);
    pump(s, wire);
    drain();
    return any;
}

int main() {
    const auto clock = [] { return moq::time_point{std::chrono::steady_clock::now().time_since_epoch()}; };
    moq::memory_link up, down; // Between publisher and relay, and relay and viewer.
    moq::relay relay{{.origin = moq::hop_id{1}}};
    const auto left = *relay.add(moq::role::server, alpn(spoken), clock());
    const auto right = *relay.add(moq::role::server, alpn(spoken), clock());

    moq::session publisher{moq::role::client, spoken, {.origin = moq::hop_id{2}}, clock()};
    moq::slab_pool memory{16 * 1024 * 1024};
    moq::track_writer writer{publisher, lines, memory, {.mode = moq::writing::complete, .group_frames = 1}};
    static_cast<void>(publisher.announce(lines.broadcast));

    moq::session viewer{moq::role::client, spoken, {.origin = moq::hop_id{3}}, clock()};
    moq::track_reader reader{viewer, {.mode = moq::reading::complete}};
    static_cast<void>(viewer.watch(lines.broadcast));

    while (!reader.finished() && !reader.failed()) {
        const auto now = clock();
        bool busy = turn(publisher, up.client, now, [&](const moq::event& e) { writer.handle(e); });
        const auto relayed = [&](std::uint64_t key) { return [&, key](const auto& e) { relay.handle(key, e, now); }; };
        busy |= turn(*relay.session(left), up.server, now, relayed(left));
        busy |= turn(*relay.session(right), down.server, now, relayed(right));
        while (const auto notice = relay.poll_notice())
            if (const auto* a = std::get_if<moq::admission_wanted>(&*notice))
                static_cast<void>(relay.admit(a->session, {}));
        relay.tick(now);
        busy |= turn(viewer, down.client, now, [&](const moq::event& e) {
            if (std::holds_alternative<moq::broadcast_available>(e)) static_cast<void>(reader.start(lines));
            reader.handle(e, now);
        });
        if (const auto due = reader.deadline(); due && *due <= now) reader.tick(now);
        for (; const auto piece = reader.next(); busy = true) {
            std::cout << moq::as_text(piece->data) << (piece->offset + piece->data.size() == piece->size ? "\n" : "");
            reader.consume(piece->data.size());
        }
        // Nobody has anything to do: read on, at the pace of whoever reads.
        if (busy || writer.ended() || !writer.has_subscribers() || !writer.has_room(now)) continue;
        const moq::timestamp ms{static_cast<std::uint64_t>(now.time_since_epoch() / std::chrono::milliseconds{1})};
        if (std::string line; std::getline(std::cin, line))
            writer.write(ms, moq::as_bytes(line));
        else
            writer.end();
    }
    std::cout.flush();
    return reader.finished() ? 0 : 1;
}

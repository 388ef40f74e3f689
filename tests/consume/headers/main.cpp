// Two sessions talk to each other in memory: a transport of one's own is this little.
#include "../scene.hpp"
#include "every_header.hpp"

#include <chrono>
#include <cstdio>
#include <map>
#include <vector>

namespace {

using namespace moqlite;

/// What one end has written, until it is carried over.
class wire {
public:
    explicit wire(role side) : side_(side) {}

    std::optional<stream_id> open(direction kind) {
        const auto n = kind == direction::uni ? uni_++ : bidi_++;
        return stream_id{4 * n + (kind == direction::uni ? 2u : 0u) + (side_ == role::server ? 1u : 0u)};
    }
    std::optional<std::size_t> write(const write_stream& w) {
        piece p{w.stream, {}, w.fin};
        for (const auto part : w.data) p.bytes.insert(p.bytes.end(), part.begin(), part.end());
        pieces.push_back(std::move(p));
        return w.size;
    }
    void reset(stream_id, app_error) { cut = true; }
    void stop(stream_id, app_error) { cut = true; }
    void credit(stream_id, std::uint64_t) {}
    void close(app_error, std::string_view) { cut = true; }
    void flush() {}

    struct piece {
        stream_id id{};
        std::vector<std::byte> bytes;
        bool fin = false;
    };
    std::vector<piece> pieces;
    bool cut = false; ///< Something ended by force, which nothing here should.

private:
    role side_;
    std::uint64_t bidi_ = 0;
    std::uint64_t uni_ = 0;
};

static_assert(transport<wire>);

struct end {
    session s;
    wire out;
    scene::subscriber* who; ///< Null: the publisher.

    end(role side, version v, scene::subscriber* subscriber)
        : s(side, v, {}, time_point{std::chrono::seconds{1}}), out(side), who(subscriber) {}

    void drain() {
        while (const auto e = s.poll_event()) who != nullptr ? who->take(s, *e) : scene::publish(s, *e);
    }
};

/// Carries over what `from` wants to say; false: nothing.
bool carry(end& from, end& to, std::map<stream_id, int>& fins, time_point now) {
    pump(from.s, from.out);
    const auto pieces = std::exchange(from.out.pieces, {});
    for (const auto& p : pieces) {
        to.s.stream_received(p.id, p.bytes, p.fin, now);
        to.drain();
        if (!p.bytes.empty()) from.s.stream_acked(p.id, p.bytes.size(), now);
        from.drain();
        if (!p.fin || ++fins[p.id] < (direction_of(p.id) == direction::uni ? 1 : 2)) continue;
        for (auto* side : {&from, &to}) {
            side->s.stream_closed(p.id, std::nullopt, now);
            side->drain();
        }
    }
    return !pieces.empty();
}

bool talk(version v) {
    scene::subscriber viewer;
    end client{role::client, v, &viewer};
    end server{role::server, v, nullptr};
    std::map<stream_id, int> fins;
    (void)client.s.watch("");
    for (int turn = 0; turn < 100 && !viewer.ended(); ++turn) {
        const time_point now{std::chrono::seconds{1} + std::chrono::milliseconds{turn}};
        const bool there = carry(client, server, fins, now);
        const bool back = carry(server, client, fins, now);
        if (!there && !back) break;
    }
    std::printf("%s: %s\n", alpn(v).data(), viewer.content() ? "one frame came, and then the end" : "it went wrong");
    return viewer.content() && !client.out.cut && !server.out.cut;
}

} // namespace

int main() { return talk(version::lite_05) ? 0 : 1; }

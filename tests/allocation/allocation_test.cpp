// Receiving, relaying and sending frames needs no allocation after warm-up; a group needs at most one.
#include "counting.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <cstdlib>
#include <memory>
#include <moqlite/relay/relay.hpp>
#include <moqlite/session/local_session.hpp>
#include <moqlite/session/session.hpp>
#include <moqlite/session/track_reader.hpp>
#include <moqlite/session/track_writer.hpp>
#include <moqlite/session/transport.hpp>
#include <optional>
#include <string>
#include <vector>

using namespace moqlite;
using test::allocations;
using test::counting;

namespace {

constexpr time_point t0{std::chrono::seconds{1}};

/// One direction of a stream that is delivered as soon as it is written. It keeps its memory.
struct delivery {
    stream_id stream{};
    std::vector<std::byte> bytes;
    bool fin = false;
};

/// A transport that takes everything, and delivers it to the other session on request. Its own
/// allocations are not counted: only calls of a session are made under `counting`.
class wire_end {
public:
    explicit wire_end(role side) : side_(side) {}
    std::optional<stream_id> open(direction kind) {
        auto& next = kind == direction::uni ? uni_ : bidi_;
        return stream_id{4 * next++ + (kind == direction::uni ? 2u : 0u) + (side_ == role::server ? 1u : 0u)};
    }
    std::optional<std::size_t> write(const write_stream& w) {
        if (used_ == queue.size()) queue.emplace_back();
        auto& d = queue[used_++];
        d.stream = w.stream;
        d.fin = w.fin;
        d.bytes.clear();
        for (auto part : w.data) d.bytes.insert(d.bytes.end(), part.begin(), part.end());
        return w.size;
    }
    void reset(stream_id, app_error) {}
    void stop(stream_id, app_error) {}
    void credit(stream_id, std::uint64_t) {}
    void close(app_error, std::string_view) { closed = true; }
    void flush() {}

    /// Calls f(delivery&) on each that was written since the last call.
    template <class F>
    void take(F&& f) {
        for (std::size_t i = 0; i < used_; ++i) f(queue[i]);
        used_ = 0;
    }
    [[nodiscard]] bool empty() const noexcept { return used_ == 0; }
    std::vector<delivery> queue;
    bool closed = false;

private:
    role side_;
    std::uint64_t uni_ = 0;
    std::uint64_t bidi_ = 0;
    std::size_t used_ = 0;
};

/// Like pump(), counting only the session's allocations.
template <class Session>
void counted_pump(Session& s, wire_end& to) {
    for (;;) {
        std::optional<output> out;
        {
            const counting on;
            out = s.poll_output();
        }
        if (!out) break;
        if (const auto* w = std::get_if<write_stream>(&*out)) {
            const auto n = to.write(*w);
            const counting on;
            s.stream_written(w->stream, *n);
        } else if (const auto* o = std::get_if<open_stream>(&*out)) {
            const auto id = to.open(o->kind);
            const counting on;
            s.stream_opened(o->kind, id);
        }
    }
    s.flushed();
}

/// Two ends of a connection: written bytes arrive at the other end, and are acknowledged, at once.
template <class A, class B, class OnA, class OnB>
void exchange(A& a, wire_end& from_a, OnA&& on_a, B& b, wire_end& from_b, OnB&& on_b) {
    const auto carry = [](auto& sender, wire_end& from, auto& receiver, auto& on_sender, auto& on_receiver) {
        from.take([&](const delivery& d) {
            {
                const counting on;
                receiver.stream_received(d.stream, d.bytes, d.fin, t0);
                while (const auto e = receiver.poll_event()) on_receiver(*e);
                if (!d.bytes.empty()) sender.stream_acked(d.stream, d.bytes.size(), t0);
                while (const auto e = sender.poll_event()) on_sender(*e);
                if (d.fin && direction_of(d.stream) == direction::uni) {
                    sender.stream_closed(d.stream, {}, t0);
                    while (const auto e = sender.poll_event()) on_sender(*e);
                    receiver.stream_closed(d.stream, {}, t0);
                    while (const auto e = receiver.poll_event()) on_receiver(*e);
                }
            }
        });
    };
    do {
        counted_pump(a, from_a);
        counted_pump(b, from_b);
        carry(a, from_a, b, on_a, on_b);
        carry(b, from_b, a, on_b, on_a);
    } while (!from_a.empty() || !from_b.empty());
}

constexpr std::uint64_t warm_up = 50;
constexpr std::uint64_t groups = 1000;
constexpr std::uint64_t frames = 100;

struct heap_use {
    std::size_t in_frames = 0; ///< While carrying frames of a group that was already open.
    std::size_t in_groups = 0; ///< All.
};

/// Publishes `warm_up` groups, then `groups`, frame by frame; carry() delivers them.
template <class Publish, class Carry>
heap_use measure(Publish&& open_group, Carry&& carry) {
    const std::string payload(700, 'x');
    heap_use used;
    for (std::uint64_t n = 0; n < warm_up + groups; ++n) {
        const auto before = allocations();
        group_ref g;
        {
            const counting on;
            g = open_group(group_sequence{n});
        }
        carry();
        const auto opened = allocations();
        for (std::uint64_t f = 0; f < frames; ++f) {
            {
                const counting on;
                static_cast<void>(g->write_frame(timestamp{n * 1000 + f}, as_bytes(payload)));
            }
            carry();
        }
        const auto written = allocations();
        {
            const counting on;
            static_cast<void>(g->finish());
            g = {};
        }
        carry();
        if (n < warm_up) continue;
        used.in_frames += written - opened;
        used.in_groups += allocations() - before;
    }
    return used;
}

} // namespace

TEST_CASE("the allocation counter counts", "[allocation]") {
    const auto before = allocations();
    const auto allocate = [] { ::operator delete(::operator new(100)); }; // A new-expression may be optimised away.
    allocate();
    CHECK(allocations() == before);
    {
        const counting on;
        allocate();
        allocate();
    }
    CHECK(allocations() == before + 2);
}

TEST_CASE("from one session to another a frame needs no allocation, a group at most one", "[allocation]") {
    const auto v = GENERATE(version::lite_03, version::lite_06, version::lite_07_wip);
    session client{role::client, v, {}, t0};
    session server{role::server, v, {}, t0};
    wire_end from_client{role::client};
    wire_end from_server{role::server};
    std::optional<request_id> asked;
    std::uint64_t received = 0;
    std::uint64_t closed = 0;
    const auto on_client = [&](const event& e) {
        if (std::holds_alternative<frame_data>(e)) ++received;
        if (std::holds_alternative<group_closed>(e)) ++closed;
    };
    const auto on_server = [&](const event& e) {
        if (std::holds_alternative<setup_received>(e)) static_cast<void>(server.admit({}));
        if (const auto* s = std::get_if<subscribe_requested>(&e)) {
            asked = s->request;
            static_cast<void>(server.accept(s->request, group_sequence{0}));
        }
    };
    const auto carry = [&] { exchange(client, from_client, on_client, server, from_server, on_server); };
    while (const auto e = server.poll_event()) on_server(*e);
    REQUIRE(client.subscribe({"room", "video"}));
    carry();
    REQUIRE(asked);
    const auto used = measure([&](group_sequence s) { return server.open_group(*asked, s).value(); }, carry);
    CHECK(received == (warm_up + groups) * frames);
    CHECK(closed == warm_up + groups);
    CHECK(used.in_frames == 0);
    CHECK(used.in_groups <= groups);
    if (!has_datagrams(v)) return;
    std::size_t before = 0;
    for (std::uint64_t n = 0; n < warm_up + groups; ++n) {
        if (n == warm_up) before = allocations();
        {
            const counting on;
            const auto sent =
                server.serve_datagram(*asked, group_sequence{2 * groups + n}, timestamp{groups + n}, as_bytes("now"));
            if (!sent) std::abort();
        }
        carry();
    }
    CHECK(allocations() == before);
}

TEST_CASE(
    "through a relay to ten subscribers a frame needs no allocation, a group its logs, within and between versions",
    "[allocation]") {
    using enum version;
    const auto [from, to] = GENERATE(std::pair{lite_03, lite_03}, std::pair{lite_03, lite_06},
        std::pair{lite_06, lite_03}, std::pair{lite_06, lite_06}, std::pair{lite_06, lite_07_wip},
        std::pair{lite_07_wip, lite_06}, std::pair{lite_07_wip, lite_07_wip});
    CAPTURE(alpn(from), alpn(to));
    limits bounds; // A cache that is full after the warm-up: filling it for the first time takes memory.
    bounds.cache = 1024 * 1024;
    relay r{{.bounds = bounds, .origin = hop_id{1}}};
    struct reader {
        explicit reader(version v) : at(role::client, v, {}, t0) {}
        session at;
        wire_end up{role::client};
        wire_end down{role::server};
        std::uint64_t key = 0;
        std::uint64_t received = 0;
    };
    session source{role::client, from, {}, t0};
    wire_end up{role::client};
    wire_end down{role::server};
    const auto in = r.add(role::server, alpn(from), t0).value();
    std::optional<request_id> asked;
    std::vector<std::unique_ptr<reader>> readers;
    while (readers.size() != 10) {
        readers.push_back(std::make_unique<reader>(to));
        readers.back()->key = r.add(role::server, alpn(to), t0).value();
    }
    const auto begin = [&](std::uint64_t key) { // Versions without SETUP report an empty one first.
        while (const auto e = r.session(key)->poll_event()) r.handle(key, *e, t0);
    };
    begin(in);
    for (auto& one : readers) begin(one->key);

    const auto notices = [&] {
        while (const auto n = r.poll_notice())
            if (const auto* wanted = std::get_if<admission_wanted>(&*n))
                static_cast<void>(r.admit(wanted->session, {}));
    };
    const auto carry = [&] {
        for (int round = 0; round < 3; ++round) {
            exchange(
                source, up,
                [&](const event& e) {
                    if (const auto* s = std::get_if<subscribe_requested>(&e)) {
                        asked = s->request;
                        static_cast<void>(source.accept(s->request, group_sequence{0}));
                    }
                },
                *r.session(in), down, [&](const event& e) { r.handle(in, e, t0); });
            notices();
            for (auto& one : readers)
                exchange(
                    one->at, one->up,
                    [&](const event& e) { one->received += std::holds_alternative<frame_data>(e) ? 1 : 0; },
                    *r.session(one->key), one->down, [&](const event& e) { r.handle(one->key, e, t0); });
            notices();
            while (r.poll_ready()) {
            }
            const counting on;
            r.tick(t0);
        }
    };
    REQUIRE(source.announce("room"));
    carry();
    for (auto& one : readers) REQUIRE(one->at.subscribe({"room", "video"}));
    carry();
    REQUIRE(asked);
    const auto used = measure([&](group_sequence s) { return source.open_group(*asked, s).value(); }, carry);
    for (auto& one : readers) CHECK(one->received >= (warm_up + groups) * frames);
    CHECK(used.in_frames == 0);
    CHECK(used.in_groups == 2 * groups); // The log at the source, and in the relay.
}

TEST_CASE("from one local end to another a frame needs no allocation, a group its log", "[allocation]") {
    limits bounds;
    bounds.cache = 1024 * 1024;
    relay r{{.bounds = bounds}};
    local_session from{{.pool = &r.memory()}};
    local_session to{{.pool = &r.memory()}};
    r.add_local(from);
    r.add_local(to);
    const track_ref track{"room", "video"};
    track_writer<local_session> writer{from, track, r.memory(), {}};
    track_reader<local_session> reader{to, track_reader_options{}};
    std::uint64_t received = 0;
    const auto carry = [&] {
        const counting on;
        for (int round = 0; round != 3; ++round) {
            r.tick(t0);
            while (const auto e = from.poll_event()) writer.handle(*e);
            while (const auto e = to.poll_event()) reader.handle(*e, t0);
            while (const auto piece = reader.next()) {
                if (piece->data.size() == piece->size) ++received;
                reader.consume(piece->data.size());
            }
        }
    };
    REQUIRE(from.announce("room"));
    carry();
    REQUIRE(reader.start(track));
    carry();
    const auto used = measure([&](group_sequence) { return writer.open_group(); }, carry);
    CHECK(received >= (warm_up + groups) * frames / 10 * 9); // Those that are not split between slabs.
    CHECK(used.in_frames == 0);
    CHECK(used.in_groups == groups);
}

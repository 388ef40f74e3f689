// One allocation of a session fails, each in turn: the session gets connection_closed and is destroyed, and
// sessions that share its memory continue.
#include "failing.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <chrono>
#include <moqlite/session/session.hpp>
#include <moqlite/session/transport.hpp>
#include <new>
#include <string>

using namespace moqlite;
using namespace moqlite::test;
using namespace std::chrono_literals;

namespace {

constexpr time_point start{1s};

/// A transport that takes everything, and needs no memory.
struct sink_transport {
    std::optional<stream_id> open(direction kind) {
        const std::uint64_t n = next++;
        return stream_id{4 * n + (kind == direction::uni ? 3u : 1u)};
    }
    std::optional<std::size_t> write(const write_stream& w) {
        taken += w.size;
        return w.size;
    }
    void reset(stream_id, app_error) {}
    void stop(stream_id, app_error) {}
    void credit(stream_id, std::uint64_t) {}
    void close(app_error, std::string_view) {}
    void flush() {}
    std::uint64_t next = 0;
    std::size_t taken = 0;
};

/// A publisher whose peer subscribes, and its output.
struct publisher {
    explicit publisher(version v) : dialect{v}, session{role::server, v, {}, start} {}

    void receive(std::uint64_t id, std::string_view bytes, bool fin = false) {
        session.stream_received(stream_id{id}, as_bytes(bytes), fin, start);
        drain();
    }
    void drain() {
        while (const auto e = session.poll_event()) {
            if (std::holds_alternative<setup_received>(*e)) static_cast<void>(session.admit({}));
            if (const auto* s = std::get_if<subscribe_requested>(&*e)) request = s->request;
        }
    }
    void act() {
        drain();
        if (has_setup(dialect)) receive(2, std::string_view{"\x01\x01\x00", 3}, true);
        drain();
        static_cast<void>(session.announce("room"));
        static_cast<void>(session.watch(""));
        receive(0, std::string_view{"\x02\x0d\x00\x04room\x01v\x00\x00\x00\x00\x00", 15});
        receive(4, std::string_view{"\x01\x01\x00", 3}); // A listener to announcements.
        if (!request) return;
        static_cast<void>(session.accept(*request, group_sequence{0}));
        for (std::uint64_t i = 0; i < 3; ++i) {
            auto g = session.open_group(*request, group_sequence{i});
            if (!g) continue;
            for (int frame = 0; frame < 3; ++frame)
                static_cast<void>((*g)->write_frame(timestamp{0}, as_bytes(payload)));
            static_cast<void>((*g)->finish());
        }
        pump(session, link);
        drain();
        receive(8, "\x3f"); // An invalid stream type.
        session.stream_stopped(stream_id{0}, app_error::cancel, start);
        drain();
        pump(session, link);
        session.tick(start + 1s);
        drain();
    }

    const std::string payload = std::string(10'000, 'x');
    version dialect;
    moqlite::session session;
    sink_transport link;
    std::optional<request_id> request;
};

} // namespace

TEST_CASE("a session in which an allocation failed can be ended and destroyed", "[out_of_memory]") {
    const auto v = GENERATE(version::lite_03, version::lite_04, version::lite_05);
    std::size_t nth = 0;
    for (bool all_failed = false; !all_failed;) {
        ++nth;
        CAPTURE(nth, alpn(v));
        {
            publisher p{v};
            bool threw = false;
            fail_allocation(nth);
            try {
                const fallible from_here;
                p.act();
            } catch (const std::bad_alloc&) {
                threw = true;
            }
            all_failed = !has_failed();
            fail_allocation(0);
            CHECK_FALSE((threw && all_failed)); // Some callers use nothrow, and tolerate failure.
            if (all_failed) CHECK(p.link.taken > 80'000);
            p.session.connection_closed({app_error::transport, false, "out of memory"}, start + 2s);
            p.drain();
        }
        publisher next{v};
        next.act();
        CHECK(next.link.taken > 80'000);
    }
    CHECK(nth > 10);
}

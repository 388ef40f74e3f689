// One allocation of a relay fails while it handles what local ends have commanded, each in turn: what was commanded is
// done, or refused, and nothing stays behind.
#include "failing.hpp"
#include "session/subject.hpp"

#include <catch2/catch_test_macros.hpp>
#include <moqlite/relay/relay.hpp>
#include <moqlite/session/local_session.hpp>
#include <moqlite/session/track_reader.hpp>
#include <moqlite/session/track_writer.hpp>
#include <new>
#include <optional>
#include <string>
#include <vector>

namespace moqlite::test {
namespace {

/// A publisher and a reader of one track at local ends. The relay's allocations may fail, theirs do not.
struct local_play {
    local_play() {
        r.add_local(from);
        r.add_local(to);
        REQUIRE(from.announce("room/cam"));
    }
    void tick() {
        if (ends_fail) return r.tick(now);
        try {
            const fallible from_here;
            r.tick(now);
        } catch (const std::bad_alloc&) { // The next turn goes on.
        }
    }
    std::optional<event> poll(local_session& end) {
        if (!ends_fail) return end.poll_event();
        while (true) try {
                const fallible from_here;
                return end.poll_event();
            } catch (const std::bad_alloc&) { // The event comes again.
            }
    }
    void settle() {
        for (bool busy = true; busy || r.has_local_work();) {
            tick();
            busy = false;
            for (; const auto e = poll(from); busy = true) writer.handle(*e);
            for (; const auto e = poll(to); busy = true) {
                if (const auto* a = std::get_if<broadcast_available>(&*e)) announced.emplace_back(a->path);
                if (const auto* b = std::get_if<broadcast_ended>(&*e)) announced.push_back("-" + std::string(b->path));
                reader.handle(*e, now);
                if (std::holds_alternative<track_info_received>(*e) || std::holds_alternative<track_refused>(*e))
                    ++answers;
                if (const auto* c = std::get_if<group_closed>(&*e); c != nullptr && c->subscription == no_subscription)
                    ++answers;
            }
        }
    }
    void put(std::string_view text) {
        const auto g = writer.open_group();
        REQUIRE(g);
        REQUIRE(g->write_frame(timestamp{1}, as_bytes(text)));
        REQUIRE(g->finish());
    }
    [[nodiscard]] std::size_t read() {
        std::size_t n = 0;
        for (; const auto p = reader.next(); ++n) reader.consume(p->data.size());
        return n;
    }

    relay r{{}};
    time_point now{std::chrono::hours{1}};
    local_session from{{.pool = &r.memory()}};
    local_session to{{.pool = &r.memory()}};
    track_writer<local_session> writer{from, {"room/cam", "a-track-with-a-long-name"}, r.memory(), {}};
    track_reader<local_session> reader{to, track_reader_options{}};
    int answers = 0;
    std::vector<std::string> announced;
    bool ends_fail = false; ///< Allocations of the ends fail as they report events, and not those of the relay.
};

} // namespace

TEST_CASE("an allocation that fails while a relay serves local ends delays or refuses what it was for",
    "[out_of_memory][local]") {
    std::size_t nth = 0, refused = 0, lost = 0;
    for (bool all_failed = false; !all_failed;) {
        CAPTURE(++nth);
        local_play p;
        fail_allocation(nth);
        p.settle();
        const track_ref track{"room/cam", "a-track-with-a-long-name"};
        REQUIRE(p.reader.start(track));
        REQUIRE(p.to.request_track(track));
        REQUIRE(p.to.fetch(track, group_sequence{9}));
        p.settle();
        p.put("one");
        p.settle();
        p.put("two");
        p.settle();
        p.writer.end();
        p.settle();
        all_failed = !has_failed();
        fail_allocation(0);
        p.now += std::chrono::seconds{11};
        p.settle();
        CHECK(p.answers == 2);
        const auto got = p.read();
        p.settle();
        CHECK((p.reader.finished() || p.reader.failed() || got == 2));
        CHECK((got == 2 || !all_failed));
        refused += p.reader.failed() ? 1 : 0;
        lost += got < 2 ? 1 : 0;
        REQUIRE(p.from.unannounce("room/cam"));
        p.to.close(app_error::cancel);
        p.from.close(app_error::cancel);
        p.tick();
        for (int i = 0; i != 3; ++i) p.now += std::chrono::seconds{31}, p.tick();
        const auto stats = p.r.stats();
        CHECK(stats.sessions == 0);
        CHECK(stats.readers == 0);
        CHECK(stats.tracks == 0);
        CHECK(stats.broadcasts == 0);
    }
    INFO(nth << " allocations, " << refused << " refused, " << lost << " without a group");
    CHECK(nth > 20);
    CHECK(lost < nth / 2);
}

TEST_CASE(
    "an event of a local end whose report fails for lack of memory is reported again, once", "[out_of_memory][local]") {
    std::size_t nth = 0;
    for (bool all_failed = false; !all_failed;) {
        CAPTURE(++nth);
        local_play p;
        p.ends_fail = true;
        fail_allocation(nth);
        p.settle();
        REQUIRE(p.to.watch(""));
        const track_ref track{"room/cam", "a-track-with-a-long-name"};
        REQUIRE(p.reader.start(track));
        REQUIRE(p.to.request_track(track));
        REQUIRE(p.to.fetch(track, group_sequence{9}));
        p.settle();
        for (int n = 0; n != 20; ++n) p.put("one");
        p.settle();
        p.writer.end();
        p.settle();
        REQUIRE(p.from.unannounce("room/cam"));
        p.settle();
        all_failed = !has_failed();
        fail_allocation(0);
        CHECK(p.answers == 2);
        CHECK(p.read() == 20);
        p.settle();
        CHECK(p.reader.finished());
        CHECK(p.announced == std::vector<std::string>{"room/cam", "-room/cam"});
    }
    CHECK(nth > 3);
}

} // namespace moqlite::test

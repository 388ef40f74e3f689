// One session alone: PROBE, and broadcasts for its peer only.
#include "api_stage.hpp"

#include <boost/asio/use_awaitable.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace moqlite::test::api_session {
namespace {

using namespace api_stage;

/// The next report; nullopt: the end.
net::awaitable<std::optional<moq::probe_report>> next(moq::probe& reports) {
    co_return co_await reports.async_next(net::use_awaitable);
}
net::awaitable<void> read(moq::probe& reports) { co_await reports.async_next(net::use_awaitable); }

TEST_CASE("a peer reports what it measures of the path, and hears how much we would like", "[api]") {
    stage s;
    std::optional<moq::session> theirs;
    s.server.on_session([&](moq::session x) { theirs = std::move(x); });
    auto peer = s.client();
    const auto* const scheme = GENERATE("moqt", "https");
    s.run([&]() -> net::awaitable<void> {
        auto session = co_await peer.async_connect(s.url(scheme), net::use_awaitable);
        auto reports = session.probe(1'000'000);
        auto report = co_await next(reports);
        REQUIRE(report);
        CHECK(report->rtt);
        REQUIRE(theirs);
        auto target = co_await theirs->async_wanted_bitrate(net::use_awaitable);
        CHECK(target == 1'000'000);
        auto same = session.probe(2'000'000);
        target = co_await theirs->async_wanted_bitrate(net::use_awaitable);
        CHECK(target == 2'000'000);
        {
            auto largest = session.probe(3'000'000);
            auto smaller = session.probe(500'000);
            target = co_await theirs->async_wanted_bitrate(net::use_awaitable);
            CHECK(target == 3'000'000);
        }
        target = co_await theirs->async_wanted_bitrate(net::use_awaitable); // Of those that are left.
        CHECK(target == 2'000'000);
        reports = {}; // The other goes on, until the session ends.
        theirs->close();
        for (report = co_await next(same); report;) report = co_await next(same);
        const auto over = co_await failure(read(same));
        CHECK(over == error_code{});
    });
}

TEST_CASE("reports go on over the session that replaces a lost one, and end with an error where it is lost", "[api]") {
    stage s;
    auto other = std::make_unique<moq::server>(s.origin);
    REQUIRE(!other->listen("127.0.0.1:0"));
    const auto port = other->addresses().front();
    std::optional<moq::session> theirs;
    const bool reconnects = GENERATE(false, true);
    s.run([&]() -> net::awaitable<void> {
        auto peer = s.client();
        moq::connect_request how;
        if (reconnects) how.reconnect = 5s;
        auto session = co_await peer.async_connect("moqt://" + port, how, net::use_awaitable);
        auto reports = session.probe();
        auto report = co_await next(reports);
        REQUIRE(report);
        other->close(app_error::going_away);
        if (!reconnects) {
            auto how_it_ended = error_code{};
            do how_it_ended = co_await failure(read(reports));
            while (!how_it_ended);
            CHECK(remote_code(how_it_ended));
            co_return;
        }
        const auto gone = co_await s.until([&] { return s.origin.stats().sessions == 0; });
        CHECK(gone);
        other.reset();
        other = std::make_unique<moq::server>(s.origin);
        other->on_session([&](moq::session x) { theirs = std::move(x); });
        REQUIRE(!other->listen(port));
        const auto back = co_await s.until([&] { return theirs.has_value(); });
        REQUIRE(back);
        auto again = session.probe(500);
        const auto target = co_await theirs->async_wanted_bitrate(net::use_awaitable);
        CHECK(target == 500);
        report = co_await next(again);
        REQUIRE(report);
        report = co_await next(reports);
        REQUIRE(report);
    });
}

TEST_CASE("what is published for one session is read by its peer alone, also after it reconnects", "[api]") {
    stage s;
    auto other = std::make_unique<moq::server>(s.origin);
    REQUIRE(!other->listen("127.0.0.1:0"));
    const auto port = other->addresses().front();
    const std::string scheme = GENERATE("moqt://", "https://");
    s.run([&]() -> net::awaitable<void> {
        auto caller = s.client();
        auto bystander = s.client();
        moq::connect_request how;
        how.reconnect = 5s;
        auto mine = co_await caller.async_connect(scheme + port, how, net::use_awaitable);
        auto theirs = co_await bystander.async_connect(s.url("moqt"), net::use_awaitable);
        auto all = mine.origin().publish("all");
        auto call = mine.publish("/call/");
        CHECK(call.path() == "call");
        CHECK(mine.origin().published() == std::vector<std::string>{"all"});
        auto audio = call.track("audio");
        put(audio, "for the server alone");
        auto seen = theirs.announcements();
        auto told = co_await seen.async_next(net::use_awaitable);
        CHECK(told->path == "all");
        auto told_here = s.origin.announcements("call");
        auto here = co_await told_here.async_next(net::use_awaitable);
        CHECK(here->available);
        auto reader = co_await s.origin.async_subscribe({"call", "audio"}, net::use_awaitable);
        auto got = co_await first(reader);
        CHECK(got == "for the server alone");
        other->close(app_error::going_away);
        here = co_await told_here.async_next(net::use_awaitable);
        CHECK_FALSE(here->available);
        other.reset();
        other = std::make_unique<moq::server>(s.origin);
        REQUIRE(!other->listen(port));
        here = co_await told_here.async_next(net::use_awaitable);
        CHECK(here->available);
        call = {};
        here = co_await told_here.async_next(net::use_awaitable);
        CHECK_FALSE(here->available);
    });
}

TEST_CASE("a server publishes for one of its sessions alone, and the other peers hear nothing of it", "[api]") {
    stage s;
    std::vector<moq::session> sessions;
    s.server.on_session([&](moq::session x) { sessions.push_back(std::move(x)); });
    s.run([&]() -> net::awaitable<void> {
        auto first_client = s.client();
        auto second_client = s.client();
        auto a = co_await first_client.async_connect(s.url("moqt"), net::use_awaitable);
        auto b = co_await second_client.async_connect(s.url("https"), net::use_awaitable);
        const auto both = co_await s.until([&] { return sessions.size() == 2; });
        REQUIRE(both);
        auto for_a = sessions[0].publish("you");
        auto for_b = sessions[1].publish("you");
        auto name_of_a = for_a.track("name");
        auto name_of_b = for_b.track("name");
        put(name_of_a, "a");
        put(name_of_b, "b");
        auto by_a = co_await a.async_subscribe({"you", "name"}, net::use_awaitable);
        auto by_b = co_await b.async_subscribe({"you", "name"}, net::use_awaitable);
        const auto heard_by_a = co_await first(by_a);
        const auto heard_by_b = co_await first(by_b);
        CHECK(heard_by_a == "a");
        CHECK(heard_by_b == "b");
        moq::subscribe_request brief;
        brief.timeout = 200ms;
        const auto refused =
            co_await failure([](moq::origin here, moq::subscribe_request for_long) -> net::awaitable<void> {
                co_await here.async_subscribe({"you", "name"}, for_long, net::use_awaitable);
            }(s.origin, brief));
        CHECK(refused == net::error::timed_out);
    });
}

TEST_CASE("an on-demand handler of everything is not asked for tracks of one session alone", "[api]") {
    stage s;
    std::optional<moq::session> theirs;
    s.server.on_session([&](moq::session x) { theirs = std::move(x); });
    std::string asked;
    const auto all = s.origin.on_demand("", [&](moq::track_request r) { asked = r.broadcast() + r.track(); });
    auto peer = s.client();
    s.run([&]() -> net::awaitable<void> {
        auto session = co_await peer.async_connect(s.url("moqt"), net::use_awaitable);
        const auto there = co_await s.until([&] { return theirs.has_value(); });
        REQUIRE(there);
        auto alone = theirs->publish("you");
        auto heard = session.announcements("you");
        static_cast<void>(co_await heard.async_next(net::use_awaitable));
        const auto refused = co_await failure(subscribe(session, {"you", "no such track"}));
        CHECK(refused == errc::not_found);
        const auto other = co_await failure(subscribe(session, {"else", "t"}));
        CHECK(other);
    });
    CHECK(asked == "elset");
}

TEST_CASE("a client hears only of the broadcasts that it is interested in", "[api]") {
    stage s;
    auto near = s.origin.publish("room/a");
    auto far = s.origin.publish("hall/b");
    auto track = near.track("t");
    put(track, "here");
    moq::track_writer made;
    auto cameras = s.origin.on_demand("camera", [&](moq::track_request request) {
        made = request.accept();
        put(made, "seen");
    });
    auto peer = s.client();
    const std::string scheme = GENERATE("moqt", "https");
    s.run([&]() -> net::awaitable<void> {
        moq::connect_request how;
        how.interests = {"/room/", "nowhere", "camera/3"};
        auto session = co_await peer.async_connect(s.url(scheme), how, net::use_awaitable);
        auto reader = co_await session.async_subscribe({"room/a", "t"}, net::use_awaitable);
        const auto got = co_await first(reader);
        CHECK(got == "here");
        // Announced by the name above it.
        auto camera = co_await session.async_subscribe({"camera/3", "video"}, net::use_awaitable);
        const auto picture = co_await first(camera);
        CHECK(picture == "seen");
        auto mine = session.origin().publish("mine"); // Which is announced all the same.
        auto seen = s.origin.announcements("mine");
        const auto told = co_await seen.async_next(net::use_awaitable);
        CHECK(told->available);
        moq::subscribe_request brief;
        brief.timeout = 100ms;
        const auto unheard = co_await failure(subscribe(session, {"hall/b", "t"}, brief));
        CHECK(unheard == net::error::timed_out);
    });
}

TEST_CASE("a session that is closed as its client shuts down tells its own reason", "[api]") {
    stage s;
    std::optional<moq::session> theirs;
    s.server.on_session([&](moq::session x) { theirs = std::move(x); });
    auto peer = s.client();
    const std::string scheme = GENERATE("moqt", "https");
    s.run([&]() -> net::awaitable<void> {
        auto session = co_await peer.async_connect(s.url(scheme), net::use_awaitable);
        const auto there = co_await s.until([&] { return theirs.has_value(); });
        REQUIRE(there);
        session.close(app_error::unauthorized, "done");
        co_await peer.async_shutdown(net::use_awaitable);
        const auto over = co_await s.until([&] { return theirs->ended().has_value(); });
        REQUIRE(over);
        CHECK(theirs->ended()->reason == "done");
        CHECK(theirs->ended()->code == app_error::unauthorized);
    });
}

TEST_CASE("sessions have the handler of the longest path that covers theirs, and are counted", "[api]") {
    stage s;
    std::string whose;
    s.server.on_session([&](moq::session x) { whose += "any:" + x.path() + " "; });
    s.server.on_session("/chat/", [&](const moq::session&) { whose += "chat "; });
    s.server.on_session("chat/admin", [&](moq::session) -> net::awaitable<void> {
        whose += "admin ";
        co_return;
    });
    s.server.on_admission([](const moq::admission& a) { return a.path() == "/no" ? a.refuse() : a.accept(); });
    auto peer = s.client();
    const std::string scheme = GENERATE("moqt", "https");
    s.run([&]() -> net::awaitable<void> {
        for (const auto* path : {"/chat", "/chat/room?a=b", "/chat/admin/1", "/chatter", "/no"}) {
            const auto before = whose.size();
            auto session = co_await peer.async_connect(s.url(scheme, path), net::use_awaitable);
            if (path == std::string_view{"/no"}) {
                const auto how = co_await failure(closed(session));
                CHECK(how == errc::unauthorized);
                break;
            }
            const auto told = co_await s.until([&] { return whose.size() != before; });
            INFO(path);
            REQUIRE(told);
        }
    });
    CHECK(whose.starts_with("chat chat admin any:"));
    CHECK(s.server.stats().admitted == 4);
    CHECK(s.server.stats().refused == 1);
    CHECK(s.server.stats().sockets.datagrams_received != 0);
    CHECK(s.server.stats().http_violations == 0);
}

TEST_CASE("a session that has ended, or was never made, says with which code, by whom, and why", "[api]") {
    stage s;
    std::optional<moq::session> theirs;
    s.server.on_session([&](moq::session x) { theirs = std::move(x); });
    auto peer = s.client();
    const auto* const scheme = GENERATE("moqt", "https");
    s.run([&]() -> net::awaitable<void> {
        auto session = co_await peer.async_connect(s.url(scheme), net::use_awaitable);
        CHECK_FALSE(session.ended());
        const bool there = co_await s.until([&] { return theirs.has_value(); });
        REQUIRE(there);
        theirs->close(app_error::unauthorized, "no such root");
        const bool over = co_await s.until([&] { return session.ended() && theirs->ended(); });
        REQUIRE(over);
        CHECK(session.ended()->by_peer);
        CHECK(session.ended()->code == app_error::unauthorized);
        CHECK(session.ended()->reason == "no such root");
        CHECK(session.ended()->text.starts_with("session closed by the peer with unauthorized"));
        CHECK(session.ended()->text.ends_with(": no such root"));
        CHECK_FALSE(theirs->ended()->by_peer);
        CHECK(theirs->ended()->text.starts_with("session closed with unauthorized"));
        CHECK_FALSE(moq::session{}.ended());
        std::vector<std::string> texts;
        for (const std::string nowhere : {"moqt://127.0.0.1:9", "ftp://127.0.0.1"})
            peer.async_connect(nowhere, [&](error_code error, moq::session none) {
                CHECK(error);
                CHECK_FALSE(none.is_open());
                texts.push_back(none.ended() ? none.ended()->text : "");
            });
        const bool both = co_await s.until([&] { return texts.size() == 2; });
        REQUIRE(both);
        for (const auto& text : texts) CHECK(text.starts_with("cannot connect to "));
        CHECK(texts[1].starts_with("cannot connect to moqt://127.0.0.1:9: "));
    });
}

TEST_CASE("a session that follows GOAWAY goes on until its successor answers; the time for that begins with its end",
    "[api]") {
    stage s;
    const bool answers = GENERATE(true, false);
    auto other = std::make_unique<moq::server>(s.origin);
    auto next = std::make_unique<moq::server>(s.origin);
    REQUIRE(!other->listen("127.0.0.1:0"));
    REQUIRE(!next->listen("127.0.0.1:0"));
    const auto first = other->addresses().front(), second = next->addresses().front();
    next.reset();
    s.run([&]() -> net::awaitable<void> {
        auto peer = s.client();
        moq::connect_request how;
        how.follow_goaway = [](const std::string&) { return true; };
        how.follow_for = answers ? 5s : 300ms;
        how.first_pause = how.longest_pause = 20ms;
        auto session = co_await peer.async_connect("moqt://" + first, how, net::use_awaitable);
        std::optional<error_code> moved;
        session.async_reconnected([&](error_code error) { moved = error; });
        const bool there = co_await s.until([&] { return other->sessions() == 1; });
        REQUIRE(there);
        other->async_shutdown(answers ? 10s : 600ms, "moqt://" + second, [](error_code) {});
        co_await s.pause(answers ? 200ms : 500ms); // Longer than follow_for.
        CHECK(session.is_open());
        CHECK(other->sessions() == 1);
        CHECK_FALSE(moved);
        if (answers) {
            next = std::make_unique<moq::server>(s.origin);
            REQUIRE(!next->listen(second));
        }
        const bool decided = co_await s.until([&] { return moved.has_value(); });
        REQUIRE(decided);
        CHECK(session.is_open() == answers);
        CHECK((*moved == error_code{}) == answers);
        if (answers) {
            const bool left = co_await s.until([&] { return other->sessions() == 0 && next->sessions() == 1; });
            CHECK(left);
            CHECK(session.remote() == second);
        } else {
            CHECK(session.ended()->text.starts_with("cannot reconnect within 0 s: "));
        }
    });
}

/// From the first group.
moq::subscribe_request whole() {
    moq::subscribe_request how;
    how.mode = reading::complete;
    how.start = group_sequence{};
    return how;
}
net::awaitable<void> delivered(moq::track_writer& of) { co_await of.async_delivered(net::use_awaitable); }

TEST_CASE("a writer hears who comes and leaves, and is told when its peers have everything", "[api]") {
    stage s;
    auto here = s.origin.publish("film");
    moq::track_options o;
    o.mode = writing::complete;
    auto track = here.track("t", o);
    CHECK_FALSE(track.has_room()); // A file waits for somebody.
    put(track, "0");
    CHECK(track.undelivered() == 1);
    const std::string scheme = GENERATE("moqt", "https");
    s.run([&]() -> net::awaitable<void> {
        auto peer = s.client();
        auto session = co_await peer.async_connect(s.url(scheme), net::use_awaitable);
        auto reader = co_await session.async_subscribe({"film", "t"}, whole(), net::use_awaitable);
        co_await track.async_room(net::use_awaitable);
        auto change = co_await track.async_subscriber_changed(net::use_awaitable);
        CHECK((change.came && change.from == 0));
        CHECK(track.subscribers() == 1);
        auto got = co_await first(reader);
        CHECK(got == "0");
        put(track, "1");
        track.finish();
        std::optional<error_code> over;
        track.async_delivered([&](error_code error) { over = error; });
        const auto again = co_await failure(delivered(track));
        CHECK(again == errc::too_many_requests);
        const bool all = co_await s.until([&] { return over.has_value(); });
        REQUIRE(all);
        CHECK(*over == error_code{});
        CHECK(track.undelivered() == 0);
        CHECK(track.subscribers() == 0);
        got = co_await first(reader);
        CHECK(got == "1");
        change = co_await track.async_subscriber_changed(net::use_awaitable);
        CHECK((!change.came && change.delivered));
        co_await track.async_delivered(net::use_awaitable); // It stays so.
        auto late = co_await session.async_subscribe({"film", "t"}, net::use_awaitable);
        got = co_await first(late); // What is kept.
        CHECK(got == "1");
        got = co_await first(late);
        CHECK(got == "-");
    });
}

TEST_CASE("a writer is told of a subscriber that leaves, with its code", "[api]") {
    stage s;
    auto here = s.origin.publish("film");
    auto track = here.track("t");
    s.run([&]() -> net::awaitable<void> {
        auto peer = s.client();
        auto session = co_await peer.async_connect(s.url("moqt"), net::use_awaitable);
        auto reader = co_await session.async_subscribe({"film", "t"}, net::use_awaitable);
        auto local = co_await s.origin.async_subscribe({"film", "t"}, net::use_awaitable);
        put(track, "0");
        auto got = co_await first(local);
        CHECK(got == "0");
        CHECK(track.undelivered() == 0);
        for (int n = 0; n != 2; ++n) {
            const auto change = co_await track.async_subscriber_changed(net::use_awaitable);
            CHECK(change.came);
        }
        CHECK(track.subscribers() == 2);
        reader = {};
        auto change = co_await track.async_subscriber_changed(net::use_awaitable);
        CHECK((!change.came && !change.delivered && change.code == app_error::cancel));
        local = {};
        change = co_await track.async_subscriber_changed(net::use_awaitable);
        CHECK(track.subscribers() == 0);
        track.finish();
        co_await track.async_delivered(net::use_awaitable); // Nobody waits for it.
    });
}

TEST_CASE(
    "a writer that can wait finds no room within a group before its subscriber has got what was written", "[api]") {
    stage s;
    auto here = s.origin.publish("film");
    auto track = here.track("t");
    s.run([&]() -> net::awaitable<void> {
        auto peer = s.client();
        auto session = co_await peer.async_connect(s.url("moqt"), net::use_awaitable);
        auto reader = co_await session.async_subscribe({"film", "t"}, net::use_awaitable);
        auto filling = track.open_group();
        REQUIRE(!filling.write("first"));
        auto group = co_await reader.async_next_group(net::use_awaitable);
        const auto got = co_await api_stage::next(*group);
        CHECK(got == "first");
        const std::string piece(64 * 1024, 'x');
        std::size_t written = 0;
        for (; track.has_room() && written < 32'000'000; written += piece.size()) REQUIRE(!filling.write(piece));
        CHECK(written >= 4'000'000);
        CHECK(written < 5'000'000);
        co_await track.async_room(net::use_awaitable);
        CHECK(track.has_room());
        REQUIRE(!filling.write("there is room again"));
    });
}

TEST_CASE("a complete track is kept for subscribers that follow a GOAWAY, and is waited for", "[api]") {
    stage s;
    moq::origin elsewhere{s.io.get_executor()};
    limits bounds;
    bounds.return_time = 1s;
    moq::origin mine{s.io.get_executor(), s.logging(bounds)};
    auto successor = std::make_unique<moq::server>(elsewhere);
    REQUIRE(!successor->listen("127.0.0.1:0"));
    const auto uri = "moqt://" + successor->addresses().front();
    s.run([&]() -> net::awaitable<void> {
        auto peer = moq::client{mine, {.trusted = moq::trust::insecure()}};
        bool moves = false;
        moq::connect_request how;
        how.follow_goaway = [&](const std::string&) { return moves = true; };
        how.listens = false;
        auto session = co_await peer.async_connect(s.url("moqt"), how, net::use_awaitable);
        auto film = session.origin().publish("film");
        moq::track_options o;
        o.mode = writing::complete;
        auto track = film.track("t", o);
        auto reader = co_await s.origin.async_subscribe({"film", "t"}, whole(), net::use_awaitable);
        s.server.async_shutdown(5s, uri, [](error_code) {});
        while (!moves) co_await s.pause(1ms);
        put(track, "0");
        put(track, "1");
        track.finish();
        int over = 0;
        track.async_delivered([&](error_code error) { over = error ? 2 : 1; });
        auto again = co_await elsewhere.async_subscribe({"film", "t"}, whole(), net::use_awaitable);
        auto got = co_await first(again); // Although a subscriber may have got it before.
        CHECK(got == "0");
        CHECK(over == 0);
        got = co_await first(again);
        CHECK(got == "1");
        got = co_await first(again);
        CHECK(got == "-");
        while (over == 0) co_await s.pause(1ms); // It waits for others that may come back.
        CHECK(over == 1);
    });
}

} // namespace
} // namespace moqlite::test::api_session

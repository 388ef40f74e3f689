// Each operation of the application API, cancelled at each step of its execution context: it completes once; what is
// begun again goes on where it was; and nothing stays behind.
#include "cancelling_play.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <moqlite/asio/client.hpp>
#include <moqlite/asio/peers.hpp>
#include <moqlite/asio/server.hpp>
#include <optional>
#include <string>

namespace moqlite::test::api_cancel {
namespace {

using namespace cancelling;

std::string text(const std::optional<moq::frame>& f) { return f ? std::string{f->text()} : "-"; }

/// A server and its client.
class two_ends : public play {
public:
    explicit two_ends(const char* scheme) : scheme_(scheme) {
        limits bounds;
        bounds.cache_age = 20ms; // What nobody reads any more is forgotten soon.
        moq::origin here{io.get_executor(), {.bounds = bounds}}, there{io.get_executor(), {.bounds = bounds}};
        watch(here), watch(there);
        server.emplace(here);
        client.emplace(there, moq::client_options{.trusted = moq::trust::insecure()});
        server->on_session([this](moq::session s) { theirs = std::move(s); });
    }

protected:
    [[nodiscard]] std::string url() const { return scheme_ + server->addresses().front(); }
    void drop() override {
        ours = {}, theirs = {};
        client.reset(), server.reset();
    }

    std::string scheme_;
    std::optional<moq::server> server;
    std::optional<moq::client> client;
    moq::session ours, theirs;
};

/// Everything between connecting and leaving.
class whole_session final : public two_ends {
public:
    explicit whole_session(const char* scheme) : two_ends(scheme) {
        REQUIRE(!server->listen("127.0.0.1:0"));
        film = moq::origin{server->origin()}.publish("film");
        film_writer = film.track("t");
        song = moq::origin{client->origin()}.publish("song");
        song_writer = song.track("t");
    }

private:
    std::vector<step> steps() override {
        auto all = from_the_server();
        for (auto& each : fetched()) all.push_back(std::move(each));
        for (auto& each : from_the_client()) all.push_back(std::move(each));
        for (auto& each : probing()) all.push_back(std::move(each));
        return all;
    }
    std::vector<step> from_the_server() {
        return {
            {"connect", [this](auto slot, auto d) { client->async_connect(url(), into(ours, slot, d)); },
                [this] { list = ours.announcements("film"); }},
            {"announcement", [this](auto slot, auto d) { list.async_next(into(announced, slot, d)); },
                [this] { CHECK((announced && announced->path == "film" && announced->available)); }},
            {"subscribe",
                [this](auto slot, auto d) {
                    ours.async_subscribe({"film", "t"}, moq::subscribe_request{}, into(reader, slot, d));
                }},
            {"open group", [this](auto slot, auto d) { film_writer.async_open_group(into(writing, slot, d)); },
                [this] { CHECK_FALSE(writing.write("one")); }},
            {"next group", [this](auto slot, auto d) { reader.async_next_group(into(group, slot, d)); },
                [this] { CHECK((group && group->sequence() == group_sequence{0})); }},
            {"first frame", [this](auto slot, auto d) { group->async_next_frame(into(frame, slot, d)); },
                [this] {
                    CHECK(text(frame) == "one");
                    CHECK_FALSE(writing.write("two"));
                    CHECK_FALSE(writing.finish());
                }},
            {"second frame", [this](auto slot, auto d) { group->async_next_frame(into(frame, slot, d)); },
                [this] { CHECK(text(frame) == "two"); }},
            {"end of the group", [this](auto slot, auto d) { group->async_next_frame(into(frame, slot, d)); },
                [this] {
                    CHECK(text(frame) == "-");
                    CHECK(group->is_complete());
                    group.reset();
                }},
        };
    }
    std::vector<step> fetched() {
        return {
            {"fetch", [this](auto slot, auto d) { ours.async_fetch({"film", "t"}, 0, into(old, slot, d)); }},
            {"first frame of the past", [this](auto slot, auto d) { old.async_next_frame(into(frame, slot, d)); },
                [this] { CHECK(text(frame) == "one"); }},
            {"second frame of the past", [this](auto slot, auto d) { old.async_next_frame(into(frame, slot, d)); },
                [this] { CHECK(text(frame) == "two"); }},
            {"end of the past", [this](auto slot, auto d) { old.async_next_frame(into(frame, slot, d)); },
                [this] {
                    CHECK(text(frame) == "-");
                    frame.reset();
                    old = {};
                }},
        };
    }
    std::vector<step> from_the_client() {
        return {
            {"subscribe at the server",
                [this](auto slot, auto d) {
                    moq::origin{server->origin()}.async_subscribe(
                        {"song", "t"}, moq::subscribe_request{.mode = reading::complete}, into(reader, slot, d));
                }},
            {"open group at the client",
                [this](auto slot, auto d) { song_writer.async_open_group(into(writing, slot, d)); },
                [this] {
                    CHECK_FALSE(writing.write("la"));
                    CHECK_FALSE(writing.finish());
                    song_writer.finish();
                }},
            {"next group at the server", [this](auto slot, auto d) { reader.async_next_group(into(group, slot, d)); }},
            {"frame at the server", [this](auto slot, auto d) { group->async_next_frame(into(frame, slot, d)); },
                [this] { CHECK(text(frame) == "la"); }},
            {"end of the track", [this](auto slot, auto d) { reader.async_next_group(into(group, slot, d)); },
                [this] { CHECK_FALSE(group); }},
        };
    }
    std::vector<step> probing() {
        return {
            {"report",
                [this](auto slot, auto d) {
                    if (!reports) reports = ours.probe(1'000'000);
                    reports->async_next(into(report, slot, d));
                },
                [this] { CHECK(report); }},
            {"target of the peer", [this](auto slot, auto d) { theirs.async_wanted_bitrate(into(target, slot, d)); },
                [this] { CHECK(target == 1'000'000); }},
        };
    }
    void leave() override {
        ours.close();
        let_go();
    }
    void drop() override {
        let_go();
        two_ends::drop();
    }
    void let_go() {
        frame.reset(), group.reset(), reports.reset();
        old = {}, reader = {}, list = {}, writing = {}, film_writer = {}, song_writer = {}, film = {}, song = {};
    }

    moq::broadcast film, song;
    moq::track_writer film_writer, song_writer;
    moq::announcements list;
    std::optional<moq::announcement> announced;
    moq::group_writer writing;
    moq::track_reader reader;
    std::optional<moq::group_reader> group;
    moq::group_reader old;
    std::optional<moq::frame> frame;
    std::optional<moq::probe> reports;
    std::optional<moq::probe_report> report;
    std::uint64_t target = 0;
};

/// A server that is shut down politely, and a client that follows.
class the_end final : public two_ends {
public:
    explicit the_end(const char* scheme) : two_ends(scheme), film(moq::origin{server->origin()}.publish("film")) {}

private:
    std::vector<step> steps() override {
        return {
            {.name = "serve",
                .start = [this](auto slot, auto d) { server->async_serve("127.0.0.1:0", nothing(slot, d)); },
                .waits = false,
                .ends_all = true},
            {"connect",
                [this](auto slot, auto d) {
                    client->async_connect(url(), moq::connect_request{.timeout = 1s}, into(ours, slot, d));
                }},
            // The server has let it in.
            {"announcement",
                [this](auto slot, auto d) {
                    if (!list) list = ours.announcements();
                    list->async_next(into(announced, slot, d));
                }},
            {.name = "closed",
                .start = [this](auto slot, auto d) { ours.async_closed(nothing(slot, d)); },
                .waits = false},
            {.name = "goaway",
                .start = [this](auto slot, auto d) { ours.async_goaway(into(elsewhere, slot, d)); },
                .then =
                    [this] {
                        CHECK(elsewhere == "moqt://elsewhere");
                        ours.close();
                    },
                .waits = false},
            {"shutdown",
                [this](auto slot, auto d) { server->async_shutdown(5s, "moqt://elsewhere", nothing(slot, d)); }},
            {"shutdown of the client", [this](auto slot, auto d) { client->async_shutdown(nothing(slot, d)); }},
        };
    }
    void leave() override {
        ours.close(), server->close();
        let_go();
    }
    void drop() override {
        let_go();
        two_ends::drop();
    }
    void let_go() { list.reset(), film = {}; }

    moq::broadcast film;
    std::optional<moq::announcements> list;
    std::optional<moq::announcement> announced;
    std::string elsewhere;
};

/// Two peers, each of which reads from the other.
class two_peers final : public play {
public:
    enum class course { call, crossing_dials, crossing_dials_of_others, end };
    explicit two_peers(course c) : course_(c) {
        for (auto* each : {&a, &b}) {
            each->emplace(io.get_executor(),
                moq::peers_options{.who = who((each == &a) == (c != course::crossing_dials_of_others))});
            REQUIRE(!(*each)->listen("127.0.0.1:0"));
            watch((*each)->origin());
            calls.push_back((*each)->publish("call"));
            writers.push_back(calls.back().track("voice"));
        }
        if (c == course::call || c == course::end) listener = b->incoming();
    }

private:
    static const moq::identity& who(bool first) {
        static const auto made = [] {
            std::string why;
            return std::pair{moq::generate_identity({.names = {"a"}}, why).value(),
                moq::generate_identity({.names = {"b"}}, why).value()};
        }();
        return first ? made.first : made.second;
    }
    std::vector<step> steps() override {
        auto all = course_ == course::call || course_ == course::end ? meeting() : crossing();
        for (auto& each : course_ == course::end ? ends() : calling()) all.push_back(std::move(each));
        return all;
    }
    std::vector<step> meeting() {
        return {
            {"connect", [this](auto slot, auto d) { a->async_connect(b->addresses().front(), into(ours, slot, d)); }},
            {"arrival", [this](auto slot, auto d) { listener.async_next(into(arrival, slot, d)); },
                [this] {
                    REQUIRE(arrival);
                    theirs = arrival->accept();
                    CHECK(theirs);
                    arrival.reset();
                }},
        };
    }
    std::vector<step> crossing() {
        return {
            {.name = "connect from b",
                .start = [this](auto slot, auto d) { b->async_connect(a->addresses().front(), into(again, slot, d)); },
                .waits = false},
            {"connect", [this](auto slot, auto d) { a->async_connect(b->addresses().front(), into(ours, slot, d)); }},
        };
    }
    std::vector<step> calling() {
        return {
            {"subscribe", [this](auto slot,
                              auto d) { a->async_subscribe(b->key(), {"call", "voice"}, into(readers[0], slot, d)); }},
            {"subscribe to the caller",
                [this](auto slot, auto d) {
                    if (!theirs) theirs = b->find(a->key());
                    theirs.async_subscribe({"call", "voice"}, moq::subscribe_request{}, into(readers[1], slot, d));
                }},
            {"open group", [this](auto slot, auto d) { writers[0].async_open_group(into(writing, slot, d)); },
                [this] {
                    CHECK_FALSE(writing.write("from a"));
                    CHECK_FALSE(writing.finish());
                }},
            {"next group", [this](auto slot, auto d) { readers[1].async_next_group(into(group, slot, d)); }},
            {"next frame", [this](auto slot, auto d) { group->async_next_frame(into(frame, slot, d)); },
                [this] { CHECK(text(frame) == "from a"); }},
            {"a peer that is known",
                [this](auto slot, auto d) {
                    b->async_connect(a->addresses().front(), moq::peer_request{a->key()}, into(again, slot, d));
                },
                [this] { CHECK(again.is_open()); }},
        };
    }
    std::vector<step> ends() {
        return {
            {.name = "closed",
                .start = [this](auto slot, auto d) { ours.async_closed(nothing(slot, d)); },
                .waits = false},
            {.name = "no more arrivals",
                .start = [this](auto slot, auto d) { listener.async_next(into(arrival, slot, d)); },
                .then = [this] { CHECK_FALSE(arrival); },
                .waits = false},
            {"shutdown of b", [this](auto slot, auto d) { b->async_shutdown(nothing(slot, d)); }},
            {"shutdown of a", [this](auto slot, auto d) { a->async_shutdown(nothing(slot, d)); }},
        };
    }
    void leave() override {
        ours.close();
        let_go();
    }
    void drop() override {
        let_go();
        ours = {}, theirs = {}, again = {}, listener = {};
        a.reset(), b.reset();
    }
    void let_go() {
        frame.reset(), group.reset(), arrival.reset();
        readers[0] = {}, readers[1] = {}, writing = {};
        writers.clear(), calls.clear();
    }

    course course_;
    std::optional<moq::peers> a, b;
    moq::incoming_peers listener;
    std::optional<moq::incoming_peer> arrival;
    moq::session ours, theirs, again;
    std::vector<moq::broadcast> calls;
    std::vector<moq::track_writer> writers;
    moq::track_reader readers[2];
    moq::group_writer writing;
    std::optional<moq::group_reader> group;
    std::optional<moq::frame> frame;
};

void cancel_everything(bool gives_up) {
    for (const auto* scheme : {"moqt://", "https://"}) {
        INFO(scheme);
        cancel_at_each_step<whole_session>(gives_up, 11, scheme);
        cancel_at_each_step<the_end>(gives_up, 11, scheme);
    }
    using course = two_peers::course;
    for (const auto c : {course::call, course::crossing_dials, course::crossing_dials_of_others, course::end}) {
        INFO("peers " << static_cast<int>(c));
        cancel_at_each_step<two_peers>(gives_up, 11, c);
    }
}

TEST_CASE("an operation that is cancelled at any step is begun again, and nothing is lost or left", "[api][cancel]") {
    cancel_everything(false);
}

TEST_CASE("the handler of an operation that is cancelled at any step destroys everything", "[api][cancel]") {
    cancel_everything(true);
}

/// Counts calls of a handler, which must not come once its object is destroyed after `steps` steps.
template <class Object>
void check_not_called_after(std::size_t steps, net::io_context& io, std::optional<Object>& object, const int& calls) {
    const auto end = std::chrono::steady_clock::now() + 5s;
    while (steps != 0 && std::chrono::steady_clock::now() < end) steps -= io.run_one_for(1ms);
    const auto before = calls;
    object.reset();
    for (int quiet = 0; quiet != 3;) quiet = io.run_one_for(1ms) != 0 ? 0 : quiet + 1;
    CHECK(calls == before);
}

TEST_CASE("no handler of a server that is destroyed at any step is called afterwards", "[api][cancel]") {
    int all = 0;
    for (std::size_t steps = 0; steps != 16; ++steps) {
        INFO(steps);
        net::io_context io{1};
        int calls = 0;
        std::optional<moq::server> server{std::in_place, moq::origin{io.get_executor()}};
        server->on_session([&](const moq::session&) { ++calls; });
        REQUIRE(!server->listen("127.0.0.1:0"));
        moq::client client{io.get_executor(), {.trusted = moq::trust::insecure()}};
        client.async_connect("moqt://" + server->addresses().front(), [](error_code, const moq::session&) {});
        check_not_called_after(steps, io, server, calls);
        all += calls;
    }
    CHECK(all != 0);
}

TEST_CASE("no handler of an on-demand broadcast that is destroyed at any step is called afterwards", "[api][cancel]") {
    int all = 0;
    for (std::size_t steps = 0; steps != 8; ++steps) {
        INFO(steps);
        net::io_context io{1};
        const auto work = net::make_work_guard(io);
        int calls = 0;
        moq::origin origin{io.get_executor()};
        std::optional<moq::broadcast> made{origin.on_demand("b", [&](const moq::track_request&) { ++calls; })};
        int failed = 0;
        for (const auto* track : {"x", "y"})
            origin.async_subscribe({"b", track}, [&](error_code e, const moq::track_reader&) { failed += e ? 1 : 0; });
        check_not_called_after(std::min<std::size_t>(steps, 3), io, made, calls);
        all += calls;
    }
    CHECK(all != 0);
}

} // namespace
} // namespace moqlite::test::api_cancel

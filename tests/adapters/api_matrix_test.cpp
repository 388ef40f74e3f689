// Each operation of the application API, with each kind of object destroyed, moved or closed while it waits and within
// its handler: it completes exactly once, and nothing that was freed is touched (under ASan).
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>
#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <functional>
#include <moqlite/asio/client.hpp>
#include <moqlite/asio/error.hpp>
#include <moqlite/asio/server.hpp>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace moqlite::test::api_matrix {
namespace {

namespace moq = moqlite::asio;
namespace net = boost::asio;
using boost::system::error_code;
using namespace std::chrono_literals;

/// One of each.
struct cast {
    net::io_context io{1};
    std::optional<moq::server> server;
    std::optional<moq::client> client;
    std::optional<moq::session> session;
    std::optional<moq::broadcast> broadcast;
    std::optional<moq::track_writer> writer;
    std::optional<moq::group_writer> open;
    std::optional<moq::track_reader> reader;
    std::optional<moq::group_reader> group;
    std::optional<moq::announcements> list;
    std::string url;
    int completed = 0;

    net::awaitable<void> set_up() {
        server.emplace(moq::origin{io.get_executor()});
        if (server->listen("127.0.0.1:0")) throw std::runtime_error{"no port"};
        url = "moqt://" + server->addresses().front();
        client.emplace(
            io.get_executor(), moq::client_options{.trusted = moq::trust::fingerprint(server->fingerprint())});
        session.emplace(co_await client->async_connect(url, net::use_awaitable));
        auto origin = server->origin();
        broadcast.emplace(origin.publish("b"));
        writer.emplace(broadcast->track("t"));
        open.emplace(writer->open_group());
        static_cast<void>(open->write("first"));
        reader.emplace(co_await session->async_subscribe({"b", "t"}, net::use_awaitable));
        auto got = co_await reader->async_next_group(net::use_awaitable);
        group.emplace(std::move(*got));
        static_cast<void>(co_await group->async_next_frame(net::use_awaitable));
        list.emplace(session->announcements("list"));
    }
    /// False: it did not end in time.
    bool run_until(const std::function<bool()>& done, std::chrono::milliseconds most) {
        const auto until = std::chrono::steady_clock::now() + most;
        io.restart();
        while (!done())
            if (io.run_one_until(until) == 0 && std::chrono::steady_clock::now() >= until) return false;
        return true;
    }
    /// All handlers that are ready.
    void settle() {
        io.restart();
        io.run_for(1ms);
    }
};

struct action {
    const char* name;
    std::function<void(cast&)> run;
};
const std::vector<action>& actions() {
    static const std::vector<action> all{{"nothing", [](cast&) {}},
        {"the session is destroyed", [](cast& c) { c.session.reset(); }},
        {"the client is destroyed", [](cast& c) { c.client.reset(); }},
        {"the server is destroyed", [](cast& c) { c.server.reset(); }},
        {"the broadcast is destroyed", [](cast& c) { c.broadcast.reset(); }},
        {"the track's writer is destroyed", [](cast& c) { c.writer.reset(); }},
        {"the track's writer ends",
            [](cast& c) {
                if (c.writer) c.writer->finish();
            }},
        {"the group's writer is destroyed", [](cast& c) { c.open.reset(); }},
        {"the track's reader is destroyed", [](cast& c) { c.reader.reset(); }},
        {"the group's reader is destroyed", [](cast& c) { c.group.reset(); }},
        {"the list is destroyed", [](cast& c) { c.list.reset(); }},
        {"the session is closed",
            [](cast& c) {
                if (c.session) c.session->close(app_error{70}, "bye");
            }},
        {"the server is closed",
            [](cast& c) {
                if (c.server) c.server->close();
            }},
        {"each is moved",
            [](cast& c) {
                const auto move = [](auto& x) {
                    if (x) {
                        auto y = std::move(*x);
                        *x = std::move(y);
                    }
                };
                move(c.server), move(c.client), move(c.session), move(c.broadcast), move(c.writer), move(c.open);
                move(c.reader), move(c.group), move(c.list);
            }},
        {"everything is destroyed", [](cast& c) {
             c.group.reset(), c.reader.reset(), c.list.reset(), c.session.reset(), c.client.reset(), c.open.reset();
             c.writer.reset(), c.broadcast.reset(), c.server.reset();
         }}};
    return all;
}

struct operation {
    const char* name;
    /// Starts it; its handler calls `done`.
    std::function<void(cast&, net::cancellation_slot, std::function<void()> done)> start;
    /// Lets it complete.
    std::function<void(cast&)> complete;
};

template <class F>
auto handler(net::cancellation_slot slot, F done) {
    return net::bind_cancellation_slot(slot, [done](error_code, const auto&...) { done(); });
}

const std::vector<operation>& operations() {
    static const std::vector<operation> all{{"connect",
                                                [](cast& c, auto slot, auto done) {
                                                    if (c.client) c.client->async_connect(c.url, handler(slot, done));
                                                },
                                                [](cast&) {}},
        {"subscribe",
            [](cast& c, auto slot, auto done) { c.session->async_subscribe({"later", "t"}, handler(slot, done)); },
            [](cast& c) {
                if (c.server) {
                    auto origin = c.server->origin();
                    c.broadcast.emplace(origin.publish("later"));
                    c.writer.emplace(c.broadcast->track("t"));
                }
            }},
        {"next group", [](cast& c, auto slot, auto done) { c.reader->async_next_group(handler(slot, done)); },
            [](cast& c) {
                if (c.writer) c.open.emplace(c.writer->open_group());
            }},
        {"next frame", [](cast& c, auto slot, auto done) { c.group->async_next_frame(handler(slot, done)); },
            [](cast& c) {
                if (c.open) static_cast<void>(c.open->write("second"));
            }},
        {"open group", [](cast& c, auto slot, auto done) { c.writer->async_open_group(handler(slot, done)); },
            [](cast&) {}},
        {"announcement", [](cast& c, auto slot, auto done) { c.list->async_next(handler(slot, done)); },
            [](cast& c) {
                if (c.server) {
                    auto origin = c.server->origin();
                    c.broadcast.emplace(origin.publish("list/a"));
                }
            }},
        {"fetch", [](cast& c, auto slot, auto done) { c.session->async_fetch({"b", "t"}, 0, handler(slot, done)); },
            [](cast&) {}},
        {"closed", [](cast& c, auto slot, auto done) { c.session->async_closed(handler(slot, done)); },
            [](cast& c) {
                if (c.server) c.server->close();
            }},
        {"goaway", [](cast& c, auto slot, auto done) { c.session->async_goaway(handler(slot, done)); },
            [](cast& c) {
                if (c.server) c.server->async_shutdown(1ms, "moqt://other.example", [](error_code) {});
            }},
        {"shutdown", [](cast& c, auto slot, auto done) { c.server->async_shutdown(1ms, "", handler(slot, done)); },
            [](cast&) {}}};
    return all;
}

void prepare(cast& c) {
    std::exception_ptr thrown;
    bool ready = false;
    net::co_spawn(c.io, c.set_up(), [&](std::exception_ptr e) { thrown = e, ready = true; });
    REQUIRE(c.run_until([&] { return ready; }, 20s));
    if (thrown) std::rethrow_exception(thrown);
}

TEST_CASE("an operation completes once, whatever is destroyed, moved or closed while it waits", "[api][matrix]") {
    for (const auto& o : operations())
        for (const auto& a : actions()) {
            INFO(o.name << ": " << a.name);
            cast c;
            prepare(c);
            o.start(c, {}, [&] { ++c.completed; });
            a.run(c);
            o.complete(c);
            static_cast<void>(c.run_until([&] { return c.completed != 0; }, 5ms));
            c.settle();
            CHECK(c.completed <= 1);
            actions().back().run(c);
            static_cast<void>(c.run_until([&] { return c.completed != 0; }, 2s));
            c.settle();
            CHECK(c.completed == 1);
        }
}

TEST_CASE("an operation completes once, whatever its handler destroys, moves or closes", "[api][matrix]") {
    for (const auto& o : operations())
        for (const auto& a : actions()) {
            INFO(o.name << ": " << a.name);
            cast c;
            prepare(c);
            o.start(c, {}, [&] { ++c.completed, a.run(c); });
            o.complete(c);
            static_cast<void>(c.run_until([&] { return c.completed != 0; }, 2s));
            c.settle();
            CHECK(c.completed == 1);
        }
}

TEST_CASE("an operation that is cancelled completes once", "[api][matrix]") {
    for (const auto& o : operations()) {
        INFO(o.name);
        cast c;
        prepare(c);
        net::cancellation_signal signal;
        o.start(c, signal.slot(), [&] { ++c.completed; });
        signal.emit(net::cancellation_type::total);
        o.complete(c);
        static_cast<void>(c.run_until([&] { return c.completed != 0; }, 2s));
        c.settle();
        CHECK(c.completed == 1);
    }
}

TEST_CASE("a context that ends while operations wait calls nothing, and leaks nothing", "[api][matrix]") {
    for (const auto& o : operations()) {
        INFO(o.name);
        int completed = 0;
        {
            cast c;
            prepare(c);
            o.start(c, {}, [&] { ++completed; });
        }
        CHECK(completed == 0);
    }
}

// Handles that are empty: made so, or moved from.

using answer = std::function<void(error_code)>;

/// Starts each operation of each of them.
std::vector<std::pair<std::string, std::function<void(net::io_context&, const answer&)>>> operations_of_the_empty(
    cast& moved) {
    const auto on = [](net::io_context& io, const answer& done) {
        return net::bind_executor(io, [done](error_code error, const auto&...) { done(error); });
    };
    return {{"connect", [=, &moved](auto& io, auto& done) { moved.client->async_connect(moved.url, on(io, done)); }},
        {"end of a client", [=, &moved](auto& io, auto& done) { moved.client->async_shutdown(on(io, done)); }},
        {"serve", [=, &moved](auto& io, auto& done) { moved.server->async_serve("127.0.0.1:0", on(io, done)); }},
        {"end of a server", [=, &moved](auto& io, auto& done) { moved.server->async_shutdown(1ms, "", on(io, done)); }},
        {"subscribe here",
            [=, &moved](auto& io, auto& done) {
                moq::origin{moved.client->origin()}.async_subscribe({"b", "t"}, on(io, done));
            }},
        {"fetch here",
            [=, &moved](auto& io, auto& done) {
                moq::origin{moved.server->origin()}.async_fetch({"b", "t"}, 0, on(io, done));
            }},
        {"subscribe", [=](auto& io, auto& done) { moq::session{}.async_subscribe({"b", "t"}, on(io, done)); }},
        {"fetch", [=, &moved](auto& io, auto& done) { moved.session->async_fetch({"b", "t"}, 0, on(io, done)); }},
        {"closed", [=](auto& io, auto& done) { moq::session{}.async_closed(on(io, done)); }},
        {"goaway", [=, &moved](auto& io, auto& done) { moved.session->async_goaway(on(io, done)); }},
        {"announcement", [=, &moved](auto& io, auto& done) { moved.list->async_next(on(io, done)); }},
        {"announcement of no session",
            [=](auto& io, auto& done) { moq::session{}.announcements("list").async_next(on(io, done)); }},
        {"open group", [=](auto& io, auto& done) { moq::track_writer{}.async_open_group(on(io, done)); }},
        {"open group, moved", [=, &moved](auto& io, auto& done) { moved.writer->async_open_group(on(io, done)); }},
        {"next group", [=](auto& io, auto& done) { moq::track_reader{}.async_next_group(on(io, done)); }},
        {"next group, moved", [=, &moved](auto& io, auto& done) { moved.reader->async_next_group(on(io, done)); }},
        {"next frame", [=](auto& io, auto& done) { moq::group_reader{}.async_next_frame(on(io, done)); }},
        {"next frame, moved", [=, &moved](auto& io, auto& done) { moved.group->async_next_frame(on(io, done)); }}};
}

/// Its error, thrown or returned.
template <class F>
error_code error_of(F f) {
    try {
        if constexpr (std::is_void_v<std::invoke_result_t<F>>)
            f();
        else
            return f();
    } catch (const boost::system::system_error& e) {
        return e.code();
    }
    return {};
}

/// Empties each, into the result.
auto move_all(cast& c) {
    return std::tuple{std::move(*c.server), std::move(*c.client), std::move(*c.session), std::move(*c.broadcast),
        std::move(*c.writer), std::move(*c.open), std::move(*c.reader), std::move(*c.group), std::move(*c.list)};
}

TEST_CASE("every operation of an empty handle completes once with errc::closed, never inline", "[api][matrix]") {
    cast c;
    prepare(c);
    const auto kept = move_all(c);
    for (const auto& [name, start] : operations_of_the_empty(c)) {
        INFO(name);
        std::vector<error_code> answers;
        start(c.io, [&](error_code e) { answers.push_back(e); });
        CHECK(answers.empty());
        static_cast<void>(c.run_until([&] { return !answers.empty(); }, 2s));
        c.settle();
        CHECK(answers == std::vector{make_error(errc::closed)});
    }
}

TEST_CASE("a command to an empty handle is errc::closed or does nothing, and its facts are empty", "[api][matrix]") {
    cast c;
    prepare(c);
    const auto kept = move_all(c);
    auto origin = c.session->origin();
    CHECK_FALSE(origin);
    CHECK(error_of([&] { static_cast<void>(origin.publish("b")); }) == errc::closed);
    CHECK(error_of([&] { static_cast<void>(origin.on_demand("b", [](moq::track_request) {})); }) == errc::closed);
    CHECK(error_of([&] { static_cast<void>(origin.get_executor()); }) == errc::closed);
    CHECK(error_of([&] { moq::client{origin}; }) == errc::closed);
    CHECK(error_of([&] { moq::server{origin}; }) == errc::closed);
    CHECK(origin.stats().sessions == 0);
    origin.log_exceptions()(std::make_exception_ptr(1));

    CHECK(c.server->listen("127.0.0.1:0") == errc::closed);
    c.server->on_admission({}), c.server->on_session(std::function<void(moq::session)>{}), c.server->close();
    CHECK((c.server->addresses().empty() && c.server->fingerprint().empty() && c.server->sessions() == 0));
    auto& s = *c.session;
    s.close();
    CHECK_FALSE((s.is_open() || s.is_webtransport()));
    CHECK((s.protocol() + s.remote() + s.local() + s.path() + s.tls().cipher).empty());
    CHECK_FALSE(s.stats().rtt);

    CHECK(c.broadcast->path().empty());
    CHECK(error_of([&] { static_cast<void>(c.broadcast->track("t")); }) == errc::closed);
    CHECK_FALSE(c.writer->open_group());
    CHECK((c.writer->unwanted() && c.writer->groups() == 0));
    c.writer->finish(), c.writer->abort();
    CHECK(c.open->sequence() == group_sequence{});
    for (const auto error : {c.open->write("x"), c.open->begin_frame(1), c.open->append({}), c.open->finish()})
        CHECK(error == errc::closed);
    c.open->abort();
    CHECK_FALSE(c.reader->lost());
    CHECK(c.reader->restarts() == 0);
    CHECK_FALSE(c.group->is_complete());
    CHECK(c.group->sequence() == group_sequence{});
    CHECK(moq::frame{}.share().bytes().empty());
}

TEST_CASE("a track request is answered once, and keeps its name", "[api][matrix]") {
    net::io_context io{1};
    moq::origin origin{io.get_executor()};
    std::vector<moq::track_request> asked;
    const auto made = origin.on_demand("b", [&](moq::track_request r) { asked.push_back(std::move(r)); });
    int failed = 0;
    const auto ask = [&](std::string track) {
        origin.async_subscribe({"b", std::move(track)}, [&](error_code e, const auto&) { failed += e ? 1 : 0; });
    };
    ask("accepted"), ask("rejected"), ask("replaced"), ask("moved");
    io.poll();
    REQUIRE(asked.size() == 4);
    const auto track = asked[0].accept();
    CHECK(error_of([&] { static_cast<void>(asked[0].accept()); }) == errc::already_answered);
    asked[0].reject(app_error::cancel);
    CHECK(track);
    CHECK(asked[0].track() == "accepted");
    asked[1].reject(app_error::unauthorized);
    CHECK(error_of([&] { static_cast<void>(asked[1].accept()); }) == errc::already_answered);
    asked[2] = std::move(asked[3]); // Refuses the one before.
    CHECK(asked[2].track() == "moved");
    CHECK(error_of([&] { static_cast<void>(asked[3].accept()); }) == errc::closed);
    CHECK((asked[3].broadcast() + asked[3].track()).empty());
    io.restart(), io.poll();
    CHECK(failed == 2);
}

} // namespace
} // namespace moqlite::test::api_matrix

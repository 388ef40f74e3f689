// Each operation of the application API, with each kind of object destroyed, moved or closed while it waits and within
// its handler: it completes exactly once, and nothing that was freed is touched (under ASan).
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <functional>
#include <moqlite/asio/client.hpp>
#include <moqlite/asio/server.hpp>
#include <optional>
#include <string>
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

} // namespace
} // namespace moqlite::test::api_matrix

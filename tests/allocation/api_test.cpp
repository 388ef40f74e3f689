// Allocations of a frame that is written and read by the application API, within one process.
#include "counting.hpp"

#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <exception>
#include <functional>
#include <moqlite/asio/client.hpp>
#include <moqlite/asio/origin.hpp>
#include <moqlite/asio/server.hpp>
#include <optional>
#include <string>
#include <thread>
#include <utility>

namespace moqlite::test {
namespace {

namespace moq = moqlite::asio;
namespace net = boost::asio;
using namespace std::chrono_literals;

constexpr int warm_up = 200;
constexpr int frames = 1000;
constexpr std::size_t groups = 1000;

/// A cache that is full after the warm-up: filling it for the first time takes memory.
moq::origin_options small_cache() {
    moq::origin_options o;
    o.bounds.cache = 64 * 1024;
    return o;
}

struct room {
    net::io_context io{1};
    moq::origin origin{io.get_executor(), small_cache()};
    moq::broadcast broadcast = origin.publish("a");
    moq::track_writer writer = broadcast.track("t");
    std::optional<moq::track_reader> track;

    /// One reader.
    void open(const moq::subscribe_request& how = {}) {
        origin.async_subscribe({"a", "t"}, how, [this](auto, moq::track_reader r) { track = std::move(r); });
        io.poll();
        io.restart();
        REQUIRE(track);
    }
};

TEST_CASE("a frame that is written and read by callbacks allocates nothing", "[allocation][api]") {
    room r;
    auto group = r.writer.open_group();
    r.open();
    std::optional<moq::group_reader> from;
    int read = 0;
    std::size_t before = 0;
    std::size_t made = 0;
    std::optional<counting> on;
    std::function<void()> step = [&] {
        CHECK_FALSE(group.write("the payload of a frame"));
        from->async_next_frame([&](auto error, const std::optional<moq::frame>& f) {
            if (error || !f) return;
            if (++read == warm_up) {
                on.emplace();
                before = allocations();
            }
            if (read == warm_up + frames) {
                made = allocations() - before;
                on.reset();
                return;
            }
            step();
        });
    };
    r.track->async_next_group([&](auto, std::optional<moq::group_reader> g) {
        from = std::move(g);
        step();
    });
    r.io.poll();
    REQUIRE(read == warm_up + frames);
    INFO(made << " allocations in " << frames << " frames");
    CHECK(made <= frames / 100); // Memory of the group's log.
}

TEST_CASE("a frame that is awaited allocates nothing", "[allocation][api]") {
    room r;
    auto group = r.writer.open_group();
    r.open();
    int read = 0;
    std::size_t made = 0;
    const auto reading = [&]() -> net::awaitable<void> {
        auto from = co_await r.track->async_next_group();
        std::size_t before = 0;
        std::optional<counting> on;
        for (; read != warm_up + frames; ++read) {
            if (read == warm_up) {
                on.emplace();
                before = allocations();
            }
            static_cast<void>(group.write("the payload of a frame"));
            const auto f = co_await from->async_next_frame();
            if (!f) co_return;
        }
        made = allocations() - before;
    };
    net::co_spawn(r.io, reading(), net::detached);
    r.io.poll();
    REQUIRE(read == warm_up + frames);
    INFO(made << " allocations in " << frames << " frames");
    CHECK(made <= frames / 100);
}

/// Those of libraries in C are not counted: ngtcp2 and OpenSSL.
std::size_t of_ours() noexcept { return allocations() - allocations_in_c(); }

/// Allocations while group() is awaited `groups` times, after the warm-up.
template <class Group>
net::awaitable<void> count_groups(Group group, std::size_t& made) {
    std::size_t before = 0;
    std::optional<counting> on;
    for (std::size_t n = 0; n != warm_up + groups; ++n) {
        if (n == warm_up) {
            on.emplace();
            before = of_ours();
        }
        co_await group();
    }
    made = of_ours() - before;
}

void fill(moq::group_writer& to) {
    for (int f = 0; f != 3; ++f) static_cast<void>(to.write("the payload of a frame"));
    static_cast<void>(to.finish());
}

net::awaitable<void> read_to_end(moq::group_reader from) {
    while (const auto frame = co_await from.async_next_frame()) static_cast<void>(frame);
}

TEST_CASE("a group that nobody reads allocates its log", "[allocation][api]") {
    room r;
    std::size_t made = 0;
    const auto group = [&]() -> net::awaitable<void> {
        auto to = r.writer.open_group();
        fill(to);
        co_await net::post(r.io, net::use_awaitable);
    };
    net::co_spawn(r.io, count_groups(group, made), net::detached);
    r.io.poll();
    CHECK(r.writer.groups() == warm_up + groups);
    CHECK(made == groups);
}

TEST_CASE("a group that is written and read allocates its log, and nothing else", "[allocation][api]") {
    room r;
    r.open();
    std::size_t made = 0;
    const auto group = [&]() -> net::awaitable<void> {
        auto to = r.writer.open_group();
        auto from = co_await r.track->async_next_group();
        fill(to);
        co_await read_to_end(std::move(*from));
    };
    net::co_spawn(r.io, count_groups(group, made), net::detached);
    r.io.poll();
    CHECK(r.writer.groups() == warm_up + groups);
    CHECK(made == groups);
}

TEST_CASE("frames that lie in several pieces of the log allocate nothing either", "[allocation][api]") {
    room r;
    r.open();
    const std::string large(20'000, 'x');
    std::size_t made = 0;
    const auto group = [&]() -> net::awaitable<void> {
        auto to = r.writer.open_group();
        auto from = co_await r.track->async_next_group();
        for (int f = 0; f != 10; ++f) static_cast<void>(to.write(large));
        static_cast<void>(to.finish());
        co_await read_to_end(std::move(*from));
    };
    net::co_spawn(r.io, count_groups(group, made), net::detached);
    r.io.poll();
    CHECK(r.writer.groups() == warm_up + groups);
    CHECK(made == groups);
}

TEST_CASE(
    "a group that one coroutine writes when it is wanted, and another reads, allocates its log", "[allocation][api]") {
    room r;
    r.open({.mode = reading::complete});
    const auto write = [&]() -> net::awaitable<void> {
        for (;;) {
            auto to = co_await r.writer.async_open_group();
            fill(to);
        }
    };
    net::co_spawn(r.io, write(), net::detached);
    std::size_t made = 0;
    std::size_t read = 0;
    std::uint64_t written = 0;
    const auto group = [&]() -> net::awaitable<void> {
        if (++read == warm_up + 1) written = r.writer.groups();
        auto from = co_await r.track->async_next_group();
        co_await read_to_end(std::move(*from));
    };
    net::co_spawn(r.io, count_groups(group, made), [&](std::exception_ptr) {
        written = r.writer.groups() - written;
        r.io.stop();
    });
    r.io.run();
    CHECK(made == written);
}

TEST_CASE("over a session a group allocates its log at each end", "[allocation][api]") {
    std::atomic<std::size_t> read = 0;
    net::io_context there{1};
    moq::origin origin{there.get_executor(), small_cache()};
    moq::server server{origin, {}};
    REQUIRE_FALSE(server.listen("127.0.0.1:0"));
    const auto url = "moqt://" + server.addresses().front();
    auto broadcast = origin.publish("a");
    auto writer = broadcast.track("t");
    std::size_t made_there = 0;
    const auto write = [&]() -> net::awaitable<void> {
        auto to = co_await writer.async_open_group();
        fill(to);
        while (writer.groups() > read + 4) co_await net::post(there, net::use_awaitable);
    };
    net::co_spawn(there, count_groups(write, made_there), net::detached);

    net::io_context here{1};
    moq::client client{moq::origin{here.get_executor(), small_cache()}, {.trusted = moq::trust::insecure()}};
    std::size_t made_here = 0;
    const auto stop = [&] {
        here.stop();
        there.stop();
    };
    const auto read_all = [&]() -> net::awaitable<void> {
        auto session = co_await client.async_connect(url);
        auto track = co_await session.async_subscribe({"a", "t"}, {.mode = reading::complete});
        const auto group = [&]() -> net::awaitable<void> {
            auto from = co_await track.async_next_group();
            co_await read_to_end(std::move(*from));
            ++read;
        };
        co_await count_groups(group, made_here);
    };
    net::co_spawn(here, read_all(), [&](std::exception_ptr) { stop(); });
    net::steady_timer too_long{here, 20s};
    too_long.async_wait([&](auto) { stop(); });
    std::thread publisher{[&] { there.run(); }};
    here.run();
    publisher.join();
    CHECK(read == warm_up + groups);
    // Few more: now and then, a reader raises its Group End.
    CHECK(made_there <= groups + groups / 20);
    CHECK(made_here <= groups + groups / 20);
}

} // namespace
} // namespace moqlite::test

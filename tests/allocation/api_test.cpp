// Allocations of a frame that is written and read by the application API, within one process.
#include "counting.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <catch2/catch_test_macros.hpp>
#include <functional>
#include <moqlite/asio/origin.hpp>
#include <optional>

namespace moqlite::test {
namespace {

namespace moq = moqlite::asio;
namespace net = boost::asio;

constexpr int warm_up = 200;
constexpr int frames = 1000;

struct room {
    net::io_context io{1};
    moq::origin origin{io.get_executor()};
    moq::broadcast broadcast = origin.publish("a");
    moq::track_writer writer = broadcast.track("t");
    std::optional<moq::track_reader> track;

    /// One reader, and the group that it reads.
    void open() {
        origin.async_subscribe({"a", "t"}, [this](auto, moq::track_reader r) { track = std::move(r); });
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

} // namespace
} // namespace moqlite::test

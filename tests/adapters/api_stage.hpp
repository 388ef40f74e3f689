// A server, clients and a log, on one thread.
#pragma once

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/system/system_error.hpp>
#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <exception>
#include <functional>
#include <moqlite/asio/client.hpp>
#include <moqlite/asio/error.hpp>
#include <moqlite/asio/server.hpp>
#include <string>

namespace moqlite::test::api_stage {

namespace moq = moqlite::asio;
namespace net = boost::asio;
using namespace std::chrono_literals;
using boost::system::error_code;

class stage {
public:
    explicit stage(moq::server_options o = {}, const limits& bounds = {})
        : origin(io.get_executor(), logging(bounds)), server(origin, std::move(o)) {
        REQUIRE(!server.listen("127.0.0.1:0"));
    }
    [[nodiscard]] std::string url(std::string_view scheme, std::string_view path = "") const {
        return std::string(scheme).append("://").append(server.addresses().front()).append(path);
    }
    [[nodiscard]] moq::client client() { return moq::client{io.get_executor(), {.trusted = moq::trust::insecure()}}; }
    /// Runs until `what` has ended, for at most 20 s.
    template <class F>
    void run(F what) {
        std::exception_ptr thrown;
        bool ended = false;
        net::co_spawn(io, what(), [&](std::exception_ptr e) {
            thrown = e;
            ended = true;
        });
        const auto until = std::chrono::steady_clock::now() + 20s;
        while (!ended && io.run_one_until(until) != 0) {
        }
        REQUIRE(ended);
        if (thrown) std::rethrow_exception(thrown);
    }
    /// For at most 5 s.
    net::awaitable<bool> until(std::function<bool()> what) {
        const auto end = std::chrono::steady_clock::now() + 5s;
        while (!what() && std::chrono::steady_clock::now() < end) co_await pause(1ms);
        co_return what();
    }
    net::awaitable<void> pause(std::chrono::milliseconds time) {
        net::steady_timer timer{io, time};
        co_await timer.async_wait(net::use_awaitable);
    }
    [[nodiscard]] moq::origin_options logging(const limits& bounds) {
        moq::origin_options o{.bounds = bounds};
        o.log = [this](link::log_level, std::string_view text) { log.append(text).append("\n"); };
        return o;
    }
    [[nodiscard]] bool logged(std::string_view what) const { return log.find(what) != log.npos; }

    std::string log;
    net::io_context io{1};
    moq::origin origin;
    moq::server server;
};

// A co_await never stands inside CHECK(), which would evaluate it twice.

/// Its error; none: it has succeeded.
template <class T>
net::awaitable<error_code> failure(net::awaitable<T> what) {
    try {
        co_await std::move(what);
    } catch (const boost::system::system_error& error) {
        co_return error.code();
    }
    co_return error_code{};
}

inline net::awaitable<void> connect(moq::client& c, std::string url) {
    co_await c.async_connect(std::move(url), net::use_awaitable);
}
inline net::awaitable<void> closed(moq::session& s) { co_await s.async_closed(net::use_awaitable); }
inline net::awaitable<void> subscribe(moq::session& s, moq::track_name name, moq::subscribe_request how = {}) {
    co_await s.async_subscribe(std::move(name), how, net::use_awaitable);
}

/// The next frame's text; "-": the group has ended.
inline net::awaitable<std::string> next(moq::group_reader& group) {
    const auto frame = co_await group.async_next_frame(net::use_awaitable);
    co_return frame ? std::string(frame->text()) : "-";
}
/// The first frame of the next group; "-": the track has ended.
inline net::awaitable<std::string> first(moq::track_reader& reader) {
    auto group = co_await reader.async_next_group(net::use_awaitable);
    if (!group) co_return "-";
    co_return co_await next(*group);
}
inline void put(moq::track_writer& to, std::string_view text) {
    auto group = to.open_group();
    REQUIRE(group);
    REQUIRE(!group.write(text));
    REQUIRE(!group.finish());
}

} // namespace moqlite::test::api_stage

// A clock that anyone may watch.
#include "example.hpp"

using namespace example;
using namespace std::chrono_literals;

net::awaitable<void> publish_clock(moq::origin origin) {
    auto clock = origin.publish("clock"); // Announced while it lives.
    auto seconds = clock.track("seconds");
    for (net::steady_timer tick{co_await net::this_coro::executor};;) {
        auto group = co_await seconds.async_open_group(); // Completes when somebody wants it.
        group.write(moq::now_text());
        group.finish();
        tick.expires_after(1s);
        co_await tick.async_wait(net::deferred);
    }
}

net::awaitable<void> publish(moq::client& client, std::string url) {
    auto session = co_await client.async_connect(url);
    co_await publish_clock(session.origin());
}

net::awaitable<void> watch(moq::client& client, std::string url) {
    auto session = co_await client.async_connect(url);
    auto seconds = co_await session.async_subscribe({"clock", "seconds"}); // Waits until it is announced.
    while (auto group = co_await seconds.async_next_group())               // Nothing: the track's clean end.
        while (auto frame = co_await group->async_next_frame())            // Nothing: the group's end.
            std::cout << frame->text() << std::endl;
}

int main(int argc, char** argv) {
    const std::string what = argc == 3 ? argv[1] : "", where = argc == 3 ? argv[2] : "";
    net::io_context io{1};
    if (what == "serve") { // A clock in the server's own process.
        moq::server server{moq::origin{io.get_executor()}};
        if (const auto error = server.listen(where)) return std::cerr << error.message() << '\n', 1;
        print(server);
        return run(io, publish_clock(server.origin()));
    }
    moq::client client{io.get_executor(), trusted()};
    if (what == "publish") return run(io, publish(client, where), &client);
    if (what == "watch") return run(io, watch(client, where), &client);
    std::cerr << "usage: moqlite-clock serve [ADDRESS]:PORT | publish URL | watch URL\n";
    return 2;
}

// Reads a clock, and follows its server to wherever that one asks its clients to go.
#include "example.hpp"

#include <boost/asio/detached.hpp>

using namespace example;

net::awaitable<void> print_ticks(moq::origin origin) {
    auto seconds = co_await origin.async_subscribe({"clock", "seconds"});
    while (auto group = co_await seconds.async_next_group())
        while (auto frame = co_await group->async_next_frame()) std::cout << frame->text() << std::endl;
}

net::awaitable<void> follow(moq::client& client, std::string url) {
    auto session = co_await client.async_connect(url);
    // The origin reads from whichever session announces the clock: nothing has to be subscribed again.
    net::co_spawn(co_await net::this_coro::executor, print_ticks(client.origin()), net::detached);
    for (;;) {
        const auto next = co_await session.async_goaway();
        if (!next.empty()) url = next;
        std::cout << "going to " << url << std::endl;
        auto successor = co_await client.async_connect(url);
        session = std::move(successor); // Which ends the first one.
    }
}

int main(int argc, char** argv) {
    if (argc != 2) return std::cerr << "usage: moqlite-redirect URL\n", 2;
    net::io_context io{1};
    moq::client client{io.get_executor(), trusted()};
    return run(io, follow(client, argv[1]), &client);
}

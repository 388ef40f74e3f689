// A server that sends back, as echo/NAME, what a client publishes as NAME.
#include "example.hpp"

#include <boost/asio/detached.hpp>

using namespace example;

net::awaitable<void> send_back(moq::origin origin, std::string name) {
    auto from = co_await origin.async_subscribe({name, "says"}, {.mode = moqlite::reading::complete});
    auto echo = origin.publish("echo/" + name);
    auto to = echo.track("says");
    while (auto group = co_await from.async_next_group()) {
        auto copy = co_await to.async_open_group(); // When somebody wants it: nothing of the echo is lost.
        while (auto frame = co_await group->async_next_frame()) copy.write(frame->bytes(), frame->time());
        if (group->is_complete()) copy.finish();
    }
    to.finish();
}

net::awaitable<void> serve(moq::server& server) {
    print(server);
    auto origin = server.origin();
    auto all = origin.announcements();
    while (auto a = co_await all.async_next())
        if (a->available && !a->path.starts_with("echo/"))
            net::co_spawn(server.origin().get_executor(), send_back(server.origin(), a->path), net::detached);
}

net::awaitable<void> say(moq::client& client, std::string url, std::string text) {
    auto session = co_await client.async_connect(url);
    auto me = session.origin().publish("me");
    auto says = me.track("says");
    auto group = co_await says.async_open_group(); // When the server has subscribed.
    group.write(text);
    group.finish();
    auto echo = co_await session.async_subscribe({"echo/me", "says"}, {.mode = moqlite::reading::complete});
    auto back = co_await echo.async_next_group();
    auto frame = co_await back->async_next_frame();
    std::cout << frame->text() << std::endl;
}

int main(int argc, char** argv) {
    net::io_context io{1};
    if (argc == 2) {
        moq::server server{moq::origin{io.get_executor()}};
        if (const auto error = server.listen(argv[1])) return std::cerr << error.message() << '\n', 1;
        return run(io, serve(server));
    }
    if (argc != 3) return std::cerr << "usage: moqlite-echo [ADDRESS]:PORT | URL TEXT\n", 2;
    moq::client client{io.get_executor(), trusted()};
    return run(io, say(client, argv[1], argv[2]), &client);
}

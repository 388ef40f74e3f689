// A room in which everybody publishes what they say, and reads what the others say.
#include "example.hpp"

#include <boost/asio/detached.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/read_until.hpp>
#include <unistd.h>

using namespace example;

net::awaitable<void> hear(moq::origin origin, std::string who) {
    auto said = co_await origin.async_subscribe({who, "says"}, {.mode = moqlite::reading::complete});
    while (auto group = co_await said.async_next_group())
        while (auto frame = co_await group->async_next_frame())
            std::cout << who.substr(who.rfind('/') + 1) << ": " << frame->text() << std::endl;
}

net::awaitable<void> hear_all(moq::origin origin) {
    auto people = origin.announcements("room");
    while (auto a = co_await people.async_next()) {
        if (a->available) net::co_spawn(origin.get_executor(), hear(origin, a->path), net::detached);
        if (!a->available) std::cout << a->path << " has left" << std::endl;
    }
}

net::awaitable<void> chat(moq::client& client, std::string url, std::string name) {
    const auto here = co_await net::this_coro::executor;
    auto session = co_await client.async_connect(url);
    auto me = session.origin().publish("room/" + name);
    auto says = me.track("says");
    net::co_spawn(here, hear_all(session.origin()), net::detached);
    net::posix::stream_descriptor input{here, ::dup(STDIN_FILENO)};
    for (std::string text;;) {
        const auto size = co_await net::async_read_until(input, net::dynamic_buffer(text), '\n', net::deferred);
        auto group = says.open_group();
        group.write(std::string_view{text}.substr(0, size - 1));
        group.finish();
        text.erase(0, size);
    }
}

int main(int argc, char** argv) {
    if (argc != 3) return std::cerr << "usage: moqlite-chat URL NAME\n", 2;
    net::io_context io{1};
    moq::client client{io.get_executor(), trusted()};
    return run(io, chat(client, argv[1], argv[2]), &client);
}

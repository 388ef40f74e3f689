// Fetches one group of a track, of any age.
#include "example.hpp"

using namespace example;

net::awaitable<void> fetch(moq::client& client, char** arguments) {
    auto session = co_await client.async_connect(arguments[1]);
    moq::track_name track{arguments[2], arguments[3]};
    auto group = co_await session.async_fetch(track, std::strtoull(arguments[4], nullptr, 10));
    while (auto frame = co_await group.async_next_frame()) std::cout << frame->text() << '\n';
    if (!group.is_complete()) throw std::runtime_error{"the group was cut off"};
}

int main(int argc, char** argv) {
    if (argc != 5) return std::cerr << "usage: moqlite-fetch URL BROADCAST TRACK GROUP\n", 2;
    net::io_context io{1};
    moq::client client{io.get_executor(), trusted()};
    return run(io, fetch(client, argv), &client);
}

// Prints which broadcasts come and go, and what is known of the path to the server.
#include "example.hpp"

using namespace example;

net::awaitable<void> list(moq::client& client, std::string url, std::string prefix) {
    auto session = co_await client.async_connect(url);
    auto rooms = session.announcements(prefix);
    while (auto a = co_await rooms.async_next()) {
        std::cout << (a->available ? '+' : '-') << a->path;
        const auto s = session.stats(); // Optional where unknown, never fake.
        if (s.rtt) std::cout << "  " << std::chrono::duration_cast<std::chrono::microseconds>(*s.rtt).count() << " us";
        std::cout << std::endl;
    }
}

int main(int argc, char** argv) {
    if (argc < 2) return std::cerr << "usage: moqlite-announcements URL [PREFIX]\n", 2;
    net::io_context io{1};
    moq::client client{io.get_executor(), trusted()};
    return run(io, list(client, argv[1], argc > 2 ? argv[2] : ""), &client);
}

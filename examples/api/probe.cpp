// Prints what the server measures of the path to us, and what we measure of the path to it.
#include "example.hpp"

using namespace example;

net::awaitable<void> probe(moq::client& client, char** arguments) {
    auto session = co_await client.async_connect(arguments[1]);
    auto reports =
        session.probe(arguments[2] != nullptr ? std::optional{std::strtoull(arguments[2], nullptr, 10)} : std::nullopt);
    while (auto report = co_await reports.async_next()) {
        if (report->bitrate) std::cout << "it sends " << *report->bitrate << " bit/s, ";
        if (report->rtt) std::cout << "round trip " << report->rtt->count() << " ms, ";
        if (auto rtt = session.stats().rtt)
            std::cout << "ours " << std::chrono::duration<double, std::milli>(*rtt).count() << " ms";
        std::cout << std::endl;
    }
}

int main(int argc, char** argv) {
    if (argc < 2 || argc > 3) return std::cerr << "usage: moqlite-probe URL [BITS-A-SECOND]\n", 2;
    net::io_context io{1};
    moq::client client{io.get_executor(), trusted()};
    return run(io, probe(client, argv), &client);
}

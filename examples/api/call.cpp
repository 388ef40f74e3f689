// A call between peers: each publishes its voice, and hears the others'. There is no server: anyone may call anyone.
#include "example.hpp"

#include <boost/asio/detached.hpp>
#include <chrono>
#include <moqlite/asio/peers.hpp>

using namespace example;

net::awaitable<void> hear(moq::session peer) {
    const auto who = moq::peers::key_of(peer).text().substr(0, 8);
    auto voice = co_await peer.async_subscribe({"call", "voice"});
    while (auto group = co_await voice.async_next_group())
        while (auto frame = co_await group->async_next_frame()) std::cout << who << ": " << frame->text() << std::endl;
}

net::awaitable<void> answer(moq::incoming_peers callers) {
    while (auto caller = co_await callers.async_next()) {
        std::cout << "a call from " << caller->key().text() << std::endl;
        net::co_spawn(co_await net::this_coro::executor, hear(caller->accept()), net::detached);
    }
}

net::awaitable<void> speak(moq::track_writer voice, std::string name) {
    for (net::steady_timer pause{co_await net::this_coro::executor};;) {
        auto group = voice.open_group();
        group.write("it is " + moq::now_text() + ", says " + name);
        group.finish();
        pause.expires_after(std::chrono::milliseconds{200});
        co_await pause.async_wait(net::deferred);
    }
}

net::awaitable<void> call(moq::peers& peers, std::string name, std::string address, moq::peer_key expected) {
    const auto here = co_await net::this_coro::executor;
    auto me = peers.publish("call");
    net::co_spawn(here, speak(me.track("voice"), name), net::detached);
    net::co_spawn(here, answer(peers.incoming()), net::detached);
    net::steady_timer forever{here, net::steady_timer::time_point::max()};
    if (address.empty()) co_await forever.async_wait(net::deferred);
    co_await hear(co_await peers.async_connect(address, expected));
}

int main(int argc, char** argv) {
    if (argc != 3 && argc != 5) return std::cerr << "usage: moqlite-call LISTEN NAME [ADDRESS KEY]\n", 2;
    net::io_context io{1};
    moq::peers peers{io.get_executor()};
    if (const auto error = peers.listen(argv[1])) return std::cerr << "error: " << error.message() << '\n', 1;
    std::cout << "call me at " << peers.addresses().front() << ' ' << peers.key().text() << std::endl;
    const std::string address = argc == 5 ? argv[3] : "";
    return run(io, call(peers, argv[2], address, moq::peer_key{argc == 5 ? argv[4] : ""}), &peers);
}

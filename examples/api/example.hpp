// What the examples of the application API share: whom to trust, and how a program ends.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <moqlite/asio/client.hpp>
#include <moqlite/asio/error.hpp>
#include <moqlite/asio/server.hpp>
#include <string>
#include <string_view>
#include <utility>

namespace example {

namespace moq = moqlite::asio;
namespace net = boost::asio;

/// MOQLITE_TRUST: the SHA-256 of the server's certificate, a PEM file, or "insecure"; else the system's roots.
inline moq::client_options trusted() {
    const char* set = std::getenv("MOQLITE_TRUST");
    const std::string what = set != nullptr ? set : "";
    if (what.empty()) return {};
    if (what == "insecure") return {.trusted = moq::trust::insecure()};
    if (what.find_first_not_of("0123456789abcdefABCDEF:") == what.npos)
        return {.trusted = moq::trust::fingerprint(what)};
    return {.trusted = moq::trust::ca_file(what)};
}

/// Prints where a server listens, and what its clients have to trust.
inline void print(const moq::server& server) {
    for (const auto& address : server.addresses()) std::cout << "listening on " << address << '\n';
    std::cout << "MOQLITE_TRUST=" << server.fingerprint() << std::endl;
}

/// Runs until `what` has ended, or a signal asks to; then tells the peers of a client or of peers. The exit code of
/// main().
template <class Client = moq::client>
int run(net::io_context& io, net::awaitable<void> what, Client* client = nullptr) {
    int code = 0;
    bool ending = false;
    net::signal_set signals{io, SIGINT, SIGTERM};
    const auto end = [&] {
        if (std::exchange(ending, true)) return;
        signals.cancel();
        if (client == nullptr) return io.stop();
        client->async_shutdown([&](auto) { io.stop(); });
    };
    signals.async_wait([&](auto error, int) {
        if (!error) end();
    });
    net::co_spawn(io, std::move(what), [&](std::exception_ptr thrown) {
        try {
            if (thrown && !ending) std::rethrow_exception(thrown);
        } catch (const std::exception& e) {
            std::cerr << "error: " << e.what() << '\n';
            code = 1;
        }
        end();
    });
    io.run();
    std::cout.flush();
    return code;
}

} // namespace example

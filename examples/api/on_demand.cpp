// A server that makes tracks when somebody asks for them, admits by a token, and leaves politely.
#include "example.hpp"

using namespace example;
using namespace std::chrono_literals;

net::awaitable<void> make_camera(moq::track_request request) {
    const auto name = request.broadcast() + '/' + request.track();
    std::cout << name << " is wanted" << std::endl;
    auto track = request.accept(); // Or request.reject(app_error::not_found).
    for (net::steady_timer pause{co_await net::this_coro::executor}; !track.unwanted();) {
        auto group = track.open_group(); // Live: at once.
        group.write(name + " at " + moq::now_text());
        group.finish();
        pause.expires_after(100ms);
        co_await pause.async_wait(net::deferred);
    }
    std::cout << name << " is wanted no more" << std::endl;
}

net::awaitable<void> serve(moq::server& server, std::string where) {
    auto origin = server.origin();
    auto cameras = origin.on_demand("camera", make_camera);
    server.on_admission(
        [](const moq::admission& a) { return a.query("token") == "s3cret" ? a.accept({}) : moq::admission::refuse(); });
    if (const auto error = server.listen(where)) throw boost::system::system_error{error, where};
    print(server);
    net::signal_set leave{co_await net::this_coro::executor, SIGUSR1};
    co_await leave.async_wait(net::deferred);
    co_await server.async_shutdown(2s, "moqt://other.example:4443/"); // GOAWAY, wait, close with a code.
}

int main(int argc, char** argv) {
    if (argc != 2) return std::cerr << "usage: moqlite-on_demand [ADDRESS]:PORT\n", 2;
    net::io_context io{1};
    moq::server server{moq::origin{io.get_executor()}};
    return run(io, serve(server, argv[1]));
}

// A server and a client on one executor, over real QUIC on loopback.
#include "../scene.hpp"
#include "every_header.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdio>
#include <dlfcn.h>
#include <memory>

namespace {

using namespace std::chrono_literals;
using moqlite::event;
using moqlite::session;
using moqlite::time_point;
namespace link = moqlite::link;
namespace ngtcp2 = moqlite::ngtcp2;

/// A handler with a session of its own, and its events.
template <class OnEvent>
std::unique_ptr<link::handler> converse(moqlite::role side, time_point now, bool watch, OnEvent on_event) {
    auto s = std::make_shared<session>(side, moqlite::version::lite_05, moqlite::session_options{}, now);
    if (watch) (void)s->watch("");
    auto handle = [s = s.get(), on_event](const event& e) { on_event(*s, e); };
    return std::make_unique<link::session_handler<std::shared_ptr<session>, decltype(handle)>>(s, handle);
}

int run() {
    std::string why;
    const auto identity = ngtcp2::generate_identity({.names = {"localhost"}}, why);
    const auto server_tls = identity ? ngtcp2::tls::server(*identity, {"moq-lite-05"}, why) : std::nullopt;
    const auto fingerprint = identity ? ngtcp2::fingerprint(*identity, why) : std::nullopt;
    const auto client_tls =
        fingerprint ? ngtcp2::tls::client(ngtcp2::trust::fingerprint(*fingerprint), why) : std::nullopt;
    if (!server_tls || !client_tls) return std::printf("%s\n", why.c_str()), 1;

    boost::asio::io_context io{1};
    moqlite::asio::quic_server server{io.get_executor()};
    moqlite::asio::quic_client client{io.get_executor()};
    scene::subscriber viewer;

    const auto accept = [](link::connection&, time_point now) {
        return converse(moqlite::role::server, now, false, scene::publish);
    };
    if (!server.listen("127.0.0.1:0", *server_tls, accept, why)) return std::printf("%s\n", why.c_str()), 1;

    bool leaving = false;
    const auto leave = [&] { client.shutdown(moqlite::app_error::cancel, "done", 1s, [&io] { io.stop(); }); };
    client.connect(
        {"127.0.0.1", server.local_address().port(), "localhost", {"moq-lite-05"}, *client_tls},
        [&](link::connection&, time_point now) {
            return converse(moqlite::role::client, now, true, [&](session& s, const event& e) {
                viewer.take(s, e);
                if (!viewer.ended() || leaving) return;
                leaving = true;
                boost::asio::post(io, leave); // Not from within the connection's own callbacks.
            });
        },
        [&io](const link::closed& how) {
            std::printf("cannot connect: %s\n", how.reason.c_str());
            io.stop();
        });

    io.run_for(10s);
    std::printf("%s: %s\n", ngtcp2::library_versions().c_str(), viewer.content() ? "one frame came" : "it went wrong");
    return viewer.content() ? 0 : 1;
}

/// The system's libraries in this process must not run on our static libssl.
bool hidden() {
    const bool found =
        dlsym(RTLD_DEFAULT, "SSL_CTX_new") != nullptr || dlsym(RTLD_DEFAULT, "ngtcp2_conn_del") != nullptr;
    if (found) std::printf("symbols of the QUIC stack can be seen from outside of the program\n");
    return !found;
}

} // namespace

int main(int argc, char**) {
    const bool expect_hidden = argc > 1;
    return run() == 0 && (!expect_hidden || hidden()) ? 0 : 1;
}

// Shared by the roles' sockets.
#pragma once

#include "channel.hpp"

#include <boost/asio/io_context.hpp>
#include <cstdlib>
#include <iostream>
#include <moqlite/asio/quic_client.hpp>
#include <moqlite/asio/quic_server.hpp>
#include <moqlite/core/version.hpp>
#include <moqlite/nghttp3/client.hpp>
#include <string>
#include <vector>

namespace moqlite::bench {

[[noreturn]] inline void give_up(const std::string& why) {
    channel::say({{"error", why}});
    std::_Exit(1);
}

inline link::log_function log_of(const char* role) {
    return [role](link::log_level level, std::string_view line) {
        if (level >= link::log_level::warning) std::cerr << role << ": " << line << '\n';
    };
}

[[nodiscard]] inline version version_of(const link::connection& c) {
    const auto v = version_from_alpn(c.alpn());
    if (!v) give_up("no version was agreed upon");
    return *v;
}

/// Listens on a free port of 127.0.0.1, with a fresh certificate.
inline void listen(asio::quic_server& server, std::vector<std::string> alpn, link::accept_function accept) {
    std::string why;
    const auto who = ngtcp2::generate_identity({.names = {"localhost"}}, why);
    if (!who) give_up(why);
    const auto tls = ngtcp2::tls::server(*who, std::move(alpn), why);
    if (!tls || !server.listen("127.0.0.1:0", *tls, std::move(accept), why)) give_up(why);
    channel::say({{"port", server.local_address().port()}});
}

/// Accepts a WebTransport session with `protocol`.
inline link::accept_function by_webtransport(std::string protocol, link::accept_function accept) {
    return nghttp3::connect({.authority = "localhost", .protocols = {std::move(protocol)}}, std::move(accept),
        [](const link::closed& how) { give_up(how.reason); });
}

/// Closes the client's connections, and then ends the program.
inline void leave(boost::asio::io_context& io, asio::quic_client& client) {
    client.shutdown(app_error::cancel, "", std::chrono::milliseconds{500}, [&io] { io.stop(); });
}

/// Opens `count` connections, a few at a time: a burst of handshakes would time out.
class dialer {
public:
    dialer(
        asio::quic_client& client, std::uint16_t port, std::string alpn, unsigned count, link::accept_function accept)
        : client_{client}, left_{count}, accept_{std::move(accept)} {
        std::string why;
        const auto tls = ngtcp2::tls::client(ngtcp2::trust::insecure(), why);
        if (!tls) give_up(why);
        whom_ = {"127.0.0.1", port, "localhost", {std::move(alpn)}, *tls};
        for (int i = 0; i < 16; ++i) next();
    }

private:
    void next() {
        if (left_ == 0) return;
        --left_;
        client_.connect(
            *whom_,
            [this](link::connection& c, time_point now) {
                next();
                return accept_(c, now);
            },
            [](const link::closed& how) { give_up(how.reason); });
    }

    asio::quic_client& client_;
    unsigned left_;
    link::accept_function accept_;
    std::optional<asio::connect_options> whom_;
};

} // namespace moqlite::bench

#include "client_link.hpp"

#include "exit_code.hpp"
#include "log.hpp"
#include "qlog_files.hpp"
#include "text.hpp"

#include <csignal>
#include <cstdlib>
#include <moqlite/asio/random_hop.hpp>
#include <utility>

namespace moqlite::programs {

client_link::client_link(const client_options& options, session_options for_session, programs::client_user& user)
    : options_{options}, session_options_{std::move(for_session)}, user_{user} {
    session_options_.origin = asio::random_hop();
}

int client_link::run() {
    std::string why;
    auto tls = asio::tls::client(options_.trust(), why);
    if (!tls) {
        spdlog::error("{}", why);
        return exit_failure;
    }
    watch_signals();
    asio::client_link_options o{
        .where = options_.where, .protocols = options_.protocols, .tls = *tls, .session = session_options_};
    o.transport.quic.idle_timeout = to_duration(options_.idle_timeout);
    o.transport.quic.log = adapter_log(log_style::tool);
    o.transport.quic.qlog = qlog_into(options_.qlog);
    o.reconnect = to_duration(options_.reconnect);
    link_.emplace(io_.get_executor(), std::move(o), static_cast<asio::client_user&>(*this));
    link_->connect();
    io_.run();
    return code_.value_or(exit_failure);
}

void client_link::watch_signals() {
    signals_.add(SIGINT);
    signals_.add(SIGTERM);
    signals_.async_wait([this](const boost::system::error_code& error, int signal) {
        if (error) return;
        finish(exit_by_signal(signal), signal == SIGINT ? "interrupted" : "terminated");
        // A second signal ends the program at once.
        signals_.async_wait([](const boost::system::error_code& again, int second) {
            if (!again) std::_Exit(exit_by_signal(second));
        });
    });
}

void client_link::connected(const link::connection& c) {
    spdlog::info("connected to {}, {}", to_string(c.remote()), c.alpn());
    user_.connected();
}

void client_link::parted(const session_closed* how) {
    user_.parted();
    if (how != nullptr && !finishing()) spdlog::info("session {}; reconnecting", to_text(*how));
}

void client_link::on_event(const event& e, time_point now) {
    if (const auto* rejected = std::get_if<stream_rejected>(&e))
        spdlog::warn(
            "protocol violation by the relay on stream {}: {}", number(rejected->stream), to_string(rejected->why));
    if (const auto* away = std::get_if<goaway_received>(&e))
        spdlog::info("the relay asks its clients to reconnect (GOAWAY){}",
            away->uri.empty() ? std::string{} : ", to " + printable(away->uri));
    user_.on_event(e, now);
    if (const auto* closed = std::get_if<session_closed>(&e)) finish(exit_failure, "session " + to_text(*closed));
}

void client_link::failed(const std::string& why) { finish(exit_failure, why); }

void client_link::finish(int code, const std::string& why) {
    if (finishing()) return;
    code_ = code;
    user_.ending(code, why);
    const auto* reason = code == exit_ok ? "done" : code > exit_by_signal(0) ? "interrupted" : "failed";
    link_->close(app_error::cancel, reason, [this] { io_.stop(); });
}

} // namespace moqlite::programs

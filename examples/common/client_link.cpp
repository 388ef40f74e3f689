#include "client_link.hpp"

#include "connect_error.hpp"
#include "exit_code.hpp"
#include "log.hpp"
#include "qlog_files.hpp"
#include "text.hpp"

#include <boost/asio/post.hpp>
#include <csignal>
#include <cstdlib>
#include <moqlite/asio/clock.hpp>
#include <moqlite/asio/random_hop.hpp>
#include <moqlite/nghttp3/client.hpp>
#include <moqlite/ngtcp2/session_handler.hpp>
#include <utility>

namespace moqlite::programs {

namespace {

/// Until the last word has left, or nobody answers.
constexpr auto farewell = std::chrono::milliseconds{500};

duration to_duration(double seconds) {
    return std::chrono::duration_cast<duration>(std::chrono::duration<double>{seconds});
}

} // namespace

client_link::client_link(const client_options& options, session_options for_session, client_user& user)
    : options_{options}, session_options_{std::move(for_session)}, user_{user} {
    if (!options_.where.webtransport) session_options_.path = options_.where.path; // There the request has it.
    session_options_.origin = asio::random_hop();
}

int client_link::run() {
    watch_signals();
    limit_handshake();
    if (!connect()) return exit_failure;
    io_.run();
    return code_.value_or(exit_failure);
}

bool client_link::connect() {
    std::string why;
    const auto tls = ngtcp2::tls::client(options_.trust(), why);
    if (!tls) {
        spdlog::error("{}", why);
        return false;
    }
    asio::options o;
    o.quic.idle_timeout = to_duration(options_.idle_timeout);
    o.quic.log = adapter_log(log_style::tool);
    o.quic.qlog = qlog_into(options_.qlog);
    o.before_pump = [this](time_point now) {
        if (session_ && !finishing()) user_.turn(now);
    };
    client_.emplace(io_.get_executor(), std::move(o));
    const auto& where = options_.where;
    const ngtcp2::failed_function failed = [this](const ngtcp2::closed& how) {
        finish(exit_failure,
            "cannot connect to " + options_.url + ": " + connect_error(options_.where, options_.protocols, how));
    };
    ngtcp2::accept_function accept = [this](ngtcp2::connection& c, time_point now) { return start_session(c, now); };
    auto alpn = options_.protocols;
    if (where.webtransport) {
        accept = nghttp3::connect({.authority = where.authority,
                                      .path = where.path.empty() ? "/" : where.path,
                                      .origin = {},
                                      .protocols = std::exchange(alpn, {std::string{http3}}),
                                      .log = adapter_log(log_style::tool),
                                      .counts = nullptr},
            std::move(accept), failed);
    }
    client_->connect({where.host, where.port, {}, std::move(alpn), *tls}, std::move(accept), failed);
    return true;
}

void client_link::watch_signals() {
    signals_.add(SIGINT);
    signals_.add(SIGTERM);
    signals_.async_wait([this](const boost::system::error_code& error, int signal) {
        if (error) return;
        finish(exit_by_signal(signal), signal == SIGINT ? "interrupted" : "terminated");
        // Who asks twice does not want to wait.
        signals_.async_wait([](const boost::system::error_code& again, int second) {
            if (!again) std::_Exit(exit_by_signal(second));
        });
    });
}

/// Resolving the name counts, too.
void client_link::limit_handshake() {
    handshake_.expires_after(std::chrono::seconds{10});
    handshake_.async_wait([this](const boost::system::error_code& error) {
        if (!error)
            finish(exit_failure, "cannot connect to " + options_.url + ": " +
                                     connect_error(options_.where, options_.protocols,
                                         {.by_peer = false, .reason = "timeout after 10 s"}));
    });
}

std::unique_ptr<ngtcp2::handler> client_link::start_session(ngtcp2::connection& c, time_point now) {
    const auto spoken = version_from_alpn(c.alpn());
    if (!spoken || finishing()) return nullptr;
    handshake_.cancel();
    connection_ = &c;
    session_.emplace(role::client, *spoken, session_options_, now);
    spdlog::info("connected to {}, {}", to_string(c.remote()), c.alpn());
    user_.connected();
    auto handle = [this](const event& e) { on_event(e); };
    return std::make_unique<ngtcp2::session_handler<session*, decltype(handle)>>(&*session_, std::move(handle));
}

void client_link::on_event(const event& e) {
    const auto* closed = std::get_if<session_closed>(&e);
    if (closed != nullptr) connection_ = nullptr;
    if (finishing()) return;
    if (const auto* rejected = std::get_if<stream_rejected>(&e))
        spdlog::warn("the relay broke a rule on stream {}: {}", number(rejected->stream), to_string(rejected->why));
    if (const auto* away = std::get_if<goaway_received>(&e))
        spdlog::info("the relay will end the session, and asks to be connected to again{}",
            away->uri.empty() ? std::string{} : " at " + printable(away->uri));
    user_.on_event(e, asio::now());
    if (closed != nullptr) finish(exit_failure, "session " + to_text(*closed));
}

void client_link::wake() {
    if (connection_ != nullptr) connection_->wake();
}

void client_link::finish(int code, const std::string& why) {
    if (finishing()) return;
    code_ = code;
    user_.ending(code, why);
    handshake_.cancel();
    // Not from within the connection's own callbacks.
    boost::asio::post(io_, [this] {
        if (!client_) return io_.stop();
        const auto* reason = *code_ == exit_ok ? "done" : *code_ > exit_by_signal(0) ? "interrupted" : "failed";
        client_->shutdown(app_error::cancel, reason, farewell, [this] { io_.stop(); });
    });
}

} // namespace moqlite::programs

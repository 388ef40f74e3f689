#include "client_line.hpp"
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
#include <moqlite/link/session_handler.hpp>
#include <moqlite/nghttp3/client.hpp>
#include <utility>

namespace moqlite::programs {

namespace {

duration to_duration(double seconds) {
    return std::chrono::duration_cast<duration>(std::chrono::duration<double>{seconds});
}

} // namespace

client_link::client_link(const client_options& options, session_options for_session, client_user& user)
    : options_{options}, session_options_{std::move(for_session)}, user_{user}, where_{options.where} {
    session_options_.origin = asio::random_hop();
}

client_link::~client_link() = default;

session& client_link::get() noexcept { return *line_->on_it; }

int client_link::run() {
    std::string why;
    tls_ = ngtcp2::tls::client(options_.trust(), why);
    if (!tls_) {
        spdlog::error("{}", why);
        return exit_failure;
    }
    watch_signals();
    limit_handshake();
    line_ = std::make_unique<line>();
    dial(*line_);
    io_.run();
    return code_.value_or(exit_failure);
}

void client_link::dial(line& l) {
    asio::options o;
    o.quic.idle_timeout = to_duration(options_.idle_timeout);
    o.quic.log = adapter_log(log_style::tool);
    o.quic.qlog = qlog_into(options_.qlog);
    o.before_pump = [this, &l](time_point now) {
        if (&l == line_.get() && l.on_it && !parted_ && !finishing()) user_.turn(now);
    };
    l.client.emplace(io_.get_executor(), std::move(o));
    const link::failed_function fails = [this, &l](const link::closed& how) { failed(l, how); };
    link::accept_function accept = [this, &l](link::connection& c, time_point now) { return start_session(l, c, now); };
    auto alpn = options_.protocols;
    if (where_.webtransport) {
        accept = nghttp3::connect({.authority = where_.authority,
                                      .path = where_.path.empty() ? "/" : where_.path,
                                      .origin = {},
                                      .protocols = std::exchange(alpn, {std::string{http3}}),
                                      .log = adapter_log(log_style::tool),
                                      .counts = nullptr},
            std::move(accept), fails);
    }
    l.client->connect({where_.host, where_.port, {}, std::move(alpn), *tls_}, std::move(accept), fails);
}

void client_link::failed(line& l, const link::closed& how) {
    const auto why = connect_error(where_, options_.protocols, how);
    if (&l == next_.get()) return try_again(why);
    if (&l == line_.get()) finish(exit_failure, "cannot connect to " + options_.url + ": " + why);
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

std::unique_ptr<link::handler> client_link::start_session(line& l, link::connection& c, time_point now) {
    const auto spoken = version_from_alpn(c.alpn());
    if (!spoken || finishing()) return nullptr;
    if (&l == next_.get()) take_next();
    if (&l != line_.get()) return nullptr;
    handshake_.cancel();
    l.connection = &c;
    session_options_.path.clear();
    if (!where_.webtransport) session_options_.path = where_.path; // There the request has it.
    l.on_it.emplace(role::client, *spoken, session_options_, now);
    spdlog::info("connected to {}, {}", to_string(c.remote()), c.alpn());
    user_.connected();
    auto handle = [this, &l](const event& e) { on_event(l, e); };
    return std::make_unique<link::session_handler<session*, decltype(handle)>>(&*l.on_it, std::move(handle));
}

void client_link::on_event(line& l, const event& e) {
    const auto* closed = std::get_if<session_closed>(&e);
    if (closed != nullptr) l.connection = nullptr;
    if (finishing() || parted_ || &l != line_.get()) return;
    if (const auto* rejected = std::get_if<stream_rejected>(&e))
        spdlog::warn("the relay broke a rule on stream {}: {}", number(rejected->stream), to_string(rejected->why));
    if (const auto* away = std::get_if<goaway_received>(&e)) {
        spdlog::info("the relay will end the session, and asks to be connected to again{}",
            away->uri.empty() ? std::string{} : " at " + printable(away->uri));
        move_to(away->uri);
    }
    if (closed != nullptr && moving_) return part(to_text(*closed));
    user_.on_event(e, asio::now());
    if (closed != nullptr) finish(exit_failure, "session " + to_text(*closed));
}

void client_link::wake() {
    if (line_ && line_->connection != nullptr) line_->connection->wake();
}

void client_link::finish(int code, const std::string& why) {
    if (finishing()) return;
    code_ = code;
    user_.ending(code, why);
    handshake_.cancel();
    again_.cancel();
    // Not from within the connection's own callbacks.
    boost::asio::post(io_, [this] {
        if (!line_ || !line_->client) return io_.stop();
        const auto* reason = *code_ == exit_ok ? "done" : *code_ > exit_by_signal(0) ? "interrupted" : "failed";
        line_->client->shutdown(app_error::cancel, reason, farewell_time, [this] { io_.stop(); });
    });
}

} // namespace moqlite::programs

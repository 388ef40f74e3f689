#include "detail/client_line.hpp"
#include "detail/connect_error.hpp"

#include <boost/asio/post.hpp>
#include <functional>
#include <memory>
#include <moqlite/asio/clock.hpp>
#include <moqlite/link/session_handler.hpp>
#include <utility>
#ifdef MOQLITE_WITH_NGHTTP3
#include <moqlite/nghttp3/client.hpp>
#endif

namespace moqlite::asio {

client_link::client_link(boost::asio::any_io_executor on, client_link_options o, client_user& user)
    : on_{std::move(on)}, options_{std::move(o)}, user_{user}, handshake_{on_}, again_{on_}, where_{options_.where} {}

client_link::~client_link() = default;

moqlite::session& client_link::get() noexcept { return *line_->active_session; }

void client_link::log(link::log_level level, const std::string& text) const {
    if (options_.transport.quic.log) options_.transport.quic.log(level, text);
}

void client_link::connect() {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(options_.connect_timeout).count();
    handshake_.expires_after(options_.connect_timeout);
    handshake_.async_wait(while_here([this, seconds](const boost::system::error_code& error) {
        if (error || line_->active_session) return; // It may have connected while this was queued.
        failed(*line_, {.by_peer = false, .reason = "timeout after " + std::to_string(seconds) + " s"});
    }));
    line_ = std::make_unique<line>();
    dial(*line_);
}

void client_link::dial(line& l) {
    auto transport = options_.transport;
    transport.before_pump = while_here([this, &l](time_point now) {
        if (&l == line_.get() && l.active_session && !parted_ && !closing_) user_.turn(now);
    });
    l.socket.emplace(on_, std::move(transport));
    const link::failed_function fails = while_here([this, &l](const link::closed& how) { failed(l, how); });
    link::accept_function accept = [here = std::weak_ptr{here_}, this, &l](link::connection& c, time_point now) {
        return here.expired() ? nullptr : start_session(l, c, now);
    };
    auto alpn = options_.protocols;
    if (where_.webtransport) {
#ifdef MOQLITE_WITH_NGHTTP3
        accept = nghttp3::connect({.authority = where_.authority,
                                      .path = where_.path.empty() ? "/" : where_.path,
                                      .origin = {},
                                      .protocols = std::exchange(alpn, {"h3"}),
                                      .log = options_.transport.quic.log,
                                      .counts = nullptr},
            std::move(accept), fails);
#else
        return boost::asio::post(on_, while_here([this, &l] { failed(l, {.reason = "built without WebTransport"}); }));
#endif
    }
    l.socket->connect({where_.host, where_.port, {}, std::move(alpn), options_.tls}, std::move(accept), fails);
}

void client_link::failed(line& l, const link::closed& how) {
    if (closing_) return;
    const auto why = connect_error(where_, options_.protocols, how);
    if (&l == next_.get()) return try_again(why);
    if (&l == line_.get()) give_up("cannot connect to " + where_.text + ": " + why);
}

void client_link::give_up(const std::string& why) {
    closing_ = true;
    handshake_.cancel();
    again_.cancel();
    user_.failed(why);
}

std::unique_ptr<link::handler> client_link::start_session(line& l, link::connection& c, time_point now) {
    const auto spoken = version_from_alpn(c.alpn());
    if (!spoken || closing_) return nullptr;
    if (&l == next_.get()) take_next();
    if (&l != line_.get() || closing_) return nullptr;
    handshake_.cancel();
    l.connection = &c;
    auto o = options_.session;
    o.path = where_.webtransport ? std::string{} : where_.path; // The request has it.
    l.active_session.emplace(role::client, *spoken, std::move(o), now);
    user_.connected(c);
    auto handle = [this, &l](const event& e) { on_event(l, e); };
    return std::make_unique<link::session_handler<moqlite::session*, decltype(handle)>>(
        &*l.active_session, std::move(handle));
}

void client_link::on_event(line& l, const event& e) {
    const auto* closed = std::get_if<session_closed>(&e);
    if (closed != nullptr) l.connection = nullptr;
    if (closing_ || parted_ || &l != line_.get()) return;
    if (const auto* away = std::get_if<goaway_received>(&e)) move_to(away->uri);
    if (closed != nullptr && moving_) return part(closed);
    user_.on_event(e, asio::now());
}

void client_link::wake() {
    if (line_ && line_->connection != nullptr) line_->connection->wake();
}

void client_link::close(app_error code, std::string_view reason, std::function<void()> done) {
    closing_ = true;
    handshake_.cancel();
    again_.cancel();
    // Not from within the connection's own callbacks.
    boost::asio::post(on_, while_here([this, code, reason = std::string{reason}, done = std::move(done)] {
        if (!line_ || !line_->socket) return done();
        line_->socket->shutdown(code, reason, farewell_time, done);
    }));
}

} // namespace moqlite::asio

#include "detail/server_state.hpp"

#include <boost/asio/steady_timer.hpp>
#include <exception>
#include <moqlite/asio/clock.hpp>
#include <moqlite/asio/error.hpp>
#include <moqlite/asio/quic_server.hpp>
#include <moqlite/asio/server.hpp>
#include <moqlite/core/path.hpp>
#include <moqlite/core/version.hpp>
#include <moqlite/webtransport/target.hpp>
#include <new>
#ifdef MOQLITE_WITH_NGHTTP3
#include <moqlite/nghttp3/router.hpp>
#endif

namespace moqlite::asio {

namespace detail {

namespace {

constexpr std::string_view http3 = "h3";

[[nodiscard]] bool is_on_loopback(std::string_view where) noexcept {
    const auto host = where.substr(0, where.rfind(':'));
    return host.empty() || host.starts_with("127.") || host == "0.0.0.0" || host == "[::1]" || host == "[::]";
}

#ifdef MOQLITE_WITH_NGHTTP3
[[nodiscard]] http_headers to_headers(const nghttp3::header_fields& from) {
    http_headers out;
    for (const auto& [name, value] : from) out.emplace_back(name, value);
    return out;
}

[[nodiscard]] nghttp3::http_response answer_http(const http_function& f, const nghttp3::http_request& r) {
    auto from = f({r.method, r.authority, r.path, to_headers(r.headers), r.body, to_string(r.remote)});
    nghttp3::http_response out{.status = from.status, .body = std::move(from.body)};
    for (auto& [name, value] : from.headers) out.headers.push_back({std::move(name), std::move(value)});
    return out;
}
#endif

} // namespace

namespace {

std::vector<std::string> accepted_protocols(const server_options& o) {
    auto all = o.protocols;
    if (all.empty())
        for (const auto v : default_versions) all.emplace_back(alpn(v));
#ifdef MOQLITE_WITH_NGHTTP3
    if (o.webtransport) all.emplace_back(http3);
#endif
    return all;
}

} // namespace

struct server_state::http_stats
#ifdef MOQLITE_WITH_NGHTTP3
    : nghttp3::stats
#endif
{
};

server_state::server_state(std::shared_ptr<origin_state> of, server_options o)
    : of_(std::move(of)),
      options_(std::move(o)),
      certificates_(options_.tls.open(accepted_protocols(options_))),
      renewal_(of_->executor()),
      grace_(of_->executor()) {
    if (options_.clients || options_.tickets)
        certificates_.options(
            {.clients = options_.clients, .tickets = options_.tickets, .early_data = options_.early_data});
    options_.protocols = accepted_protocols(options_);
    of_->add(static_cast<waiter&>(*this));
}

error_code server_state::listen(std::string_view where, const listen_options& how) {
    if (is_stopping_) return make_error(errc::closed);
    std::string why;
    const auto failed = [&](error_code error) {
        of_->log(link::log_level::error, why);
        return error;
    };
    if (!has_certificate_ && !load_certificate(why)) return failed(make_error(errc::invalid_argument));
    auto o = options_.transport;
    o.socket.ipv6_only = o.socket.ipv6_only || how.ipv6_only;
    // A free port differs after a restart, and may then be another server's.
    if (!o.quic.reset_key && o.socket.native_handle < 0 && !where.ends_with(":0")) {
        o.quic.reset_key = reset_key(certificates_.current().who, where, why);
        if (!o.quic.reset_key) of_->log(link::log_level::warning, "after a restart no client is reset: " + why);
    }
    if (!o.quic.log) o.quic.log = of_->log_function();
    o.before_pump = [weak = std::weak_ptr{of_}](time_point now) {
        if (const auto of = weak.lock()) of->turn(now);
    };
    auto socket = std::make_unique<quic_server>(executor(), std::move(o));
    link::accept_function by_http3 = accept_webtransport(is_on_loopback(where));
    const bool listens = socket->listen(
        where, certificates_.current().configuration,
        [weak = weak_from_this(), by_http3](link::connection& c, time_point now) -> std::unique_ptr<link::handler> {
            const auto here = weak.lock();
            if (!here) return nullptr;
            if (here->is_stopping_) return c.close(here->end_code_, here->end_reason_), nullptr;
            return c.alpn() == http3 ? by_http3(c, now) : here->accept(c, now, {}, std::nullopt);
        },
        why);
    if (!listens) return failed(boost::asio::error::address_in_use);
    sockets_.push_back(std::move(socket));
    return {};
}

// Sessions.

namespace {

/// An exception that left the session's handler.
void handler_failed(const std::shared_ptr<session_state>& s, const std::exception_ptr& thrown) {
    asio::origin{s->of()}.log_exceptions()(thrown);
    s->close(app_error::internal, "its handler failed");
}

} // namespace

link::accept_function server_state::accept_webtransport([[maybe_unused]] bool loopback) {
#ifdef MOQLITE_WITH_NGHTTP3
    nghttp3::session_offer offer;
    offer.protocols = options_.protocols;
    std::erase(offer.protocols, http3);
    offer.origins = {.allowed = options_.allow_origin,
        .own_names =
            [weak = weak_from_this()] {
                const auto here = weak.lock();
                return here ? here->own_names() : std::vector<std::string>{};
            },
        .loopback = loopback};
    offer.accept = [weak = weak_from_this()](link::connection& c, const nghttp3::request& r,
                       time_point now) -> std::unique_ptr<link::handler> {
        const auto here = weak.lock();
        return here && !here->is_stopping_ ? here->accept(c, now, r.path, to_headers(r.headers)) : nullptr;
    };
    if (!http_stats_) http_stats_ = std::make_shared<http_stats>();
    nghttp3::server_options o{.log = of_->log_function()};
    o.counts = http_stats_;
    if (options_.http) o.http = [f = options_.http](const nghttp3::http_request& r) { return answer_http(f, r); };
    return nghttp3::serve(std::move(o), nghttp3::answer_with(std::move(offer)));
#else
    return [](link::connection&, time_point) { return std::unique_ptr<link::handler>{}; };
#endif
}

std::unique_ptr<link::handler> server_state::accept(
    link::connection& c, time_point now, std::string path, std::optional<http_headers> request) {
    const auto state = std::make_shared<session_state>(of_);
    state->is_webtransport = request.has_value();
    auto headers = std::move(request).value_or(http_headers{});
    state->on_setup = [weak = weak_from_this(), its = std::weak_ptr{state}, headers = std::move(headers)](
                          const std::string& asked_for) {
        const auto here = weak.lock();
        const auto s = its.lock();
        if (here && s) here->asked(s, asked_for, headers);
    };
    auto made = of_->connected(role::server, c, now, std::move(path), state);
    if (!made) return nullptr;
    sessions_.emplace(state->key, state);
    state->on_end = [weak = weak_from_this(), key = state->key] {
        if (const auto here = weak.lock()) here->session_ended(key);
    };
    return made;
}

void server_state::asked(
    const std::shared_ptr<session_state>& s, const std::string& path, const http_headers& headers) {
    s->path = path;
    const admission what{path, s->remote, s->is_webtransport, headers, s->tls};
    if (on_asked) return on_asked(s, what);
    if (!decide) return answer(s, what.accept());
    // The user's code runs by itself; the session waits.
    boost::asio::post(executor(), [weak = weak_from_this(), s, what] {
        const auto here = weak.lock();
        if (!here) return;
        auto answered = admission::refuse(app_error::internal);
        try {
            const auto chosen = here->decide; // It may be replaced meanwhile.
            answered = chosen(what);
        } catch (...) {
            asio::origin{here->of_}.log_exceptions()(std::current_exception());
        }
        if (answered.allowed.root.empty()) answered.allowed.root = what.path();
        here->answer(s, answered);
    });
}

void server_state::answer(const std::shared_ptr<session_state>& s, const admission_answer& a) {
    auto& relay = of_->relay();
    of_->wake();
    ++(a.is_admitted ? admitted_ : refused_);
    if (!a.is_admitted) return static_cast<void>(relay.refuse(s->key, a.code, a.reason));
    auto allowed = a.allowed;
    if (const auto admitted = relay.admit(s->key, std::move(allowed)); !admitted)
        return static_cast<void>(relay.refuse(s->key, wire_code(admitted.error())));
    if (of_->reports()) of_->report(session_admitted{s->key, relay.session(s->key)->allowed().root});
    auto handler = handler_of(s->path);
    if (!handler) return;
    boost::asio::post(executor(), [weak = weak_from_this(), f = std::move(handler), s] {
        if (weak.expired()) return; // What it captured may have gone with the server.
        try {
            f(session{s, false});
        } catch (...) {
            handler_failed(s, std::current_exception());
        }
    });
}

std::function<void(session)> server_state::handler_of(std::string_view path) const {
    const auto normal = path::normalise(path.substr(0, path.find('?')));
    for (std::string_view at = normal;; at = at.substr(0, at.rfind('/') == at.npos ? 0 : at.rfind('/'))) {
        if (const auto found = by_path.find(at); found != by_path.end()) return found->second;
        if (at.empty()) return on_session;
    }
}

server_stats server_state::stats() const {
    server_stats all{.sockets = {}, .admitted = admitted_, .refused = refused_};
    for (const auto& each : sockets_) {
        const auto& s = each->stats();
        all.connections += each->endpoint().connections();
        all.sockets.turns += s.turns;
        all.sockets.reads += s.reads;
        all.sockets.datagrams_received += s.datagrams_received;
        all.sockets.bytes_received += s.bytes_received;
        all.sockets.writes += s.writes;
        all.sockets.datagrams_sent += s.datagrams_sent;
        all.sockets.bytes_sent += s.bytes_sent;
        all.sockets.full += s.full;
        all.sockets.dropped += s.dropped;
    }
#ifdef MOQLITE_WITH_NGHTTP3
    if (http_stats_) {
        all.http_requests = http_stats_->http_requests;
        all.http_refused = http_stats_->refused_requests;
        all.http_violations = http_stats_->failed_connections;
        all.webtransport_sessions = http_stats_->sessions;
        all.webtransport_streams = http_stats_->rejected_streams;
        all.webtransport_datagrams = http_stats_->dropped_datagrams;
    }
#endif
    return all;
}

void server_state::session_ended(std::uint64_t key) {
    sessions_.erase(key);
    if (is_stopping_ && sessions_.empty()) close_all(app_error::cancel, {});
}

// Ends.

void server_state::serve(const std::string& where, completion<> done) {
    if (serving_) return done(make_error(errc::too_many_requests));
    if (const auto error = listen(where)) return done(error);
    serving_ = std::move(done);
    serving_.on_cancel([weak = weak_from_this()] {
        if (const auto here = weak.lock()) here->close(app_error::cancel, "the server is closing");
    });
}

void server_state::shutdown(duration grace, const std::string& uri, completion<> done) {
    if (is_stopped_) return done({});
    stopping_.push_back(std::move(done));
    if (std::exchange(is_stopping_, true)) return;
    renewal_.cancel();
    for (const auto& s : sockets_) s->refuse();
    if (sessions_.empty()) return close_all(app_error::cancel, {});
    for (const auto& [key, s] : sessions_)
        if (auto* at = of_->relay().session(key)) static_cast<void>(at->goaway(uri)); // moq-lite-03 has none.
    of_->wake();
    grace_.expires_after(grace);
    grace_.async_wait([weak = weak_from_this()](const error_code& error) {
        const auto here = weak.lock();
        if (!error && here) here->close_all(app_error::goaway_timeout, "the server is shutting down");
    });
}

void server_state::close(app_error code, std::string_view reason, completion<> done) {
    if (done) {
        if (is_stopped_) return done({});
        stopping_.push_back(std::move(done));
    }
    is_stopping_ = true;
    close_all(code, reason);
}

void server_state::close_all(app_error code, std::string_view reason) {
    if (is_closing_) return;
    end_code_ = code;
    end_reason_ = reason;
    // Not from within a connection's own callbacks.
    boost::asio::post(executor(), [weak = weak_from_this()] {
        const auto here = weak.lock();
        if (!here || !std::exchange(here->is_farewell_due_, false)) return;
        if (here->sockets_.empty()) return here->ended();
        const auto left = std::make_shared<std::size_t>(here->sockets_.size());
        for (const auto& s : here->sockets_)
            s->shutdown(here->end_code_, here->end_reason_, here->options_.farewell, [weak, left] {
                const auto server = weak.lock();
                if (--*left == 0 && server) server->ended();
            });
    });
    is_closing_ = is_farewell_due_ = true; // After what may throw std::bad_alloc.
    grace_.cancel();
    renewal_.cancel();
}

void server_state::resume() {
    for (const auto& s : sockets_) s->resume();
    if (has_certificate_ && !is_stopping_) watch_certificate();
    of_->wake();
}

void server_state::ended() {
    if (std::exchange(is_stopped_, true)) return;
    for (auto& done : std::exchange(stopping_, {})) done({});
    if (serving_) std::exchange(serving_, {})({});
}

void server_state::end() noexcept {
    is_stopping_ = is_stopped_ = true;
    renewal_.cancel();
    grace_.cancel();
    serving_.abort();
    stopping_.clear();
    // It was closed in this very turn: the peers are told now, since the sockets go. A turn of theirs that is under way
    // would tell nobody, but no code of users runs within one.
    try {
        for (const auto& s : sockets_) {
            if (!is_farewell_due_) break;
            s->shutdown(end_code_, end_reason_, {}, {});
            s->resume();
        }
    } catch (const std::bad_alloc&) {
    }
    is_farewell_due_ = false;
    sockets_.clear();
}

} // namespace detail

// Handles.

server_identity server_identity::files(std::string chain, std::string key) {
    server_identity out;
    out.chain_ = std::move(chain);
    out.key_ = std::move(key);
    return out;
}

server_identity server_identity::generated(std::vector<std::string> names) {
    server_identity out;
    out.names_ = std::move(names);
    return out;
}

server_identity server_identity::of(identity who) {
    server_identity out;
    out.fixed_ = std::move(who);
    return out;
}

certificate_store server_identity::open(std::vector<std::string> alpn) const {
    if (fixed_) return certificate_store::fixed(*fixed_, std::move(alpn));
    return names_.empty() ? certificate_store::reading(chain_, key_, std::move(alpn))
                          : certificate_store::generating(names_, std::move(alpn));
}

std::string_view admission::path() const noexcept { return std::string_view{path_}.substr(0, path_.find('?')); }

std::string admission::query(std::string_view name) const {
    const auto all = webtransport::split_target(path_).query;
    return webtransport::query_value(all, name).value_or(std::string{});
}

server::server(asio::origin origin, server_options o)
    : origin_(std::move(origin)),
      state_(std::make_shared<detail::server_state>(detail::required(origin_.state()), std::move(o))) {}

server& server::operator=(server&& other) noexcept {
    if (state_) state_->end();
    origin_ = std::move(other.origin_);
    state_ = std::move(other.state_);
    return *this;
}

server::~server() {
    if (state_) state_->end();
}

void server::on_admission(std::function<admission_answer(const admission&)> decide) {
    if (state_) state_->decide = std::move(decide);
}
void server::on_session(std::function<void(session)> f) {
    if (state_) state_->on_session = std::move(f);
}
error_code server::listen(std::string_view where, const listen_options& how) {
    return state_ ? state_->listen(where, how) : make_error(errc::closed);
}
std::vector<std::string> server::addresses() const { return state_ ? state_->addresses() : std::vector<std::string>{}; }
std::string server::fingerprint() const { return state_ ? state_->fingerprint() : std::string{}; }
std::vector<std::string> server::fingerprints() const {
    return state_ ? state_->fingerprints() : std::vector<std::string>{};
}
validity server::certificate_validity() const { return state_ ? state_->certificate_validity() : validity{}; }
void server::reload_certificate() {
    if (state_) state_->reload_certificate();
}
void server::resume() {
    if (state_) state_->resume();
}
void server::on_session(std::string_view path, std::function<void(session)> f) {
    if (state_) state_->by_path[path::normalise(path)] = std::move(f);
}

server_stats server::stats() const { return state_ ? state_->stats() : server_stats{}; }

std::size_t server::sessions() const noexcept { return state_ ? state_->sessions() : 0; }
void server::close(app_error code, std::string_view reason) {
    if (state_) state_->close(code, reason);
}
std::function<void(std::exception_ptr)> server::guard(const session& s) {
    return [weak = std::weak_ptr{s.state_}](const std::exception_ptr& thrown) {
        const auto state = weak.lock();
        if (state && thrown) detail::handler_failed(state, thrown);
    };
}

void server::serve(const std::shared_ptr<detail::server_state>& state, const std::string& where,
    detail::completion<>::handler handler) {
    state->serve(where, {std::move(handler), state->executor()});
}

void server::shutdown(const std::shared_ptr<detail::server_state>& state, duration grace, const std::string& uri,
    detail::completion<>::handler handler) {
    state->shutdown(grace, uri, {std::move(handler), state->executor()});
}

} // namespace moqlite::asio

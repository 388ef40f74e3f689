#include "detail/client_line.hpp"
#include "detail/session_state.hpp"

#include <boost/asio/steady_timer.hpp>
#include <exception>
#include <moqlite/asio/clock.hpp>
#include <moqlite/asio/error.hpp>
#include <moqlite/asio/quic_server.hpp>
#include <moqlite/asio/server.hpp>
#include <moqlite/core/path.hpp>
#include <moqlite/core/version.hpp>
#include <moqlite/webtransport/origin.hpp>
#ifdef MOQLITE_WITH_NGHTTP3
#include <moqlite/nghttp3/server.hpp>
#endif

namespace moqlite::asio {

namespace detail {

namespace {

constexpr std::string_view http3 = "h3";
constexpr auto certificate_checks = std::chrono::seconds{5};

[[nodiscard]] wall_time wall_now() {
    return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
}

[[nodiscard]] bool is_loopback(std::string_view address) noexcept {
    return address.starts_with("127.") || address.starts_with("[::1]") || address.starts_with("[::]") ||
           address.starts_with("0.0.0.0:");
}

} // namespace

class server_state final : public std::enable_shared_from_this<server_state>, public waiter {
public:
    server_state(std::shared_ptr<origin_state> of, server_options o);

    [[nodiscard]] const boost::asio::any_io_executor& executor() const noexcept { return of_->executor(); }
    [[nodiscard]] error_code listen(std::string_view where);
    void serve(const std::string& where, completion<> done);
    void shutdown(duration grace, const std::string& uri, completion<> done);
    void close(app_error code, std::string_view reason);
    void end() noexcept;
    void abandon() noexcept override {
        serving_.drop();
        for (auto& done : stopping_) done.drop();
    }

    [[nodiscard]] std::vector<std::string> addresses() const {
        std::vector<std::string> all;
        for (const auto& s : sockets_) all.push_back(to_string(s->local_address()));
        return all;
    }
    [[nodiscard]] std::string fingerprint() const {
        return has_certificate_ ? certificates_.current().fingerprint : "";
    }
    [[nodiscard]] std::size_t sessions() const noexcept { return sessions_.size(); }

    std::function<admission_answer(const admission&)> decide;
    std::function<void(session)> on_session;

private:
    [[nodiscard]] std::unique_ptr<link::handler> accept(
        link::connection&, time_point now, std::string path, bool webtransport);
    [[nodiscard]] link::accept_function accept_webtransport();
    void asked(const std::shared_ptr<session_state>&, const std::string& path);
    void answer(const std::shared_ptr<session_state>&, const admission_answer&);
    void session_ended(std::uint64_t key);
    void close_all(app_error code, std::string_view reason);
    void ended();
    void watch_certificates();
    [[nodiscard]] bool speaks(std::string_view protocol) const {
        return protocol != http3 && std::ranges::count(options_.protocols, protocol) != 0;
    }

    std::shared_ptr<origin_state> of_;
    server_options options_;
    certificate_store certificates_;
    boost::asio::steady_timer renewal_;
    boost::asio::steady_timer grace_;
    std::vector<std::unique_ptr<quic_server>> sockets_;
    std::map<std::uint64_t, std::weak_ptr<session_state>> sessions_;
    completion<> serving_;
    std::vector<completion<>> stopping_;
    bool has_certificate_ = false;
    bool is_stopping_ = false;
    bool is_closing_ = false;
    bool is_stopped_ = false;
};

namespace {

std::vector<std::string> accepted_protocols(const server_options& o) {
    auto all = o.protocols;
    if (all.empty())
        for (const auto v : default_versions) all.emplace_back(alpn(v));
#ifdef MOQLITE_WITH_NGHTTP3
    all.emplace_back(http3);
#endif
    return all;
}

} // namespace

server_state::server_state(std::shared_ptr<origin_state> of, server_options o)
    : of_(std::move(of)),
      options_(std::move(o)),
      certificates_(options_.tls.open(accepted_protocols(options_))),
      renewal_(of_->executor()),
      grace_(of_->executor()) {
    options_.protocols = accepted_protocols(options_);
    of_->add(static_cast<waiter&>(*this));
}

error_code server_state::listen(std::string_view where) {
    if (is_stopping_) return make_error(errc::closed);
    std::string why;
    const auto failed = [&](error_code error) {
        of_->log(link::log_level::error, "cannot listen on " + std::string(where) + ": " + why);
        return error;
    };
    if (!has_certificate_) {
        if (certificates_.load(wall_now(), why) == certificate_store::outcome::failed)
            return failed(make_error(errc::invalid_argument));
        has_certificate_ = true;
        watch_certificates();
    }
    auto o = options_.transport;
    if (!o.quic.log) o.quic.log = of_->log_function();
    o.before_pump = [weak = std::weak_ptr{of_}](time_point now) {
        if (const auto of = weak.lock()) of->turn(now);
    };
    auto socket = std::make_unique<quic_server>(executor(), std::move(o));
    link::accept_function by_http3 = accept_webtransport();
    const bool listens = socket->listen(
        where, certificates_.current().configuration,
        [weak = weak_from_this(), by_http3](link::connection& c, time_point now) -> std::unique_ptr<link::handler> {
            const auto here = weak.lock();
            if (!here || here->is_stopping_) return nullptr;
            return c.alpn() == http3 ? by_http3(c, now) : here->accept(c, now, {}, false);
        },
        why);
    if (!listens) return failed(boost::asio::error::address_in_use);
    sockets_.push_back(std::move(socket));
    return {};
}

void server_state::watch_certificates() {
    renewal_.expires_after(certificate_checks);
    renewal_.async_wait([weak = weak_from_this()](const error_code& error) {
        const auto here = weak.lock();
        if (error || !here || here->is_stopping_) return;
        std::string why;
        switch (here->certificates_.refresh(wall_now(), why)) {
        case certificate_store::outcome::same: break;
        case certificate_store::outcome::renewed:
            for (const auto& s : here->sockets_) s->renew(here->certificates_.current().configuration);
            break;
        case certificate_store::outcome::failed: here->of_->log(link::log_level::error, "certificate: " + why); break;
        }
        here->watch_certificates();
    });
}

// Sessions.

link::accept_function server_state::accept_webtransport() {
#ifdef MOQLITE_WITH_NGHTTP3
    return nghttp3::serve({.log = of_->log_function()}, [weak = weak_from_this()](const nghttp3::request& r) {
        nghttp3::answer out;
        const auto here = weak.lock();
        if (!here || here->is_stopping_) return out.status = 503, out;
        const auto& allowed = here->options_.allow_origin;
        const auto own = [&] {
            const bool loopback = std::ranges::any_of(here->addresses(), is_loopback);
            return webtransport::is_own_host(r.authority, here->certificates_.current().names, loopback);
        };
        // DNS rebinding: a page whose own name resolves to us has a matching Origin, but the wrong host.
        if (!webtransport::admits_origin(allowed, r.origin, r.authority) ||
            (!r.origin.empty() && allowed.empty() && !own())) {
            out.reason = "pages of its origin are not allowed";
            return out.status = 403, out;
        }
        const auto chosen = std::ranges::find_if(r.protocols, [&](const std::string& p) { return here->speaks(p); });
        if (chosen == r.protocols.end()) {
            out.reason = "no common protocol";
            return out.status = 400, out;
        }
        out.protocol = *chosen;
        out.accept = [weak, path = r.path](link::connection& c, time_point now) -> std::unique_ptr<link::handler> {
            const auto server = weak.lock();
            return server ? server->accept(c, now, path, true) : nullptr;
        };
        return out.status = 200, out;
    });
#else
    return [](link::connection&, time_point) { return std::unique_ptr<link::handler>{}; };
#endif
}

std::unique_ptr<link::handler> server_state::accept(
    link::connection& c, time_point now, std::string path, bool webtransport) {
    const auto state = std::make_shared<session_state>(of_);
    state->is_webtransport = webtransport;
    state->on_setup = [weak = weak_from_this(), its = std::weak_ptr{state}](const std::string& asked_for) {
        const auto here = weak.lock();
        const auto s = its.lock();
        if (here && s) here->asked(s, asked_for);
    };
    auto made = of_->connected(role::server, c, now, std::move(path), state);
    if (!made) return nullptr;
    sessions_.emplace(state->key, state);
    state->on_end = [weak = weak_from_this(), key = state->key] {
        if (const auto here = weak.lock()) here->session_ended(key);
    };
    return made;
}

void server_state::asked(const std::shared_ptr<session_state>& s, const std::string& path) {
    s->path = path;
    const admission what{path, s->remote, s->is_webtransport};
    if (!decide) return answer(s, what.accept());
    // The user's code runs by itself; the session waits.
    boost::asio::post(executor(), [weak = weak_from_this(), s, what] {
        const auto here = weak.lock();
        if (!here) return;
        auto answered = admission::refuse(app_error::internal);
        try {
            answered = here->decide(what);
        } catch (const std::exception& e) {
            here->of_->log(link::log_level::error, std::string{"on_admission: "}.append(e.what()));
        }
        here->answer(s, answered);
    });
}

void server_state::answer(const std::shared_ptr<session_state>& s, const admission_answer& a) {
    auto& relay = of_->relay();
    of_->wake();
    if (!a.is_admitted) return static_cast<void>(relay.refuse(s->key, a.code, a.reason));
    auto allowed = a.allowed;
    if (const auto admitted = relay.admit(s->key, std::move(allowed)); !admitted)
        return static_cast<void>(relay.refuse(s->key, wire_code(admitted.error())));
    if (on_session) boost::asio::post(executor(), [f = on_session, s] { f(session{s, false}); });
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

void server_state::close(app_error code, std::string_view reason) {
    is_stopping_ = true;
    close_all(code, reason);
}

void server_state::close_all(app_error code, std::string_view reason) {
    if (std::exchange(is_closing_, true)) return;
    grace_.cancel();
    renewal_.cancel();
    // Not from within a connection's own callbacks.
    boost::asio::post(executor(), [weak = weak_from_this(), code, reason = std::string{reason}] {
        const auto here = weak.lock();
        if (!here) return;
        if (here->sockets_.empty()) return here->ended();
        const auto left = std::make_shared<std::size_t>(here->sockets_.size());
        for (const auto& s : here->sockets_)
            s->shutdown(code, reason, farewell_time, [weak, left] {
                const auto server = weak.lock();
                if (--*left == 0 && server) server->ended();
            });
    });
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

certificate_store server_identity::open(std::vector<std::string> alpn) const {
    return names_.empty() ? certificate_store::reading(chain_, key_, std::move(alpn))
                          : certificate_store::generating(names_, std::move(alpn));
}

std::string_view admission::path() const noexcept { return std::string_view{path_}.substr(0, path_.find('?')); }

std::string admission::query(std::string_view name) const {
    const auto digit = [](char c) { return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10; };
    const auto decoded = [&](std::string_view text) {
        std::string out;
        for (std::size_t i = 0; i < text.size(); ++i) {
            const bool escaped = text[i] == '%' && i + 2 < text.size() &&
                                 std::isxdigit(static_cast<unsigned char>(text[i + 1])) != 0 &&
                                 std::isxdigit(static_cast<unsigned char>(text[i + 2])) != 0;
            out += escaped          ? static_cast<char>(digit(text[i + 1]) * 16 + digit(text[i + 2]))
                   : text[i] == '+' ? ' '
                                    : text[i];
            if (escaped) i += 2;
        }
        return out;
    };
    auto rest = std::string_view{path_};
    const auto mark = rest.find('?');
    if (mark == rest.npos) return {};
    for (rest.remove_prefix(mark + 1); !rest.empty();) {
        const auto pair = rest.substr(0, rest.find('&'));
        rest.remove_prefix(std::min(rest.size(), pair.size() + 1));
        const auto equals = pair.find('=');
        if (decoded(pair.substr(0, equals)) == name) return equals == pair.npos ? "" : decoded(pair.substr(equals + 1));
    }
    return {};
}

server::server(asio::origin origin, server_options o)
    : origin_(std::move(origin)), state_(std::make_shared<detail::server_state>(origin_.state(), std::move(o))) {}

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
    state_->decide = std::move(decide);
}
void server::on_session(std::function<void(session)> f) { state_->on_session = std::move(f); }
error_code server::listen(std::string_view where) { return state_->listen(where); }
std::vector<std::string> server::addresses() const { return state_->addresses(); }
std::string server::fingerprint() const { return state_->fingerprint(); }
std::size_t server::sessions() const noexcept { return state_->sessions(); }
void server::close(app_error code, std::string_view reason) { state_->close(code, reason); }
std::function<void(std::exception_ptr)> server::logger() const { return origin_.log_exceptions(); }

void server::serve(const std::shared_ptr<detail::server_state>& state, const std::string& where,
    detail::completion<>::handler handler) {
    state->serve(where, {std::move(handler), state->executor()});
}

void server::shutdown(const std::shared_ptr<detail::server_state>& state, duration grace, const std::string& uri,
    detail::completion<>::handler handler) {
    state->shutdown(grace, uri, {std::move(handler), state->executor()});
}

} // namespace moqlite::asio

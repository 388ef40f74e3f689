#include "detail/connect_error.hpp"
#include "detail/session_state.hpp"

#include <boost/asio/steady_timer.hpp>
#include <moqlite/asio/client.hpp>
#include <moqlite/asio/clock.hpp>
#include <moqlite/asio/error.hpp>
#include <moqlite/asio/quic_client.hpp>
#include <moqlite/asio/url.hpp>
#include <moqlite/core/version.hpp>
#ifdef MOQLITE_WITH_NGHTTP3
#include <moqlite/nghttp3/client.hpp>
#endif

namespace moqlite::asio {

namespace detail {

namespace {

std::vector<std::string> default_protocols() {
    std::vector<std::string> all;
    for (const auto v : default_versions) all.emplace_back(alpn(v));
    return all;
}

/// The error that a caller can act upon; the log has the whole text.
error_code connect_failure(const link::closed& how) {
    if (how.is_refusal()) return boost::asio::error::connection_refused;
    if (how.application) return make_error(app_error{how.code});
    if (how.reason.starts_with("cannot resolve")) return boost::asio::error::host_not_found;
    if (how.code >= 0x100 && how.code < 0x200) return make_error(errc::unauthorized); // A TLS alert.
    return boost::asio::error::connection_refused;
}

} // namespace

class client_state final : public std::enable_shared_from_this<client_state>, public waiter {
public:
    client_state(std::shared_ptr<origin_state> of, client_options o) : of_(std::move(of)), options_(std::move(o)) {
        if (options_.protocols.empty()) options_.protocols = default_protocols();
        of_->add(static_cast<waiter&>(*this));
    }

    void connect(const std::string& text, const connect_request& how, completion<session> done);
    void end() noexcept {
        for (const auto& a : std::exchange(attempts_, {})) a->done.abort();
        transport_.reset();
    }
    void abandon() noexcept override {
        for (const auto& a : attempts_) a->done.drop();
    }
    [[nodiscard]] const boost::asio::any_io_executor& executor() const noexcept { return of_->executor(); }

private:
    struct attempt {
        explicit attempt(const boost::asio::any_io_executor& on) : timer(on) {}
        url where;
        completion<session> done;
        boost::asio::steady_timer timer;
    };
    using attempt_ref = std::shared_ptr<attempt>;

    [[nodiscard]] std::optional<ngtcp2::tls> trusted(std::string& why);
    void dial(const attempt_ref&);
    std::unique_ptr<link::handler> connected(const attempt_ref&, link::connection&, time_point now);
    void answer(const attempt_ref& a, error_code error, session s = {}) {
        if (attempts_.erase(a) == 0) return;
        a->timer.cancel();
        std::exchange(a->done, {})(error, std::move(s));
    }
    void failed(const attempt_ref& a, const link::closed& how) {
        if (!attempts_.contains(a)) return;
        of_->log(link::log_level::warning,
            "cannot connect to " + a->where.text + ": " + connect_error(a->where, options_.protocols, how));
        answer(a, connect_failure(how));
    }

    std::shared_ptr<origin_state> of_;
    client_options options_;
    std::optional<ngtcp2::tls> tls_;
    std::unique_ptr<quic_client> transport_;
    std::set<attempt_ref> attempts_;
};

std::optional<ngtcp2::tls> client_state::trusted(std::string& why) {
    if (!tls_) tls_ = ngtcp2::tls::client(options_.trusted, why);
    return tls_;
}

void client_state::connect(const std::string& text, const connect_request& how, completion<session> done) {
    std::string why;
    const auto where = parse_url(text, why);
    if (!where || !trusted(why)) {
        of_->log(link::log_level::warning, "cannot connect to " + text + ": " + why);
        return done(make_error(errc::invalid_argument), {});
    }
    const auto a = std::make_shared<attempt>(executor());
    a->where = *where;
    a->done = std::move(done);
    a->done.on_cancel([weak = weak_from_this(), a] {
        if (const auto here = weak.lock()) here->answer(a, boost::asio::error::operation_aborted);
    });
    attempts_.insert(a);
    a->timer.expires_after(how.timeout);
    a->timer.async_wait([weak = weak_from_this(), a](const error_code& error) {
        const auto here = weak.lock();
        if (!error && here) here->answer(a, boost::asio::error::timed_out);
    });
    dial(a);
}

void client_state::dial(const attempt_ref& a) {
    if (!transport_) {
        auto o = options_.transport;
        if (!o.quic.log) o.quic.log = of_->log_function();
        o.before_pump = [weak = std::weak_ptr{of_}](time_point now) {
            if (const auto of = weak.lock()) of->turn(now);
        };
        transport_ = std::make_unique<quic_client>(executor(), std::move(o));
    }
    const link::failed_function fails = [weak = weak_from_this(), a](const link::closed& how) {
        if (const auto here = weak.lock()) here->failed(a, how);
    };
    link::accept_function accept = [weak = weak_from_this(), a](link::connection& c, time_point now) {
        const auto here = weak.lock();
        return here ? here->connected(a, c, now) : nullptr;
    };
    auto alpn = options_.protocols;
    if (a->where.webtransport) {
#ifdef MOQLITE_WITH_NGHTTP3
        accept = nghttp3::connect({.authority = a->where.authority,
                                      .path = a->where.path.empty() ? "/" : a->where.path,
                                      .protocols = std::exchange(alpn, {"h3"}),
                                      .log = of_->log_function()},
            std::move(accept), fails);
#else
        return answer(a, make_error(errc::unsupported));
#endif
    }
    transport_->connect({a->where.host, a->where.port, {}, std::move(alpn), *tls_}, std::move(accept), fails);
}

/// Null where nobody waits for it any more: the connection is closed.
std::unique_ptr<link::handler> client_state::connected(const attempt_ref& a, link::connection& c, time_point now) {
    if (!attempts_.contains(a)) return nullptr;
    const auto state = std::make_shared<session_state>(of_);
    state->is_webtransport = a->where.webtransport;
    // The WebTransport request has the path.
    auto made = of_->connected(role::client, c, now, a->where.webtransport ? std::string{} : a->where.path, state);
    if (!made) {
        answer(a, make_error(errc::unsupported));
        return nullptr;
    }
    state->path = a->where.path;
    answer(a, {}, session{state, true});
    of_->wake();
    return made;
}

} // namespace detail

client::client(asio::origin origin, client_options o)
    : origin_(std::move(origin)), state_(std::make_shared<detail::client_state>(origin_.state(), std::move(o))) {}

client& client::operator=(client&& other) noexcept {
    if (state_) state_->end();
    origin_ = std::move(other.origin_);
    state_ = std::move(other.state_);
    return *this;
}

client::~client() {
    if (state_) state_->end();
}

void client::connect(const std::shared_ptr<detail::client_state>& state, const std::string& url,
    const connect_request& how, detail::completion<session>::handler handler) {
    state->connect(url, how, {std::move(handler), state->executor()});
}

} // namespace moqlite::asio

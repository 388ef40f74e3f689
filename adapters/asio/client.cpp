#include "detail/client_state.hpp"
#include "detail/connect_error.hpp"
#include "detail/farewell.hpp"

#include <boost/asio/steady_timer.hpp>
#include <moqlite/asio/client.hpp>
#include <moqlite/asio/clock.hpp>
#include <moqlite/asio/error.hpp>
#include <moqlite/asio/quic_client.hpp>
#include <moqlite/asio/url.hpp>
#include <moqlite/core/version.hpp>
#include <random>
#ifdef MOQLITE_WITH_NGHTTP3
#include <moqlite/nghttp3/client.hpp>
#endif

namespace moqlite::asio {

namespace detail {

namespace {

/// The error that a caller can act upon; the log has the whole text.
error_code connect_failure(const link::closed& how) {
    if (how.is_refusal()) return boost::asio::error::connection_refused;
    if (how.http_status == 401 || how.http_status == 403) return make_error(errc::unauthorized);
    if (how.http_status == 404) return make_error(errc::not_found);
    if (how.application) return make_error(app_error{how.code});
    if (how.reason.starts_with("cannot resolve")) return boost::asio::error::host_not_found;
    if (how.code >= 0x100 && how.code < 0x200) return make_error(errc::unauthorized); // A TLS alert.
    return boost::asio::error::connection_refused;
}

} // namespace

client_state::client_state(std::shared_ptr<origin_state> of, client_options o)
    : of_(std::move(of)), options_(std::move(o)) {
    if (options_.protocols.empty())
        for (const auto v : default_versions) options_.protocols.emplace_back(alpn(v));
    of_->add(static_cast<waiter&>(*this));
}

void client_state::failed(const attempt_ref& a, const link::closed& how) {
    if (!attempts_.contains(a)) return;
    const auto why = connect_error(a->where, options_.protocols, how);
    if (a->replaced) return again(a, why);
    fail(a, connect_failure(how), {how.app_code(), how.by_peer, how.reason, {}}, why);
}

namespace {

/// The empty-handed answer to a connect().
session never_made(const std::shared_ptr<origin_state>& of, error_code error, session_end as, const std::string& to,
    const std::string& why) {
    as.text = "cannot connect to " + to + ": " + why;
    of->log(link::log_level::info, as.text);
    const auto state = std::make_shared<session_state>(of);
    state->end(error, std::move(as));
    return {state, false};
}

} // namespace

void client_state::fail(const attempt_ref& a, error_code error, session_end as, const std::string& why) {
    if (attempts_.contains(a)) answer(a, error, never_made(of_, error, std::move(as), a->where.text, why));
}

std::optional<tls> client_state::trusted(std::string& why) {
    if (!tls_) tls_ = tls::client({.whom = options_.trusted, .who = options_.who}, why);
    return tls_;
}

void client_state::shutdown(std::string_view reason, completion<> done) {
    if (std::exchange(is_stopping_, true)) return done(make_error(errc::too_many_requests));
    for (const auto& a : std::exchange(attempts_, {})) {
        a->timer.cancel();
        a->done.abort();
        if (a->replaced) a->replaced->close(app_error::cancel, {});
    }
    if (!transport_) return done({});
    stopping_ = std::move(done);
    transport_->shutdown(app_error::cancel, reason, farewell_time, [weak = weak_from_this()] {
        const auto here = weak.lock();
        if (here && here->stopping_) std::exchange(here->stopping_, {})({});
    });
}

void client_state::connect(
    const std::string& text, const connect_request& how, completion<session> done, admit_function admit) {
    if (is_stopping_) return done(make_error(errc::closed), {});
    std::string why;
    const auto where = parse_url(text, why);
    if (!where || !trusted(why)) {
        const auto error = make_error(errc::invalid_argument);
        return done(error, never_made(of_, error, {.code = app_error::transport}, text, why));
    }
    const auto a = std::make_shared<attempt>(executor());
    a->where = *where;
    a->how = how;
    a->done = std::move(done);
    a->admit = std::move(admit);
    a->done.on_cancel([weak = weak_from_this(), a] {
        if (const auto here = weak.lock()) here->answer(a, boost::asio::error::operation_aborted);
    });
    attempts_.insert(a);
    a->timer.expires_after(how.timeout);
    a->timer.async_wait([weak = weak_from_this(), a](const error_code& error) {
        const auto here = weak.lock();
        if (error || !here) return;
        const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(a->how.timeout).count();
        const link::closed late{.by_peer = false, .reason = "timeout after " + std::to_string(seconds) + " s"};
        here->fail(a, boost::asio::error::timed_out, {app_error::transport, false, late.reason, {}},
            connect_error(a->where, here->options_.protocols, late));
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
    const auto n = ++a->dials;
    if (a->replaced) limit(a);
    const link::failed_function fails = [weak = weak_from_this(), a, n](const link::closed& how) {
        const auto here = weak.lock();
        if (here && a->dials == n) here->failed(a, how);
    };
    link::accept_function accept = [weak = weak_from_this(), a, n](link::connection& c, time_point now) {
        const auto here = weak.lock();
        return here && a->dials == n ? here->connected(a, c, now) : nullptr;
    };
    auto alpn = options_.protocols;
    if (a->where.webtransport) {
#ifdef MOQLITE_WITH_NGHTTP3
        nghttp3::client_options o{.authority = a->where.authority,
            .path = a->where.path.empty() ? "/" : a->where.path,
            .protocols = std::exchange(alpn, {"h3"}),
            .log = of_->log_function()};
        for (const auto& [name, value] : a->how.headers) o.headers.push_back({name, value});
        accept = nghttp3::connect(std::move(o), std::move(accept), fails);
#else
        const std::string why = "built without WebTransport";
        return a->replaced ? again(a, why) : fail(a, make_error(errc::unsupported), {app_error::transport}, why);
#endif
    }
    connect_options to{.host = a->where.host, .port = a->where.port, .alpn = std::move(alpn), .tls = *tls_};
    if (a->how.early_data) to.resume = resumption::early_data;
    transport_->connect(std::move(to), std::move(accept), fails);
}

/// A peer that does not answer has failed.
void client_state::limit(const attempt_ref& a) {
    a->timer.expires_after(std::min(a->how.timeout, attempt_time));
    a->timer.async_wait([weak = weak_from_this(), a](const error_code& error) {
        const auto here = weak.lock();
        if (error || !here || !here->attempts_.contains(a)) return;
        ++a->dials;
        here->again(a, "no answer");
    });
}

namespace {

std::vector<std::string> normalised(std::vector<std::string> paths) {
    for (auto& each : paths) each = path::normalise(each);
    return paths;
}

} // namespace

/// Null where nobody waits for it any more: the connection is closed.
std::unique_ptr<link::handler> client_state::connected(const attempt_ref& a, link::connection& c, time_point now) {
    if (!attempts_.contains(a)) return nullptr;
    if (a->replaced && a->replaced->is_closing()) {
        attempts_.erase(a);
        return nullptr;
    }
    const auto state = a->replaced ? a->replaced : std::make_shared<session_state>(of_);
    const auto before = state->key;
    state->is_webtransport = a->where.webtransport;
    // The WebTransport request has the path.
    auto made = of_->connected(role::client, c, now, a->where.webtransport ? std::string{} : a->where.path, state);
    if (!made) {
        const std::string why = "no common protocol";
        a->replaced ? again(a, why) : fail(a, make_error(errc::unsupported), {app_error::transport}, why);
        return nullptr;
    }
    state->path = a->where.path;
    state->asks_parts = a->how.interests.size() > 1;
    if (!a->admit && (!a->how.listens || !a->how.interests.empty())) {
        scope heard{.publish = {}};
        if (a->how.listens) heard.publish = normalised(a->how.interests);
        static_cast<void>(of_->relay().admit(state->key, std::move(heard)));
    }
    if (a->admit && !a->admit(state)) {
        fail(a, make_error(errc::unauthorized), {app_error::transport}, "it is not wanted");
        return made; // It carries the code with which it was closed.
    }
    if (auto* old = a->replaced ? of_->relay().session(before) : nullptr) old->close(app_error::cancel, "moved");
    keep(a->where, a->how, state, {now, a->replaced != nullptr, a->give_up_at, a->pause});
    if (a->replaced) {
        attempts_.erase(a);
        a->timer.cancel();
        state->has_moved();
    } else {
        answer(a, {}, session{state, !a->admit});
    }
    of_->wake();
    return made;
}

/// Connects again when the session is lost, or asks for it.
void client_state::keep(const url& where, const connect_request& how, const std::shared_ptr<session_state>& state,
    const origin_of& before) {
    const std::weak_ptr<session_state> its = state;
    const auto replaces = [weak = weak_from_this(), its, how, before](const url& there, const session_end* lost) {
        const auto here = weak.lock();
        const auto s = its.lock();
        return here && s && here->replace(there, how, s, before, lost);
    };
    state->on_lost = [replaces, where](const session_end& as) { return replaces(where, &as); };
    if (how.follow_goaway)
        // The user's code runs by itself.
        state->on_goaway = [on = executor(), its, replaces, where, how](const std::string& uri) {
            boost::asio::post(on, [its, replaces, where, how, uri] {
                const auto s = its.lock();
                if (!s || !s->is_open() || s->is_closing()) return;
                std::string why;
                const auto there = uri.empty() ? std::optional{where} : parse_url(uri, why);
                if (!there || !how.follow_goaway(uri) || !replaces(*there, nullptr)) s->report_goaway(uri);
            });
        };
}

/// False: it is not wanted, or the client ends, or has ended. Others of its origin do not.
bool client_state::replace(const url& where, const connect_request& how, const std::shared_ptr<session_state>& state,
    const origin_of& before, const session_end* as) {
    if (is_over_ || is_stopping_) return false;
    for (const auto& a : attempts_)
        if (a->replaced == state) { // The same, for another reason.
            if (as != nullptr) lost(*a, *as);
            return true;
        }
    if (as != nullptr && how.reconnect <= duration{}) return false;
    const auto a = std::make_shared<attempt>(executor());
    a->where = where;
    a->how = how;
    a->replaced = state;
    a->at_most = as != nullptr ? std::max<duration>(how.reconnect, how.timeout) : how.follow_for;
    const bool goes_on = before.replaced_another && asio::now() - before.since < settled;
    a->pause = goes_on ? before.pause : how.first_pause;
    if (goes_on) a->give_up_at = before.give_up_at;
    if (as != nullptr) lost(*a, *as);
    attempts_.insert(a);
    state->moves();
    // The peer may still be there. And not from within a connection's callbacks.
    boost::asio::post(executor(), [weak = weak_from_this(), a, goes_on] {
        const auto here = weak.lock();
        if (here && here->attempts_.contains(a)) goes_on ? here->again(a, "the last one ended soon") : here->dial(a);
    });
    return true;
}

void client_state::lost(attempt& a, const session_end& as) {
    if (std::exchange(a.is_lost, true)) return;
    if (!a.give_up_at) a.give_up_at = asio::now() + a.at_most;
    of_->log(link::log_level::warning, as.text + "; reconnecting");
}

void client_state::again(const attempt_ref& a, const std::string& why) {
    const auto now = asio::now();
    if (a->replaced->is_closing() || (a->give_up_at && now >= *a->give_up_at)) {
        attempts_.erase(a);
        // It may have been about to move, and still be there.
        if (of_->connection_of(a->replaced->key) != nullptr) return;
        const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(a->at_most).count();
        return a->replaced->end(make_error(errc::transport_closed),
            {app_error::transport, false, why, "cannot reconnect within " + std::to_string(seconds) + " s: " + why});
    }
    std::uniform_real_distribution<double> part{0.5, 1.0};
    a->timer.expires_after(std::chrono::duration_cast<std::chrono::steady_clock::duration>(
        std::chrono::duration<double>{a->pause} * part(random_)));
    a->pause = std::min<duration>(2 * a->pause, a->how.longest_pause);
    a->timer.async_wait([weak = weak_from_this(), a](const error_code& error) {
        const auto here = weak.lock();
        if (!error && here && here->attempts_.contains(a)) here->dial(a);
    });
}

} // namespace detail

client::client(asio::origin origin, client_options o)
    : origin_(std::move(origin)),
      state_(std::make_shared<detail::client_state>(detail::required(origin_.state()), std::move(o))) {}

client& client::operator=(client&& other) noexcept {
    if (state_) state_->end();
    origin_ = std::move(other.origin_);
    state_ = std::move(other.state_);
    return *this;
}

client::~client() {
    if (state_) state_->end();
}

void client::shutdown(const std::shared_ptr<detail::client_state>& state, detail::completion<>::handler handler) {
    state->shutdown({}, {std::move(handler), state->executor()});
}

void client::connect(const std::shared_ptr<detail::client_state>& state, const std::string& url,
    const connect_request& how, detail::completion<session>::handler handler) {
    state->connect(url, how, {std::move(handler), state->executor()});
}

} // namespace moqlite::asio

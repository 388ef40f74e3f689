#include "detail/loop.hpp"

#include <algorithm>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/post.hpp>
#include <functional>
#include <map>
#include <memory>
#include <moqlite/asio/clock.hpp>
#include <moqlite/asio/quic_client.hpp>
#include <utility>

namespace moqlite::asio {

namespace net = boost::asio;

namespace {

/// Without an answer the next address is also tried after this delay (RFC 8305 §5).
constexpr auto next_address_after = std::chrono::milliseconds{250};

/// As an IPv6 socket names it.
link::address for_socket(const link::address& remote, bool v6) {
    if (!v6 || remote.is_v6()) return remote;
    const std::string text = to_string(remote); // "a.b.c.d:port"
    return *link::address::parse("::ffff:" + text.substr(0, text.find(':')), remote.port());
}

} // namespace

class quic_client::state final : public detail::loop {
public:
    using loop::loop;

    bool ensure_open(std::string& why) {
        if (!open_) open_ = open(detail::any_address(0), why);
        return open_;
    }
    [[nodiscard]] bool is_open() const noexcept { return open_; }
    bool ending = false;

    /// The address of `host` that answered last; empty: none.
    [[nodiscard]] link::address answered(const std::string& host) const {
        const auto found = answered_.find(host);
        return found != answered_.end() ? found->second : link::address{};
    }
    void answered(const std::string& host, const link::address& at) {
        constexpr std::size_t most = 64;
        if (answered_.size() >= most && !answered_.contains(host)) answered_.erase(answered_.begin());
        answered_[host] = at;
    }

private:
    bool open_ = false;
    std::map<std::string, link::address> answered_;
};

namespace {

/// One connect(): the race of the connections to all addresses of a host.
template <class State>
class attempt final : public std::enable_shared_from_this<attempt<State>> {
public:
    attempt(std::shared_ptr<State> state, connect_options o, link::accept_function accept, link::failed_function failed)
        : state_{state},
          options_{std::move(o)},
          accept_{std::move(accept)},
          failed_{std::move(failed)},
          resolver_{state->executor()},
          timer_{state->executor()} {
        if (options_.server_name.empty()) options_.server_name = options_.host;
    }

    void start() {
        if (const auto numeric = link::address::parse(options_.host, options_.port)) {
            addresses_.push_back(*numeric);
            net::post(timer_.get_executor(), [self = this->shared_from_this()] { self->next(); });
            return;
        }
        resolver_.async_resolve(options_.host, std::to_string(options_.port),
            [self = this->shared_from_this()](const auto& error, const auto& found) {
                for (const auto& entry : found)
                    self->addresses_.emplace_back(entry.endpoint().data(), entry.endpoint().size());
                self->begin_with_known();
                self->last_.reason =
                    "cannot resolve " + self->options_.host + (error ? ": " + error.message() : std::string{});
                self->next();
            });
    }

private:
    void begin_with_known() {
        const auto state = state_.lock();
        if (!state) return;
        const auto at = std::ranges::find(addresses_, state->answered(options_.host));
        known_ = at != addresses_.end();
        if (known_) std::rotate(addresses_.begin(), at, at + 1);
    }

    ngtcp2::target target_of(const State& state, const link::address& to) {
        ngtcp2::target t{
            for_socket(to, state.local().is_v6()), state.local(), options_.server_name, options_.alpn, options_.resume};
        const bool certain = addresses_.size() == 1 || (known_ && tried_ == 1);
        if (t.resume == ngtcp2::resumption::early_data && !certain) t.resume = ngtcp2::resumption::resume;
        t.ticket = std::exchange(options_.ticket, {});
        t.on_ticket = options_.on_ticket;
        return t;
    }

    void next() {
        const auto state = state_.lock();
        if (!state || decided_) return;
        if (state->ending) return fail({0, false, false, "the client is shutting down"});
        if (tried_ == addresses_.size()) {
            if (running_.empty()) fail(last_);
            return;
        }
        std::string why;
        link::connection* made = nullptr;
        const auto self = this->shared_from_this();
        const auto& to = addresses_[tried_++];
        if (state->ensure_open(why)) {
            // Known only once connect() has returned.
            auto which = std::make_shared<link::connection*>(nullptr);
            made = state->endpoint().connect(
                options_.tls, target_of(*state, to),
                [self, to](link::connection& c, time_point t) { return self->won(c, to, t); },
                [self, which](const link::closed& how) { self->lost(*which, how); }, why, now());
            *which = made;
        }
        if (made == nullptr) {
            last_ = {0, false, false, why};
            return next();
        }
        running_.push_back(made);
        if (tried_ == addresses_.size()) return;
        timer_.expires_after(next_address_after);
        timer_.async_wait([self](const boost::system::error_code& error) {
            if (!error) self->next();
        });
    }

    std::unique_ptr<link::handler> won(link::connection& c, const link::address& at, time_point t) {
        std::erase(running_, &c);
        if (std::exchange(decided_, true)) return nullptr;
        if (const auto state = state_.lock()) state->answered(options_.host, at);
        timer_.cancel();
        for (auto* other : running_) other->close(app_error::cancel, "another address answered");
        return std::exchange(accept_, nullptr)(c, t);
    }

    void lost(link::connection* c, const link::closed& how) {
        std::erase(running_, c);
        if (decided_) return;
        // An error is more specific than a timeout.
        if (last_.reason.empty() || how.code != 0 || tried_ == 1) last_ = how;
        timer_.cancel();
        next();
    }

    void fail(const link::closed& how) {
        decided_ = true;
        accept_ = nullptr;
        std::exchange(failed_, nullptr)(how);
    }

    std::weak_ptr<State> state_;
    connect_options options_;
    link::accept_function accept_;
    link::failed_function failed_;
    net::ip::udp::resolver resolver_;
    net::steady_timer timer_;
    std::vector<link::address> addresses_;
    std::size_t tried_ = 0;
    std::vector<link::connection*> running_;
    link::closed last_;
    bool decided_ = false;
    bool known_ = false; ///< The first address has answered before.
};

} // namespace

quic_client::quic_client(net::any_io_executor executor, options o) {
    o.socket.icmp_errors = true;
    state_ = std::make_shared<state>(std::move(executor), std::move(o));
}

quic_client::~quic_client() { state_->stop(); }

void quic_client::connect(connect_options o, link::accept_function accept, link::failed_function failed) {
    std::make_shared<attempt<state>>(state_, std::move(o), std::move(accept), std::move(failed))->start();
}

void quic_client::shutdown(app_error code, std::string_view reason, duration grace, std::function<void()> done) {
    state_->ending = true;
    state_->shutdown(code, reason, grace, std::move(done));
}

ngtcp2::endpoint* quic_client::endpoint() { return state_->is_open() ? &state_->endpoint() : nullptr; }
const socket_stats& quic_client::stats() const { return state_->stats(); }

} // namespace moqlite::asio

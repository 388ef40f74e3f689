#include "shard.hpp"

#include "client_options.hpp"
#include "log.hpp"
#include "qlog_files.hpp"
#include "text.hpp"
#include "webtransport_admission.hpp"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <moqlite/asio/clock.hpp>
#include <moqlite/asio/random_hop.hpp>
#include <moqlite/link/session_handler.hpp>
#include <spdlog/spdlog.h>
#include <utility>

namespace moqlite::programs {

namespace {

constexpr auto shutdown_grace = std::chrono::seconds{4};      ///< For sessions to close at shutdown.
constexpr std::size_t memory_beside_cache = 48 * 1024 * 1024; ///< Bytes for readers and arriving groups.

relay_options for_relay(const relay_program_options& o) {
    relay_options made;
    made.bounds.cache = o.cache_bytes;
    made.bounds.memory = o.cache_bytes + std::max<std::uint64_t>(memory_beside_cache, 4 * o.live_backlog);
    made.bounds.live_backlog = o.live_backlog;
    made.bounds.cache_age = to_duration(o.cache_age);
    made.bounds.route_hops = static_cast<std::size_t>(o.max_hops);
    made.epoch = asio::now();
    made.reports_path = true;
    made.origin = asio::random_hop();
    return made;
}

} // namespace

struct shard::connection_slot {
    connection_slot(shard& s, std::uint64_t k) noexcept : owner(&s), key(k) {}
    connection_slot(connection_slot&& other) noexcept : owner(std::exchange(other.owner, nullptr)), key(other.key) {}
    ~connection_slot() {
        if (owner != nullptr) owner->forget(key);
    }
    void operator()(const event& e) {
        owner->relay_.handle(key, e, asio::now());
        // Answer the admission before the peer's next message is parsed.
        if (std::holds_alternative<setup_received>(e)) owner->handle_notices();
    }
    shard* owner;
    std::uint64_t key;
};

shard::shard(boost::asio::any_io_executor on, const relay_program_options& options, std::function<void()> when_empty)
    : on_{std::move(on)},
      options_{options},
      when_empty_{std::move(when_empty)},
      timer_{on_},
      relay_{for_relay(options)},
      qlog_{qlog_into(options.qlog)} {}

bool shard::listen(const listener& what, const asio::certificate& certificate,
    std::function<std::vector<std::string>()> own_names, std::string& why) {
    auto address = what.where;
    if (what.follows_port) // All addresses of a name share a port.
        address.replace(address.rfind(':') + 1, 1, std::to_string(servers_.back()->local_address().port()));
    asio::options o;
    o.socket.ipv6_only = what.ipv6_only;
    o.quic.idle_timeout = to_duration(options_.idle_timeout);
    o.quic.retry = options_.retry;
    o.quic.per_address = options_.per_address;
    // A free port differs after a restart, and may then be another server's.
    if (!what.where.ends_with(":0")) {
        o.quic.reset_key = asio::reset_key(certificate.who, address, why);
        if (!o.quic.reset_key) spdlog::warn("no stateless resets after a restart of this relay: {}", why);
    }
    o.quic.log = adapter_log(log_style::service);
    o.quic.qlog = qlog_;
    o.before_pump = [this](time_point now) { turn(now); };
    auto& server = servers_.emplace_back(std::make_unique<asio::quic_server>(on_, std::move(o)));
    return server->listen(
        address, certificate.configuration, accept_handler(is_on_loopback(address), std::move(own_names)), why);
}

std::vector<link::address> shard::addresses() const {
    std::vector<link::address> all;
    for (const auto& server : servers_) all.push_back(server->local_address());
    return all;
}

std::size_t shard::connections() const {
    std::size_t all = 0;
    for (const auto& server : servers_) all += server->endpoint().connections();
    return all;
}

void shard::renew(const asio::tls& configuration) {
    for (const auto& server : servers_) server->renew(configuration);
}

void shard::resume() {
    timer_at_.reset(); // The next turn sets the timer again.
    for (const auto& server : servers_) server->resume();
}

void shard::drain() {
    for (const auto& server : servers_) server->refuse();
    for (const auto& [key, connection] : connections_)
        if (relay_.session(key)->goaway(options_.drain_uri)) connection->wake(); // moq-lite-03 has no GOAWAY.
}

void shard::end_sessions(app_error code, std::function<void()> done) {
    const auto left = std::make_shared<std::size_t>(servers_.size());
    for (const auto& server : servers_)
        server->shutdown(code, "the relay is shutting down", shutdown_grace, [left, done] {
            if (--*left == 0) done();
        });
}

// Connections.

/// Native QUIC or WebTransport, by ALPN.
link::accept_function shard::accept_handler(bool loopback, std::function<std::vector<std::string>()> own_names) {
    auto by_http3 = nghttp3::serve({.log = adapter_log(log_style::service), .counts = http3_},
        webtransport_admission{.origins = options_.allow_origin,
            .own_names = std::move(own_names),
            .loopback = loopback,
            .protocols = options_.protocols,
            .accept = [this](link::connection& c, time_point now, std::string path) {
                return accept(c, now, std::move(path));
            }});
    return [this, by_http3 = std::move(by_http3)](link::connection& c, time_point now) {
        return c.alpn() == http3 ? by_http3(c, now) : accept(c, now, {});
    };
}

std::unique_ptr<link::handler> shard::accept(link::connection& c, time_point now, std::string path) {
    const auto* how = path.empty() ? "" : " by WebTransport";
    const auto key = relay_.add(role::server, c.alpn(), now, std::move(path));
    if (!key) {
        spdlog::warn("rejected {}: {} is {}", to_string(c.remote()), c.alpn(), to_string(key.error()));
        return nullptr;
    }
    connections_.emplace(*key, &c);
    spdlog::info("#{} connected from {}, {}{}", *key, to_string(c.remote()), c.alpn(), how);
    return std::make_unique<link::session_handler<any_session*, connection_slot>>(
        relay_.session(*key), connection_slot{*this, *key});
}

void shard::forget(std::uint64_t key) noexcept {
    connections_.erase(key);
    // Entries are left here if the end of the session could not be reported.
    for (auto* each : {&broken_rules_, &lost_groups_, &refused_requests_, &announcements_}) each->erase(key);
    relay_.remove(key);
    if (connections_.empty()) when_empty_();
}

/// Once a turn of each listener, before connections are pumped.
void shard::turn(time_point now) {
    relay_.tick(now);
    handle_notices();
    while (const auto key = relay_.poll_ready())
        if (const auto found = connections_.find(*key); found != connections_.end()) found->second->wake();
    set_timer();
}

void shard::set_timer() {
    const auto at = relay_.deadline();
    if (at == timer_at_) return;
    timer_at_ = at;
    timer_.cancel();
    if (!at) return;
    timer_.expires_at(asio::to_steady(*at));
    timer_.async_wait([this](const boost::system::error_code& error) {
        if (error) return;
        timer_at_.reset();
        turn(asio::now());
    });
}

} // namespace moqlite::programs

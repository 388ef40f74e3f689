#include "service.hpp"

#include "client_options.hpp"
#include "exit_code.hpp"
#include "log.hpp"
#include "qlog_files.hpp"
#include "text.hpp"
#include "webtransport_door.hpp"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <malloc.h>
#include <moqlite/asio/clock.hpp>
#include <moqlite/asio/random_hop.hpp>
#include <moqlite/link/session_handler.hpp>
#include <thread>
#include <utility>

namespace moqlite::programs {

namespace {

constexpr auto farewell = std::chrono::seconds{4};      ///< For sessions to end when we stop.
constexpr auto between_lines = std::chrono::seconds{5}; ///< About the same kind of thing of one session.
constexpr auto between_looks = std::chrono::seconds{2}; ///< At how many connections there are.
/// What "/" says where the page's files are not.
constexpr const char* no_page = "The demo page was not built, or is not in --web-root DIR: ./dev build makes it where "
                                "there is npm. /certificate.sha256 and /health work.";
constexpr auto without_memory = std::chrono::milliseconds{50}; ///< Before it is tried again to go on.
constexpr std::size_t a_crowd = 64;                            ///< Of connections that ended.
constexpr unsigned announcements_at_once = 32;                 ///< That are listed, within that time.
constexpr std::size_t beside_the_cache = 48 * 1024 * 1024;     ///< Bytes that readers and arriving groups may hold.

duration to_duration(double seconds) {
    return std::chrono::duration_cast<duration>(std::chrono::duration<double>{seconds});
}

relay_options for_relay(const relay_program_options& o) {
    relay_options made;
    made.bounds.cache = o.cache_bytes;
    made.bounds.memory = o.cache_bytes + beside_the_cache;
    made.bounds.cache_age = to_duration(o.cache_age);
    made.epoch = asio::now();
    made.reports_path = true;
    made.origin = asio::random_hop();
    return made;
}

ngtcp2::certificate_store store_for(const relay_program_options& o) {
    if (o.tls_generate.empty()) return ngtcp2::certificate_store::reading(o.cert, o.key, o.protocols);
    return ngtcp2::certificate_store::generating(o.tls_generate, o.protocols);
}

} // namespace

struct service::guest {
    guest(service& h, std::uint64_t k) noexcept : home(&h), key(k) {}
    guest(guest&& other) noexcept : home(std::exchange(other.home, nullptr)), key(other.key) {}
    ~guest() {
        if (home != nullptr) home->forget(key);
    }
    void operator()(const event& e) {
        home->relay_.handle(key, e, asio::now());
        // Who asks to come in is answered before his next message is read.
        if (std::holds_alternative<setup_received>(e)) home->tell();
    }
    service* home;
    std::uint64_t key;
};

service::service(const relay_program_options& options)
    : options_{options},
      certificates_{store_for(options)},
      relay_{for_relay(options)},
      qlog_{qlog_into(options.qlog)} {}

int service::run() {
    std::string why;
    if (!start(why)) {
        spdlog::error("{}", why);
        return exit_failure;
    }
    watch_signals();
    tidy();
    for (bool over = false; !over;) {
        try {
            io_.run();
            over = true;
        } catch (const std::bad_alloc&) { // Of no connection's.
            while (!go_on()) std::this_thread::sleep_for(without_memory);
        }
    }
    return exit_ok;
}

bool service::go_on() {
    try {
        timer_at_.reset(); // Set anew by the next turn.
        for (const auto& server : servers_) server->resume();
        if (web_) web_->resume();
        tidy_later();
        wait_for_signal();
        return true;
    } catch (const std::bad_alloc&) {
        return false;
    }
}

bool service::start(std::string& why) {
    if (certificates_.load(wall_clock(), why) == ngtcp2::certificate_store::outcome::failed) return false;
    check_dates();
    const auto listeners = resolve_listeners(options_.listen, 443, why);
    if (!listeners) return false;
    for (const auto& each : *listeners)
        if (!listen(each, why)) return false;
    if (!options_.web.empty() && !open_web(why)) return false;
    spdlog::info("moqlite-relay " MOQLITE_VERSION ", {}", ngtcp2::library_versions());
    const auto protocols = CLI::detail::join(options_.protocols, ",");
    for (const auto& server : servers_)
        std::printf("listening %s protocols %s sha256 %s\n", to_string(server->local_address()).c_str(),
            protocols.c_str(), certificates_.current().fingerprint.c_str());
    if (web_) std::printf("web %s\n", to_string(web_->local_address()).c_str());
    std::fflush(stdout);
    return true;
}

bool service::open_web(std::string& why) {
    const auto addresses = numeric_addresses(options_.web, 80, why);
    web_options o{.root = options_.web_root, .without_root = no_page};
    o.warn = [](const std::string& line) { spdlog::warn("{}", line); };
    web_.emplace(io_.get_executor(), std::move(o), [this](std::string_view path) { return page(path); });
    return !addresses.empty() && web_->listen(addresses.front(), why);
}

bool service::listen(const listener& what, std::string& why) {
    const auto& certificate = certificates_.current();
    auto address = what.where;
    if (what.follows_port) // One name has one port.
        address.replace(address.rfind(':') + 1, 1, std::to_string(servers_.back()->local_address().port()));
    asio::options o;
    o.socket.ipv6_only = what.ipv6_only;
    o.quic.idle_timeout = to_duration(options_.idle_timeout);
    o.quic.retry = options_.retry;
    o.quic.per_address = options_.per_address;
    // Any free port is another one in the next life, and another's in this one.
    if (!what.where.ends_with(":0")) {
        o.quic.reset_key = ngtcp2::reset_key(certificate.who, address, why);
        if (!o.quic.reset_key) spdlog::warn("clients will not learn at once that this relay was restarted: {}", why);
    }
    o.quic.log = adapter_log(log_style::service);
    o.quic.qlog = qlog_;
    o.before_pump = [this](time_point now) { turn(now); };
    auto& server = servers_.emplace_back(std::make_unique<asio::server>(io_.get_executor(), std::move(o)));
    return server->listen(address, certificate.configuration, door(is_on_loopback(address)), why);
}

// Connections.

/// By QUIC itself, or by WebTransport, as the ALPN says.
link::accept_function service::door(bool loopback) {
    auto by_http3 = nghttp3::serve({.log = adapter_log(log_style::service), .counts = http3_},
        webtransport_door{.origins = options_.allow_origin,
            .own_names = [this] { return own_names(); },
            .loopback = loopback,
            .protocols = options_.protocols,
            .accept = [this](link::connection& c, time_point now,
                          std::string path) { return accept(c, now, std::move(path)); }});
    return [this, by_http3 = std::move(by_http3)](link::connection& c, time_point now) {
        return c.alpn() == http3 ? by_http3(c, now) : accept(c, now, {});
    };
}

std::vector<std::string> service::own_names() const {
    auto names = certificates_.current().names;
    names.insert(names.end(), options_.hosts.begin(), options_.hosts.end());
    return names;
}

std::unique_ptr<link::handler> service::accept(link::connection& c, time_point now, std::string path) {
    const auto* how = path.empty() ? "" : " by WebTransport";
    const auto key = relay_.add(role::server, c.alpn(), now, std::move(path));
    if (!key) {
        spdlog::warn("{} was turned away: {} is {}", to_string(c.remote()), c.alpn(), to_string(key.error()));
        return nullptr;
    }
    connections_.emplace(*key, &c);
    spdlog::info("#{} connected from {}, {}{}", *key, to_string(c.remote()), c.alpn(), how);
    return std::make_unique<link::session_handler<any_session*, guest>>(relay_.session(*key), guest{*this, *key});
}

void service::forget(std::uint64_t key) noexcept {
    connections_.erase(key);
    // Entries are left of these where the end of the session could not be reported.
    for (auto* each : {&broken_rules_, &lost_groups_, &refused_requests_, &announcements_}) each->erase(key);
    relay_.remove(key);
    if (stopped_ && connections_.empty()) drained_.cancel();
}

/// Once a turn of each listener, before connections are pumped.
void service::turn(time_point now) {
    relay_.tick(now);
    tell();
    while (const auto key = relay_.poll_ready())
        if (const auto found = connections_.find(*key); found != connections_.end()) found->second->wake();
    set_timer();
}

void service::set_timer() {
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

// What happened.

void service::tell() {
    while (const auto notice = relay_.poll_notice()) std::visit([this](const auto& what) { say(what); }, *notice);
}

void service::say(const admission_wanted& e) {
    const auto root = path::normalise(std::string_view{e.path}.substr(0, e.path.find('?')));
    if (root.size() > limits{}.name || path::segments(root) > limits{}.path_segments)
        return static_cast<void>(relay_.refuse(e.session, app_error::bounds_exceeded));
    if (const auto admitted = relay_.admit(e.session, {.root = root}); !admitted)
        return static_cast<void>(relay_.refuse(e.session, wire_code(admitted.error())));
    spdlog::info("#{} admitted to /{}", e.session, printable(root));
}

void service::say(const session_ended& e) {
    auto how = e.how;
    how.reason = e.reason;
    const auto broken = broken_rules_.extract(e.session); // Nothing more is heard of it.
    if (broken && broken.mapped().count != 0)
        spdlog::warn("#{} broke rules {} times more", e.session, broken.mapped().count);
    lost_groups_.erase(e.session);
    refused_requests_.erase(e.session);
    announcements_.erase(e.session);
    spdlog::info("#{} ended: {}", e.session, to_text(how));
}

bool service::tally::add(time_point now, unsigned burst) {
    ++count;
    if (since == time_point{} || now - since >= between_lines) {
        since = now;
        lines = 0;
    }
    return lines++ < burst;
}

void service::say(const peer_misbehaved& e) {
    auto& broken = broken_rules_[e.session];
    if (!broken.add(asio::now())) return;
    const auto n = std::exchange(broken.count, 0);
    const auto more = n > 1 ? fmt::format(", and {} times before", n - 1) : std::string{};
    spdlog::warn("#{} broke a rule on stream {}: {}{}", e.session, number(e.stream), to_string(e.why), more);
}

void service::say(const peer_leaving& e) {
    const auto where = e.uri.empty() ? std::string{"here"} : "to " + std::string{printable(e.uri)};
    spdlog::info("#{} will leave, and asks to be connected to again, {}", e.session, where);
}

void service::say(const broadcast_changed& e) {
    auto& told = announcements_[e.session];
    if (!told.add(asio::now(), announcements_at_once)) return;
    const auto n = std::exchange(told.count, 0);
    const auto more = n > 1 ? fmt::format(", after {} changes that are not listed", n - 1) : std::string{};
    spdlog::info("#{} {} {}{}", e.session, e.available ? "announces" : "no longer announces", printable(e.path), more);
}

void service::say(const reader_lost_group& e) {
    auto& lost = lost_groups_[e.session];
    if (!lost.add(asio::now())) return;
    spdlog::warn("#{} was not given {} groups, the last of them {} of {} {}: {}", e.session,
        std::exchange(lost.count, 0), number(e.sequence), printable(e.broadcast), printable(e.track), to_text(e.code));
}

void service::say(const request_refused& e) {
    auto& refused = refused_requests_[e.session];
    if (!refused.add(asio::now())) return;
    spdlog::warn("#{} was refused {} requests, the last of them {} {}: more than its share of what #{} takes",
        e.session, std::exchange(refused.count, 0), printable(e.broadcast), printable(e.track), e.publisher);
}

void service::say(const group_outgrew_cache& e) {
    spdlog::warn(
        "{} {} of #{} can no longer be joined: its group {} does not end, and has {}, more than the cache keeps",
        printable(e.broadcast), printable(e.track), e.publisher, number(e.sequence),
        size_text(static_cast<double>(e.bytes)));
}

// Signals.

void service::watch_signals() {
    for (const int signal : {SIGINT, SIGTERM, SIGUSR1, SIGHUP}) signals_.add(signal);
    wait_for_signal();
}

void service::wait_for_signal() {
    if (waits_for_signal_) return;
    signals_.async_wait([this](const boost::system::error_code& error, int signal) {
        waits_for_signal_ = false;
        if (!error) on_signal(signal);
    });
    waits_for_signal_ = true; // Only now: it may throw.
}

void service::on_signal(int signal) {
    wait_for_signal();
    if (signal == SIGUSR1) return say_statistics();
    if (signal == SIGHUP) return renew();
    if (stopped_) { // Who asks twice does not want to wait: clients that leave are not waited for, but told.
        if (drained_.cancel() == 0) std::_Exit(exit_by_signal(signal));
        return;
    }
    stop(signal);
}

void service::stop(int signal) {
    stopped_ = true;
    stopping_ = servers_.size();
    const auto* why = signal == SIGINT ? "SIGINT" : "SIGTERM";
    if (options_.drain <= 0 || connections_.empty()) {
        spdlog::info("{}: ending {} sessions", why, connections_.size());
        return end_sessions();
    }
    spdlog::info("{}: asking {} sessions to leave within {} s", why, connections_.size(), options_.drain);
    drain();
}

/// New connections are refused; those there are have been told, and may finish what they do.
void service::drain() {
    for (const auto& server : servers_) server->refuse();
    for (const auto& [key, connection] : connections_)
        if (relay_.session(key)->goaway()) connection->wake(); // moq-lite-03 cannot be asked.
    drained_.expires_after(std::chrono::duration_cast<std::chrono::nanoseconds>(to_duration(options_.drain)));
    drained_.async_wait([this](const boost::system::error_code&) {
        spdlog::info("ending {} sessions", connections_.size());
        end_sessions();
    });
}

void service::end_sessions() {
    for (const auto& server : servers_)
        server->shutdown(app_error::cancel, "the relay is shutting down", farewell, [this] {
            if (--stopping_ == 0) io_.stop();
        });
}

void service::tidy() {
    tidy_later(); // First: what follows may find no memory.
    std::string why;
    changed(certificates_.refresh(wall_clock(), why), why);
    check_dates();
    std::size_t here = 0;
    for (const auto& server : servers_) here += server->endpoint().connections(); // Half handshakes, too.
    most_connections_ = std::max(most_connections_, here);
    const bool leaving = here < last_connections_; // Once is enough, when all have left.
    last_connections_ = here;
    if (!leaving && most_connections_ >= here + a_crowd) {
        most_connections_ = here;
        ::malloc_trim(0);
    }
}

void service::tidy_later() {
    tidying_.expires_after(between_looks);
    tidying_.async_wait([this](const boost::system::error_code& error) {
        if (!error) tidy();
    });
}

void service::say_statistics() {
    relay_.trim();
    ::malloc_trim(0);
    const auto s = relay_.stats();
    const auto& w = *http3_;
    spdlog::info("{} sessions, {} broadcasts, {} tracks, {} readers; {} cached, {} in use; {} groups not delivered; {} "
                 "requests refused, {} not answered in time; by WebTransport {} sessions, refused {} requests, {} "
                 "streams, {} datagrams, {} connections",
        s.sessions, s.broadcasts, s.tracks, s.readers, size_text(static_cast<double>(s.cached_bytes)),
        size_text(static_cast<double>(s.memory)), s.groups_lost, s.requests_refused, s.requests_overdue, w.sessions,
        w.refused_requests, w.rejected_streams, w.dropped_datagrams, w.failed_connections);
}

} // namespace moqlite::programs

#include "service.hpp"

#include "client_options.hpp"
#include "command_line.hpp"
#include "exit_code.hpp"
#include "listeners.hpp"
#include "log.hpp"
#include "notice_log.hpp"
#include "qlog_files.hpp"
#include "text.hpp"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <malloc.h>
#include <spdlog/spdlog.h>
#include <thread>
#include <utility>

namespace moqlite::programs {

namespace {

constexpr auto check_interval = std::chrono::seconds{2}; ///< Of housekeeping().
/// Answer to "/" without the page's files.
constexpr const char* no_page = "The demo page was not built, or is not in --web-root DIR: ./dev build makes it if npm "
                                "is installed. /certificate.sha256 and /health work.";
constexpr auto memory_retry_delay = std::chrono::milliseconds{50}; ///< Between two attempts to recover.
constexpr std::size_t trim_threshold = 64; ///< Ended connections after which memory is returned.

constexpr auto farewell = std::chrono::seconds{4};            ///< For sessions to close at shutdown.
constexpr std::size_t memory_beside_cache = 48 * 1024 * 1024; ///< Bytes for readers and arriving groups.

asio::origin_options for_origin(const relay_program_options& o) {
    asio::origin_options made;
    made.bounds.cache = o.cache_bytes;
    made.bounds.memory = o.cache_bytes + std::max<std::uint64_t>(memory_beside_cache, 4 * o.live_backlog);
    made.bounds.live_backlog = o.live_backlog;
    made.bounds.cache_age = to_duration(o.cache_age);
    made.bounds.route_hops = static_cast<std::size_t>(o.max_hops);
    made.log = adapter_log(log_style::service);
    made.on_notice = [log = std::make_shared<notice_log>()](const asio::notice& n) { (*log)(n); };
    return made;
}

asio::server_options for_server(const relay_program_options& o) {
    asio::server_options made;
    made.tls = o.tls_generate.empty() ? asio::server_identity::files(o.cert, o.key)
                                      : asio::server_identity::generated(o.tls_generate);
    made.protocols = o.protocols;
    made.webtransport = std::erase(made.protocols, http3) != 0;
    made.allow_origin = o.allow_origin;
    made.hosts = o.hosts;
    made.farewell = farewell;
    auto& quic = made.transport.quic;
    quic.idle_timeout = to_duration(o.idle_timeout);
    quic.retry = o.retry;
    quic.per_address = o.per_address;
    quic.qlog = qlog_into(o.qlog);
    return made;
}

} // namespace

service::service(const relay_program_options& options)
    : options_{options}, origin_{io_.get_executor(), for_origin(options)}, server_{origin_, for_server(options)} {}

int service::run() {
    std::string why;
    if (!start(why)) {
        if (!why.empty()) spdlog::error("{}", why);
        return exit_failure;
    }
    watch_signals();
    housekeeping();
    for (bool over = false; !over;) {
        try {
            io_.run();
            over = true;
        } catch (const std::bad_alloc&) { // Not confined to one connection.
            while (!recover()) std::this_thread::sleep_for(memory_retry_delay);
        }
    }
    return exit_ok;
}

bool service::recover() {
    try {
        server_.resume();
        if (web_) web_->resume();
        schedule_housekeeping();
        wait_for_signal();
        return true;
    } catch (const std::bad_alloc&) {
        return false;
    }
}

bool service::start(std::string& why) {
    const auto listeners = resolve_listeners(options_.listen, 443, why);
    if (!listeners) return false;
    for (const auto& each : *listeners) {
        auto where = each.where;
        if (each.follows_port) { // All addresses of a name share a port.
            const auto before = server_.addresses().back();
            where.replace(where.rfind(':'), where.npos, before, before.rfind(':'), before.npos);
        }
        if (server_.listen(where, {.ipv6_only = each.ipv6_only})) return false; // It has said why.
    }
    if (!options_.web.empty() && !open_web(why)) return false;
    spdlog::info("moqlite-relay " MOQLITE_VERSION ", {}", asio::library_versions());
    const auto protocols = CLI::detail::join(options_.protocols, ",");
    for (const auto& address : server_.addresses())
        std::printf(
            "listening %s protocols %s sha256 %s\n", address.c_str(), protocols.c_str(), server_.fingerprint().c_str());
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
    waits_for_signal_ = true; // Last: async_wait() may throw.
}

void service::on_signal(int signal) {
    wait_for_signal();
    if (signal == SIGUSR1) return log_statistics();
    if (signal == SIGHUP) return server_.reload_certificate();
    if (!stopped_) return stop(signal);
    // A second signal ends the drain; a third, or one without a drain, exits at once.
    if (!std::exchange(drains_, false)) std::_Exit(exit_by_signal(signal));
    end_sessions();
}

void service::stop(int signal) {
    stopped_ = true;
    const auto* why = signal == SIGINT ? "SIGINT" : "SIGTERM";
    drains_ = options_.drain > 0 && server_.sessions() != 0;
    if (drains_)
        spdlog::info("{}: asking {} sessions to leave within {} s", why, server_.sessions(), options_.drain);
    else
        end_sessions();
    server_.async_shutdown(to_duration(options_.drain), options_.drain_uri, [this](const auto&) { io_.stop(); });
}

void service::end_sessions() {
    spdlog::info("ending {} sessions", server_.sessions());
    server_.close(app_error::cancel, "the relay is shutting down");
}

void service::housekeeping() {
    schedule_housekeeping(); // First: the rest may throw std::bad_alloc.
    const auto here = server_.stats().connections;
    peak_connections_ = std::max(peak_connections_, here);
    const bool leaving = here < last_connections_; // Wait until no more are leaving, so as to trim once.
    last_connections_ = here;
    if (!leaving && peak_connections_ >= here + trim_threshold) {
        peak_connections_ = here;
        ::malloc_trim(0);
    }
}

void service::schedule_housekeeping() {
    housekeeping_timer_.expires_after(check_interval);
    housekeeping_timer_.async_wait([this](const boost::system::error_code& error) {
        if (!error) housekeeping();
    });
}

void service::log_statistics() {
    origin_.trim();
    ::malloc_trim(0);
    const auto s = origin_.stats();
    const auto w = server_.stats();
    spdlog::info(
        "{} sessions, {} broadcasts, {} tracks, {} readers; {} cached, {} in use; {} groups not delivered, {} of "
        "them too old; {} "
        "requests refused, {} not answered in time; by WebTransport {} sessions, refused {} requests, {} "
        "streams, {} datagrams, {} connections",
        s.sessions, s.broadcasts, s.tracks, s.readers, size_text(static_cast<double>(s.cached_bytes)),
        size_text(static_cast<double>(s.memory)), s.groups_lost, s.groups_too_old, s.requests_refused,
        s.requests_overdue, w.webtransport_sessions, w.http_refused, w.webtransport_streams, w.webtransport_datagrams,
        w.http_violations);
}

} // namespace moqlite::programs

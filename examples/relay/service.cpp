#include "service.hpp"

#include "command_line.hpp"
#include "exit_code.hpp"
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

asio::certificate_store store_for(const relay_program_options& o) {
    if (o.tls_generate.empty()) return asio::certificate_store::reading(o.cert, o.key, o.protocols);
    return asio::certificate_store::generating(o.tls_generate, o.protocols);
}

} // namespace

service::service(const relay_program_options& options)
    : options_{options}, certificates_{store_for(options)}, shard_{io_.get_executor(), options, [this] {
                                                                       if (stopped_) drain_timer_.cancel();
                                                                   }} {}

int service::run() {
    std::string why;
    if (!start(why)) {
        spdlog::error("{}", why);
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
        shard_.resume();
        if (web_) web_->resume();
        schedule_housekeeping();
        wait_for_signal();
        return true;
    } catch (const std::bad_alloc&) {
        return false;
    }
}

bool service::start(std::string& why) {
    if (certificates_.load(wall_clock(), why) == asio::certificate_store::outcome::failed) return false;
    check_dates();
    const auto listeners = resolve_listeners(options_.listen, 443, why);
    if (!listeners) return false;
    for (const auto& each : *listeners)
        if (!shard_.listen(each, certificates_.current(), [this] { return own_names(); }, why)) return false;
    if (!options_.web.empty() && !open_web(why)) return false;
    spdlog::info("moqlite-relay " MOQLITE_VERSION ", {}", asio::library_versions());
    const auto protocols = CLI::detail::join(options_.protocols, ",");
    for (const auto& address : shard_.addresses())
        std::printf("listening %s protocols %s sha256 %s\n", to_string(address).c_str(), protocols.c_str(),
            certificates_.current().fingerprint.c_str());
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

std::vector<std::string> service::own_names() const {
    auto names = certificates_.current().names;
    names.insert(names.end(), options_.hosts.begin(), options_.hosts.end());
    return names;
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
    if (signal == SIGHUP) return reload_certificate();
    if (stopped_) { // A second signal ends the drain; a third, or one without a drain, exits at once.
        if (drain_timer_.cancel() == 0) std::_Exit(exit_by_signal(signal));
        return;
    }
    stop(signal);
}

void service::stop(int signal) {
    stopped_ = true;
    const auto* why = signal == SIGINT ? "SIGINT" : "SIGTERM";
    if (options_.drain <= 0 || shard_.sessions() == 0) {
        spdlog::info("{}: ending {} sessions", why, shard_.sessions());
        return end_sessions(app_error::cancel);
    }
    spdlog::info("{}: asking {} sessions to leave within {} s", why, shard_.sessions(), options_.drain);
    drain();
}

/// New connections are refused; existing ones get GOAWAY and may finish.
void service::drain() {
    shard_.drain();
    drain_timer_.expires_after(std::chrono::duration_cast<std::chrono::nanoseconds>(to_duration(options_.drain)));
    drain_timer_.async_wait([this](const boost::system::error_code& cancelled) {
        spdlog::info("ending {} sessions", shard_.sessions());
        end_sessions(cancelled ? app_error::cancel : app_error::goaway_timeout);
    });
}

void service::end_sessions(app_error code) {
    shard_.end_sessions(code, [this] { io_.stop(); });
}

void service::housekeeping() {
    schedule_housekeeping(); // First: the rest may throw std::bad_alloc.
    std::string why;
    certificate_changed(certificates_.refresh(wall_clock(), why), why);
    check_dates();
    const auto here = shard_.connections();
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
    shard_.trim();
    ::malloc_trim(0);
    const auto s = shard_.stats();
    const auto& w = shard_.http3_stats();
    spdlog::info(
        "{} sessions, {} broadcasts, {} tracks, {} readers; {} cached, {} in use; {} groups not delivered, {} of "
        "them too old; {} "
        "requests refused, {} not answered in time; by WebTransport {} sessions, refused {} requests, {} "
        "streams, {} datagrams, {} connections",
        s.sessions, s.broadcasts, s.tracks, s.readers, size_text(static_cast<double>(s.cached_bytes)),
        size_text(static_cast<double>(s.memory)), s.groups_lost, s.groups_too_old, s.requests_refused,
        s.requests_overdue, w.sessions, w.refused_requests, w.rejected_streams, w.dropped_datagrams,
        w.failed_connections);
}

} // namespace moqlite::programs

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

constexpr auto between_looks = std::chrono::seconds{2}; ///< At how many connections there are.
/// What "/" says where the page's files are not.
constexpr const char* no_page = "The demo page was not built, or is not in --web-root DIR: ./dev build makes it if npm "
                                "is installed. /certificate.sha256 and /health work.";
constexpr auto without_memory = std::chrono::milliseconds{50}; ///< Before it is tried again to go on.
constexpr std::size_t a_crowd = 64;                            ///< Of connections that ended.

ngtcp2::certificate_store store_for(const relay_program_options& o) {
    if (o.tls_generate.empty()) return ngtcp2::certificate_store::reading(o.cert, o.key, o.protocols);
    return ngtcp2::certificate_store::generating(o.tls_generate, o.protocols);
}

} // namespace

service::service(const relay_program_options& options)
    : options_{options}, certificates_{store_for(options)}, shard_{io_.get_executor(), options, [this] {
                                                                       if (stopped_) drained_.cancel();
                                                                   }} {}

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
        shard_.resume();
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
        if (!shard_.listen(each, certificates_.current(), [this] { return own_names(); }, why)) return false;
    if (!options_.web.empty() && !open_web(why)) return false;
    spdlog::info("moqlite-relay " MOQLITE_VERSION ", {}", ngtcp2::library_versions());
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
    const auto* why = signal == SIGINT ? "SIGINT" : "SIGTERM";
    if (options_.drain <= 0 || shard_.sessions() == 0) {
        spdlog::info("{}: ending {} sessions", why, shard_.sessions());
        return end_sessions();
    }
    spdlog::info("{}: asking {} sessions to leave within {} s", why, shard_.sessions(), options_.drain);
    drain();
}

/// New connections are refused; those there are have been told, and may finish what they do.
void service::drain() {
    shard_.drain();
    drained_.expires_after(std::chrono::duration_cast<std::chrono::nanoseconds>(to_duration(options_.drain)));
    drained_.async_wait([this](const boost::system::error_code&) {
        spdlog::info("ending {} sessions", shard_.sessions());
        end_sessions();
    });
}

void service::end_sessions() {
    shard_.end_sessions([this] { io_.stop(); });
}

void service::tidy() {
    tidy_later(); // First: what follows may find no memory.
    std::string why;
    changed(certificates_.refresh(wall_clock(), why), why);
    check_dates();
    const auto here = shard_.connections();
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
    shard_.trim();
    ::malloc_trim(0);
    const auto s = shard_.stats();
    const auto& w = shard_.http3_stats();
    spdlog::info("{} sessions, {} broadcasts, {} tracks, {} readers; {} cached, {} in use; {} groups not delivered; {} "
                 "requests refused, {} not answered in time; by WebTransport {} sessions, refused {} requests, {} "
                 "streams, {} datagrams, {} connections",
        s.sessions, s.broadcasts, s.tracks, s.readers, size_text(static_cast<double>(s.cached_bytes)),
        size_text(static_cast<double>(s.memory)), s.groups_lost, s.requests_refused, s.requests_overdue, w.sessions,
        w.refused_requests, w.rejected_streams, w.dropped_datagrams, w.failed_connections);
}

} // namespace moqlite::programs

#include "client_program.hpp"

#include "log.hpp"
#include "qlog_files.hpp"
#include "text.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <csignal>
#include <cstdlib>
#include <exception>

namespace moqlite::programs {

namespace {

asio::origin_options for_origin(const limits& bounds) {
    asio::origin_options o{.bounds = bounds};
    o.log = adapter_log(log_style::tool);
    return o;
}

asio::client_options for_client(const client_options& from) {
    asio::client_options o{.trusted = from.trust(), .protocols = from.protocols};
    o.transport.quic.idle_timeout = to_duration(from.idle_timeout);
    o.transport.quic.qlog = qlog_into(from.qlog);
    return o;
}

} // namespace

client_program::client_program(const client_options& options, const limits& bounds, bool listens)
    : options_{options},
      listens_{listens},
      client_{asio::origin{io_.get_executor(), for_origin(bounds)}, for_client(options)} {}

int client_program::run() {
    watch_signals();
    boost::asio::co_spawn(io_, connect(), [this](const std::exception_ptr& thrown) {
        try {
            if (thrown) std::rethrow_exception(thrown);
        } catch (const std::exception& e) {
            finish(exit_failure, e.what());
        }
    });
    io_.run();
    return code_.value_or(exit_failure);
}

boost::asio::awaitable<void> client_program::connect() {
    asio::connect_request how;
    how.interests = {options_.broadcast};
    how.listens = listens_;
    // A draining relay refuses at once; one that has gone is silent or unreachable.
    how.longest_pause = std::chrono::milliseconds{500};
    how.follow_for = to_duration(options_.reconnect);
    how.follow_goaway = [follows = options_.reconnect > 0](const std::string& uri) {
        spdlog::info("the relay asks its clients to reconnect (GOAWAY){}", uri.empty() ? "" : ", to " + printable(uri));
        return follows;
    };
    auto [error, made] =
        co_await client_.async_connect(options_.url, how, boost::asio::as_tuple(boost::asio::deferred));
    if (error) {
        if (!finishing()) finish(exit_failure, made.ended() ? made.ended()->text : error.message());
        co_return;
    }
    session_ = std::move(made);
    watch_session();
    co_await work();
}

void client_program::watch_session() {
    spdlog::info("connected to {}, {}", session_.remote(), session_.protocol());
    session_.async_reconnected([this](const asio::error_code& error) {
        if (!error && !finishing()) return watch_session();
        if (const auto how = session_.ended(); how && !finishing()) over(*how);
    });
}

void client_program::watch_signals() {
    signals_.add(SIGINT);
    signals_.add(SIGTERM);
    signals_.async_wait([this](const asio::error_code& error, int signal) {
        if (error) return;
        finish(exit_by_signal(signal), signal == SIGINT ? "interrupted" : "terminated");
        // A second signal ends the program at once.
        signals_.async_wait([](const asio::error_code& again, int second) {
            if (!again) std::_Exit(exit_by_signal(second));
        });
    });
}

void client_program::finish(int code, const std::string& why) {
    if (finishing()) return;
    code_ = code;
    ending(code, why);
    session_.close(app_error::cancel, code == exit_ok ? "done" : code > exit_by_signal(0) ? "interrupted" : "failed");
    client_.async_shutdown([this](const asio::error_code&) { io_.stop(); });
}

} // namespace moqlite::programs
